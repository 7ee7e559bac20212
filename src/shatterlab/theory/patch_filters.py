"""Random convolution filters after Coates and Ng (2012): they are patches of the images themselves, and not trained.

With 32,000 of them the activations of CIFAR-10 would fill terabytes, so filters are taken a block at a time and
only the Gram matrix of their pooled activations is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arguments import scale_of_pixels, whole

PATCH = 6
"""A patch has this many pixels a side [a public implementation of the paper's random features]."""
THRESHOLD = 1.0
"""The activations of a response r are max(r - b, 0) and max(-r - b, 0) with this b [the same implementation]."""
CELLS = 2
"""Activations are averaged over CELLS x CELLS equal parts of the image, the quadrants."""
CONTRAST = 10.0
"""This is added to a patch's variance on the scale 0..255 before division (Coates and Ng, 2012)."""
WHITENING = 0.1
"""This is added to the eigenvalues of the patches' covariance before whitening (Coates and Ng, 2012)."""
SAMPLE = 20_000
"""The covariance is estimated from this many patches."""
FILTERS = 768
"""The features of this many filters are held at a time; each filter gives 2 signs x CELLS² numbers for an image."""
ACTIVATIONS = 2**22
"""At most about this many activations are held at a time."""


@dataclass(frozen=True)
class Filters:
    """Filters that include the whitening of the patches.

    The response to a patch p is (p'v) / s(p) - c, where s(p)² is the variance of p plus `CONTRAST`. Columns of v sum to
    zero, so the mean of p need not be subtracted.

    Args:
        v: (PATCH * PATCH * channels, count) float32, one filter in each column.
        c: (count,) float32, the constant that is subtracted from each response.
    """

    v: NDArray[np.float32]
    c: NDArray[np.float32]


def random_filters(images: NDArray, count: int, seed: int = 0) -> Filters:
    """Draws random patches as filters; their contrast is normalized, they are whitened, and scaled to norm 1.

    Args:
        images: (n, height, width, channels) uint8, or floats in [0, 1].
        count: number of filters.
        seed: seed of the choice of patches.

    Raises:
        ValueError: the images are smaller than a patch, or neither bytes nor floats in [0, 1], or count is below 1.
    """
    count, factor = whole("count", count), _scale(images)
    if not len(images):
        raise ValueError("there must be at least one image to take patches from.")
    if images.ndim != 4 or min(images.shape[1:3]) < PATCH:
        raise ValueError(f"images must be (n, height, width, channels) of at least {PATCH} pixels a side, "
                         f"got shape {images.shape}.")  # fmt: skip
    rng = np.random.default_rng(seed)

    def draw(size: int) -> NDArray[np.float64]:
        which = rng.integers(len(images), size=size)
        top = rng.integers(images.shape[1] - PATCH + 1, size=size)
        left = rng.integers(images.shape[2] - PATCH + 1, size=size)
        patches = np.stack([images[i, y : y + PATCH, x : x + PATCH] for i, y, x in zip(which, top, left, strict=True)])
        patches = patches.reshape(size, -1).astype(np.float64) * factor
        patches -= patches.mean(axis=1, keepdims=True)
        return patches / np.sqrt(patches.var(axis=1, keepdims=True) + CONTRAST)

    sample = draw(SAMPLE)
    mean = sample.mean(axis=0)
    values, vectors = scipy.linalg.eigh(np.cov(sample, rowvar=False))
    whiten = (vectors / np.sqrt(np.maximum(values, 0) + WHITENING)) @ vectors.T
    chosen = (draw(count) - mean) @ whiten
    chosen /= np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-12)
    v = whiten @ chosen.T
    v -= v.mean(axis=0)
    return Filters(v.astype(np.float32), (mean @ v).astype(np.float32))


