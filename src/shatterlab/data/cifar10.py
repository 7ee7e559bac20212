"""CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 x 32 in ten classes."""

import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import ShatterlabError
from .arrays import checked
from .cifar_pickle import read_cifar_pickle
from .dataset import Data, Dataset
from .download import Download
from .formats import Arrays, read_cifar_binary

# SHA-256 of the archive as published at https://www.cs.toronto.edu/~kriz/cifar.html, where its MD5 is given.
DOWNLOADS = (
    Download(
        "cifar-10-binary.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
)
PYTHON_ARCHIVE = Download(
    "cifar-10-python.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "md5:c58f30108f718f92721af3b95e74349a",
)

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
TEST = ["test_batch"]
# Where the data may lie below a data folder, best first; an archive is read without unpacking it.
PLACES = ("cifar-10-batches-bin", "cifar-10-batches-py", DOWNLOADS[0].name, PYTHON_ARCHIVE.name)


def find(folder: Path) -> Path | None:
    """The CIFAR-10 folder or archive in `folder` or `folder/cifar10`, if there is one."""
    return next(
        (root / place for root in (folder, folder / "cifar10") for place in PLACES if (root / place).exists()), None
    )


def load(place: Path) -> Data:
    """Reads the binary or the python layout, unpacked or as the published archive."""
    binary = "bin" in place.name
    read: Callable[[bytes, str], Arrays] = read_cifar_binary if binary else read_cifar_pickle
    names = [name + ".bin" * binary for name in TRAIN + TEST]
    contents = _from_folder(place, names) if place.is_dir() else _from_archive(place, names)
    parts = [_part(read, contents[name], f"{place / name}") for name in names]
    train = Dataset(
        np.concatenate([part.inputs for part in parts[:-1]]),
        np.concatenate([part.labels for part in parts[:-1]]),
        classes=10,
    )
    return Data(train, parts[-1])


def _part(read: Callable[[bytes, str], Arrays], content: bytes, name: str) -> Dataset:
    images, labels = read(content, name)
    part = checked(name, images, labels, classes=10)
    if len(part) != 10_000:
        raise ShatterlabError(
            f"{name} is truncated: {len(part):,} images instead of 10,000; "
            "delete its folder and run 'shatterlab data fetch cifar10'."
        )
    return part


def _from_folder(folder: Path, names: list[str]) -> dict[str, bytes]:
    try:
        return {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise ShatterlabError(
            f"{error.filename} cannot be read ({error.strerror}); "
            "delete its folder and run 'shatterlab data fetch cifar10'."
        ) from None


def _from_archive(archive: Path, names: list[str]) -> dict[str, bytes]:
    contents = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                file = tar.extractfile(member) if name in names else None
                if file is not None:
                    contents[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        raise ShatterlabError(
            f"{archive} is truncated or damaged; delete it and run 'shatterlab data fetch cifar10'."
        ) from None
    missing = [name for name in names if name not in contents]
    if missing:
        raise ShatterlabError(f"{archive} lacks {missing[0]}; delete it and run 'shatterlab data fetch cifar10'.")
    return contents
