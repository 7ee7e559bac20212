"""A store that is read again and again: each file is parsed once, and once more when it has changed."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..row import Row
from ..spec import Spec
from .examples import Examples
from .measurement import Measurement
from .result import Result
from .store import Store

T = TypeVar("T")


class Reader(Store):
    """A store that remembers the content of the files that it has read.

    Its results are shared between calls: a file that has not changed gives the very same object again, so that
    callers may compare by identity, and may not change what they get.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._memory: dict[Path, tuple[tuple[int, int] | None, object]] = {}

    def rows(self, spec: Spec, *, after: int = 0) -> list[Row]:
        """The epochs recorded so far, see `Store.rows`."""
        rows = self._once(self.folder(spec) / "rows.jsonl", lambda: super(Reader, self).rows(spec))
        return rows[after:] if after else rows

    def examples(self, spec: Spec | Result) -> dict[str, Examples]:
        """What became of each example of a finished run, see `Store.examples`."""
        run = spec.spec if isinstance(spec, Result) else spec
        return self._once(self.folder(run) / "examples.npz", lambda: super(Reader, self).examples(run))

    def measured(self, id: str) -> Measurement | None:
        """A finished measurement, see `Store.measured`."""
        return self._once(self.path / "measured" / f"{id}.json", lambda: super(Reader, self).measured(id))

    def _read_result(self, path: Path) -> Result:
        return self._once(path, lambda: super(Reader, self)._read_result(path))

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
