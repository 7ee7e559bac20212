"""One self-contained HTML page with claims, figures, verdicts, runs, and the paper's numbers beside ours."""

from pathlib import Path

from ..files import path_of
from ..results import Store
from .audits import audit_face, write_audit
from .explore import write_explore
from .library import chart_library
from .live import live_section
from .page import page, sections, write
from .prints import Format, write_figures
from .render import Section

__all__ = [
    "Format",
    "Section",
    "audit_face",
    "chart_library",
    "live_section",
    "page",
    "sections",
    "write",
    "write_audit",
    "write_explore",
    "write_figures",
    "write_report",
]


def write_report(store: Store | Path | str, out: Path | str | None = None) -> Path:
    """Writes the page about the finished runs of a store, and returns the path of its file.

    Args:
        store: a `Store` or its folder.
        out: the file; by default `report.html` in the store, or here where that is object storage.

    Raises:
        ShatterlabError: there is nothing to report, or the file cannot be written. The page says which files of the
            store cannot be read, and shows everything else.
    """
    opened = store if isinstance(store, Store) else Store(store)
    place = Path() if opened.remote else opened.path
    page = path_of(place / "report.html" if out is None else out, "the page")
    return write(opened, opened.results(), page)
