"""Results on disk: a folder for each run. Processes may share the store and may be killed at any moment.

<store>/<run id>/spec.json       the spec of the run
                 rows.jsonl      one line for each epoch, appended
                 checkpoint.safetensors   the last checkpoint, replaced as a whole
                 examples.npz    labels and predictions of each example, see `examples`
                 result.json     the result, written last
<store>/measured/<id>.json       the result of a computation that a study makes beside training
<store>/studies/<name>.<scale>.<data>.json   the runs and computations that a study asked for
"""

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from html import escape
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ShatterlabError
from ..files import write_all, write_whole
from ..row import Row
from ..spec import Spec
from .examples import Examples, packed, unpacked
from .measurement import Measurement
from .remote import address_of, mirror_of, remote_of
from .result import Result, html_table

if TYPE_CHECKING:
    import polars as pl

DEFAULT_STORE = Path("shatterlab-runs")


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
        """A hash of what sets this request apart from others to the study at its scale; data and model may be paths."""
        text = self.data + (self.model or "") + (self.precision or "")
        return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """A folder of runs, or object storage mirrored in one.

    Args:
        path: the folder, which is made when the first run is written; or an address such as `s3://bucket/runs`, whose
            runs are fetched here first, see `remote`.

    Raises:
        ShatterlabError: the object storage cannot be reached, or the extra `cloud` is missing.
    """

    def __init__(self, path: Path | str = DEFAULT_STORE) -> None:
        if not str(path):
            raise ShatterlabError("the path of the store is empty; name a folder, such as 'runs'.")
        address = address_of(path)
        self.path = mirror_of(address) if address else Path(path).expanduser()
        self.remote = remote_of(self.path)
        if address and self.remote:
            self.remote.synchronize()

    @property
    def address(self) -> str:
        """What the user calls the store: its folder, or its address in object storage."""
        return self.remote.address if self.remote else str(self.path)

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
        """Makes the run's folder and keeps other processes out of it while the block runs."""
        folder = self.folder(spec)
        with self.hold(folder / "lock", f"{spec.title} ({spec.id})"):
            with self.writing():
                # The first checkpoint forces the spec onto the disk; a spec that is cut short by then is written anew.
                (folder / "spec.json").write_text(spec.model_dump_json(indent=1), encoding="utf-8")
            yield folder

    @contextmanager
    def hold(self, path: Path, what: str) -> Iterator[None]:
        """Holds a lock while the block runs; waits where another process, which is doing `what`, holds it.

        The lock is the operating system's, so that a killed process leaves none behind.
        """
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            if self.busy(path):
                print(f"waiting for another process that is doing {what}", file=sys.stderr)
            lock.acquire()
        try:
            with self.remote.claimed(path, what) if self.remote else nullcontext():
                yield
        finally:
            lock.release()

    def busy(self, path: Path) -> bool:
        """Whether some process holds this lock right now, on this machine or, with object storage, on another."""
        if self.remote and self.remote.holder(path):
            return True
        if not path.exists():
            return False
        with self.writing():
            try:
                with FileLock(path, timeout=0):
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
            ShatterlabError: rows before the checkpoint are missing or damaged.
        """
        path = self.folder(spec) / "rows.jsonl"
        rows = [row for row in self.rows(spec) if row.epoch <= epoch]
        if [row.epoch for row in rows] != list(range(1, epoch + 1)):
            raise ShatterlabError(
                f"{path} is damaged before epoch {epoch}; delete the folder {path.parent} and run the same "
                "command again: this run starts anew, no other is touched."
            )
        text = "".join(row.model_dump_json() + "\n" for row in rows)
        with self.writing():
            if text != (path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""):
                write_whole(path, text)
        return rows

    def rows(self, spec: Spec, *, after: int = 0) -> list[Row]:
        """The epochs recorded so far, or those after an epoch; a last line cut short by a crash is left out."""
        try:
            lines = (self.folder(spec) / "rows.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        rows = []
        for line in lines[after:]:
            try:
                rows.append(Row.model_validate_json(line))
            except ValidationError:
                break
        return rows

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
            write_all({self.folder(r.spec) / "result.json": r.model_dump_json(indent=1) for r in results})
        for folder in folders:
            self.upload(folder / "examples.npz", folder / "result.json")  # `save` has uploaded the spec and the rows

    def upload(self, *paths: Path) -> None:
        """Copies files of the store to its object storage, in this order; nothing to do where it is a folder."""
        if self.remote:
            self.remote.try_push(paths)

    def result(self, spec: Spec) -> Result | None:
        """The finished run, or None.

        Raises:
            ShatterlabError: the file is damaged.
        """
        path = self.folder(spec) / "result.json"
        return self._read_result(path) if _written(path) else None

    def examples(self, spec: Spec | Result) -> dict[str, Examples]:
        """What became of each example of a finished run, by the name of the set: train, test and perhaps validation.

        Args:
            spec: that of the run, or its result; for a user's network or data `result.spec`, which names their content.

        Raises:
            ShatterlabError: the run is not finished, is of a version that did not keep them, or its file is damaged.
        """
        path = self.folder(spec.spec if isinstance(spec, Result) else spec) / "examples.npz"
        try:
            return unpacked(path.read_bytes())
        except OSError:
            raise ShatterlabError(
                f"{path} is missing: there is no such run (ask by result.spec), or it is unfinished, or of an earlier "
                "version."
            ) from None
        except ValueError:
            raise ShatterlabError(f"{path} is damaged; the run's result and rows are not touched by that.") from None

    def begun(self) -> list[Path]:
        """The spec files of the runs that have begun and not ended."""
        return [path for path in sorted(self.path.glob("*/spec.json")) if not _written(path.parent / "result.json")]

    def unfinished(self) -> list[tuple[Spec, list[Row], float]]:
        """The runs that have begun and not ended: spec, epochs so far, and seconds since the last one was written."""
        unfinished = []
        for path in self.begun():
            try:
                spec, rows = Spec.model_validate_json(path.read_text(encoding="utf-8")), path.parent / "rows.jsonl"
                seen = (rows if rows.exists() else path).stat().st_mtime
            except (ValueError, OSError):
                continue  # of another version, or just being taken away
            if spec.id == path.parent.name:
                unfinished.append((spec, self.rows(spec), time() - seen))
        return unfinished

    def results(self) -> tuple[list[Result], list[ShatterlabError]]:
        """All finished runs, and an error for each result file that cannot be read."""
        results, errors = [], []
        for path in sorted(filter(_written, self.path.glob("*/result.json"))):
            try:
                results.append(self._read_result(path))
            except ShatterlabError as error:
                errors.append(error)
        return results, errors

    def _read_result(self, path: Path) -> Result:
        try:
            result = Result.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            raise ShatterlabError(
                f"{path} is cut short, damaged or of another version; delete that file and run the same command again: "
                "the run goes on from its checkpoint."
            ) from None
        if result.id != path.parent.name:
            raise ShatterlabError(
                f"{path.parent} was written by a version that named its runs otherwise; move the folder out of the "
                f"store or rename it to {result.id}, which keeps the run."
            )
        return result

    def table(self) -> "pl.DataFrame":
        """A table with a line for each finished run: every dial of its spec, and the outcome of the last epoch.

        A result file that cannot be read is left out with a warning.
        """
        from .table import run_table  # here, as polars takes a while to import

        return run_table(self._readable())

    def epochs(self) -> "pl.DataFrame":
        """A table with a line for each epoch of each finished run: losses, accuracies, seconds and the condition."""
        from .table import epoch_table

        return epoch_table(self, self._readable())

    def _readable(self) -> list[Result]:
        results, errors = self.results()
        for error in errors:
            warnings.warn(str(error), stacklevel=3)
        return results

    def _repr_html_(self) -> str:
        results = self._readable()
        head = f"<p>{len(results)} finished runs in <code>{escape(str(self.path))}</code></p>"
        return head + (html_table(results) if results else "")

    def measured(self, id: str) -> Measurement | None:
        """A finished measurement, or None.

        Raises:
            ShatterlabError: the file is damaged.
        """
        path = self.path / "measured" / f"{id}.json"
        if not _written(path):
            return None
        try:
            measurement = Measurement.model_validate_json(path.read_text(encoding="utf-8"))
            if measurement.id != id:
                raise ValueError("of another version")
            return measurement
        except (ValueError, OSError):
            raise ShatterlabError(
                f"{path} is damaged or of another version; delete that file and run the study again: "
                "nothing else is lost."
            ) from None

    def keep(self, measurement: Measurement) -> None:
        """Writes a finished measurement."""
        self._write(self.path / "measured" / f"{measurement.id}.json", measurement)

    def ask(self, asked: Asked) -> None:
        """Remembers the runs of a study, in place of those that it asked for before at that scale and on that data."""
        self._write(self.path / "studies" / f"{asked.study}.{asked.scale}.{asked.setting[:8]}.json", asked)

    def _write(self, path: Path, record: BaseModel) -> None:
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, record.model_dump_json(indent=1))
        self.upload(path)

    def asked(self) -> list[Asked]:
        """What studies have asked for, in the order of the file names."""
        asked = []
        for path in sorted(filter(_written, self.path.glob("studies/*.json"))):
            try:
                asked.append(Asked.model_validate_json(path.read_text(encoding="utf-8")))
            except ValueError:  # pydantic's errors and the decoder's are both of this kind
                raise ShatterlabError(
                    f"{path} is damaged; delete it and run the study again: its runs are kept."
                ) from None
        return asked

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns errors in writing, such as a full disk or a missing permission, into a sentence."""
        try:
            yield
        except OSError as error:
            raise ShatterlabError(
                f"cannot write to the store {self.path} ({os.strerror(error.errno) if error.errno else error}); make "
                "room or name another with --store, then run the same command again: finished epochs are kept."
            ) from None


def _written(path: Path) -> bool:
    """Whether there is a file with content; a power cut may leave an empty one, which does not count."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
