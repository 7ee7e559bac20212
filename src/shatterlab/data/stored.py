"""Inputs that stay on disk and are read a batch at a time, for data that are larger than memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 256
"""A pass over all examples reads so many at a time."""

LARGEST_RESIDENT = 2**30
"""Inputs that take more bytes than this stay on disk and are read when they are needed. The limit is the same on every
machine, as it decides how pixels are corrupted and so belongs to what a run is."""


class Source(Protocol):
    """Examples on disk, which can be read by place; it travels to other processes by name, without its content."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of examples and the shape of one: (n, height, width, channels)."""

    def read(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The examples at these places, uint8 (number of places, height, width, channels)."""


class Change(Protocol):
    """A corruption of inputs that is applied to each example when it is read."""

    def apply(self, examples: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The examples after the change, of the same shape; `places` are theirs in the source."""

    def digest(self) -> str:
        """A hash of all that the change depends on."""


@dataclass(frozen=True)
class Stored:
    """Inputs of a `Dataset` that are read when they are needed: some examples of a source, changed on the way.

    It can be indexed as an array along its first axis, and `numpy.asarray` reads all of it.

    Args:
        source: where the examples are read.
        rows: the places of the examples in the source, int64 (n,).
        version: a hash of the content of the source.
        changes: what is done to each example that is read, in this order.
    """

    source: Source
    rows: NDArray[np.int64]
    version: str
    changes: tuple[Change, ...] = ()

    dtype = np.dtype(np.uint8)
    nbytes = 0
    """The bytes that the inputs take in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of examples and the shape of one."""
        return (len(self.rows), *self.source.shape[1:])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: Any) -> NDArray[np.uint8]:
        if isinstance(chosen, int | np.integer):
            return self[np.array([chosen])][0]
        places = self.rows[chosen]
        examples = self.source.read(places)
        for change in self.changes:
            examples = change.apply(examples, places)
        return examples

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, chosen: NDArray[np.int64]) -> "Stored":
        """The examples at `chosen`, in their order, without reading them."""
        return replace(self, rows=self.rows[chosen])

    def changed(self, change: Change) -> "Stored":
        """The same examples with one more change."""
        return replace(self, changes=(*self.changes, change))

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """All examples, `BLOCK` at a time."""
        for first in range(0, len(self), BLOCK):
            yield self[first : first + BLOCK]

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over all numbers of all examples, in one pass."""
        count, total, squares = 0, 0, 0
        for block in self.blocks():
            counts = np.bincount(block.reshape(-1), minlength=256)  # exact, as numbers are whole
            levels = np.arange(256)
            count += block.size
            total += int(counts @ levels)
            squares += int(counts @ levels**2)
        mean = total / count
        return mean, float(squares / count - mean**2) ** 0.5

    def fingerprint(self) -> str:
        """SHA-256 of the version of the source, the places read and the changes: equal only for equal examples."""
        content = hashlib.sha256(f"{self.version}{self.shape}".encode())
        content.update(np.ascontiguousarray(self.rows).data)
        for change in self.changes:
            content.update(change.digest().encode())
        return content.hexdigest()
