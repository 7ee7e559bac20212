"""One section as a page of its own, which needs no connection."""

from pathlib import Path

from markupsafe import Markup

from ..errors import ShatterlabError
from ..files import write_whole
from .library import chart_library
from .render import Section, as_json, environment


def write_alone(section: Section, out: Path, *, title: str, about: str, script: str = "") -> Path:
    """Writes a section as a page.

    Args:
        section: the section; the chart library is part of the page only if it has charts.
        out: the file, replaced if it exists.
        title: the heading of the page.
        about: a sentence below it.
        script: the script of the explorables, where the section has some.

    Returns:
        `out`.

    Raises:
        ShatterlabError: the file cannot be written.
    """
    html = environment().get_template("page.html.jinja").render(
        parts=[Markup(section.html)], chapters=[], charts=as_json(section.charts), live=False, alone=title, about=about,
        library=Markup(chart_library()) if section.charts else "", explore_script=script,
    )  # fmt: skip
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, html)
    except OSError as error:
        raise ShatterlabError(f"cannot write {out} ({error.strerror}); name another file with --out.") from None
    return out
