"""Small data sets and the tables that property tests cross."""

import numpy as np

from shatterlab.corruption import CORRUPTIONS
from shatterlab.data import Data, Dataset
from shatterlab.models import MODELS

MODEL_NAMES = [*MODELS, "mlp-2x16"]
CORRUPTION_NAMES = list(CORRUPTIONS)

PAPER_PARAMETERS = {
    "mlp-1x512": 1_209_866,
    "mlp-3x512": 1_735_178,
    "alexnet": 1_387_786,
    "inception": 1_649_402,
    "inception-no-bn": 1_649_402,
}


def noise_data(n: int = 40, n_test: int = 20, shape=(8, 8, 3), classes: int = 4, seed: int = 0) -> Data:
    """Images and labels without any pattern, for properties that hold whatever the data are."""
    rng = np.random.default_rng(seed)

    def part(size: int) -> Dataset:
        return Dataset(
            rng.integers(256, size=(size, *shape), dtype=np.uint8), rng.integers(classes, size=size), classes
        )

    return Data(part(n), part(n_test))
