"""Live progress: a bar for the whole list and a bar for each run that is going; lines where there is no terminal."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from .row import Row
from .spec import Spec


class Progress:
    """Shows rows as they arrive; a context manager.

    Args:
        specs: the runs that will be done.
        quiet: show nothing.
    """

    def __init__(self, specs: Sequence[Spec], *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.done, self.runs = 0, len(specs)
        self.whole = self.bars.add_task("all runs", total=sum(spec.epochs for spec in specs), state="")
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Progress":
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def update(self, spec: Spec, row: Row | None) -> None:
        """Takes a row of a run, or None when the run is complete."""
        if row is None:
            self._finish(spec)
            return
        if spec.id not in self.tasks:
            self.tasks[spec.id] = self.bars.add_task(spec.title, total=spec.epochs, completed=row.epoch - 1, state="")
            self.bars.advance(self.whole, row.epoch - 1)
        accuracy = row.online_accuracy if row.train_accuracy is None else row.train_accuracy
        state = f"epoch {row.epoch}/{spec.epochs} loss {row.online_loss:.3f} train {100 * accuracy:.1f} %"
        self.bars.update(self.tasks[spec.id], completed=row.epoch, state=state)
        self.bars.advance(self.whole)

    def _finish(self, spec: Spec) -> None:
        self.done += 1
        task = self.tasks.pop(spec.id, None)
        if task is not None:
            # A run that stopped early leaves epochs undone that the whole should count as gone.
            bar = next(bar for bar in self.bars.tasks if bar.id == task)
            self.bars.advance(self.whole, spec.epochs - bar.completed)
            last = f": {bar.fields['state']}"
            self.bars.remove_task(task)
        else:
            last = ""
        self.bars.update(self.whole, state=f"{self.done}/{self.runs} runs")
        if not self.console.is_terminal:
            self.console.print(f"[{self.done}/{self.runs}] {spec.title}{last}", markup=False, soft_wrap=True)


def notebook_line(spec: Spec) -> Callable[[Row], None]:
    """What shows the rows of one run in a notebook, as one line that changes; elsewhere something that shows nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or type(shell).__name__ != "ZMQInteractiveShell":
        return lambda row: None
    from IPython.display import display  # type: ignore[import-not-found]

    handle = display({"text/plain": spec.title}, raw=True, display_id=True)

    def show(row: Row) -> None:
        accuracy = row.online_accuracy if row.train_accuracy is None else row.train_accuracy
        line = f"{spec.title}: epoch {row.epoch}/{spec.epochs}, loss {row.online_loss:.3f}, train {100 * accuracy:.1f} %"
        handle.update({"text/plain": line}, raw=True)

    return show
