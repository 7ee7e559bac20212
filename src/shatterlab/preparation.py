"""The preparation of a run: its data and its model as the spec describes them, and the device."""

from pathlib import Path

import torch

from .corruption import corrupt
from .data import Data, hold_out, image_shape, load, standardized, subset
from .errors import ShatterlabError, one_of
from .models import build
from .models.dropout import with_dropout
from .models.initialization import INITIALIZATIONS
from .models.own import OwnModel
from .seeds import stream
from .spec import Spec
from .training.preprocess import crop_box


def prepare(spec: Spec, data_dir: Path | str | None = None, data: Data | None = None) -> Data:
    """Loads the data of a run, cuts them to n and the validation examples, corrupts them, and splits these off.

    Args:
        spec: the dials of the run.
        data_dir: the folder in which data are looked for first.
        data: a user's own data, in place of those that the spec names.
    """
    whole = data or load(spec.data, data_dir)
    if spec.n is not None and spec.n_validation and spec.n + spec.n_validation > len(whole.train):
        raise ShatterlabError(
            f"n={spec.n:,} and n_validation={spec.n_validation:,} together are more than the {len(whole.train):,} "
            "training examples there are; ask for fewer."
        )
    cut = subset(whole, None if spec.n is None else spec.n + spec.n_validation, spec.n_test, spec.seed_of_data)
    if spec.preprocessing == "standardize":
        cut = standardized(cut)
    made = corrupt(cut, spec.corruption, spec.amount, spec.seed_of_data, label_noise=spec.label_noise)
    made = hold_out(made, spec.n_validation, spec.seed_of_data)
    return made if spec.model_version else made.as_images()


def shape_for(spec: Spec, data: Data, *, own: bool) -> tuple[int, ...]:
    """The shape of one example as a network sees it, after the crop.

    For a user's network this is the shape of the tensor that it gets, with channels first in an image; for one of our
    own networks it is (height, width, channels), whatever the data are.
    """
    whole = data.train.shape if own else image_shape(data.train.shape)
    shape = (*(span.stop - span.start for span in crop_box(whole, spec.crop)), *whole[2:])
    return (shape[2], *shape[:2]) if own and len(shape) == 3 else shape


def model_for(spec: Spec, data: Data, network: OwnModel | None = None) -> torch.nn.Module:
    """Builds the model of a run with fresh weights, for the shape of the data after the crop.

    Args:
        spec: the dials of the run.
        data: gives the shape and the number of classes.
        network: a user's own network, in place of the one that the spec names.
    """
    seed = int(stream(spec.seed_of_training, "weights").integers(2**63))
    shape, classes = shape_for(spec, data, own=network is not None), data.train.classes
    if network is None:
        height, width, channels = shape
        return build(
            spec.model, (height, width, channels), classes, seed,
            initialization=spec.initialization, dropout=spec.dropout,
        )  # fmt: skip
    model = network.build(shape, classes, seed)
    if spec.initialization != "own":
        INITIALIZATIONS[spec.initialization](model, seed)
    return with_dropout(model, spec.dropout)


def version_of(spec: Spec, data: Data, network: OwnModel) -> str:
    """The version of a user's network for the shape and the classes of the data, see `OwnModel.version`."""
    return network.version(shape_for(spec, data, own=True), data.train.classes)


def pick_device(name: str) -> torch.device:
    """Returns the device of a name; `auto` is CUDA where there is a GPU, else the CPU."""
    one_of("device", name, ("auto", "cpu", "cuda"))
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ShatterlabError("there is no CUDA device here; use --device cpu.")
    return torch.device(name)
