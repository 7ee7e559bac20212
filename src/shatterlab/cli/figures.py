"""`shatterlab figures`: print versions of the charts."""

from pathlib import Path
from typing import Literal

from ..results.store import DEFAULT_STORE, Store
from .flags import StoreDir, StudyName, refuse_unreadable


def command(
    study: StudyName = None,
    /,
    format: Literal["svg", "png", "pdf", "tex"] = "svg",
    width: str | None = None,
    font_size: float = 8.0,
    no_title: bool = False,
    out: Path = Path("figures"),
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Write print versions of the charts or tables of a study, or of all, with their captions.

    Example: shatterlab figures table1 --format pdf --width column --no-title --out paper/figures

    Args:
        study: A study, see `shatterlab list studies`. Default: all that have been run.
        format: svg and pdf are vector graphics; png has 300 dots an inch; tex is a table with booktabs.
        width: column (84 mm), text (174 mm), or a number with a unit, such as 84mm or 3.3in. Default: as on the page.
        font_size: Size of all letters in points, where a width is given.
        no_title: Leave title and subtitle to the caption; captions.txt has them.
        out: Folder of the files.
    """
    from ..report import write_figures
    from ..studies import chosen

    if study is not None:
        chosen(study)
    opened = Store(store)
    for path in write_figures(
        opened, opened.results(), out, format, study, width=width, font_size=font_size, title=not no_title
    ):
        print(path)
    refuse_unreadable(opened)
