"""The target ledger: the paper's numbers, each with its source and how sure we are of it.

Zhang, Bengio, Hardt, Recht, Vinyals, "Understanding deep learning requires rethinking
generalization", ICLR 2017, arXiv 1611.03530.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .spec import LEARNING_RATES, PAPER_TRAINING_SIZE

Certainty = Literal["paper", "lecture", "transcription", "reproduction", "unverified"]
"""Read in the paper's text; stated in the lecture on it; read in a transcription; measured by
somebody else's independent reproduction; from memory."""


@dataclass(frozen=True)
class Target:
    """A number to be met.

    Args:
        quantity: a column of the table of runs.
        value: accuracies as shares in [0, 1].
        where: the spec fields that a run must have for the comparison to make sense.
        source: table or figure.
        certainty: how we know.
        tolerance: absolute distance up to which a measured number counts as agreeing.
    """

    quantity: str
    value: float
    where: Mapping[str, object]
    source: str
    certainty: Certainty
    tolerance: float


# The recipe of appendix A; a run that departs from it in any of these is not compared.
RECIPE: dict[str, object] = {
    "data": "cifar10",
    "n": PAPER_TRAINING_SIZE,
    "n_test": 10_000,
    "crop": 28,
    "preprocessing": "whiten",
    "momentum": 0.9,
    "decay": 0.95,
    "decay_every": PAPER_TRAINING_SIZE,
    "precision": "float32",
    "label_noise": "uniform",
    "weight_decay": 0.0,
}


def _recipe(model: str, corruption: str) -> dict[str, object]:
    rate = LEARNING_RATES.get(model, 0.01)
    return RECIPE | {"model": model, "corruption": corruption, "learning_rate": rate}


def _none_rows() -> list[Target]:
    """Table 1, the rows without explicit regularizers: train / test accuracy in percent."""
    rows = {
        ("inception", "true-labels"): (100.0, 85.75),
        ("inception", "random-labels"): (100.0, 9.78),
        ("inception-no-bn", "true-labels"): (100.0, 82.00),
        ("inception-no-bn", "random-labels"): (100.0, 10.12),
        ("alexnet", "true-labels"): (100.0, 76.07),
        ("alexnet", "random-labels"): (99.82, 9.86),
        ("mlp-3x512", "true-labels"): (100.0, 52.39),
        ("mlp-3x512", "random-labels"): (100.0, 10.48),
        ("mlp-1x512", "true-labels"): (100.0, 50.51),
        ("mlp-1x512", "random-labels"): (99.34, 10.61),
    }
    targets = []
    for (model, corruption), values in rows.items():
        where = _recipe(model, corruption)
        for quantity, percent, tolerance in zip(
            ("train_accuracy", "test_accuracy"), values, (0.005, 0.025), strict=True
        ):
            targets.append(Target(quantity, percent / 100, where, "Table 1", "lecture", tolerance))
    return targets


def _figure_1a() -> list[Target]:
    """Steps to an online loss of 0.1, Inception, batch 128, one seed, read off an independent reproduction."""
    steps = {
        "true-labels": 4_000,
        "shuffled-pixels": 5_600,
        "gaussian-pixels": 8_800,
        "random-pixels": 11_900,
        "random-labels": 16_600,
    }
    return [
        Target(
            "overfit_step",
            value,
            _recipe("inception", name) | {"batch_size": 128},
            "Figure 1a",
            "reproduction",
            0.25 * value,
        )
        for name, value in steps.items()
    ]


TARGETS: tuple[Target, ...] = (*_none_rows(), *_figure_1a())
"""Every number a run can be held against today. Each applies to runs that match its `where`, and to no others."""

FIGURE_1A_ORDER = ("true-labels", "shuffled-pixels", "gaussian-pixels", "random-pixels", "random-labels")
"""Fastest to slowest to fit, as in figure 1a."""

FIGURE_1B_SLOWDOWN = 4.0
"""Time to overfit random labels over that for true labels, about, figure 1b [transcription]."""


def targets_for(run: Mapping[str, object]) -> list[Target]:
    """The targets whose setting a run (a line of the table of runs) matches in every field named."""
    return [target for target in TARGETS if all(run.get(key) == value for key, value in target.where.items())]
