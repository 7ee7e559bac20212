"""The randomization tests of Zhang et al. (2017), section 2. A new one is a function and a line in `CORRUPTIONS`.

Each corruption takes (data, amount, seed, label noise) and returns data. It draws from streams named after
itself, so that every model and every length of training sees the same corruption. Labels are
corrupted in the training set only: the test set keeps its true labels. Inputs are corrupted in both sets.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from ..arguments import is_whole
from ..data.dataset import Data, Dataset
from ..errors import ShatterlabError, one_of
from ..seeds import stream
from ..spec import AMOUNTS
from .labels import LabelNoise, corrupt_labels
from .pixels import gaussian_pixels, positions, random_tokens, randomize_pixels, shuffle_pixels

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "corrupt",
    "corrupt_labels",
    "gaussian_pixels",
    "random_tokens",
    "randomize_pixels",
    "shuffle_pixels",
]


@dataclass(frozen=True)
class Corruption:
    """A condition: its description in words, and its function of (data, amount, seed, label noise)."""

    summary: str
    apply: Callable[[Data, float, int, LabelNoise], Data]


def _keep(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    return data


def _labels(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    return replace(data, train=corrupt_labels(data.train, amount, stream(seed, "labels"), label_noise))


def _on_both(data: Data, name: str, seed: int, change: Callable[[Dataset, np.random.Generator], Dataset]) -> Data:
    """Changes the inputs of both sets, each with a stream of its own."""
    train, test = (stream(seed, name, part) for part in ("train", "test"))
    return replace(data, train=change(data.train, train), test=change(data.test, test))


def _shuffled(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    permutation = stream(seed, "shuffled-pixels", "permutation").permutation(positions(data.train))
    return _on_both(data, "shuffled-pixels", seed, lambda part, rng: shuffle_pixels(part, amount, rng, permutation))


def _random(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    return _on_both(data, "random-pixels", seed, lambda part, rng: randomize_pixels(part, amount, rng))


def _gaussian(data: Data, amount: float, seed: int, label_noise: LabelNoise) -> Data:
    inputs = data.train.inputs
    if data.train.are_tokens:
        ids, counts = np.unique(inputs, return_counts=True)
        shares = counts / counts.sum()
        return _on_both(data, "gaussian-pixels", seed, lambda part, rng: random_tokens(part, amount, rng, ids, shares))
    if stored := data.train.on_disk:
        mean, deviation = stored.moments()
        return _on_both(
            data, "gaussian-pixels", seed, lambda part, rng: gaussian_pixels(part, amount, rng, mean, deviation)
        )
    # The columns of a table are measurements in units of their own, whereas all pixels share one unit.
    axis = 0 if inputs.ndim == 2 and inputs.dtype == np.float32 else None
    mean, deviation = (np.asarray(of(axis=axis, dtype=np.float64)) for of in (inputs.mean, inputs.std))
    if axis is None:
        mean, deviation = mean.item(), deviation.item()
    return _on_both(
        data, "gaussian-pixels", seed, lambda part, rng: gaussian_pixels(part, amount, rng, mean, deviation)
    )


CORRUPTIONS = {
    "true-labels": Corruption("the data as they are", _keep),
    "partial-labels": Corruption(
        "each label, with probability AMOUNT (default 0.5), replaced by a random class", _labels
    ),
    "random-labels": Corruption("every label replaced by a random class", _labels),
    "shuffled-pixels": Corruption(
        "one permutation of the pixels, columns of a table or places of a text, the same for all of train and test",
        _shuffled,
    ),
    "random-pixels": Corruption("every example's pixels, columns or tokens in a random order of its own", _random),
    "gaussian-pixels": Corruption(
        "every image replaced by noise with the data's mean and variance (in a table each column's own; texts by "
        "tokens drawn by their frequency)",
        _gaussian,
    ),
}


def corrupt(
    data: Data, name: str, amount: float | None = None, seed: int = 0, *, label_noise: LabelNoise = "uniform"
) -> Data:
    """Applies a condition; the same arguments give the same data, bit for bit.

    Args:
        data: train and test set.
        name: a key of `CORRUPTIONS`.
        amount: probability in [0, 1] that an example is touched; by default the condition's own, see `AMOUNTS`.
        seed: seed of the named streams.
        label_noise: convention for labels, see `corrupt_labels`.

    Raises:
        ShatterlabError: there is no such condition (the message names the nearest) or no such convention; the amount
            lies outside [0, 1]; a validation set is held out already; or the seed is no whole number from 0.
    """
    if not isinstance(data, Data):
        raise ShatterlabError(f"corrupt takes the Data that shatterlab.load returns, got {type(data).__name__}.")
    one_of("corruption", name, CORRUPTIONS)
    if data.validation is not None:
        raise ShatterlabError("corrupt the data first and hold out validation examples then; they share it.")
    if amount is None:
        amount = AMOUNTS.get(name, 1.0)
    if not isinstance(amount, Real) or isinstance(amount, bool) or not 0 <= amount <= 1:
        raise ShatterlabError(f"amount must lie in [0, 1], got {amount!r}; for twenty percent write 0.2.")
    if not is_whole(seed, least=0):
        raise ShatterlabError(f"seed must be a whole number from 0, got {seed!r}; for the usual one write seed=0.")
    return CORRUPTIONS[name].apply(data, amount, seed, label_noise)
