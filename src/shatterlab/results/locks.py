"""Locks of the operating system, which a killed process cannot leave behind, and a note of who holds each."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

from ..files import write_whole


def lock_at(path: Path, timeout: float = -1) -> FileLock:
    """The operating system's lock at a path.

    The substitute that filelock has where there are no locks is not wanted: it would outlive a killed process.

    Args:
        path: the file.
        timeout: seconds after which waiting for it ends in `filelock.Timeout`; by default it does not end.
    """
    return FileLock(path, timeout=timeout, fallback_to_soft=False)


def note_holder(lock: Path) -> None:
    """Writes beside a lock that this process holds it. The note means nothing while nobody does."""
    holder = {"host": socket.gethostname(), "process": os.getpid()}
    write_whole(_note(lock), json.dumps(holder), settled=False)


def forget_holder(lock: Path) -> None:
    """Removes the note of who holds a lock."""
    with suppress(OSError):
        _note(lock).unlink(missing_ok=True)


def holder_of(lock: Path) -> str:
    """Who holds a lock, in words, and how it can be freed."""
    try:
        known = json.loads(_note(lock).read_text(encoding="utf-8"))
        process, host = int(known["process"]), str(known["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    return f"process {process} on {host} (if it hangs, 'kill -9 {process}' there lets this one go on)"


def _note(lock: Path) -> Path:
    """The file of the note. Its name ends in `lock`, as what does so is not uploaded to object storage."""
    return lock.with_name(lock.name.removesuffix("lock") + "holder.lock")
