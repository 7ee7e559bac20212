"""Where data come from. A new source is a function and a line in `DATASETS`."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import ShatterlabError, unknown
from ..seeds import stream
from ..spec import Spec
from . import cifar10, digits, mnist, npz
from .dataset import Data, Dataset
from .download import Download, fetch, verify

__all__ = [
    "DATASETS",
    "Data",
    "Dataset",
    "Source",
    "at_most",
    "data_folders",
    "data_version",
    "fetch_dataset",
    "find",
    "hold_out",
    "load",
    "pin",
    "subset",
    "verify_dataset",
]


@dataclass(frozen=True)
class Source:
    """A data set on disk: how to find it in a folder, read it, and fetch it."""

    summary: str
    find: Callable[[Path], Path | None]
    load: Callable[[Path], Data]
    downloads: tuple[Download, ...] = ()
    other_files: tuple[Download, ...] = ()
    """Published files that are read where present but not fetched."""
    names: tuple[str, ...] = ()
    """Of the classes, from 0; empty where the classes are numbers."""


DATASETS = {
    "cifar10": Source(
        "50,000 + 10,000 colour photographs, 32 x 32, 10 classes",
        cifar10.find,
        cifar10.load,
        cifar10.DOWNLOADS,
        (cifar10.PYTHON_ARCHIVE,),
        cifar10.NAMES,
    ),
    "mnist": Source(
        "60,000 + 10,000 handwritten digits, 28 x 28, 10 classes", mnist.find_mnist, mnist.load, mnist.MNIST_DOWNLOADS
    ),
    "fashion-mnist": Source(
        "60,000 + 10,000 pictures of clothes, 28 x 28, 10 classes",
        mnist.find_fashion_mnist,
        mnist.load,
        mnist.FASHION_DOWNLOADS,
        names=mnist.FASHION_NAMES,
    ),
    "digits": Source(
        "1,437 + 360 handwritten digits, 8 x 8, 10 classes; bundled with scikit-learn",
        lambda folder: Path("(bundled)"),
        lambda place: digits.load(),
    ),
}


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
    source = _source(name)
    if data_dir is not None and not data_dir.is_dir():
        raise ShatterlabError(f"--data-dir {data_dir} is not a folder; name the one that holds {name}.")
    return next((place for folder in data_folders(data_dir) if (place := source.find(folder))), None)


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
    return _read_only(_source(name).load(place))


def _read_only(data: Data) -> Data:
    for part in (data.train, data.test):
        for array in (part.images, part.labels, part.true_labels, part.corrupted):
            array.setflags(write=False)
    return data


def subset(data: Data, n: int | None, n_test: int | None, seed: int) -> Data:
    """`n` training and `n_test` test examples drawn without replacement; None keeps all.

    Raises:
        ShatterlabError: more asked for than there are.
    """
    parts = []
    for part, size, name in ((data.train, n, "n"), (data.test, n_test, "n_test")):
        if size is None or size == len(part):
            parts.append(part)
            continue
        if size > len(part):
            raise ShatterlabError(
                f"{name}={size:,} is more than the {len(part):,} examples there are; ask for at most {len(part):,}."
            )
        chosen = stream(seed, "subset", name).permutation(len(part))[:size]
        parts.append(part.take(chosen))
    return Data(*parts)


def at_most(data: Data, n: int, n_test: int, seed: int) -> Data:
    """As `subset`, or all there are where there are fewer."""
    return subset(data, min(n, len(data.train)), min(n_test, len(data.test)), seed)


def hold_out(data: Data, n_validation: int, seed: int) -> Data:
    """Moves `n_validation` training examples, drawn at random, into a validation set; 0 leaves the data as they are.

    Applied after corruption, so that validation labels are as wrong as the training labels: whoever holds
    out examples of a mislabelled set has no others.

    Raises:
        ShatterlabError: nothing would be left to train on.
    """
    if n_validation == 0:
        return data
    n = len(data.train) - n_validation
    if n < 1:
        raise ShatterlabError(
            f"n_validation={n_validation:,} leaves nothing of the {len(data.train):,} training examples; "
            f"ask for at most {len(data.train) - 1:,}."
        )
    order = stream(seed, "validation").permutation(len(data.train))
    return Data(data.train.take(order[:n]), data.test, data.train.take(order[n:]))


def fetch_dataset(name: str, data_dir: Path | None = None) -> Path:
    """Downloads a data set, by default into $SHATTERLAB_DATA or the user's cache; returns where it lies."""
    if name.startswith("npz:"):
        raise ShatterlabError(f"{name} is a file of yours, there is nothing to fetch; check it with 'data verify'.")
    source = _source(name)
    if source.downloads:
        folder = data_folders(data_dir)[0]
        fetch(source.downloads, folder if folder.name == name else folder / name)
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
    source = DATASETS.get(name)
    for file in (*source.downloads, *source.other_files) if source else ():
        path = place / file.name if place.is_dir() else place
        if path.name != file.name or not path.exists():
            continue
        if not verify(file, path):
            raise ShatterlabError(
                f"{path} is not the published file; delete it and run 'shatterlab data fetch {name}'."
            )
        lines.append(f"{path.name}: published checksum {file.checksum[:20]}... matches")
    if len(lines) == 2 and source and source.downloads:
        lines.append("unpacked files have no published checksum: layout, sizes and labels are right")
    return lines


def pin(spec: Spec) -> Spec:
    """The spec with the content of a user's npz file written in, so that a changed file is another run.

    Raises:
        ShatterlabError: the file cannot be read.
    """
    version = data_version(spec.data)
    if version is None:
        return spec
    return spec.model_copy(update={"data": f"npz:{Path(spec.data[4:]).resolve()}", "data_version": version})


def data_version(name: str) -> str | None:
    """The beginning of the SHA-256 of a user's npz file; None for data sets of `DATASETS`, which do not change.

    Raises:
        ShatterlabError: the file cannot be read.
    """
    if not name.startswith("npz:"):
        return None
    path = Path(name[4:]).resolve()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ShatterlabError(f"{path} cannot be read ({error.strerror}); name an existing file after npz:") from None


def _source(name: str) -> Source:
    try:
        return DATASETS[name]
    except KeyError:
        raise unknown("data set", name, [*DATASETS, "npz:PATH"]) from None
