"""The templates, filled: all text reaches them through jinja's escaping, all data through JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A part of the page that is replaced as a whole when it changes.

    Args:
        id: of its HTML element; starts with that of its chapter.
        html: the element.
        charts: id of a figure in it to the Vega-Lite definition.
    """

    id: str
    html: str
    charts: Mapping[str, Any] = field(default_factory=dict)


@cache
def environment() -> Environment:
    """Where the templates lie, and the filters they use."""
    made = Environment(
        loader=PackageLoader("shatterlab", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["percent"] = lambda share: "—" if share is None else f"{100 * share:.2f}"
    made.filters["count"] = lambda number: "—" if number is None else f"{number:,}"
    made.filters["number_like"] = lambda cell: not isinstance(cell, str) or cell[:1] in "0123456789+-—"
    return made


def render(id: str, template: str, charts: Mapping[str, Any] | None = None, **values: Any) -> Section:
    """A part of the page out of a template and what is filled into it."""
    html = environment().get_template(f"{template}.html.jinja").render(id=id, **values)
    return Section(id, html, charts or {})


def as_json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no `</script>` or `<!--` can come out of it."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def heading_of(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Title and subtitle of a chart."""
    title = spec.get("title", "")
    if isinstance(title, str):
        return title, ""
    subtitle = title.get("subtitle", "")
    return title.get("text", ""), subtitle if isinstance(subtitle, str) else " ".join(subtitle)


def slug(text: str) -> str:
    """A heading as the id of an HTML element."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
