"""Finding data sets on this machine, reading, fetching and verifying them."""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..errors import ShatterlabError, reading
from ..files import path_of
from . import addresses
from .arrays import checked_again
from .dataset import Data
from .download import fetch, verify
from .registry import DATASETS, HOUSE, Source, source


def data_folders(data_dir: str | Path | None = None) -> list[Path]:
    """Where data are looked for, in order: `data_dir`, $SHATTERLAB_DATA, the user's cache."""
    from platformdirs import user_cache_path

    named = [] if data_dir is None else [path_of(data_dir, "the data")]
    if folder := os.environ.get("SHATTERLAB_DATA"):
        named.append(path_of(folder, "the data"))
    return [*named, user_cache_path("shatterlab")]


def find(name: str, data_dir: str | Path | None = None) -> Path | None:
    """The file or folder that holds the data set, or None.

    Raises:
        ShatterlabError: no such data set; the message names the nearest.
    """
    with reading(name, "data in the folders named", "let this user open them, or name others"):
        if address := addresses.parse(name):
            return address.path if address.path.exists() else None
        entry = source(name)
        if data_dir is not None and not data_folders(data_dir)[0].is_dir():
            raise ShatterlabError(f"--data-dir {data_dir} is not a folder; name the one that holds {name}.")
        return next((place for folder in data_folders(data_dir) if (place := entry.find(folder))), None)


def load(name: str, data_dir: str | Path | None = None) -> Data:
    """Reads a data set.

    Args:
        name: a key of `DATASETS`, or data of your own, see `addresses.FORMS`.
        data_dir: looked in first; then $SHATTERLAB_DATA, then the user's cache.

    Returns:
        Train and test set. Their arrays are read-only, as the last set is kept for the next call.

    Raises:
        ShatterlabError: unknown, not found, or damaged; the message says what to do.
    """
    if address := addresses.parse(name):
        return addresses.read(address)
    place = find(name, data_dir)
    if place is None:
        looked = ", ".join(map(str, data_folders(data_dir)))
        raise ShatterlabError(
            f"{name} was not found in {looked}; run 'shatterlab data fetch {name}', "
            "or name the folder that holds it with --data-dir or SHATTERLAB_DATA."
        )
    entry = source(name)
    return _load_from(name, entry, place) if name in HOUSE else _registered(name, entry, place)


def _registered(name: str, entry: Source, place: Path) -> Data:
    """The data that a user's own `Source` makes, which are looked at and, as they may be others by now, not kept."""
    made = entry.load(place)
    if not isinstance(made, Data):
        raise ShatterlabError(
            f"the Source of {name} loads {type(made).__name__}; let it return Data(train, test), each a "
            "Dataset(inputs, labels, classes)."
        )
    return addresses.read_only(replace(checked_again(made), name=name, names=entry.names or made.names))


@lru_cache(maxsize=1)
def _load_from(name: str, entry: Source, place: Path) -> Data:
    with reading(place, name, f"put it aside and run 'shatterlab data fetch {name}'"):
        return addresses.read_only(replace(entry.load(place), name=name, names=entry.names))


def fetch_dataset(name: str, data_dir: str | Path | None = None) -> Path:
    """Downloads a data set unless it is there, by default into $SHATTERLAB_DATA or the user's cache.

    Returns:
        Where it lies. A published file that is there and damaged is fetched anew.

    Raises:
        ShatterlabError: out of reach, a wrong checksum, or nowhere to write; no folder is left behind.
    """
    if addresses.parse(name):
        raise ShatterlabError(f"{name} is a file of yours, there is nothing to fetch; check it with 'data verify'.")
    entry, folders = source(name), data_folders(data_dir)
    looked_in = folders if data_dir is None else folders[:1]
    place = next((found for folder in looked_in if (found := entry.find(folder))), None)
    if place is not None and not _damaged(entry, place):
        return place
    fetch(entry.downloads, folders[0] if folders[0].name == name else folders[0] / name)
    place = find(name, data_dir)
    assert place is not None
    return place


def _damaged(entry: Source, place: Path) -> bool:
    """Whether a file that can be fetched lies there and is not what was published."""
    paths = [(file, place / file.name if place.is_dir() else place) for file in entry.downloads]
    return any(path.name == file.name and path.exists() and not verify(file, path) for file, path in paths)


def verify_dataset(name: str, data_dir: str | Path | None = None) -> list[str]:
    """Reads a data set whole and compares published checksums where the files have one.

    Returns:
        One line a check.

    Raises:
        ShatterlabError: not found, damaged, or a wrong checksum.
    """
    data = load(name, data_dir)
    place = find(name, data_dir)
    assert place is not None
    entry = DATASETS.get(name)
    lines = [
        f"{name}: {len(data.train):,} training and {len(data.test):,} test {'images' if entry else 'examples'} of "
        f"{data.train.shape}, "
        f"{data.train.classes} classes, in {place}",
        f"tensors sha256 train {data.train.fingerprint()[:16]} test {data.test.fingerprint()[:16]}",
    ]
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
