"""Results on disk: a folder for each run. Processes may share the store and may be killed at any moment.

<store>/<run id>/spec.json       the spec of the run
                 rows.jsonl      one line for each epoch, appended
                 checkpoint.safetensors   the last checkpoint, replaced as a whole
                 examples.npz    labels and predictions of each example, see `examples`
                 result.json     the result, written last
                 diverged.json   in place of result.json where the loss was no longer finite
<store>/measured/<id>.json       the result of a computation that a study makes beside training
<store>/studies/<name>.<scale>.<data>.json   the runs and computations that a study asked for
<store>/plans/<name>.<scale>.<command>.json  the runs that a command trains at once, see `plan`

A file that cannot be read costs what it holds and nothing else: whoever lists runs gets the others, and
`Store.unreadable` says which files were left out. The next process that does the job of a damaged file moves that file
aside (to `<name>.aside`), and nothing here is ever deleted.
"""

import errno
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from html import escape
from itertools import count
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from filelock import Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import DamagedError, ShatterlabError, UnreadableError, listed
from ..files import path_of, remove_leftovers, write_all, write_whole
from ..row import Row
from ..spec import Spec
from .examples import Examples, packed, unpacked
from .locks import forget_holder, holder_of, lock_at, note_holder
from .measurement import Measurement
from .records import content_of, damaged, read, text_of
from .remote import address_of, mirror_of, remote_of
from .result import Diverged, Result, html_table

if TYPE_CHECKING:
    import polars as pl

DEFAULT_STORE = Path("shatterlab-runs")

T = TypeVar("T")
P = ParamSpec("P")

LEFT_SECONDS = 3_600
"""No file takes so long to be written, so that a temporary one of this age belongs to a process that was killed."""
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""The errors of a file system that cannot lock files."""


class Asked(BaseModel):
    """The runs and computations that a study asked for, so that `show` and `report` know what belongs to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    scale: str
    data: str
    model: str | None = None
    """The name of a user's model that stood in for the study's own; None for the study as it is."""
    precision: str | None = None
    """The precision of all trainings, where it was asked for; None for that of the study."""
    seeds: int
    run_ids: list[str]
    """The ids of the trainings; a study that asks in rounds gains some with each round."""
    measurement_ids: list[str] = []
    """The ids of the computations."""

    @property
    def setting(self) -> str:
        """A hash of data, model and precision for the name of the file, which could not hold the paths among them."""
        text = self.data + (self.model or "") + (self.precision or "")
        return hashlib.sha256(text.encode()).hexdigest()


class Rows(NamedTuple):
    """What a file of rows holds: those up to the first line that cannot be read or is out of order."""

    rows: list[Row]
    checksum: str
    """A hash of the file's bytes; empty where there is no file."""


