"""What a notebook shows of a run while it goes."""

import sys
from collections.abc import Callable

from .row import Row
from .spec import Spec


def notebook_line(spec: Spec) -> Callable[[Row], None]:
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
