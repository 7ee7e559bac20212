"""The examples that an audit is about: inputs of any kind that the learner takes, and class indices.

An audit fits, scores and ranks training examples alone; test examples are only ever predicted. Scores are reported
under the place that an example has in what the user handed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corruption import CORRUPTIONS, corrupt
from ..data import Data, Dataset, as_data, resident
from ..data.addresses import parse
from ..data.arrays import CHANNELS, MOST_TEST, TEST_SHARE, checked_inputs, with_version
from ..data.dataset import digest
from ..data.labels import map_labels
from ..data.tables import as_polars, frame_at
from ..errors import ShatterlabError
from ..learners import Given
from ..measures.fitting import length, take
from ..seeds import stream

INPUT_CONDITIONS = ("shuffled-pixels", "random-pixels", "gaussian-pixels")
"""The conditions of the paper that change inputs and not labels."""


@dataclass(frozen=True)
class Pool:
    """Training and test examples.

    Args:
        X, X_test: inputs of any kind with a row an example: array, sparse matrix, frame or list.
        y, y_test: class indices, (n,) int64.
        classes: number of classes.
        names: the names of the classes; empty where these are their numbers.
        name: what the data are called.
        version: a hash of all of their content.
        index, index_test: the place of each example in what the user handed over, (n,) int64.
        notes: sentences on what was done to the user's data.
        pictures: the training inputs as images (n, height, width, channels) for people to look at; None if they are
            none.
    """

    X: Any
    y: NDArray[np.int64]
    X_test: Any
    y_test: NDArray[np.int64]
    classes: int
    names: tuple[str, ...]
    name: str
    version: str
    index: NDArray[np.int64]
    index_test: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    pictures: NDArray[Any] | None = None
    pictures_test: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def numeric(self) -> bool:
        """Whether inputs are an array of numbers, of which columns can be shuffled and noise can be drawn."""
        return isinstance(self.X, np.ndarray) and self.X.dtype.kind in "fiu" and bool(np.isfinite(self.X).all())

    def label(self, c: int) -> str:
        """The name of a class."""
        return self.names[c] if self.names else str(c)

    def first(self, n: int, seed: int) -> "Pool":
        """The pool with n training examples drawn at random, in the order in which they were handed over."""
        if n >= len(self):
            return self
        rows = np.sort(stream(seed, "audit", "examples").permutation(len(self))[:n])
        return replace(
            self,
            X=take(self.X, rows),
            y=self.y[rows],
            index=self.index[rows],
            pictures=None if self.pictures is None else self.pictures[rows],
        )

    def under(self, condition: str, amount: float | None, seed: int) -> tuple[Any, NDArray[np.int64], Any]:
        """Training inputs and labels, and test inputs, under one of the paper's conditions.

        Raises:
            ValueError: the condition changes inputs that are no numbers.
        """
        if condition == "true-labels":
            return self.X, self.y, self.X_test
        on_inputs = condition in INPUT_CONDITIONS
        if on_inputs and not self.numeric:
            raise ValueError("only an array of finite numbers can have its columns shuffled or be replaced by noise.")
        numbers = (self.X, self.X_test) if on_inputs else (np.zeros((len(one), 1)) for one in (self.y, self.y_test))
        train, test = (
            Dataset(inputs, labels, self.classes) for inputs, labels in zip(numbers, (self.y, self.y_test), strict=True)
        )
        changed = corrupt(Data(train, test), condition, amount, seed)
        return (
            changed.train.inputs if on_inputs else self.X,
            changed.train.labels,
            changed.test.inputs if on_inputs else self.X_test,
        )


assert set(INPUT_CONDITIONS) < set(CORRUPTIONS)


def pool_of(data: Any, given: Given) -> tuple[Pool, Data | None]:
    """A user's data as a learner of this kind takes them.

    Networks get what `run` trains on. Estimators and functions get the user's numbers; texts, sparse matrices, frames
    with texts and missing values reach them untouched.

    Args:
        data: everything that `run` takes; for estimators and functions also (X, y) with sparse matrices, lists of texts
            or frames, and (frame, 'label') with columns of any kind.
        given: the learner.

    Returns:
        The pool, and for networks the data as `run` has them.

    Raises:
        ShatterlabError: the data are not accepted; the message says why.
    """
    if given.kind != "network" and (raw := _untouched(data)) is not None:
        return raw, None
    found = resident(as_data(data))
    train, test = found.train, found.test
    if given.kind == "network":
        inputs, tested = train.inputs, test.inputs
    else:
        inputs, tested = (part.inputs.astype(np.float32) / 255 if part.inputs.dtype == np.uint8 else part.inputs
                          for part in (train, test))  # fmt: skip
    pool = Pool(
        inputs, train.labels, tested, test.labels, train.classes, found.names, found.name,
        found.version or with_version(found).version or "", train.index, test.index, found.notes,
        *(_images(part) for part in (train, test)),
    )  # fmt: skip
    return pool, found


def _images(part: Dataset) -> NDArray[Any] | None:
    if part.inputs.ndim == 4 or (part.inputs.ndim == 3 and part.inputs.dtype == np.uint8):
        return part.as_images()
    return None


def _untouched(data: Any) -> Pool | None:
    """A pool of inputs that only a learner of its own kind understands; None for inputs that are plain numbers."""
    name = ""
    if isinstance(data, str):
        address = parse(data)
        if address is None or address.kind not in ("csv", "parquet") or address.option is None:
            return None
        name = f"{address.kind}:{address.path.name}"
        data = (frame_at(address.path, name, address.option), address.option)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3, 4):
        return None
    parts = list(data)
    if len(parts) == 2 and all(isinstance(part, tuple) and len(part) == 2 for part in parts):
        parts = [*parts[0], *parts[1]]
    if isinstance(parts[-1], str) and all(hasattr(part, "columns") for part in parts[:-1]):
        name = name or "frame"
        *frames, label = parts
        if any(label not in frame.columns for frame in frames):
            return None  # `as_data` says which columns there are
        parts = [one for frame in frames for one in (_without(frame, label), frame[label].to_numpy())]
    if len(parts) not in (2, 4):
        return None
    inputs = [_as_taken(one) for one in parts[::2]]
    if all(one is None for one in inputs):
        return None
    X = [part if one is None else one for part, one in zip(parts[::2], inputs, strict=True)]
    kind = "sparse matrix" if hasattr(X[0], "tocsr") else "texts" if isinstance(X[0], list) else "arrays"
    return _assembled(name or kind, X, list(map(np.asarray, parts[1::2])))


def _as_taken(inputs: Any) -> Any:
    """Inputs that `as_data` would refuse or change, in the form that an estimator gets; None for the others."""
    if hasattr(inputs, "tocsr"):
        return inputs.tocsr()
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(one, str) for one in inputs):
        return list(inputs)
    if hasattr(inputs, "columns") and hasattr(inputs, "to_numpy"):
        return _of_frame(inputs)
    array = inputs if isinstance(inputs, np.ndarray) else None
    if array is not None and array.dtype.kind in "OU":
        return list(map(str, array)) if array.ndim == 1 else array
    if array is not None and array.dtype.kind == "f" and (array.ndim > 2 or not np.isfinite(array).all()):
        return array  # with its axes in the user's order
    return None


def _without(frame: Any, label: str) -> Any:
    return frame.drop(columns=[label]) if hasattr(frame, "iloc") else frame.drop(label)


def _of_frame(given: Any) -> Any:
    """Numbers as an array, with NaN for what is missing; a single column of texts as a list; else the frame itself."""
    frame = as_polars(given)
    plain = all(column.dtype.is_numeric() or str(column.dtype) == "Boolean" for column in frame)
    if plain and not any(column.null_count() for column in frame):
        return None
    if plain:
        return np.column_stack([column.cast(float).fill_null(np.nan).to_numpy() for column in frame])
    if len(frame.columns) == 1:
        return [text or "" for text in frame.to_series()]
    return given


def _assembled(name: str, X: Sequence[Any], y: Sequence[NDArray[Any]]) -> Pool:
    for inputs, labels in zip(X, y, strict=True):
        if length(inputs) != len(labels):
            raise ShatterlabError(f"{name} has {length(inputs)} examples and {len(labels)} labels; they must match.")
    mapped = map_labels(name, *y)
    notes = mapped.notes
    version = digest(*(part for one in (*X, *mapped.labels) for part in _content(one)))[:16]
    if len(X) == 2:
        place, place_test = (np.arange(len(labels)) for labels in mapped.labels)
        return Pool(X[0], mapped.labels[0], X[1], mapped.labels[1], mapped.classes, mapped.names, name, version,
                    place, place_test, notes, *map(_seen, X))  # fmt: skip
    n = len(mapped.labels[0])
    size = min(n // TEST_SHARE, MOST_TEST)
    if not size:
        raise ShatterlabError(f"{name} has {n} examples, too few to split a test set off; give it a test set.")
    order = stream(0, "own data", "test set").permutation(n)
    train, test = np.sort(order[size:]), np.sort(order[:size])
    notes += (f"{size:,} of {n:,} examples were split off as the test set, the same ones for every seed.",)
    labels = mapped.labels[0]
    parts = [take(X[0], rows) for rows in (train, test)]
    return Pool(
        parts[0], labels[train], parts[1], labels[test], mapped.classes, mapped.names, name, version, train, test,
        notes, *map(_seen, parts),
    )  # fmt: skip


def _seen(inputs: Any) -> NDArray[Any] | None:
    """Arrays with four axes and values in [0, 1] as images with their channels last, for people to look at."""
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 4 or not np.isfinite(inputs).all():
        return None
    images = checked_inputs("images", inputs)
    return images if images.shape[3] in CHANNELS and 0 <= images.min() <= images.max() <= 1 else None


def _content(inputs: Any) -> list[np.ndarray]:
    """The arrays that say what inputs are."""
    if hasattr(inputs, "tocsr"):
        return [inputs.data, inputs.indices, inputs.indptr]
    if hasattr(inputs, "columns"):
        return [np.frombuffer(as_polars(inputs).write_csv().encode(), np.uint8)]
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind != "O":
        return [inputs]
    texts = map(str, inputs.ravel() if isinstance(inputs, np.ndarray) else inputs)
    return [np.frombuffer("\0".join(texts).encode() or b"\0", np.uint8)]
