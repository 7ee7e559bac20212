"""scikit-learn's bundled digits: 1,797 grey images of 8 x 8 (Alpaydin and Kaynak, 1998); needs no download."""

from dataclasses import replace

import numpy as np

from ..seeds import stream
from .dataset import Data, Dataset

TEST_SIZE = 360


def load() -> Data:
    """1,437 training and 360 test images. The set has no published split; this one is fixed, whatever the seed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Its pixels count to 16; stretched to 0..255 they are like every other set's, and no two values merge.
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    order = stream(0, "digits", "split").permutation(len(images))
    whole = Dataset(images, digits.target.astype(np.int64), classes=10)
    train, test = (whole.take(chosen) for chosen in (order[TEST_SIZE:], order[:TEST_SIZE]))
    return Data(replace(train, index=np.arange(len(train))), replace(test, index=np.arange(len(test))))
