"""A data set is inputs and labels as plain arrays; training and test set travel together."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError
from .stored import Stored

Inputs = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """n labelled examples of any shape.

    Args:
        inputs: images (n, height, width, channels), grids (n, height, width), features (n, d) or anything else with
            one row an example: uint8 in 0..255 or float32. Token ids (n, length) are int64. In the place of images that
            are larger than memory stand `Stored` ones, which can be indexed like an array, see `on_disk`.
        labels: int64 in 0..classes-1, shape (n,): what a model is trained on or scored against.
        classes: number of classes.
        true_labels: int64, shape (n,): the labels before any corruption. Default: `labels`.
        corrupted: bool, shape (n,): which examples differ from the original. Default: none.
        assigned: bool, shape (n,): which labels were drawn at random, be they right by chance or not. Default: none.
        index: int64, shape (n,): the place of each example before a subset was taken. Default: 0, 1, 2, ...
    """

    inputs: Inputs
    labels: NDArray[np.int64]
    classes: int
    true_labels: NDArray[np.int64] = field(default=None)  # type: ignore[arg-type]
    corrupted: NDArray[np.bool_] = field(default=None)  # type: ignore[arg-type]
    assigned: NDArray[np.bool_] = field(default=None)  # type: ignore[arg-type]
    index: NDArray[np.int64] = field(default=None)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        if self.true_labels is None:
            object.__setattr__(self, "true_labels", self.labels)
        for mask in ("corrupted", "assigned"):
            if getattr(self, mask) is None:
                object.__setattr__(self, mask, np.zeros(len(self.labels), dtype=bool))
        if self.index is None:
            object.__setattr__(self, "index", np.arange(len(self.labels)))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (height, width, channels) of an image, (d,) of features."""
        return self.inputs.shape[1:]

    @property
    def on_disk(self) -> Stored | None:
        """The inputs, if they stay on disk and are read a batch at a time; None for arrays."""
        inputs: Any = self.inputs
        return inputs if isinstance(inputs, Stored) else None

    @property
    def are_tokens(self) -> bool:
        """Whether the inputs are token ids: names of words, whose size means nothing."""
        return self.inputs.dtype == np.int64

    @property
    def usual_preprocessing(self) -> str:
        """The value of the dial `preprocessing` for a user's inputs of this kind where none is named."""
        if self.are_tokens:
            return "none"
        if self.inputs.ndim == 2:
            return "standardize"
        return "whiten" if self.inputs.ndim == 4 or self.inputs.dtype == np.uint8 else "none"

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything in memory that has one entry an example, by name."""
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def as_images(self) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The inputs as the paper's networks see them, see `image_shape`; no copy.

        Raises:
            ShatterlabError: the inputs are token ids, or have more than three axes.
        """
        if self.are_tokens:
            raise ShatterlabError("the networks of the house cannot read token ids; bring a model with an embedding.")
        shape = image_shape(self.shape)
        return self.inputs if shape == self.shape else self.inputs.reshape(len(self), *shape)  # type: ignore[return-value]

    def flat(self) -> NDArray[np.float32]:
        """Each example as a row of float32, (n, numbers of an example); bytes are brought to [0, 1]."""
        rows = np.asarray(self.inputs).reshape(len(self), -1).astype(np.float32)
        return rows / np.float32(255) if self.inputs.dtype == np.uint8 else rows

    def take(self, indices: NDArray[np.int64]) -> "Dataset":
        """The examples at `indices`, in their order."""
        taken: dict[str, Any] = {name: array[indices] for name, array in self.arrays().items()}
        if self.on_disk:
            taken["inputs"] = self.on_disk.take(indices)
        return replace(self, **taken)

    def fingerprint(self) -> str:
        """SHA-256 of inputs and labels, their shapes and types: equal exactly when the data are equal.

        Inputs on disk are not read again for it, see `Stored.fingerprint`.
        """
        if self.on_disk:
            return hashlib.sha256(f"{self.on_disk.fingerprint()}{digest(self.labels)}".encode()).hexdigest()
        return digest(self.inputs, self.labels)


@dataclass(frozen=True)
class Data:
    """A training and a test set, which travel together: one pixel permutation has to reach both.

    Args:
        train, test: the two sets.
        validation: the set that `hold_out` takes out of the training set after corruption, and None before.
        names: the names of the classes, from 0; empty where the classes are their numbers.
        name: a short name for people: `cifar10`, `npz:mine.npz`, `arrays`.
        version: the beginning of the SHA-256 of a user's data; None for the data sets of the house.
        notes: sentences on what was done to a user's data to make these of them.
        address: what a user's data were read from, such as `csv:/home/me/mine.csv?label=ill`; None for arrays.
    """

    train: Dataset
    test: Dataset
    validation: Dataset | None = None
    names: tuple[str, ...] = ()
    name: str = "arrays"
    version: str | None = None
    notes: tuple[str, ...] = ()
    address: str | None = None

    def as_images(self) -> "Data":
        """The data as the paper's networks see them, see `Dataset.as_images`."""
        sets = {name: getattr(self, name) for name in ("train", "test", "validation")}
        return replace(self, **{n: replace(part, inputs=part.as_images()) for n, part in sets.items() if part})

    def _repr_html_(self) -> str:
        from ..faces import data_face

        return data_face({"train": self.train, "test": self.test}, self.train.inputs, names=self.names)


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels as which the paper's networks see an example: (d,) is (1, d, 1), (h, w) is (h, w, 1).

    Raises:
        ShatterlabError: the example has no axes, or more than three.
    """
    if not 1 <= len(shape) <= 3:
        raise ShatterlabError(
            f"the networks of the house see images, grids or features, not examples of shape {shape}; "
            "bring a model of your own."
        )
    height, width, channels = {1: (1, *shape, 1), 2: (*shape, 1), 3: shape}[len(shape)]
    return height, width, channels


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of the arrays, their shapes and types."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def pair(name: str, train: Dataset, test: Dataset) -> Data:
    """Train and test set as one, if their examples are alike; both get the larger number of classes."""
    if train.shape != test.shape or train.inputs.dtype != test.inputs.dtype:
        raise ShatterlabError(
            f"{name} has training examples of {train.shape} {train.inputs.dtype} and test examples of "
            f"{test.shape} {test.inputs.dtype}; they must agree."
        )
    classes = max(train.classes, test.classes)
    return Data(replace(train, classes=classes), replace(test, classes=classes))
