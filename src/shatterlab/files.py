"""Files are written whole: after a crash or a power cut a reader finds the old content or the new one, never a part.

A file system may keep what was written in memory for half a minute. So content is forced onto the disk before the
file takes its name, and then the folder, which holds the name, is forced there too.

Files that others wrote may be damaged or hostile: what they claim to hold is compared with what they can hold before
memory is taken for it.
"""

import ctypes
import math
import os
import sys
import zipfile
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import sleep, time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import NDArray

from .errors import ShatterlabError

MANY = 4
"""From this many files on, one call that settles the whole file system is faster than one for each file."""

SMALL = 2**26
"""So many bytes may come out of a file however small it is."""
DENSEST = 100
"""Beyond `SMALL`, so many bytes may come out of each byte of a file. Pictures and tables reach 20, zeros 1,000."""
READERS_WAIT = 100
"""So many hundredths of a second we wait on Windows for those who read a file that is to be replaced."""


def path_of(given: Path | str, what: str) -> Path:
    """The path that a user names, with `~` for the home folder.

    Raises:
        ShatterlabError: it is empty, no path, or the home of a user who is not known.
    """
    if not isinstance(given, str | os.PathLike):
        raise ShatterlabError(f"{what} is named by a path, got {type(given).__name__}; write it as text.")
    if not str(given).strip():
        raise ShatterlabError(f"the path of {what} is empty; name one, or '.' for the current folder.")
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise ShatterlabError(f"{given} names the home folder of no user that is known here; write it out.") from None


def readable(name: str) -> str:
    """The name of a file as UTF-8 reads it, which a result can hold, whatever the locale makes of its bytes."""
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # it is in characters that the locale lacks, and so readable already
        return name


def of_system(name: str) -> str:
    """A name that `readable` gave in the form in which this locale opens it."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def write_whole(path: Path, content: str | bytes, *, settled: bool = True) -> None:
    """Writes one file; see `write_all`."""
    write_all({path: content}, settled=settled)


def write_all(contents: Mapping[Path, str | bytes], also: Iterable[Path] = (), *, settled: bool = True) -> None:
    """Writes files so that each is replaced by its new content as a whole, and is on the disk when this returns.

    Args:
        contents: path to its content; text is written as UTF-8, with a question mark for each byte of a path that is
            no text.
        also: files written earlier, by appending say, that have to be on the disk before any of `contents` is; one
            that is missing is passed over.
        settled: whether to wait until the content is on the disk. What can be made again need not be: readers find the
            old content or the new one all the same, but a power cut may leave an empty file.

    Raises:
        OSError: the disk is full or a folder closed; every file has its old content or its new one.
    """
    temporaries = {path: temporary_of(path) for path in contents}
    try:
        for path, content in contents.items():
            temporaries[path].write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)
        if settled:
            settle([*(path for path in also if path.exists()), *temporaries.values()])
        for path, temporary in temporaries.items():
            _rename(temporary, path)
        if settled:
            settle(sorted({path.parent for path in contents}))
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)


def temporary_of(path: Path) -> Path:
    """A name beside the file for its new content, which no other process takes that writes the same file."""
    return path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}.tmp")


def remove_leftovers(folder: Path, *, name: str = "", older: float = 0.0) -> None:
    """Removes the temporary files that killed writers left in a folder.

    Args:
        folder: in which nobody may be writing now, unless `older` says how long that takes at most.
        name: of the file that was to be written; by default any.
        older: the age in seconds from which on a temporary file counts as left.
    """
    for path in folder.glob(f".{name}*.tmp"):
        with suppress(OSError):  # another process removes it, too, or the folder is closed
            if not older or time() - path.stat().st_mtime > older:
                path.unlink()


def settle(paths: Iterable[Path]) -> None:
    """Returns when the files and folders are on the disk as they are now."""
    left = list(paths)
    if not left:
        return
    if len(left) >= MANY and _settle_file_system(left[0]):
        return
    for path in left:
        if path.is_dir() and os.name == "nt":
            continue  # Windows opens no folders, and has no need to
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            _force(descriptor)
        finally:
            os.close(descriptor)


def _rename(temporary: Path, path: Path) -> None:
    """Gives a file its name; Windows refuses this for as long as somebody reads the old one, most often a moment."""
    for _ in range(READERS_WAIT if sys.platform == "win32" else 0):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            sleep(0.01)
    temporary.replace(path)


def _force(descriptor: int) -> None:
    """Forces a file onto the disk; the fsync of macOS stops at the memory of the drive, which a power cut empties."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # a file system of another machine may not know it
    os.fsync(descriptor)


def _settle_file_system(path: Path) -> bool:
    """Settles the file system that holds `path`, where the system can."""
    if sys.platform != "linux":
        return False
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool(syncfs(descriptor) == 0)
    finally:
        os.close(descriptor)


def too_dense(packed: int, unpacked: int) -> bool:
    """Whether so few bytes that unpack to so many are rather a trap than data; see `DENSEST`."""
    return unpacked > max(SMALL, DENSEST * packed)


def npz_arrays(file: IO[bytes], wanted: Container[str] | None = None) -> "dict[str, NDArray]":
    """The arrays of numbers and texts in an npz archive, by name.

    Args:
        file: the archive.
        wanted: the names of the arrays that are read; None for all.

    Raises:
        ValueError: an array holds objects, is not as large as its header says, or is packed too densely.
        Exception: nearly anything else, where the file is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        return {
            info.filename[:-4]: _array(archive, info)
            for info in archive.infolist()
            if info.filename.endswith(".npy") and (wanted is None or info.filename[:-4] in wanted)
        }


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> "NDArray":
    from numpy.lib import format as npy

    name = info.filename[:-4]
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed in a way that numpy never writes")
    if too_dense(info.compress_size, info.file_size):
        raise ValueError(
            f"{name} unpacks from {info.compress_size:,} bytes to {info.file_size:,}, as traps do; if it is yours, "
            "save it with numpy.savez, without compression"
        )
    with archive.open(info) as member:
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(member))
        if read_header is None:
            raise ValueError(f"{name} has a header that plain arrays do not have")
        shape, _, dtype = read_header(member)
        if dtype.kind not in "biufcSU" or dtype.itemsize == 0 or min(shape, default=0) < 0:
            raise ValueError(f"{name} has entries of type {dtype}, which are neither numbers nor texts")
        claimed, held = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if claimed != held:
            raise ValueError(f"{name} holds {held:,} bytes where its header says {claimed:,}")
    with archive.open(info) as member:
        array = npy.read_array(member, allow_pickle=False)
        member.read(1)  # the checksum is compared where the content ends
    return array
