"""File formats of image data: CIFAR's binary records, MNIST's IDX. Bytes in, arrays out."""

import gzip
import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError, reading, shown

MOST_IDX = 60_000 * 28 * 28
"""The largest file of MNIST and Fashion-MNIST, that of the training images, holds so many bytes."""

Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_cifar_binary(content: bytes, name: str) -> Arrays:
    """Images (n, 32, 32, 3) and labels out of CIFAR-10's binary layout.

    A record is one label byte, then 1,024 red, green and blue bytes each, row by row
    (https://www.cs.toronto.edu/~kriz/cifar.html).
    """
    record = 1 + 3 * 32 * 32
    if not content or len(content) % record:
        raise ShatterlabError(
            f"{name} is truncated or no CIFAR-10 file: {len(content):,} bytes is not a multiple of {record:,}; "
            "delete its folder and run 'shatterlab data fetch cifar10'."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def unpacking(path: Path) -> BinaryIO:
    """The content of a file, unpacked if it is gzipped.

    Raises:
        ShatterlabError: it is no regular file; a pipe or a device may never end.
    """
    if path.exists() and not path.is_file():
        raise ShatterlabError(f"{path} is no file that can be read; put the published one in its place.")
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if gzipped else path.open("rb")  # type: ignore[return-value]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The unsigned bytes of an IDX file (MNIST's format), gzipped or not, in the shape its header names.

    Raises:
        ShatterlabError: the file is damaged, or is no such file, or claims more than `MOST_IDX` bytes.
    """
    again = "delete it and fetch it again with 'shatterlab data fetch'"
    with reading(path, "an IDX file", again), unpacking(path) as file:
        head = file.read(4)
        if len(head) < 4 or head[:3] != b"\x00\x00\x08":
            raise ShatterlabError(f"{path} is no IDX file of unsigned bytes; {again}.")
        shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
        expected = math.prod(shape)
        if expected > MOST_IDX:
            raise ShatterlabError(
                f"{path} has a header that says {shown(f'{expected:,}', 30)} bytes, more than the "
                f"{MOST_IDX:,} of MNIST; {again}."
            )
        content = file.read(expected + 1)
        if len(content) > expected:
            raise ShatterlabError(f"{path} is longer than the {expected:,} bytes that its header says; {again}.")
        if len(content) < expected:
            raise ShatterlabError(
                f"{path} is truncated: {len(content):,} bytes where its header says {expected:,}; {again}."
            )
        return np.frombuffer(content, np.uint8).reshape(shape)
