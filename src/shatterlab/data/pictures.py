"""`folder:PATH`: a folder of pictures for each class."""

from pathlib import Path

import numpy as np

from ..errors import ShatterlabError
from . import photographs, stored
from .arrays import assembled
from .dataset import Data
from .photographs import opened

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TESTS = ("test", "val", "valid", "validation")
GREY = ("1", "L", "LA")


def read(path: Path, name: str, side: str | None) -> Data:
    """Reads `PATH/CLASS/*.png`, or `PATH/train/CLASS` and `PATH/test/CLASS` (or val, ...) if they are there.

    Args:
        path: the folder.
        name: a short name for people.
        side: if given, every picture is cut to its central square and resized to that many pixels each way.

    Pictures of more than `stored.LARGEST_RESIDENT` bytes are not held in memory, see `photographs.stored`.
    """
    test = next((path / sub for sub in TESTS if (path / sub).is_dir()), None) if (path / "train").is_dir() else None
    roots = [path / "train", test] if test else [path / "train" if (path / "train").is_dir() else path]
    files = [_files(root) for root in roots]
    listing, pixels = [one for part in files for one in part], _whole(side)
    labels = [np.array([label for _, label in part]) for part in files]
    if len(listing) * 3 * (pixels or _side(listing[0][0])) ** 2 > stored.LARGEST_RESIDENT:
        if pixels is None:
            raise ShatterlabError(
                f"the {len(listing):,} pictures of {path} are too many to be held in memory; add ?side=PIXELS to the "
                "name of the folder, so that they can be read one batch at a time."
            )
        whole = photographs.stored(path, listing, pixels, name)
        places = np.split(np.arange(len(listing)), [len(files[0])])
        inputs = [whole.take(part) for part in places[: len(files)]]
    else:
        inputs = np.split(_read_all([file for file, _ in listing], pixels), [len(files[0])])[: len(files)]
    return assembled(name, inputs, labels, are_classes=True)


def _side(file: Path) -> float:
    """The side of a square with as many pixels as a picture; 0 for a file that is none, which is told later."""
    try:
        with opened(file, file) as picture:
            return float(picture.width * picture.height) ** 0.5
    except ShatterlabError:
        return 0.0


def _by_name(path: Path) -> tuple[str, ...]:
    """The order of pictures, which is a part of what the data are: paths sort without regard to case on Windows."""
    return path.parts


def _files(root: Path) -> list[tuple[Path, str]]:
    found = [
        (file, folder.name)
        for folder in sorted(root.iterdir(), key=_by_name)
        if folder.is_dir() and not folder.name.startswith(".")
        for file in sorted(folder.rglob("*"), key=_by_name)
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    if not found:
        raise ShatterlabError(f"{root} holds no pictures; it needs a folder for each class, as in {root}/cat/1.png.")
    return found


def _read_all(files: list[Path], side: int | None) -> np.ndarray:
    """uint8 (n, height, width, channels): grey if all pictures are, else colours."""
    from PIL import ImageOps

    size, grey = None if side is None else (side, side), True
    for file in files:  # the heads alone, which is quick
        with opened(file, file) as picture:
            grey = grey and picture.mode in GREY
            size = size or picture.size
            if side is None and picture.size != size:
                raise ShatterlabError(
                    f"{files[0]} has {size[0]} x {size[1]} pixels and {file} {picture.size[0]} x "
                    f"{picture.size[1]}; add ?side={min(size)} to the name of the folder to resize them."
                )
    assert size is not None
    result = np.empty((len(files), size[1], size[0], 1 if grey else 3), np.uint8)
    for row, file in zip(result, files, strict=True):
        with opened(file, file) as picture:
            plain = picture.convert("L" if grey else "RGB")
            row[:] = np.asarray(ImageOps.fit(plain, size) if side else plain).reshape(row.shape)
    return result


def _whole(side: str | None) -> int | None:
    if side is not None and not (side.isdecimal() and 0 < int(side) <= 4096):
        raise ShatterlabError(f"side must be a number of pixels such as 32, got '{side}'.")
    return None if side is None else int(side)
