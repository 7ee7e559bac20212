"""`shatterlab report`: the page."""

from pathlib import Path

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir, unfinished


def command(store: StoreDir = DEFAULT_STORE, out: Path | None = None, open: bool = False) -> None:
    """Write one self-contained HTML page about the finished runs.

    Examples: shatterlab report --open; shatterlab report --out page.html

    Args:
        out: The file. Default: report.html in the store, or here if that is object storage.
        open: Open it in the browser.
    """
    from ..report import write_report

    page = write_report(store, out).resolve()
    print(f"Report: {page}")
    if open:
        import webbrowser

        webbrowser.open(page.as_uri())
    if left := unfinished(Store(store)):
        print(left)
