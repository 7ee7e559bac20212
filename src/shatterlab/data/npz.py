"""`npz:PATH`: a numpy archive with x_train, y_train and, unless a test set is to be split off, x_test and y_test."""

from pathlib import Path

from ..errors import ShatterlabError, reading
from ..files import npz_arrays
from .arrays import assembled
from .dataset import Data

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path, name: str, option: str | None) -> Data:
    """Reads the archive; `arrays.assembled` says what the arrays may hold."""
    recipe = "write it with numpy.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)"
    with reading(path, "an npz archive of plain arrays", recipe), path.open("rb") as file:
        arrays = npz_arrays(file, ARRAYS)
    wanted = ARRAYS if "x_test" in arrays or "y_test" in arrays else ARRAYS[:2]
    if missing := [key for key in wanted if key not in arrays]:
        raise ShatterlabError(f"{path} lacks the array {missing[0]}; {recipe}.")
    return assembled(name, [arrays[key] for key in wanted[::2]], [arrays[key] for key in wanted[1::2]])
