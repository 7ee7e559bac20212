"""Corrupted inputs: each example is touched independently with the probability `amount`.

The positions of an image or a grid are its pixels, those of a table its columns, those of a text its tokens. Inputs on
disk are changed when they are read, see `corruption.stored`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset
from ..data.stored import Stored
from .stored import Noise, Permuted, Shuffled, key_of, marked

BLOCK = 2_000
"""So many examples are handled at a time, and the index arrays of 50,000 images never exist at once."""


def positions(dataset: Dataset) -> int:
    """How many positions an example has; the last of three or more axes, the colours, is not counted."""
    return int(np.prod(dataset.shape[:-1] if len(dataset.shape) > 2 else dataset.shape))


def shuffle_pixels(
    dataset: Dataset, amount: float, rng: np.random.Generator, permutation: NDArray[np.int64]
) -> Dataset:
    """Applies one permutation of the positions to every touched example; the colours of a pixel stay together.

    Args:
        dataset: examples of any shape.
        amount: probability in [0, 1] that an example is touched.
        rng: the generator that chooses the touched examples.
        permutation: a permutation of range(positions(dataset)), the same for train and test.
    """
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    if stored := dataset.on_disk:
        shuffled = Shuffled(marked(stored, touched), permutation)
        return _with_inputs(dataset, stored.changed(shuffled), touched)
    flat = dataset.inputs.reshape(len(dataset), positions(dataset), -1).copy()
    for block in _blocks(touched):
        flat[block] = flat[block][:, permutation]
    return _with_inputs(dataset, flat, touched)


def randomize_pixels(dataset: Dataset, amount: float, rng: np.random.Generator) -> Dataset:
    """Applies to every touched example its own random permutation of the positions."""
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    if stored := dataset.on_disk:
        permuted = Permuted(marked(stored, touched), key_of(rng))
        return _with_inputs(dataset, stored.changed(permuted), touched)
    flat = dataset.inputs.reshape(len(dataset), positions(dataset), -1).copy()
    places = np.arange(flat.shape[1], dtype=np.int32)
    for block in _blocks(touched):
        permutations = rng.permuted(np.broadcast_to(places, (len(block), len(places))), axis=1)
        flat[block] = np.take_along_axis(flat[block], permutations[..., None], axis=1)
    return _with_inputs(dataset, flat, touched)


def gaussian_pixels(
    dataset: Dataset,
    amount: float,
    rng: np.random.Generator,
    mean: float | NDArray[np.float64],
    deviation: float | NDArray[np.float64],
) -> Dataset:
    """Replaces every touched example by independent Gaussian numbers.

    Args:
        dataset: bytes or floats of any shape.
        amount: probability in [0, 1] that an example is touched.
        rng: the generator that draws examples and numbers.
        mean, deviation: mean and standard deviation of the original training inputs, in their unit: one number, or one
            for each column of a table. Bytes are rounded and clipped to 0..255, floats are not.
    """
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    if stored := dataset.on_disk:
        noise = Noise(marked(stored, touched), key_of(rng), float(mean), float(deviation))
        return _with_inputs(dataset, stored.changed(noise), touched)
    inputs = dataset.inputs.copy()
    for block in _blocks(touched):
        drawn = rng.standard_normal((len(block), *dataset.shape), dtype=np.float32) * deviation + mean
        inputs[block] = np.clip(np.rint(drawn), 0, 255) if inputs.dtype == np.uint8 else drawn
    return _with_inputs(dataset, inputs, touched)


def random_tokens(
    dataset: Dataset, amount: float, rng: np.random.Generator, ids: NDArray, shares: NDArray[np.float64]
) -> Dataset:
    """Replaces every touched text by independent tokens, each drawn with its share of the training set.

    Args:
        dataset: token ids (n, length).
        amount: probability in [0, 1] that a text is touched.
        rng: the generator that draws texts and tokens.
        ids, shares: the tokens of the training set and the share of each, which sum to 1.
    """
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    inputs = dataset.inputs.copy()
    inputs[touched] = rng.choice(ids, (len(touched), *dataset.shape), p=shares)
    return _with_inputs(dataset, inputs, touched)


def _blocks(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + BLOCK] for start in range(0, len(indices), BLOCK)]


def _with_inputs(dataset: Dataset, inputs: Any, touched: NDArray[np.int64]) -> Dataset:
    changed = np.isin(np.arange(len(dataset)), touched)
    if not isinstance(inputs, Stored):
        inputs = inputs.reshape(dataset.inputs.shape)
    return replace(dataset, inputs=inputs, corrupted=dataset.corrupted | changed)
