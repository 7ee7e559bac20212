"""The chapter "Try it": five explorables that run in the reader's browser, in the report or on a page of their own."""

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup

from ..alone import write_alone
from ..render import Section, render, text
from .texts import EXPLORABLES, QUESTION, TITLE

__all__ = ["EXPLORABLES", "explore_script", "explore_section", "write_explore"]


def explore_section() -> Section:
    """The chapter; its explorables are empty until `explore_script` fills them."""
    return render("try-it", "explore/explore", title=TITLE, question=QUESTION, explorables=EXPLORABLES)


@cache
def explore_script() -> Markup:
    """The script of all explorables, without its comments and indentation; it sets `window.explore`.

    It is safe inside a script element: a test holds that no file contains `</script` or `<!--`.
    """
    sources = [text(f"explore/{name}.js") for name in ("shared", *(one.name for one in EXPLORABLES))]
    lines = [re.sub(r"(^|\s\s)//\s.*", "", line.strip()) for source in sources for line in source.splitlines()]
    return Markup("\n".join(filter(None, lines)))


def write_explore(out: Path) -> Path:
    """Writes the explorables as one page, and returns its path.

    Raises:
        ShatterlabError: the file cannot be written.
    """
    about = f"{len(EXPLORABLES)} experiments that run in this browser; made with shatterlab."
    title = "Try it: does it memorize or does it generalize?"
    return write_alone(explore_section(), out, title=title, about=about, script=explore_script())
