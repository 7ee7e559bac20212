"""scikit-learn's bundled digits: 1,797 grey images of 8 x 8 (Alpaydin and Kaynak, 1998); needs no download."""

import gzip
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..seeds import stream
from .dataset import Data, Dataset

TEST_SIZE = 360


def load() -> Data:
    """1,437 training and 360 test images. The set has no published split; this one is fixed, whatever the seed."""
    pixels, labels = _table()
    # Its pixels count to 16; stretched to 0..255 they are like every other set's, and no two values merge.
    images = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)[..., None]
    order = stream(0, "digits", "split").permutation(len(images))
    whole = Dataset(images, labels.astype(np.int64), classes=10)
    train, test = (whole.take(chosen) for chosen in (order[TEST_SIZE:], order[:TEST_SIZE]))
    return Data(replace(train, index=np.arange(len(train))), replace(test, index=np.arange(len(test))))


def _table() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The pixels, (1797, 64) in 0..16, and the labels.

    The file is read without scikit-learn, whose import takes much longer.
    """
    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or []:
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as lines:
                table = np.loadtxt(lines, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits  # a version that keeps it elsewhere

    digits = load_digits()
    return digits.data, digits.target
