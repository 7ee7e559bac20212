"""Finding data sets on this machine, reading, fetching and verifying them."""

import os
from functools import lru_cache
from pathlib import Path

from ..errors import ShatterlabError
from . import npz
from .dataset import Data
from .download import fetch, verify
from .registry import DATASETS, source


def data_folders(data_dir: Path | None = None) -> list[Path]:
    """Where data are looked for, in order: `data_dir`, $SHATTERLAB_DATA, the user's cache."""
    from platformdirs import user_cache_path

    named = os.environ.get("SHATTERLAB_DATA")
    folders = [data_dir] if data_dir else []
    return [*folders, *([Path(named)] if named else []), user_cache_path("shatterlab")]


def find(name: str, data_dir: Path | None = None) -> Path | None:
    """The file or folder that holds the data set, or None.

    Raises:
        ShatterlabError: no such data set; the message names the nearest.
    """
    if name.startswith("npz:"):
        path = Path(name[4:])
        return path if path.exists() else None
    entry = source(name)
    if data_dir is not None and not data_dir.is_dir():
        raise ShatterlabError(f"--data-dir {data_dir} is not a folder; name the one that holds {name}.")
    return next((place for folder in data_folders(data_dir) if (place := entry.find(folder))), None)


def load(name: str, data_dir: Path | None = None) -> Data:
    """Reads a data set.

    Args:
        name: a key of `DATASETS`, or `npz:PATH` for arrays of your own.
        data_dir: looked in first; then $SHATTERLAB_DATA, then the user's cache.

    Returns:
        Train and test set. Their arrays are read-only, as the last set is kept for the next call.

    Raises:
        ShatterlabError: unknown, not found, or damaged; the message says what to do.
    """
    if name.startswith("npz:"):
        return _read_only(npz.load(Path(name[4:])))
    place = find(name, data_dir)
    if place is None:
        looked = ", ".join(map(str, data_folders(data_dir)))
        raise ShatterlabError(
            f"{name} was not found in {looked}; run 'shatterlab data fetch {name}', "
            "or name the folder that holds it with --data-dir or SHATTERLAB_DATA."
        )
    return _load_from(name, place)


@lru_cache(maxsize=1)
def _load_from(name: str, place: Path) -> Data:
    return _read_only(source(name).load(place))


def _read_only(data: Data) -> Data:
    for part in (data.train, data.test):
        for array in (part.images, part.labels, part.true_labels, part.corrupted):
            array.setflags(write=False)
    return data


def fetch_dataset(name: str, data_dir: Path | None = None) -> Path:
    """Downloads a data set, by default into $SHATTERLAB_DATA or the user's cache; returns where it lies."""
    if name.startswith("npz:"):
        raise ShatterlabError(f"{name} is a file of yours, there is nothing to fetch; check it with 'data verify'.")
    downloads = source(name).downloads
    if downloads:
        folder = data_folders(data_dir)[0]
        fetch(downloads, folder if folder.name == name else folder / name)
    place = find(name, data_dir)
    assert place is not None
    return place


def verify_dataset(name: str, data_dir: Path | None = None) -> list[str]:
    """Reads a data set whole and compares published checksums where the files have one.

    Returns:
        One line a check.

    Raises:
        ShatterlabError: not found, damaged, or a wrong checksum.
    """
    data = load(name, data_dir)
    place = find(name, data_dir)
    assert place is not None
    lines = [
        f"{name}: {len(data.train):,} training and {len(data.test):,} test images of {data.train.shape}, "
        f"{data.train.classes} classes, in {place}",
        f"tensors sha256 train {data.train.fingerprint()[:16]} test {data.test.fingerprint()[:16]}",
    ]
    entry = DATASETS.get(name)
    for file in (*entry.downloads, *entry.other_files) if entry else ():
        path = place / file.name if place.is_dir() else place
        if path.name != file.name or not path.exists():
            continue
        if not verify(file, path):
            raise ShatterlabError(
                f"{path} is not the published file; delete it and run 'shatterlab data fetch {name}'."
            )
        lines.append(f"{path.name}: published checksum {file.checksum[:20]}... matches")
    if len(lines) == 2 and entry and entry.downloads:
        lines.append("unpacked files have no published checksum: layout, sizes and labels are right")
    return lines
