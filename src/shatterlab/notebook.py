"""What is shown of a run in Python while it goes: a line that changes in a notebook, and that it has been taken up."""

import sys
from collections.abc import Callable

from .row import Row
from .spec import Spec


def shown(spec: Spec) -> Callable[[Row], None]:
    """Returns what is called with each row of a run: it says if an earlier call began the run, and shows progress."""
    line, begun = _notebook_line(spec), False

    def show(row: Row) -> None:
        nonlocal begun
        if row.epoch > 1 and not begun:
            print(f"{spec.title} goes on after epoch {row.epoch - 1}", file=sys.stderr)
        begun = True
        line(row)

    return show


def _notebook_line(spec: Spec) -> Callable[[Row], None]:
    """What shows the rows of one run in a notebook, as one line that changes; elsewhere what shows nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or type(shell).__name__ != "ZMQInteractiveShell":
        return lambda row: None
    from IPython.display import display  # type: ignore[import-not-found]

    handle = display({"text/plain": spec.title}, raw=True, display_id=True)

    def show(row: Row) -> None:
        handle.update({"text/plain": f"{spec.title}: {row.progress(spec.epochs)}"}, raw=True)

    return show
