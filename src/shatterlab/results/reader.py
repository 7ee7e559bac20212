"""A store that is read again and again: each file is parsed once, and once more when it has changed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..errors import ShatterlabError
from ..row import Row
from ..spec import Spec
from .measurement import Measurement
from .result import Result
from .store import Store, _read_result, _written

T = TypeVar("T")


class Reader(Store):
    """A store that remembers the content of the files that it has read.

    Its results are shared between calls: a file that has not changed gives the very same object again, so that
    callers may compare by identity, and may not change what they get.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._memory: dict[Path, tuple[tuple[int, int] | None, object]] = {}

    def rows(self, spec: Spec) -> list[Row]:
        """The epochs recorded so far, see `Store.rows`."""
        return self._once(self.folder(spec) / "rows.jsonl", lambda: super(Reader, self).rows(spec))

    def measured(self, id: str) -> Measurement | None:
        """A finished measurement, see `Store.measured`."""
        return self._once(self.path / "measured" / f"{id}.json", lambda: super(Reader, self).measured(id))

    def results(self) -> tuple[list[Result], list[ShatterlabError]]:
        """All finished runs, see `Store.results`."""
        read = [
            self._once(path, partial(_attempt, path))
            for path in sorted(filter(_written, self.path.glob("*/result.json")))
        ]
        results = [result for result in read if isinstance(result, Result)]
        return results, [error for error in read if isinstance(error, ShatterlabError)]

    def _once(self, path: Path, read: Callable[[], T]) -> T:
        """Returns what `read` makes of the file, and keeps it until the file's time or size changes."""
        try:
            status = path.stat()
            # The state is taken before reading, so that a file that grows meanwhile is read again the next time.
            state = status.st_mtime_ns, status.st_size
        except FileNotFoundError:
            state = None
        kept = self._memory.get(path)
        if kept is None or kept[0] != state:
            kept = self._memory[path] = state, read()
        return kept[1]  # type: ignore[return-value]


def _attempt(path: Path) -> Result | ShatterlabError:
    """Reads a finished run, or says what is wrong with its file."""
    try:
        return _read_result(path)
    except ShatterlabError as error:
        return error
