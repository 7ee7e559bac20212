"""One section as a page of its own, which needs no connection."""

from pathlib import Path

from markupsafe import Markup

from ..errors import ShatterlabError
from ..files import write_whole
from .library import chart_library
from .render import Section, as_json, environment


def page_alone(section: Section, *, title: str, about: str, script: str = "") -> str:
    """A section as the HTML of a page; the chart library is part of it only if the section has charts.

    Args:
        section: the section.
        title: the heading of the page.
        about: a sentence below it.
        script: the script of the explorables, where the section has some.
    """
    return environment().get_template("page.html.jinja").render(
        parts=[Markup(section.html)], chapters=[], charts=as_json(section.charts), live=False, alone=title, about=about,
        library=Markup(chart_library()) if section.charts else "", explore_script=script,
    )  # fmt: skip


def write_alone(section: Section, out: Path, *, title: str, about: str, script: str = "") -> Path:
    """Writes `page_alone` into a file, replaced if it exists, and returns its path.

    Raises:
        ShatterlabError: the file cannot be written.
    """
    html = page_alone(section, title=title, about=about, script=script)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, html)
    except OSError as error:
        raise ShatterlabError(f"cannot write {out} ({error.strerror}); name another file with --out.") from None
    return out
