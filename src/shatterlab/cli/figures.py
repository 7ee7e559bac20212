"""`shatterlab figures`: print versions of the charts."""

from pathlib import Path
from typing import Literal

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir, StudyName


def command(
    study: StudyName = None,
    /,
    format: Literal["svg", "png", "pdf"] = "svg",
    out: Path = Path("figures"),
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Write print versions of the charts of a study, or of all.

    Example: shatterlab figures table1 --format pdf --out paper/figures

    Args:
        study: A study, see `shatterlab list studies`. Default: all that have been run.
        format: svg and pdf are vector graphics; png has 300 dots an inch.
        out: Folder of the files.
    """
    from ..report import write_figures
    from ..studies import chosen

    if study is not None:
        chosen(study)
    opened = Store(store)
    results, errors = opened.results()
    for path in write_figures(opened, results, out, format, study):
        print(path)
    if errors:
        raise errors[0]
