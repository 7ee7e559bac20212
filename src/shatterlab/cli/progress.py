"""Live progress: a bar for the whole list and one for each job in progress, or lines where there is no terminal."""

import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from ..jobs import Job, Training
from ..ranks import started_rank
from ..row import Row
from .output import Output
from .terminal import in_line

WIDE = 100
"""From this width on the bars are long and say the loss."""


class Progress:
    """A context manager that shows the progress of jobs.

    Args:
        jobs: the jobs that will be done.
        expected: the seconds that are expected of them, by id, as far as they are known.
        quiet: whether nothing is shown.
    """

    def __init__(
        self, jobs: Sequence[Job], *, expected: Mapping[str, float] | None = None, quiet: bool = False
    ) -> None:
        self.console = Console(stderr=True, quiet=quiet or started_rank() != 0, highlight=False)
        self.narrow = self.console.width < WIDE
        self.bars = RichProgress(
            # The title takes what the rest leaves, so that bar, state and times are there at any width.
            TextColumn("{task.description}", markup=False, table_column=_column(ratio=1)),
            BarColumn(bar_width=10 if self.narrow else 20),
            TextColumn("{task.fields[state]}", table_column=_column()),
            TimeElapsedColumn(table_column=_column()),
            TextColumn("{task.fields[left]}", table_column=_column()),
            console=self.console,
            disable=not self.console.is_terminal,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.remaining = Remaining(jobs, expected or {})
        self.done, self.jobs = 0, len(jobs)
        self.whole = self.bars.add_task("all", total=1.0, state="", left="")
        self.going: dict[str, TaskID] = {}

    def __enter__(self) -> "Progress":
        self.streams = sys.stdout, sys.stderr
        self.bars.start()
        if self.console.is_terminal:  # what is printed meanwhile stands above the bars
            over = [FileProxy(self.console, stream) for stream in self.streams]
            sys.stdout, sys.stderr = (Output(stream, escapes=True) for stream in over)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()
        sys.stdout, sys.stderr = self.streams

    def update(self, job: Job, row: Row | None) -> None:
        """Takes a row of a training, or None when a computation begins."""
        if job.id not in self.going:
            before, title = row.epoch - 1 if row else 0, in_line(job.title)
            total = _steps(job) if row else None  # a computation does not say how far it is
            self.going[job.id] = self.bars.add_task(
                in_line(job.title), total=total, completed=before, state="", left=""
            )
            self.remaining.begin(job, before / _steps(job))
            if before:
                self.console.print(f"{title} goes on after epoch {before}", markup=False, soft_wrap=True)
        if row is not None:
            self.bars.update(self.going[job.id], completed=row.epoch, state=self._state(job, row))
            self.remaining.reach(job, row.epoch / _steps(job))
        self._show_whole()

    def end(self, job: Job) -> None:
        """Takes the end of a job, good or bad."""
        self.done += 1
        self.remaining.reach(job, 1.0)
        task = self.going.pop(job.id, None)
        last = ""
        if task is not None:
            bar = next(bar for bar in self.bars.tasks if bar.id == task)
            last = f": {bar.fields['state']}" if bar.fields["state"] else ""
            self.bars.remove_task(task)
        self._show_whole()
        if not self.console.is_terminal:
            self.console.print(f"[{self.done}/{self.jobs}] {in_line(job.title)}{last}", markup=False, soft_wrap=True)

    def _show_whole(self) -> None:
        share, seconds = self.remaining.share(), self.remaining.seconds()
        left = "" if seconds is None else f"ETA {clock(seconds)}"
        self.bars.update(self.whole, completed=share, state=f"{self.done}/{self.jobs} done", left=left)

    def _state(self, job: Job, row: Row) -> str:
        if not (self.narrow and self.console.is_terminal):
            return row.progress(_steps(job))
        accuracy = row.online_accuracy if row.train_accuracy is None else row.train_accuracy
        return f"{row.epoch}/{_steps(job)}, {100 * accuracy:.1f} %"


class Remaining:
    """The time that is left for a list of jobs, by the time that their finished parts have taken here and now.

    Each job counts for the seconds that are expected of it; one of which nothing is known counts for as much as those
    of its kind took here, or as the others on average. What is left is scaled by how long what is done has taken, so
    that a slower or busier machine than expected tells within the first jobs.

    Args:
        jobs: the jobs.
        expected: the seconds that are expected, by id, of those of which something is known.
        now: a clock, in seconds.
    """

    def __init__(
        self, jobs: Sequence[Job], expected: Mapping[str, float], now: Callable[[], float] = perf_counter
    ) -> None:
        self.jobs, self.expected, self.now = jobs, expected, now
        self.began = now()
        self.at: dict[str, tuple[float, float]] = {}  # the share at which a job began here, and its share now
        self.since: dict[str, float] = {}
        self.took: dict[str, list[float]] = {}

    def begin(self, job: Job, share: float) -> None:
        """Takes that a job begins, of which this share was done before."""
        self.at.setdefault(job.id, (share, share))
        self.since.setdefault(job.id, self.now())

    def reach(self, job: Job, share: float) -> None:
        """Takes the share of a job that is done."""
        self.begin(job, 0.0)
        self.at[job.id] = self.at[job.id][0], share
        if share >= 1:
            self.took.setdefault(_kind(job), []).append(self.now() - self.since[job.id])

    def share(self) -> float:
        """The share of the whole that is done, in [0, 1]."""
        weights = self._weights()
        whole = sum(weights.values())
        return sum(weights[id] * share for id, (_, share) in self.at.items()) / whole if whole else 0.0

    def seconds(self) -> float | None:
        """The seconds that are left; None before anything has been done here."""
        weights = self._weights()
        done = sum(weights[id] * (share - before) for id, (before, share) in self.at.items())
        left = sum(weights[job.id] * (1 - self.at.get(job.id, (0.0, 0.0))[1]) for job in self.jobs)
        return left * (self.now() - self.began) / done if done > 0 else None

    def _weights(self) -> dict[str, float]:
        measured = {kind: sum(took) / len(took) for kind, took in self.took.items()}
        known = [*self.expected.values(), *measured.values()]
        usual = sum(known) / len(known) if known else 1.0
        return {job.id: max(self.expected.get(job.id, measured.get(_kind(job), usual)), 1e-3) for job in self.jobs}


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _column(**options: Any) -> Column:
    """A column of the bars, whose text is never folded."""
    return Column(no_wrap=True, overflow="ellipsis", **options)


def _kind(job: Job) -> str:
    return job.spec.model if isinstance(job, Training) else job.study


def _steps(job: Job) -> int:
    """The steps of a job's own bar."""
    return job.spec.epochs if isinstance(job, Training) else 1
