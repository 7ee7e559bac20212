"""File formats of image data: CIFAR's binary records and pickles, MNIST's IDX. Bytes in, arrays out."""

import gzip
import io
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any, ClassVar

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


class _ArraysOnly(pickle.Unpickler):
    """Builds arrays, strings, numbers, lists and dicts; refuses to import or call anything else."""

    # A pickle that names any other global (os.system, say) could run code on load.
    _allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        ("_codecs", "encode"): lambda text, encoding: text.encode("latin-1"),
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise ShatterlabError(
                f"the pickle wants to load {module}.{name}, which no CIFAR-10 file contains: "
                "do not trust it, delete it and fetch the original with 'shatterlab data fetch cifar10'."
            ) from None


def read_cifar_pickle(content: bytes, name: str) -> Arrays:
    """Images (n, 32, 32, 3) and labels out of a batch of CIFAR-10's python layout, without running its code."""
    damaged = ShatterlabError(
        f"{name} is truncated or no CIFAR-10 batch; delete its folder and run 'shatterlab data fetch cifar10'."
    )
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except ShatterlabError as error:
        raise ShatterlabError(f"{name} refused: {error}") from None
    except Exception:  # a damaged pickle raises nearly any type of error
        raise damaged from None
    if not isinstance(batch, dict):
        raise damaged
    pixels, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
        raise damaged
    if not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise damaged
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)


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
