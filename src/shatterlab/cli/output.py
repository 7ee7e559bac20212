"""Where a command's words go: control characters are shown, not obeyed; a closed pipe or a full disk ends quietly."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, TextIO

from ..errors import ShatterlabError, escaped


class Output:
    """A stream in front of stdout or stderr.

    Args:
        stream: the stream itself.
        escapes: whether control characters are written in the way Python writes them in a string. rich draws with such
            characters, so that it writes past this, and whoever hands it a name escapes the name.
        losable: whether what cannot be written is passed over, as notes on stderr are beside results.

    Raises:
        SystemExit: at a write, if the reader, such as `head`, has all that it wanted, which is a success.
        ShatterlabError: at a write that fails otherwise.
    """

    def __init__(self, stream: Any, *, escapes: bool = False, losable: bool = False) -> None:
        self.stream, self.escapes, self.losable = stream, escapes, losable
        if escapes:
            self.rich_proxied_file = stream
            while hasattr(self.rich_proxied_file, "rich_proxied_file"):
                self.rich_proxied_file = self.rich_proxied_file.rich_proxied_file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def isatty(self) -> bool:
        """Whether a terminal obeys what is written here."""
        return not self.escapes and self.stream.isatty()

    def write(self, text: str) -> int:
        """Writes a text; returns its length."""
        with self._guarded():
            self.stream.write(escaped(text) if self.escapes else text)
        return len(text)

    def flush(self) -> None:
        """Hands over what is still held back."""
        with self._guarded():
            self.stream.flush()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _to_nowhere(self.stream)
            if self.losable:
                return
            if isinstance(error, BrokenPipeError):  # rich would turn one into the exit code of a failure
                sys.exit(0)
            raise ShatterlabError(
                f"the output could not be written ({error.strerror}); make room, or send it elsewhere. "
                "What was computed is in the store."
            ) from None


@contextmanager
def streams() -> Iterator[None]:
    """Puts stdout and stderr behind an `Output` while the block runs."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Output(_open(stream), losable=stream is before[1]) for stream in before)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def escaping(command: Callable[..., None]) -> Callable[..., None]:
    """The command, all of whose words have their control characters escaped."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        with names_escaped():
            command(*arguments, **options)

    return run


@contextmanager
def names_escaped() -> Iterator[None]:
    """Escapes what is printed while the block runs."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Output(stream, escapes=True) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _open(stream: TextIO | None) -> TextIO:
    """A stream that takes every character, or one that takes all to nowhere in place of a stream that is closed."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    with suppress(AttributeError, OSError, ValueError):
        stream.reconfigure(errors="replace")  # type: ignore[attr-defined]  # an encoding may lack our characters
    return stream


def _to_nowhere(stream: Any) -> None:
    """What a broken stream still holds goes to nowhere, or Python would try to write it once more at its end."""
    with suppress(AttributeError, OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
