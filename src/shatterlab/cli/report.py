"""`shatterlab report`: the page."""

from pathlib import Path

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir, unfinished


def command(store: StoreDir = DEFAULT_STORE, out: Path | None = None) -> None:
    """Write one self-contained HTML page about the finished runs.

    Example: shatterlab report --out page.html

    Args:
        out: The file. Default: report.html in the store.
    """
    from ..report import write_report

    print(f"Report: {write_report(store, out).resolve()}")
    if left := unfinished(Store(store)):
        print(left)
