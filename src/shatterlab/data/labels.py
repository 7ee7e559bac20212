"""Labels of any kind become 0..classes-1, and what became what is kept."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError, shown


class Mapped(NamedTuple):
    """Labels of each set as integers from 0, names of the classes unless they were such before, and what was done."""

    labels: list[NDArray[np.int64]]
    classes: int
    names: tuple[str, ...]
    notes: tuple[str, ...]


def map_labels(name: str, *sets: Any, are_classes: bool = False) -> Mapped:
    """Maps the labels of a training set, and those of a test set, together, in the order of their values.

    Args:
        name: the name of the data, for messages.
        sets: (n,) or (n, 1) integers, booleans, texts or whole floats, or one-hot rows (n, classes).
        are_classes: whether they are classes for sure, however many there are, as the names of folders are.

    Raises:
        ShatterlabError: labels are missing, are fractions, all the same, or nearly as many as there are examples.
    """
    given = list(map(np.asarray, sets))
    uniques = [np.unique(_plain(name, part), return_inverse=True) for part in given]
    values = {value for unique, _ in uniques for value in unique.tolist()}
    if len({isinstance(value, str) for value in values}) > 1:
        raise ShatterlabError(f"{name} has texts and numbers as labels; make them one kind.")
    width = max(map(_one_hot_width, given))
    ordered = list(range(width)) if width else sorted(values)
    if len(ordered) < 2:
        raise ShatterlabError(
            f"{name} has the label {shown(repr(ordered[0]))} at every example; a classifier has nothing to tell "
            "apart, give it at least two classes."
        )
    if not are_classes and len(ordered) > max(2, len(given[0]) // 2):
        raise ShatterlabError(
            f"{name} has {len(ordered):,} classes in {len(given[0]):,} training examples, as if each had its own; "
            "are these numbers to be predicted, or names of the examples?"
        )
    place = {value: i for i, value in enumerate(ordered)}
    if foreign := [value for value in values if value not in place]:
        raise ShatterlabError(
            f"{name} has the label {shown(repr(foreign[0]))}, but its one-hot rows have {len(ordered)} columns."
        )
    mapped = [np.array([place[value] for value in unique.tolist()], np.int64)[inverse] for unique, inverse in uniques]
    names, notes = (), ()
    if type(ordered[0]) is bool or ordered != list(range(len(ordered))):
        names = tuple(map(str, ordered))
        notes = (f"labels {_few(list(map(repr, ordered)))} became {_few(list(map(str, place.values())))}.",)
    return Mapped(mapped, len(ordered), names, notes)


def _plain(name: str, labels: np.ndarray) -> np.ndarray:
    """One integer, boolean or text for each example."""
    if labels.ndim == 0 or labels.size == 0:
        raise ShatterlabError(f"{name} has no labels; give it one for each example.")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if _one_hot_width(labels):
        return labels.argmax(axis=1)
    if labels.ndim != 1:
        raise ShatterlabError(f"{name} has labels of shape {labels.shape}; expected one for each example.")
    # NaN is not equal to itself; whether pandas' NA is, is NA again.
    lacking = (i for i, v in enumerate(labels) if v is None or ((v == v) is not True and (v == v) is not np.True_))
    missing = next(lacking, None) if labels.dtype.kind in "fO" else None
    if missing is not None:
        raise ShatterlabError(f"{name} lacks the label of example {missing}; leave such examples out.")
    if labels.dtype.kind in "OS":
        numbers = all(isinstance(value, int | float | np.number | np.bool_) for value in labels)
        texts = (v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in labels)
        labels = np.array(labels.tolist() if numbers else list(texts))
    if labels.dtype.kind == "U":
        # Classes called 1, 2, ..., 10 are in the order of their numbers.
        numbers = all(v.isdecimal() and len(v) < 10 and str(int(v)) == v for v in np.unique(labels).tolist())
        return labels.astype(np.int64) if numbers else labels
    if labels.dtype.kind == "f":
        if (labels % 1 != 0).any():
            raise ShatterlabError(
                f"{name} has labels such as {labels[labels % 1 != 0][0]:g}: predicting numbers is regression, and "
                "shatterlab trains classifiers; put the numbers into classes first."
            )
        return labels.astype(np.int64) if np.abs(labels).max() < 2**53 else labels
    if labels.dtype.kind not in "iub":
        raise ShatterlabError(f"{name} has labels of type {labels.dtype}; expected integers, booleans or texts.")
    return labels


def _one_hot_width(rows: np.ndarray) -> int:
    """The number of columns of one-hot rows; 0 for anything else."""
    if rows.ndim != 2 or rows.shape[1] < 2 or rows.dtype.kind not in "iufb":
        return 0
    return rows.shape[1] if ((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all() else 0


def _few(texts: list[str]) -> str:
    return ", ".join(map(shown, texts if len(texts) <= 6 else [*texts[:3], "...", texts[-1]]))
