"""Whatever a user hands over in Python becomes data: arrays, tensors, frames, torch Datasets, names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShatterlabError
from .addresses import KINDS, tell
from .arrays import ACCEPTED, as_array, assembled, checked_again
from .dataset import Data
from .finding import load


def as_data(given: Any, data_dir: str | Path | None = None) -> Data:
    """The data that a user means.

    A user's arrays are neither copied without need nor protected; the version is the hash of their content now.

    Args:
        given: see `ACCEPTED`; arrays are of numpy, torch, polars or pandas, or lists.
        data_dir: looked in first for the data sets of the house.

    Raises:
        ShatterlabError: it is none of these, or does not fit; the message says what is accepted.
    """
    if isinstance(given, str | Path):
        return load(given if isinstance(given, str) else _address_of(given), data_dir)
    if isinstance(given, Data):
        return checked_again(given)
    if isinstance(given, Mapping) and "x_train" in given:
        given = tuple(given[name] for name in ("x_train", "y_train", "x_test", "y_test") if name in given)
    if _is_torch_dataset(given):
        given = _items(given)
    if not isinstance(given, tuple | list):
        raise ShatterlabError(f"{ACCEPTED}; got {type(given).__name__}.")
    data = _of_several(tuple(given))
    tell(data)
    return data


def _of_several(given: tuple[Any, ...]) -> Data:
    if len(given) == 2 and all(isinstance(part, tuple) and len(part) == 2 for part in given):
        given = (*given[0], *given[1])  # ((x_train, y_train), (x_test, y_test)), as Keras has it
    if len(given) == 2 and all(map(_is_torch_dataset, given)):
        given = (*_items(given[0]), *_items(given[1]))
    if len(given) in (2, 3) and isinstance(given[-1], str) and all(map(_is_frame, given[:-1])):
        from .tables import from_frames

        return from_frames("frame", given[:-1], given[-1])
    if len(given) not in (2, 4) or any(isinstance(part, str) or part is None for part in given):
        kinds = ", ".join(type(part).__name__ for part in given)
        raise ShatterlabError(f"{ACCEPTED}; got ({kinds}).")
    x, y, notes = list(map(as_array, given[::2])), list(map(as_array, given[1::2])), ()
    if all(map(_is_frame, given[::2])):
        from .tables import features

        x, notes = features("frame", given[::2])
    return assembled("arrays", x, y, notes)


def _is_frame(values: Any) -> bool:
    return hasattr(values, "columns") and hasattr(values, "to_numpy")


def _is_torch_dataset(values: Any) -> bool:
    """Anything that has items by number and is no array, frame or list."""
    plain = isinstance(values, str | tuple | list | Mapping) or hasattr(values, "__array__")
    return not plain and hasattr(values, "__getitem__") and hasattr(values, "__len__")


def _items(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Every item of a torch Dataset, read once."""
    import torch

    inputs, labels = [], []
    with torch.random.fork_rng(devices=[]):  # a transform may draw at random: the same for every run
        torch.manual_seed(0)
        for i in range(len(dataset)):
            item = dataset[i]
            if not isinstance(item, tuple | list) or len(item) != 2:
                raise ShatterlabError(
                    f"item {i} of the {type(dataset).__name__} is no pair (input, label); {ACCEPTED}."
                )
            inputs.append(as_array(item[0]))
            labels.append(as_array(item[1]))
    try:
        return np.stack(inputs), np.stack(labels)
    except ValueError as error:
        raise ShatterlabError(f"the items of the {type(dataset).__name__} cannot be stacked: {error}.") from None


def _address_of(path: Path) -> str:
    kind = path.suffix[1:] if path.suffix[1:] in KINDS else "folder"
    return f"{kind}:{path}"
