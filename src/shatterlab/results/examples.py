"""The labels and predictions of every single example of a finished run, compact and in the order of the data."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..files import npz_arrays


@dataclass(frozen=True)
class Examples:
    """The examples of one set of a run, sorted by `index`.

    Args:
        index: int64 (n,), the place of the example in the data set before a subset was drawn.
        labels: int64 (n,), the label that the model was trained on or scored against.
        true_labels: int64 (n,), the label in the original data.
        assigned: bool (n,), whether the label was assigned at random, even where it is right by chance.
        predicted: int64 (n,), the class that the model predicts after the last epoch, on clean inputs.
    """

    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    true_labels: NDArray[np.int64]
    assigned: NDArray[np.bool_]
    predicted: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each example is predicted as it is labelled."""
        return self.predicted == self.labels

    @property
    def wrong_labels(self) -> NDArray[np.bool_]:
        """Whether each label is wrong; only labels that were assigned at random can be."""
        return self.labels != self.true_labels

    def sorted(self) -> "Examples":
        """The same examples in the order of `index`."""
        order = np.argsort(self.index, kind="stable")
        return Examples(*(getattr(self, part.name)[order] for part in fields(self)))


def packed(sets: Mapping[str, Examples]) -> bytes:
    """The bytes of a compressed npz archive with an array for each set and column, as small integers as possible."""
    arrays = {
        f"{name}/{part.name}": _small(getattr(examples, part.name))
        for name, examples in sets.items()
        for part in fields(examples)
    }
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpacked(content: bytes) -> dict[str, Examples]:
    """The sets of an archive that `packed` made, by name.

    Raises:
        ValueError: the bytes are damaged.
    """
    try:
        arrays = npz_arrays(io.BytesIO(content))
        columns = [part.name for part in fields(Examples)]
        names = dict.fromkeys(name.partition("/")[0] for name in arrays)
        return {name: _set(*(arrays[f"{name}/{column}"] for column in columns)) for name in names}
    except Exception as error:  # a damaged archive raises nearly any type of error
        raise ValueError(str(error)) from None


def _set(*columns: NDArray) -> Examples:
    """The columns of one set, if each holds as many whole numbers as the others, and truths where truths belong."""
    kinds = "".join(column.dtype.kind for column in columns)
    if (
        len({column.shape for column in columns}) != 1
        or columns[0].ndim != 1
        or not re.fullmatch("[iu]{3}b[iu]", kinds)
    ):
        raise ValueError("columns that do not fit together")
    index, labels, true_labels, assigned, predicted = columns
    index, labels, true_labels, predicted = (part.astype(np.int64) for part in (index, labels, true_labels, predicted))
    return Examples(index, labels, true_labels, assigned, predicted)


def _small(array: np.ndarray) -> np.ndarray:
    if array.dtype == bool or not array.size:
        return array
    return array.astype(np.min_scalar_type(int(array.max())))
