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
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            if missing:
                raise ShatterlabError(f"{path} lacks the array {missing[0]}; {recipe}.")
            x_train, y_train, x_test, y_test = (archive[name] for name in ARRAYS)
    except FileNotFoundError:
        raise ShatterlabError(f"{path} does not exist; {recipe}.") from None
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise ShatterlabError(f"{path} cannot be read as an npz archive of plain arrays ({error}); {recipe}.") from None
    train = checked(f"{path}: x_train", x_train, y_train)
    test = checked(f"{path}: x_test", x_test, y_test)
    return pair(str(path), train, test)
