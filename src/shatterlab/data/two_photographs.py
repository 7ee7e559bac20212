"""The two photographs that scikit-learn brings, cut into tiles: a handful of pictures large enough for Inception V3."""

from dataclasses import replace

import numpy as np

from ..seeds import stream
from .dataset import Data, Dataset

SIDE = 75
"""The side of a tile in pixels, the least that Inception V3 takes."""
TEST_SIZE = 16
NAMES = ("temple", "flower")
"""The photographs, china.jpg and flower.jpg, show a Chinese temple and a dahlia."""


def load() -> Data:
    """64 training and 16 test tiles of 75 x 75; the class of a tile is its photograph. The split is always the same."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    tiles = [
        [photo[top : top + SIDE, left : left + SIDE] for top in _starts(photo, 0) for left in _starts(photo, 1)]
        for photo in photographs
    ]
    labels = np.repeat(np.arange(len(tiles)), [len(of_photo) for of_photo in tiles])
    whole = Dataset(np.stack([tile for of_photo in tiles for tile in of_photo]), labels, classes=len(tiles))
    order = stream(0, "photographs", "split").permutation(len(whole))
    train, test = (whole.take(chosen) for chosen in (order[TEST_SIZE:], order[:TEST_SIZE]))
    return Data(replace(train, index=np.arange(len(train))), replace(test, index=np.arange(len(test))))


def _starts(photo: np.ndarray, axis: int) -> range:
    return range(0, photo.shape[axis] - SIDE + 1, SIDE)
