"""`shatterlab report`: the page."""

from pathlib import Path

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir


def command(store: StoreDir = DEFAULT_STORE, out: Path | None = None) -> None:
    """Write one self-contained HTML page about the finished runs.

    Example: shatterlab report --out page.html

    Args:
        out: The file. Default: report.html in the store.
    """
    from ..report import write

    opened = Store(store)
    results, errors = opened.results()
    if errors and not results:
        raise errors[0]
    path = write(opened, results, out or store / "report.html")
    print(f"Report: {path.resolve()}")
    if errors:
        raise errors[0]
