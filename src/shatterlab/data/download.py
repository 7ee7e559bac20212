"""Fetches published files once, with checksum and progress; the work is done by `pooch`."""

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ShatterlabError
from ..files import remove_leftovers, settle, temporary_of

CONNECT_SECONDS = 5
"""A server that has not answered by then counts as out of reach, so that nobody waits for a dead line."""
LEFT_SECONDS = 86_400
"""A part of a file that has not grown for so many seconds belongs to a transfer that was killed."""


@dataclass(frozen=True)
class Download:
    """A published file: its name, where it lies, and its checksum as `algorithm:hex`."""

    name: str
    url: str
    checksum: str


def reachable(url: str) -> bool:
    """Whether the server of `url` answers within `CONNECT_SECONDS`, name look-up included."""
    import requests

    answered = threading.Event()

    def ask() -> None:
        try:
            requests.head(url, timeout=CONNECT_SECONDS, allow_redirects=True).raise_for_status()
            answered.set()
        except requests.RequestException:
            pass

    # A look-up of a host name cannot be given a time limit, so it gets a thread that may be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    return answered.is_set()


def fetch(files: tuple[Download, ...], folder: Path) -> None:
    """Puts `files` into `folder`, each complete and with the right checksum, or raises.

    Files already there and intact are kept. A broken transfer leaves nothing behind, and the next
    call starts that file anew.

    Raises:
        ShatterlabError: out of reach, a wrong checksum, or nowhere to write.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_into(folder, files)
    except OSError as error:
        raise ShatterlabError(f"cannot create {folder}: {error.strerror}; name another with --data-dir.") from None
    finally:
        for path in made:  # from the innermost; a folder that holds something stays
            with suppress(OSError):
                path.rmdir()


def _fetch_into(folder: Path, files: tuple[Download, ...]) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.ERROR)
    for file in files:
        if (folder / file.name).exists() and pooch.file_hash(folder / file.name, _algorithm(file)) == _hex(file):
            continue
        by_hand = f"or put the file into {folder} by hand."
        if not reachable(file.url):
            raise ShatterlabError(
                f"{file.url} is out of reach (no answer within {CONNECT_SECONDS} s); connect to the network, {by_hand}"
            )
        downloader = pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, 60), progressbar=_RichBar(file.name))
        arriving = temporary_of(folder / file.name)
        try:
            remove_leftovers(folder, name=file.name, older=LEFT_SECONDS)
            downloader(file.url, str(arriving), None)
            if not verify(file, arriving):
                raise ShatterlabError(
                    f"{file.url} does not have the checksum {file.checksum}; try again later, {by_hand}"
                )
            settle([arriving])
            arriving.replace(folder / file.name)
            settle([folder])
        except (requests.RequestException, OSError) as error:
            raise ShatterlabError(
                f"{file.url} could not be fetched: {error}; run the same command again, {by_hand}"
            ) from None
        finally:
            arriving.unlink(missing_ok=True)


def verify(file: Download, path: Path) -> bool:
    """Whether the file at `path` is the published one."""
    import pooch

    return pooch.file_hash(path, _algorithm(file)) == _hex(file)


def _algorithm(file: Download) -> str:
    return file.checksum.partition(":")[0]


def _hex(file: Download) -> str:
    return file.checksum.partition(":")[2]


class _RichBar:
    """What pooch expects of a progress bar, drawn by rich."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0

    def update(self, amount: int) -> None:
        if not hasattr(self, "_bar"):
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
            self._bar.start()
            self._task = self._bar.add_task(self.name, total=self.total)
        self._bar.update(self._task, advance=amount)

    def reset(self) -> None:
        if hasattr(self, "_bar"):
            self._bar.reset(self._task)

    def close(self) -> None:
        if hasattr(self, "_bar"):
            self._bar.stop()
