"""Files are written whole: after a crash or a power cut a reader finds the old content or the new one, never a part.

A file system may keep what was written in memory for half a minute. So content is forced onto the disk before the
file takes its name, and then the folder, which holds the name, is forced there too.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_hex

MANY = 4
"""From this many files on, one call that settles the whole file system is faster than one for each file."""


def write_whole(path: Path, content: str | bytes, *, settled: bool = True) -> None:
    """Writes one file; see `write_all`."""
    write_all({path: content}, settled=settled)


def write_all(contents: Mapping[Path, str | bytes], also: Iterable[Path] = (), *, settled: bool = True) -> None:
    """Writes files so that each is replaced by its new content as a whole, and is on the disk when this returns.

    Args:
        contents: path to its content; text is written as UTF-8.
        also: files written earlier, by appending say, that have to be on the disk before any of `contents` is; one
            that is missing is passed over.
        settled: whether to wait until the content is on the disk. What can be made again need not be: readers find the
            old content or the new one all the same, but a power cut may leave an empty file.

    Raises:
        OSError: the disk is full or a folder closed; every file has its old content or its new one.
    """
    # Names of their own, so that two processes that write the same file do not write into one another's.
    temporaries = {path: path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}.tmp") for path in contents}
    try:
        for path, content in contents.items():
            temporaries[path].write_bytes(content.encode() if isinstance(content, str) else content)
        if settled:
            settle([*(path for path in also if path.exists()), *temporaries.values()])
        for path, temporary in temporaries.items():
            temporary.replace(path)
        if settled:
            settle(sorted({path.parent for path in contents}))
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)


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
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
