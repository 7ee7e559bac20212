"""Live progress: a bar for the whole list and one for each job in progress, or lines where there is no terminal."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from ..jobs import Job, Training
from ..row import Row


class Progress:
    """A context manager that shows the progress of jobs.

    Args:
        jobs: the jobs that will be done.
        quiet: whether nothing is shown.
    """

    def __init__(self, jobs: Sequence[Job], *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.bars = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.done, self.jobs = 0, len(jobs)
        self.whole = self.bars.add_task("all", total=sum(map(_steps, jobs)), state="")
        self.going: dict[str, TaskID] = {}

    def __enter__(self) -> "Progress":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def update(self, job: Job, row: Row | None) -> None:
        """Takes a row of a training, or None when a computation begins."""
        if job.id not in self.going:
            before = row.epoch - 1 if row else 0
            total = _steps(job) if row else None  # a computation does not say how far it is
            self.going[job.id] = self.bars.add_task(job.title, total=total, completed=before, state="")
            self.bars.advance(self.whole, before)
            if before:
                self.console.print(f"{job.title} goes on after epoch {before}", markup=False, soft_wrap=True)
        if row is None:
            return
        self.bars.update(self.going[job.id], completed=row.epoch, state=row.progress(_steps(job)))
        self.bars.advance(self.whole)

    def end(self, job: Job) -> None:
        """Takes the end of a job, good or bad."""
        self.done += 1
        task = self.going.pop(job.id, None)
        last = ""
        if task is not None:
            # The bar of the whole list counts the epochs that a training leaves undone when it stops early.
            bar = next(bar for bar in self.bars.tasks if bar.id == task)
            self.bars.advance(self.whole, _steps(job) - bar.completed)
            last = f": {bar.fields['state']}" if bar.fields["state"] else ""
            self.bars.remove_task(task)
        self.bars.update(self.whole, state=f"{self.done}/{self.jobs} done")
        if not self.console.is_terminal:
            self.console.print(f"[{self.done}/{self.jobs}] {job.title}{last}", markup=False, soft_wrap=True)


def _steps(job: Job) -> int:
    """The steps for which a job counts in the bar of the whole list."""
    return job.spec.epochs if isinstance(job, Training) else 1
