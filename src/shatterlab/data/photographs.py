"""Folders of more pictures than memory holds: read by place, from the files or from a copy of their pixels on disk."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError, reading
from ..files import too_dense, write_whole
from ..ranks import first_of_node_first
from .ahead import ahead
from .stored import Source, Stored

if TYPE_CHECKING:
    from PIL import Image

FORMAT = 2
"""A copy of pixels under another number is made anew: the first one lacked every second picture after the 64th."""

ROOM = 1.2
"""A copy of the pixels is made if the disk has room for so many times its size."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Nothing else is decoded, whatever a file is called: pillow would hand PostScript to another program that runs it."""

Listing = Sequence[tuple[Path, str]]
"""Pictures and their classes."""


@dataclass(frozen=True)
class Files:
    """Pictures in their files, which are decoded each time they are read.

    Args:
        folder: the folder that holds all of them.
        names: their paths below it.
        side: they are cut to their central square and resized to so many pixels each way, with red, green and blue.
    """

    folder: Path
    names: tuple[str, ...]
    side: int

    @property
    def shape(self) -> tuple[int, ...]:
        """See `stored.Source`."""
        return (len(self.names), self.side, self.side, 3)

    def read(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `stored.Source`."""
        examples = np.empty((len(places), *self.shape[1:]), np.uint8)
        for example, place in zip(examples, places, strict=True):
            path = self.folder / self.names[place]
            try:
                content = path.read_bytes()
            except OSError as error:
                raise ShatterlabError(f"{path} cannot be read any more ({error.strerror}); put it back.") from None
            example[:] = decoded(path, content, self.side)
        return examples


@dataclass(frozen=True)
class MemoryMap:
    """Pixels in one file of numpy's format, of which the system keeps in memory what has been read lately.

    Args:
        path: the file.
        shape: (n, height, width, channels).
    """

    path: Path
    shape: tuple[int, ...]

    def read(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See `stored.Source`."""
        return np.asarray(_opened(self.path)[places])


@cache
def _opened(path: Path) -> NDArray[np.uint8]:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def decoded(path: Path, content: bytes, side: int) -> NDArray[np.uint8]:
    """The central square of a picture, resized, uint8 (side, side, 3).

    A JPEG file that is far larger is decoded at a half, a quarter or an eighth of its size, but never below `side`.

    Raises:
        ShatterlabError: the content is no picture that can be read.
    """
    from PIL import ImageOps

    with opened(path, BytesIO(content)) as picture:
        picture.draft("RGB", (side, side))
        return np.asarray(ImageOps.fit(picture.convert("RGB"), (side, side)))


@contextmanager
def opened(path: Path, content: Path | BytesIO) -> "Iterator[Image.Image]":
    """A picture, for as long as it is being read; whatever goes wrong in the meantime is one sentence.

    Args:
        path: its file, for messages.
        content: the file, or its content.

    Raises:
        ShatterlabError: it is damaged, of a format not in `FORMATS`, of more than 8 bits a pixel, or a few bytes that
            would unpack to very many pixels.
    """
    from PIL import Image

    with (
        reading(path, "a picture", "replace or delete it"),
        Image.open(content, formats=FORMATS) as picture,
    ):
        if picture.mode[0] in "IF":
            raise ShatterlabError(f"{path} has more than 8 bits a pixel; save it with 8.")
        # Pillow keeps a pixel in four bytes, whatever its colours.
        packed = len(content.getbuffer()) if isinstance(content, BytesIO) else path.stat().st_size
        if too_dense(packed, 4 * picture.width * picture.height):
            raise ShatterlabError(
                f"{path} unpacks from {packed:,} bytes to {picture.width:,} x {picture.height:,} pixels, as traps do; "
                "if it is yours, save it smaller."
            )
        yield picture


def stored(folder: Path, listing: Listing, side: int, name: str) -> Stored:
    """Pictures that are read when they are needed.

    The first time all files are read once, for the hash of their content, and their pixels are written into the cache
    if there is room for them; later processes find both. Without the room the files are decoded each time.

    Args:
        folder: holds all pictures.
        listing: the pictures, which lie below it, and their classes.
        side: see `Files`.
        name: a short name for people.
    """
    files = Files(folder, tuple(path.relative_to(folder).as_posix() for path, _ in listing), side)
    kept = _cache() / _key(folder, files)
    pixels, note = kept.with_suffix(".npy"), kept.with_suffix(".json")
    with first_of_node_first():
        if _noted(note, pixels, files.shape) is None:
            content = {"version": _first_pass(files, pixels, name), "folder": str(folder), "side": side}
            write_whole(note, json.dumps(content))
    version = _noted(note, pixels, files.shape)
    if version is None:
        raise ShatterlabError(f"{note} was damaged while it was being read; run the same command again.")
    source: Source = MemoryMap(pixels, files.shape) if pixels.exists() else files
    return Stored(source, np.arange(len(listing)), version)


def _noted(note: Path, pixels: Path, shape: tuple[int, ...]) -> str | None:
    """The hash of the pictures from an earlier pass; None where there was none, or what it left is damaged."""
    try:
        version = json.loads(note.read_text(encoding="utf-8"))["version"]
        kept = np.load(pixels, mmap_mode="r", allow_pickle=False) if pixels.exists() else None
    except Exception:  # a damaged file raises nearly any type of error
        return None
    fits = kept is None or (kept.shape == shape and kept.dtype == np.uint8)
    return version if fits and isinstance(version, str) else None


def _cache() -> Path:
    from platformdirs import user_cache_path

    folder = user_cache_path("shatterlab") / "pixels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(folder: Path, files: Files) -> str:
    """A hash of what tells that no file has changed: names, sizes and times."""
    content = hashlib.sha256(f"{FORMAT}\n{folder}\n{files.side}\n".encode())
    for name in files.names:
        status = (folder / name).stat()
        content.update(f"{name}\n{status.st_size} {status.st_mtime_ns}\n".encode())
    return content.hexdigest()[:32]


def _first_pass(files: Files, pixels: Path, name: str) -> str:
    """Reads every file, writes the pixels if there is room, and returns the hash of names and contents."""
    size = int(np.prod(files.shape))
    room = shutil.disk_usage(pixels.parent).free > ROOM * size
    where = f"their pixels go to {pixels.parent}" if room else f"{pixels.parent} has no room for their pixels"
    print(f"{name}: {len(files.names):,} pictures are read once, {where} ({size / 1e9:,.1f} GB)", file=sys.stderr)
    content = hashlib.sha256(f"{files.side}\n".encode())
    part = pixels.with_suffix(f".{os.getpid()}.part")
    target = np.lib.format.open_memmap(part, "w+", np.uint8, files.shape) if room else None
    try:
        for place, (digest, picture) in enumerate(ahead(partial(_read, files, decode=room), range(len(files.names)))):
            content.update(f"{files.names[place]}\n".encode() + digest)
            if target is not None and picture is not None:
                target[place] = picture
        if target is not None:
            target.flush()
            del target
            part.replace(pixels)
    finally:
        part.unlink(missing_ok=True)
    return content.hexdigest()[:16]


def _read(files: Files, place: int, *, decode: bool) -> tuple[bytes, NDArray[np.uint8] | None]:
    path = files.folder / files.names[place]
    content = path.read_bytes()
    return hashlib.sha256(content).digest(), decoded(path, content, files.side) if decode else None