class Store:
    """A folder of runs, or object storage mirrored in one.

    Args:
        path: the folder, which is made when the first run is written; or an address such as `s3://bucket/runs`, whose
            runs are fetched here first, see `remote`.

    Raises:
        ShatterlabError: the object storage cannot be reached, or the extra `cloud` is missing.
    """

    def __init__(self, path: Path | str = DEFAULT_STORE) -> None:
        named = path_of(path, "the store")
        address = address_of(path)
        self.path = mirror_of(address) if address else named
        self.remote = remote_of(self.path)
        self._unreadable: dict[Path, UnreadableError] = {}
        if address and self.remote:
            self.remote.synchronize()

    @property
    def address(self) -> str:
        """What the user calls the store: its folder, or its address in object storage."""
        return self.remote.address if self.remote else str(self.path)

    @property
    def unreadable(self) -> list[UnreadableError]:
        """The files that this object has left out so far because they cannot be read, each once, in their order."""
        return [self._unreadable[path] for path in sorted(self._unreadable)]

    def forget_unreadable(self) -> None:
        """Begins the list `unreadable` anew, before everything is read once more."""
        self._unreadable.clear()

    def readable(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `read` returns, or None where it meets a file that cannot be read; that file is then `unreadable`."""
        try:
            return read(*args, **kwargs)
        except UnreadableError as error:
            self._unreadable[error.path] = error
            return None

    def set_aside(self, error: DamagedError, *others: Path) -> None:
        """Moves a damaged file out of the way, so that it can be made anew, and says so. Nothing is deleted.

        Args:
            error: the error about the file.
            others: intact files that are of no use without it, which are moved too.
        """
        for path in dict.fromkeys((error.path, *others)):
            if not os.path.lexists(path):
                continue  # another process has moved it
            names = (path.with_name(f"{path.name}.aside{f'-{turn}' if turn > 1 else ''}") for turn in count(1))
            target = next(name for name in names if not os.path.lexists(name))
            with self.writing():
                try:
                    path.rename(target)
                except FileNotFoundError:
                    continue  # another process was faster
            why = "is damaged" if path == error.path else "is of no use without it"
            print(f"{path} {why}; moved aside to {target.name}", file=sys.stderr)
        self._unreadable.pop(error.path, None)

    def shared_folder(self) -> Path:
        """The store's absolute path, for the nodes of a cluster, which all see it.

        Raises:
            ShatterlabError: the store is object storage.
        """
        if self.remote:
            raise ShatterlabError(
                f"a cluster's engine works in a folder that all nodes see; with {self.address} give each machine the "
                "same command without --engine: they share the work by themselves."
            )
        return self.path.resolve()

    def folder(self, spec: Spec) -> Path:
        """The folder of the run."""
        return self.path / spec.id

    def checkpoint(self, spec: Spec) -> Path:
        """The file of the run's checkpoint."""
        return self.folder(spec) / "checkpoint.safetensors"

    @contextmanager
    def claim(self, spec: Spec) -> Iterator[Path]:
        """Makes the run's folder and keeps other processes out of it while the block runs.

        What is damaged of the run is moved aside first, so that it is done again.

        Raises:
            UnreadableError: a later version has begun the run, or the system does not let us read a file of it.
        """
        folder = self.folder(spec)
        if folder.exists() and not folder.is_dir():
            with self.asking():  # another process may have moved it and made the folder meanwhile
                if not folder.is_dir():
                    self.set_aside(damaged(folder, "it is a file where a folder belongs"))
        with self.hold(folder / "lock", f"{spec.title} ({spec.id})"):
            self._mend(spec)
            with self.writing():
                remove_leftovers(folder)
                # The first checkpoint forces the spec onto the disk; until then it can be written anew.
                write_whole(folder / "spec.json", text_of(spec), settled=False)
            yield folder

    def _mend(self, spec: Spec) -> None:
        """Moves aside what is damaged of a run, and what rests on it."""
        folder = self.folder(spec)
        if _written(folder / "spec.json"):
            try:
                self._read_spec(folder / "spec.json")
            except DamagedError as error:
                self.set_aside(error)
        try:
            self.diverged(spec)
        except DamagedError as error:
            self.set_aside(error)
        # With object storage there are two turns: what is damaged here may be intact in the copy fetched from there.
        for copy in (self.remote, None):
            try:
                self.checked_result(spec)
                return
            except DamagedError as error:
                if error.path.name == "rows.jsonl":
                    self.start_anew(error, spec)
                else:
                    self.set_aside(error, folder / "result.json")
            if copy:
                copy.fetch(f"{folder.name}/{name}" for name in ("rows.jsonl", "examples.npz", "result.json"))
        if self.remote:
            self.remote.set_aside(folder.name, ("result.json", "examples.npz"))

    def start_anew(self, error: DamagedError, spec: Spec) -> None:
        """Moves aside all that a run has left, because a file is damaged without which it cannot go on."""
        folder, names = self.folder(spec), ("result.json", "examples.npz", "checkpoint.safetensors", "rows.jsonl")
        self.set_aside(error, *(folder / name for name in names))

    @contextmanager
    def hold(self, path: Path, what: str) -> Iterator[None]:
        """Holds a lock while the block runs; waits where another process, which is doing `what`, holds it.

        The lock is the operating system's, so that a killed process leaves none behind.
        """
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = lock_at(path)
            if self.busy(path):
                print(f"waiting for {holder_of(path)}, which is doing {what}", file=sys.stderr)
            lock.acquire()
        try:
            with self.writing():
                note_holder(path)
            with self.remote.claimed(path, what) if self.remote else nullcontext():
                yield
        finally:
            forget_holder(path)
            lock.release()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Keeps other processes from changing what studies ask for while the block reads it and writes it anew."""
        with self.writing():
            try:
                (self.path / "studies").mkdir(parents=True, exist_ok=True)
                lock = lock_at(self.path / "studies" / "lock")
                lock.acquire()
            except OSError as error:
                if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                    raise
                lock = None  # where nothing can be written, nothing can be overwritten
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def busy(self, path: Path) -> bool:
        """Whether some process holds this lock right now, on this machine or, with object storage, on another."""
        if self.remote and self.remote.holder(path):
            return True
        if not path.exists():
            return False
        with self.writing():
            try:
                with lock_at(path, timeout=0):
                    return False
            except Timeout:
                return True

    def append(self, spec: Spec, row: Row) -> None:
        """Adds an epoch to `rows.jsonl`."""
        with self.writing(), (self.folder(spec) / "rows.jsonl").open("a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")

    def rewind(self, spec: Spec, epoch: int) -> list[Row]:
        """Drops the rows after `epoch`, which the checkpoint does not contain, and returns the others.

        Raises:
            DamagedError: rows before the checkpoint are missing or damaged.
        """
        path = self.folder(spec) / "rows.jsonl"
        rows = self._rows(path).rows[:epoch]
        if len(rows) < epoch:
            raise damaged(path, f"{len(rows)} of the {epoch} epochs that its checkpoint has done can be read")
        text = "".join(row.model_dump_json() + "\n" for row in rows)
        with self.writing():
            if text != (path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""):
                write_whole(path, text)
        return rows

    def rows(self, spec: Spec, *, after: int = 0) -> list[Row]:
        """The epochs recorded so far, or those after an epoch; a last line cut short by a crash is left out."""
        found = self.readable(lambda: self._rows(self.folder(spec) / "rows.jsonl"))
        return found.rows[after:] if found else []

    def _rows(self, path: Path) -> Rows:
        if not os.path.lexists(path):
            return Rows([], "")
        content = content_of(path)
        rows: list[Row] = []
        for line in content.splitlines():
            try:
                row = Row.model_validate_json(line)
            except ValidationError:
                break
            if row.epoch != len(rows) + 1:
                break
            rows.append(row)
        return Rows(rows, hashlib.sha256(content).hexdigest())

    def save(self, checkpoints: Mapping[Spec, bytes]) -> None:
        """Writes checkpoints of some runs, after their specs and rows have been forced onto the disk."""
        rows = [self.folder(spec) / name for spec in checkpoints for name in ("spec.json", "rows.jsonl")]
        with self.writing():
            write_all({self.checkpoint(spec): content for spec, content in checkpoints.items()}, also=rows)
        self.upload(*rows, *map(self.checkpoint, checkpoints))

    def finish(self, results: Sequence[Result], examples: Sequence[Mapping[str, Examples]]) -> None:
        """Writes the predictions of each example, then `result.json`; from then on these runs count as complete."""
        folders = [self.folder(result.spec) for result in results]
        with self.writing():
            write_all(
                {folder / "examples.npz": packed(sets) for folder, sets in zip(folders, examples, strict=True)},
                also=[folder / "rows.jsonl" for folder in folders],
            )
            # The result names the content of the rows, so that rows that were changed later are noticed.
            rows = [self._rows(folder / "rows.jsonl").checksum for folder in folders]
            texts = [text_of(result, rows=checksum) for result, checksum in zip(results, rows, strict=True)]
            write_all({folder / "result.json": text for folder, text in zip(folders, texts, strict=True)})
        for folder in folders:
            self.upload(folder / "examples.npz", folder / "result.json")  # `save` has uploaded the spec and the rows

    def upload(self, *paths: Path) -> None:
        """Copies files of the store to its object storage, in this order; nothing to do where it is a folder."""
        if self.remote:
            self.remote.try_push(paths)

    def result(self, spec: Spec) -> Result | None:
        """The finished run, or None.

        Raises:
            UnreadableError: the file or that of its rows is damaged, of a later version, or may not be read.
        """
        path = self.folder(spec) / "result.json"
        return self._read_result(path) if _written(path) else None

    def checked_result(self, spec: Spec) -> Result | None:
        """The finished run, of which the predictions have been read as well, or None; see `result`."""
        result = self.result(spec)
        path = self.folder(spec) / "examples.npz"
        if result and os.path.lexists(path):  # earlier versions did not keep them
            self._check_examples(path)
        return result

    def _check_examples(self, path: Path) -> bool:
        """Raises `DamagedError` if the predictions cannot be read, which `Reader` remembers of each file."""
        return bool(_examples_in(path))

    def diverge(self, diverged: Diverged) -> None:
        """Notes that a run has ended because its loss was no longer finite."""
        self._write(self.folder(diverged.spec) / "diverged.json", diverged)

    def diverged(self, spec: Spec) -> Diverged | None:
        """What is left of a run that has diverged, or None.

        Raises:
            UnreadableError: the file is damaged, of a later version, or may not be read.
        """
        path = self.folder(spec) / "diverged.json"
        return read(path, Diverged)[0] if _written(path) else None

    def diverged_runs(self) -> list[Diverged]:
        """All runs that have diverged."""
        paths = self._each("diverged.json")
        return [found[0] for path in paths if (found := self.readable(read, path, Diverged))]

    def examples(self, spec: Spec | Result) -> dict[str, Examples]:
        """What became of each example of a finished run, by the name of the set: train, test and perhaps validation.

        Args:
            spec: that of the run, or its result; for a user's network or data `result.spec`, which names their content.

        Raises:
            ShatterlabError: the run is not finished, is of a version that did not keep them, or its file is damaged.
        """
        path = self.folder(spec.spec if isinstance(spec, Result) else spec) / "examples.npz"
        if not os.path.lexists(path):
            raise ShatterlabError(
                f"{path} is missing: there is no such run (ask by result.spec), or it is unfinished, or of an earlier "
                "version."
            )
        return _examples_in(path)

    def begun(self) -> list[Path]:
        """The spec files of the runs that have begun and not ended."""
        ends = ("result.json", "diverged.json")
        return [path for path in self._each("spec.json") if not any(_written(path.parent / end) for end in ends)]

    def _each(self, name: str) -> list[Path]:
        """The files of this name in the folders of runs, those that may not be read among them."""
        try:
            with os.scandir(self.path) as entries:
                folders = sorted(entry.path for entry in entries if entry.is_dir())
        except FileNotFoundError:
            return []
        return [path for folder in folders if _written(path := Path(folder, name))]

    def unfinished(self) -> list[tuple[Spec, list[Row], float]]:
        """The runs that have begun and not ended: spec, epochs so far, and seconds since the last one was written."""
        unfinished = []
        for path in self.begun():
            spec, rows = self.readable(self._read_spec, path), path.parent / "rows.jsonl"
            try:
                seen = (rows if rows.exists() else path).stat().st_mtime
            except OSError:
                continue  # just being taken away
            if spec is not None:
                unfinished.append((spec, self.rows(spec), max(0.0, time() - seen)))
        return unfinished

    def _read_spec(self, path: Path) -> Spec:
        spec = read(path, Spec)[0]
        if spec.id != path.parent.name:
            raise damaged(path, "it describes another run than the name of its folder says")
        return spec

    def results(self) -> list[Result]:
        """All finished runs; those whose files cannot be read are left out and are `unreadable` from then on."""
        paths = self._each("result.json")
        return [found for path in paths if (found := self.readable(self._read_result, path))]

    def _read_result(self, path: Path) -> Result:
        """Reads a result and holds it against the rows of its run."""
        result, rows_checksum = self._parsed_result(path)
        if result.id != path.parent.name:
            raise UnreadableError(
                path,
                f"{path.parent} was written by a version that named its runs otherwise; move the folder out of the "
                f"store or rename it to {result.id}, which keeps the run.",
            )
        rows_path = path.parent / "rows.jsonl"
        found = self._rows(rows_path)
        if not found.checksum:
            raise damaged(rows_path, "it is gone")
        if rows_checksum and found.checksum != rows_checksum:
            raise damaged(rows_path, "it is not what it was when the run ended")
        if len(found.rows) != result.last.epoch:
            raise damaged(rows_path, f"{len(found.rows)} of {result.last.epoch} epochs can be read")
        if found.rows[-1] != result.last:
            raise damaged(rows_path, "its last epoch is another one than that of the result")
        return result

    def _parsed_result(self, path: Path) -> tuple[Result, str]:
        result, notes = read(path, Result, ("rows",))
        return result, notes.get("rows", "")

    def table(self) -> "pl.DataFrame":
        """A table with a line for each finished run: every dial of its spec, and the outcome of the last epoch.

        A result file that cannot be read is left out with a warning.
        """
        from .table import run_table  # here, as polars takes a while to import

        return run_table(self._results_or_warn())

    def epochs(self) -> "pl.DataFrame":
        """A table with a line for each epoch of each finished run: losses, accuracies, seconds and the condition."""
        from .table import epoch_table

        return epoch_table(self, self._results_or_warn())

    def _results_or_warn(self) -> list[Result]:
        results = self.results()
        if self.unreadable:
            warnings.warn(listed(self.unreadable), stacklevel=3)
        return results

    def _repr_html_(self) -> str:
        results = self._results_or_warn()
        head = f"<p>{len(results)} finished runs in <code>{escape(str(self.path))}</code></p>"
        return head + (html_table(results) if results else "")

    def measured(self, id: str) -> Measurement | None:
        """A finished measurement, or None.

        Raises:
            UnreadableError: the file is damaged, of a later version, or may not be read.
        """
        path = self.measured_path(id)
        if not _written(path):
            return None
        measurement, _ = read(path, Measurement)
        if measurement.id != id:
            raise damaged(path, "it holds another computation than its name says")
        return measurement

    def measurements(self, ids: Sequence[str]) -> list[Measurement]:
        """Those of some measurements that are finished and can be read, see `results`."""
        return [found for id in ids if (found := self.readable(self.measured, id))]

    def measured_path(self, id: str) -> Path:
        """The file of a measurement."""
        return self.path / "measured" / f"{id}.json"

    def mend_measured(self, id: str) -> None:
        """Moves the file of a measurement aside if it is damaged.

        Raises:
            UnreadableError: a later version wrote it, or the system does not let us read it.
        """
        # With object storage there are two turns: what is damaged here may be intact in the copy fetched from there.
        for copy in (self.remote, None):
            try:
                self.measured(id)
                return
            except DamagedError as error:
                self.set_aside(error)
            if copy:
                copy.fetch([f"measured/{id}.json"])
        if self.remote:
            self.remote.set_aside("measured", (f"{id}.json",))

    def keep(self, measurement: Measurement) -> None:
        """Writes a finished measurement."""
        self._write(self.measured_path(measurement.id), measurement)

    def ask(self, asked: Asked) -> None:
        """Remembers the runs of a study, in place of those that it asked for before at that scale and on that data."""
        self.tidy()
        path = self.path / "studies" / self.request_name(asked)
        if _written(path):
            try:
                if read(path, Asked)[0] == asked:
                    return  # a store that may only be read still answers, where everything was asked for before
            except DamagedError as error:
                self.set_aside(error)
        self._write(path, asked)

    def tidy(self) -> None:
        """Removes the temporary files of killed processes from folders that, unlike that of a run, have no lock.

        A young one may belong to a process that is writing it right now, so that only old ones are removed.
        """
        for folder in (self.path, *(self.path / name for name in ("measured", "studies", "audits"))):
            remove_leftovers(folder, older=LEFT_SECONDS)

    def _write(self, path: Path, record: BaseModel) -> None:
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text_of(record))
        self.upload(path)

    def request_name(self, asked: Asked) -> str:
        """The name of the file of a request."""
        return f"{asked.study}.{asked.scale}.{asked.setting[:8]}.json"

    def asked(self) -> list[Asked]:
        """What studies have asked for, in the order of the file names; see `results` for those that are left out."""
        paths = sorted(filter(_written, self.path.glob("studies/*.json")))
        return [found for path in paths if (found := self.readable(self._read_asked, path))]

    def _read_asked(self, path: Path) -> Asked:
        return read(path, Asked)[0]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns errors in writing, such as a full disk or a missing permission, into a sentence."""
        try:
            yield
        except OSError as error:
            if error.errno in NO_LOCKS:
                raise ShatterlabError(
                    f"the file system of the store {self.path} has no file locks ({os.strerror(error.errno)}), without "
                    "which two processes might do the same run; name a folder on another disk with --store."
                ) from None
            if isinstance(error, FileNotFoundError):
                raise ShatterlabError(
                    f"the store {self.path} was moved, deleted or unmounted while it was written to; put it back or "
                    "name another with --store, then run the same command again."
                ) from None
            raise ShatterlabError(
                f"cannot write to the store {self.path} ({os.strerror(error.errno) if error.errno else error}); make "
                "room or name another with --store, then run the same command again: finished epochs are kept."
            ) from None


def _written(path: Path) -> bool:
    """Whether there is a file with content; a power cut may leave an empty one, which does not count."""
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # it may be there; whoever reads it reports the error in full


def _examples_in(path: Path) -> dict[str, Examples]:
    try:
        return unpacked(content_of(path))
    except ValueError:
        raise damaged(path, "the predictions in it cannot be read") from None
