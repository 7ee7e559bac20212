"""A store that is read again and again: each file is parsed once, and once more when it has changed."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import DamagedError, NewerError, UnreadableError
from ..spec import Spec
from .examples import Examples
from .measurement import Measurement
from .result import Result
from .store import Asked, Rows, Store

T = TypeVar("T")


class Reader(Store):
    """A store that remembers the content of the files that it has read.

    Its results are shared between calls: a file that has not changed gives the very same object again, so that
    callers may compare by identity, and may not change what they get.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._memory: dict[tuple[Path, str], tuple[tuple[int, int] | None, object]] = {}

    @classmethod
    def of(cls, store: Store) -> "Reader":
        """A reader of a store, which notes what it cannot read in the same list."""
        if isinstance(store, cls):
            return store
        reader = cls(store.path)
        reader._unreadable = store._unreadable
        return reader

    def examples(self, spec: Spec | Result) -> dict[str, Examples]:
        """What became of each example of a finished run, see `Store.examples`."""
        run = spec.spec if isinstance(spec, Result) else spec
        return self._once(self.folder(run) / "examples.npz", lambda: super(Reader, self).examples(run))

    def measured(self, id: str) -> Measurement | None:
        """A finished measurement, see `Store.measured`."""
        return self._once(self.measured_path(id), lambda: super(Reader, self).measured(id))

    def _check_examples(self, path: Path) -> bool:
        return self._once(path, lambda: super(Reader, self)._check_examples(path), "checked")

    def _rows(self, path: Path) -> Rows:
        return self._once(path, lambda: super(Reader, self)._rows(path))

    def _parsed_result(self, path: Path) -> tuple[Result, str]:
        return self._once(path, lambda: super(Reader, self)._parsed_result(path))

    def _read_spec(self, path: Path) -> Spec:
        return self._once(path, lambda: super(Reader, self)._read_spec(path))

    def _read_asked(self, path: Path) -> Asked:
        return self._once(path, lambda: super(Reader, self)._read_asked(path))

    def _once(self, path: Path, read: Callable[[], T], what: str = "content") -> T:
        """Returns what `read` makes of the file, and keeps it until the file's time or size changes."""
        try:
            status = path.stat()
            # The state is taken before reading, so that a file that grows meanwhile is read again the next time.
            state = status.st_mtime_ns, status.st_size
        except OSError:
            state = None
        kept = self._memory.get((path, what))
        if kept is None or kept[0] != state:
            try:
                found: object = read()
            except (DamagedError, NewerError) as error:  # others tell of the system, which may change its mind
                found = error
            kept = self._memory[path, what] = state, found
        if isinstance(kept[1], UnreadableError):
            raise kept[1].with_traceback(None)
        return kept[1]  # type: ignore[return-value]
