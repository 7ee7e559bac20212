"""Corrupted inputs of data on disk: what happens to an example is drawn from its place and applied when it is read.

An example is corrupted in the same way in every epoch and every process, and no second copy of the data exists.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.stored import Stored


@dataclass(frozen=True)
class _OfTouched:
    """A change of some examples of a source.

    Args:
        touched: bool, one for each example of the source.
    """

    touched: NDArray[np.bool_]

    def apply(self, examples: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `data.stored.Change`."""
        changed = examples.copy()
        for i in np.flatnonzero(self.touched[places]):
            changed[i] = self._one(examples[i], int(places[i]))
        return changed

    def digest(self) -> str:
        """See `data.stored.Change`."""
        content = hashlib.sha256(type(self).__name__.encode())
        for name, value in sorted(vars(self).items()):
            content.update(f"{name} ".encode() + np.ascontiguousarray(value).tobytes())
        return content.hexdigest()

    def _one(self, example: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        raise NotImplementedError


@dataclass(frozen=True)
class Shuffled(_OfTouched):
    """One permutation of the pixels for all examples; the colours of a pixel stay together.

    Args:
        permutation: int64, one number for each pixel.
    """

    permutation: NDArray[np.int64]

    def _one(self, example: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        return example.reshape(len(self.permutation), -1)[self.permutation].reshape(example.shape)


@dataclass(frozen=True)
class Permuted(_OfTouched):
    """A permutation of its own for each example.

    Args:
        key: the permutations are drawn from this number and the place of the example.
    """

    key: int

    def _one(self, example: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        pixels = example.reshape(-1, example.shape[-1])
        return np.random.default_rng([self.key, place]).permutation(pixels).reshape(example.shape)


@dataclass(frozen=True)
class Noise(_OfTouched):
    """Gaussian numbers in place of each example, rounded and clipped to 0..255.

    Args:
        key: the numbers are drawn from this one and the place of the example.
        mean, deviation: of the numbers.
    """

    key: int
    mean: float
    deviation: float

    def _one(self, example: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
        drawn = np.random.default_rng([self.key, place]).standard_normal(example.shape, dtype=np.float32)
        return np.clip(np.rint(drawn * self.deviation + self.mean), 0, 255).astype(np.uint8)


def marked(inputs: Stored, touched: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The examples at `touched`, counted within the inputs, as a mask over their source."""
    mask = np.zeros(inputs.source.shape[0], dtype=bool)
    mask[inputs.rows[touched]] = True
    return mask


def key_of(rng: np.random.Generator) -> int:
    """A number from which the changes of all examples are drawn."""
    return int(rng.integers(2**63))
