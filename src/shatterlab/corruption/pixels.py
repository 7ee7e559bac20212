"""Corrupted pixels. `amount` is the share of images touched: each, independently, with that probability."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset

BLOCK = 2_000
"""Images handled at a time, so that the index arrays of 50,000 images never exist at once."""


def shuffle_pixels(
    dataset: Dataset, amount: float, rng: np.random.Generator, permutation: NDArray[np.int64]
) -> Dataset:
    """Applies one permutation of the pixel positions to every touched image; colours stay together.

    Args:
        dataset: images of shape (n, height, width, channels).
        amount: probability in [0, 1] that an image is touched.
        rng: chooses the touched images.
        permutation: of range(height * width), the same for train and test.
    """
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    flat = dataset.images.reshape(len(dataset), -1, dataset.shape[2]).copy()
    for block in _blocks(touched):
        flat[block] = flat[block][:, permutation]
    return _with_pixels(dataset, flat, touched)


def randomize_pixels(dataset: Dataset, amount: float, rng: np.random.Generator) -> Dataset:
    """Applies to every touched image a permutation of the pixel positions of its own."""
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    flat = dataset.images.reshape(len(dataset), -1, dataset.shape[2]).copy()
    positions = np.arange(flat.shape[1], dtype=np.int32)
    for block in _blocks(touched):
        permutations = rng.permuted(np.broadcast_to(positions, (len(block), len(positions))), axis=1)
        flat[block] = np.take_along_axis(flat[block], permutations[..., None], axis=1)
    return _with_pixels(dataset, flat, touched)


def gaussian_pixels(
    dataset: Dataset, amount: float, rng: np.random.Generator, mean: float, deviation: float
) -> Dataset:
    """Replaces every touched image by independent Gaussian pixels.

    Args:
        dataset: images of shape (n, height, width, channels).
        amount: probability in [0, 1] that an image is touched.
        rng: where the randomness comes from.
        mean, deviation: of the original training pixels, in the unit of the pixels. Bytes are
            rounded and clipped to 0..255, floats are not.
    """
    touched = np.flatnonzero(rng.random(len(dataset)) < amount)
    images = dataset.images.copy()
    for block in _blocks(touched):
        drawn = rng.standard_normal((len(block), *dataset.shape), dtype=np.float32) * deviation + mean
        images[block] = np.clip(np.rint(drawn), 0, 255) if images.dtype == np.uint8 else drawn
    return _with_pixels(dataset, images, touched)


def _blocks(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + BLOCK] for start in range(0, len(indices), BLOCK)]


def _with_pixels(dataset: Dataset, images: np.ndarray, touched: NDArray[np.int64]) -> Dataset:
    corrupted = dataset.corrupted.copy()
    corrupted[touched] = True
    return replace(dataset, images=images.reshape(dataset.images.shape), corrupted=corrupted)
