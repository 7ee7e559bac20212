"""`shatterlab report`: the page."""

from pathlib import Path

from ..results.store import DEFAULT_STORE
from .flags import StoreDir, diverged, refuse_unreadable, unfinished


def command(store: StoreDir = DEFAULT_STORE, out: Path | None = None, open: bool = False) -> None:
    """Write one self-contained HTML page about the finished runs.

    Examples: shatterlab report --open; shatterlab report --out page.html

    Args:
        out: The file. Default: report.html in the store, or here if that is object storage.
        open: Open it in the browser.
    """
    from ..report import write_report
    from ..results import Reader

    opened = Reader(store)
    page = write_report(opened, out).resolve()
    print(f"Report: {page}")
    if open:
        import webbrowser

        webbrowser.open(page.as_uri())
    for line in (*diverged(opened), unfinished(opened)):
        if line:
            print(line)
    refuse_unreadable(opened)
