"""CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 x 32 in ten classes."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import ShatterlabError, reading, shown
from .arrays import checked
from .cifar_pickle import read_cifar_pickle
from .dataset import Data, Dataset
from .download import Download
from .formats import Arrays, read_cifar_binary, unpacking

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
FETCH = "shatterlab data fetch cifar10"
PER_FILE = 10_000
"""Each of the six files holds so many images."""
MOST_BINARY = PER_FILE * (1 + 3 * 32 * 32)
MOST_PICKLED = 4 * MOST_BINARY + 2**20
"""The oldest protocol writes a byte as four characters; the names of the files come on top."""
SMALL_MEMBER = 2**16
"""A member of the archive that is no batch, such as the names of the classes or the page about them, is no larger."""
TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
TEST = ["test_batch"]
# Where the data may lie below a data folder, best first; an archive is read without unpacking it.
PLACES = ("cifar-10-batches-bin", "cifar-10-batches-py", DOWNLOADS[0].name, PYTHON_ARCHIVE.name)


def find(folder: Path) -> Path | None:
    """The CIFAR-10 folder or archive in `folder` or `folder/cifar10`, or `folder` itself, if it is one."""
    places = [root / place for root in (folder, folder / "cifar10") for place in PLACES]
    return next((place for place in (*places, folder) if place.is_file() or _is_binary(place) is not None), None)


def load(place: Path) -> Data:
    """Reads the binary or the python layout, unpacked or as the published archive."""
    binary = bool(_is_binary(place)) if place.is_dir() else "binary" in place.name
    read: Callable[[bytes, str], Arrays] = read_cifar_binary if binary else read_cifar_pickle
    names = [name + ".bin" * binary for name in TRAIN + TEST]
    contents_of = _from_folder if place.is_dir() else _from_archive
    with reading(place, "CIFAR-10", f"delete it and run '{FETCH}'"):
        contents = contents_of(place, names, MOST_BINARY if binary else MOST_PICKLED)
    parts = [_part(read, contents[name], f"{place / name}") for name in names]
    train = Dataset(
        np.concatenate([part.inputs for part in parts[:-1]]),
        np.concatenate([part.labels for part in parts[:-1]]),
        classes=10,
    )
    return Data(train, parts[-1])


def _is_binary(folder: Path) -> bool | None:
    """Whether a folder holds batches of the binary layout, or of the python one; None if it holds neither."""
    return next((bool(end) for end in (".bin", "") for name in TRAIN + TEST if (folder / (name + end)).is_file()), None)


def _part(read: Callable[[bytes, str], Arrays], content: bytes, name: str) -> Dataset:
    images, labels = read(content, name)
    part = checked(name, images, labels, classes=10)
    if len(part) != PER_FILE:
        raise ShatterlabError(
            f"{name} is {'truncated' if len(part) < PER_FILE else 'too long'}: {len(part):,} images instead of "
            f"{PER_FILE:,}; delete its folder and run '{FETCH}'."
        )
    return part


def _from_folder(folder: Path, names: list[str], most: int) -> dict[str, bytes]:
    contents = {}
    for name in names:
        path = folder / name
        with reading(path, "CIFAR-10", f"delete its folder and run '{FETCH}'"), unpacking(path) as file:
            contents[name] = file.read(most + 1)
            _refuse_longer(path, len(contents[name]), most)
    return contents


def _from_archive(archive: Path, names: list[str], most: int) -> dict[str, bytes]:
    """The members of these names, none of which is taken into memory before its size is known to be one of a batch."""
    contents: dict[str, bytes] = {}
    left = len(names) * (most + SMALL_MEMBER)
    with unpacking(archive) as file:
        while len(contents) < len(names) and (head := file.read(tarfile.BLOCKSIZE)).strip(b"\0"):
            member = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
            name, size = Path(member.name).name, member.size
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)  # neither sparse nor a link nor a device
            _refuse_longer(archive / shown(name), size, most if plain and name in names else SMALL_MEMBER)
            left -= size + tarfile.BLOCKSIZE
            if size < 0 or left < 0:
                raise ValueError("it holds more than the batches of CIFAR-10")
            content = file.read(-(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
            if len(content) < size:
                raise EOFError("it is truncated")
            if plain and name in names:
                contents[name] = content[:size]
        while rest := file.read(SMALL_MEMBER):  # the checksum is compared where the content ends
            left -= len(rest)
            if left < 0:
                raise ValueError("it holds more than the batches of CIFAR-10")
    missing = [name for name in names if name not in contents]
    if missing:
        raise ShatterlabError(f"{archive} lacks {missing[0]}; delete it and run '{FETCH}'.")
    return contents


def _refuse_longer(path: Path, size: int, most: int) -> None:
    if size > most:
        raise ShatterlabError(
            f"{path} is of {size:,} bytes or more where CIFAR-10 has at most {most:,}; delete it and run '{FETCH}'."
        )
