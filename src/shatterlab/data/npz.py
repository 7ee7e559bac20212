"""A user's own data: `npz:PATH`, a numpy archive with x_train, y_train, x_test and y_test."""

import zipfile
from pathlib import Path

import numpy as np

from ..errors import ShatterlabError
from .dataset import Data, checked, pair

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load(path: Path) -> Data:
    """Images uint8 (0..255) or float (as they are), labels integers from 0; see `dataset.checked` for shapes."""
    recipe = "write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {name: _array(archive, name) for name in ARRAYS if f"{name}.npy" in archive.namelist()}
    except FileNotFoundError:
        raise ShatterlabError(f"{path} does not exist; {recipe}.") from None
    except Exception as error:  # a damaged archive raises nearly any type of error
        raise ShatterlabError(f"{path} cannot be read as an npz archive of plain arrays ({error}); {recipe}.") from None
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise ShatterlabError(f"{path} lacks the array {missing[0]}; {recipe}.")
    x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
    train = checked(f"{path}: x_train", x_train, y_train)
    test = checked(f"{path}: x_test", x_test, y_test)
    return pair(str(path), train, test)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # the checksum is compared where the content ends
            raise ValueError(f"{name} is longer than its header says")
    return array
