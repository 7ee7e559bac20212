"""The randomization tests of Zhang et al. (2017), section 2. A new one is a function and a line in `CORRUPTIONS`.

Each takes (data, amount, seed, label noise) and returns data. It draws from streams named after
itself, so that every model and every length of training sees the same corruption. Labels are
corrupted in the training set only: the test set keeps its true labels. Pixels are corrupted in both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..data.dataset import Data
from ..errors import ShatterlabError, unknown
from ..seeds import stream
from ..spec import AMOUNTS
from .labels import LabelNoise, corrupt_labels
from .pixels import gaussian_pixels, randomize_pixels, shuffle_pixels

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "corrupt",
    "corrupt_labels",
    "gaussian_pixels",
    "randomize_pixels",
    "shuffle_pixels",
]


@dataclass(frozen=True)
class Corruption:
    """What a condition does, in words and as a function of (data, amount, seed, label noise)."""

    summary: str
    apply: Callable[[Data, float, int, LabelNoise], Data]


def _keep(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    return data


def _labels(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    return Data(corrupt_labels(data.train, amount, stream(seed, "labels"), label_noise), data.test)


def _shuffled(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    height, width, _ = data.train.shape
    permutation = stream(seed, "shuffled-pixels", "permutation").permutation(height * width)
    train, test = (stream(seed, "shuffled-pixels", part) for part in ("train", "test"))
    return Data(
        shuffle_pixels(data.train, amount, train, permutation), shuffle_pixels(data.test, amount, test, permutation)
    )


def _random(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    train, test = (stream(seed, "random-pixels", part) for part in ("train", "test"))
    return Data(randomize_pixels(data.train, amount, train), randomize_pixels(data.test, amount, test))


def _gaussian(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    mean = float(data.train.images.mean(dtype=np.float64))
    deviation = float(data.train.images.std(dtype=np.float64))
    train, test = (stream(seed, "gaussian-pixels", part) for part in ("train", "test"))
    return Data(
        gaussian_pixels(data.train, amount, train, mean, deviation),
        gaussian_pixels(data.test, amount, test, mean, deviation),
    )


CORRUPTIONS = {
    "true-labels": Corruption("the data as they are", _keep),
    "partial-labels": Corruption(
        "each label, with probability AMOUNT (default 0.5), replaced by a random class", _labels
    ),
    "random-labels": Corruption("every label replaced by a random class", _labels),
    "shuffled-pixels": Corruption(
        "one permutation of the pixels, the same for every image of train and test", _shuffled
    ),
    "random-pixels": Corruption("every image's pixels in a random order of its own", _random),
    "gaussian-pixels": Corruption("every image replaced by noise with the data's mean and variance", _gaussian),
}


def corrupt(
    data: Data, name: str, amount: float | None = None, seed: int = 0, *, label_noise: LabelNoise = "uniform"
) -> Data:
    """Applies a condition; the same arguments give the same data, bit for bit.

    Args:
        data: train and test set.
        name: a key of `CORRUPTIONS`.
        amount: probability in [0, 1] that an example is touched; default: the condition's own, see `AMOUNTS`.
        seed: of the named streams.
        label_noise: convention for labels, see `corrupt_labels`.

    Raises:
        ShatterlabError: no such condition, whose message names the nearest; an amount outside [0, 1]; or a
            validation set is held out already.
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    if data.validation is not None:
        raise ShatterlabError("corrupt the data first and hold out validation examples then; they share it.")
    if amount is None:
        amount = AMOUNTS.get(name, 1.0)
    if not 0 <= amount <= 1:
        raise ShatterlabError(f"amount must lie in [0, 1], got {amount:g}; for twenty percent write 0.2.")
    return CORRUPTIONS[name].apply(data, amount, seed, label_noise)
