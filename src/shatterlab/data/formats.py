"""File formats of image data: CIFAR's binary records, MNIST's IDX. Bytes in, arrays out."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError

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


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The unsigned bytes of an IDX file (MNIST's format), gzipped or not, in the shape its header names."""
    again = "delete it and fetch it again with 'shatterlab data fetch'."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ShatterlabError(f"{path} cannot be read ({error.strerror}); {again}") from None
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            raise ShatterlabError(f"{path} is truncated or damaged; {again}") from None
    if len(content) < 4 or content[:3] != b"\x00\x00\x08" or len(content) < 4 + 4 * content[3]:
        raise ShatterlabError(f"{path} is no IDX file of unsigned bytes; {again}")
    dimensions = content[3]
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    expected = int(np.prod(shape, dtype=np.int64))
    if len(body) != expected:
        raise ShatterlabError(f"{path} is truncated: {len(body):,} bytes where its header says {expected:,}; {again}")
    return body.reshape(shape)
