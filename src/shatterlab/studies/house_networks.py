"""Networks of the house as the measures know them: what learns from inputs, labels and a seed, and then predicts."""

from typing import TYPE_CHECKING

from ..spec import LEARNING_RATES, make_spec
from .outcome import Remedy
from .study import Scale

if TYPE_CHECKING:
    from ..data import Dataset
    from ..learners.networks import Networks

MODELS: dict[Scale, list[str]] = {
    "demo": ["mlp-1x512"],
    "cpu": ["mlp-1x512", "alexnet"],
    "paper": ["mlp-1x512", "alexnet", "inception"],
}
"""The networks of the paper that several studies measure at each scale."""

PAPER_RATE = 0.01
"""The paper's learning rate for every network but Inception (appendix A)."""

DIGITS_RATE = 0.03
"""On the digits, which are few and small, perceptrons fit random labels sooner at this learning rate than at the
paper's 0.01 (an assumption); on CIFAR-10 they do not fit them at all at this rate."""


def rate_of(model: str, data: str) -> float:
    """The learning rate of a network of the house on a data set: the paper's, where these are not the digits."""
    return DIGITS_RATE if data == "digits" else LEARNING_RATES.get(model, PAPER_RATE)


def remedy_of(data: str) -> Remedy:
    """What lets networks decide that have not: a larger scale, or other data than the digits, alike at every scale."""
    return "data" if data == "digits" else "scale"


def networks_of(
    model: str, examples: "Dataset", name: str, classes: int, *, steps: int, batch: int, rate: float
) -> "Networks":
    """An architecture with the dials of its training, of which each fit trains a network of its own.

    Args:
        model: the name of a network of the house.
        examples: the data, of which the shape and the type of an image count.
        name: the name of the data set, which decides the central crop.
        classes: the number of logits.
        steps: the optimizer steps of a fit, fewer once every label is fitted.
        batch: images in each step.
        rate: the learning rate at the first step.
    """
    from ..learners.networks import Networks

    images = examples.as_images()
    spec = make_spec(model=model, data=name, preprocessing="whiten", batch_size=batch, learning_rate=rate)
    return Networks(spec, None, images.shape[1:], classes, steps, images.dtype.kind == "u", "cpu")