def pooled_activations(images: NDArray, filters: Filters) -> NDArray[np.float32]:
    """Averages max(r - 1, 0) and max(-r - 1, 0) of every filter's response r over each quadrant of an image.

    Args:
        images: (n, height, width, channels).
        filters: filters from `random_filters`.

    Returns:
        (n, CELLS² * 2 * count) float32.
    """
    n, height, width, _ = images.shape
    rows, columns = height - PATCH + 1, width - PATCH + 1
    pixels, count = filters.v.shape
    average = _cells(rows, columns)
    weights = np.concatenate([filters.v, -filters.c[None]])
    features, factor = np.empty((n, len(average), 2 * count), dtype=np.float32), np.float32(_scale(images))
    step = max(1, ACTIVATIONS // (rows * columns * count))
    clipped = np.empty((step, rows * columns, count), dtype=np.float32)
    for start in range(0, n, step):
        part = images[start : start + step].astype(np.float32) * factor
        patches = np.lib.stride_tricks.sliding_window_view(part, (PATCH, PATCH), axis=(1, 2))
        flat = np.ones((len(part) * rows * columns, pixels + 1), dtype=np.float32)
        flat[:, :pixels] = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, pixels)
        flat[:, :pixels] /= np.sqrt(flat[:, :pixels].var(axis=1) + np.float32(CONTRAST))[:, None]
        response = (flat @ weights).reshape(len(part), rows * columns, count)
        # As max(r - b, 0) = max(r, b) - b, b can be subtracted from averages: two passes over activations are enough.
        out, above = features[start : start + step], clipped[: len(part)]
        np.maximum(response, THRESHOLD, out=above)
        out[:, :, :count] = average @ above - THRESHOLD
        np.minimum(response, -THRESHOLD, out=above)
        out[:, :, count:] = -(average @ above) - THRESHOLD
    return features.reshape(n, -1)


def random_filter_grams(
    train: NDArray, test: NDArray, count: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns Gram matrices of the pooled activations of `count` random filters and of a constant feature.

    Activations are standardized by the training images and divided by the root of their number; the constant is 1.

    Args:
        train: (n, height, width, channels); the filters are patches of these.
        test: (m, height, width, channels).
        count: number of filters; the features are 8 * count.
        seed: of the filters.

    Returns:
        The Gram matrices of train with train, (n, n), and of test with train, (m, n), in float32.
    """
    gram = np.zeros((len(train), len(train)), dtype=np.float32)
    against = np.zeros((len(test), len(train)), dtype=np.float32)
    features = 0
    filters = random_filters(train, count, seed)
    for start in range(0, count, FILTERS):
        part = Filters(filters.v[:, start : start + FILTERS], filters.c[start : start + FILTERS])
        ours = pooled_activations(train, part)
        mean, deviation = ours.mean(axis=0, dtype=np.float64), ours.std(axis=0, dtype=np.float64)
        alive = deviation > 1e-6 * max(1e-12, float(deviation.max()))  # a filter that never fires tells nothing
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=alive).astype(np.float32)
        ours = (ours - mean.astype(np.float32)) * scale
        theirs = (pooled_activations(test, part) - mean.astype(np.float32)) * scale
        for rows in _blocks(len(train)):
            gram[rows, : rows.stop] += ours[rows] @ ours[: rows.stop].T
        against += theirs @ ours.T
        features += int(alive.sum())
    for rows in _blocks(len(train)):  # the other triangle
        gram[: rows.start, rows] = gram[rows, : rows.start].T
    # Centred features sum to zero over the training points, which no labels do: the constant takes that direction.
    for part in (gram, against):
        part /= features
        part += 1
    return gram, against


def _blocks(n: int, size: int = 2_048) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _scale(images: NDArray) -> float:
    """The factor that takes pixels to the range 0..255, in which the constants above are stated."""
    factor = 255.0 / scale_of_pixels(images)
    if factor > 1 and not (images.min(initial=0) >= 0 and images.max(initial=0) <= 1):
        raise ValueError(
            f"images of floats must lie in [0, 1], got {images.min():g} to {images.max():g}; divide pixels of 0..255 "
            "by 255, or make them uint8."
        )
    return factor


def _cells(rows: int, columns: int) -> NDArray[np.float32]:
    """Returns a matrix (CELLS², rows * columns), of which each row averages one cell."""
    cell = (np.arange(rows) * CELLS // rows)[:, None] * CELLS + (np.arange(columns) * CELLS // columns)[None, :]
    member = (cell.ravel()[None, :] == np.arange(CELLS**2)[:, None]).astype(np.float32)
    return member / member.sum(axis=1, keepdims=True)
