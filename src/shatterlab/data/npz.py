"""`npz:PATH`: a numpy archive with x_train, y_train and, unless a test set is to be split off, x_test and y_test."""

import zipfile
from pathlib import Path

import numpy as np

from ..errors import ShatterlabError
from .arrays import assembled
from .dataset import Data

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path, name: str, option: str | None) -> Data:
    """Reads the archive; `arrays.assembled` says what the arrays may hold."""
    recipe = "write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {key: _array(archive, key) for key in ARRAYS if f"{key}.npy" in archive.namelist()}
    except Exception as error:  # a damaged archive raises nearly any type of error
        raise ShatterlabError(f"{path} cannot be read as an npz archive of plain arrays ({error}); {recipe}.") from None
    wanted = ARRAYS if "x_test" in arrays or "y_test" in arrays else ARRAYS[:2]
    if missing := [key for key in wanted if key not in arrays]:
        raise ShatterlabError(f"{path} lacks the array {missing[0]}; {recipe}.")
    return assembled(name, [arrays[key] for key in wanted[::2]], [arrays[key] for key in wanted[1::2]])


def _array(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    with archive.open(f"{key}.npy") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # the checksum is compared where the content ends
            raise ValueError(f"{key} is longer than its header says")
    return array
