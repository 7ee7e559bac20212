"""Filling the templates: all text reaches them through jinja's escaping, all data through JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ..figures.style import ON_DARK
from .glossary import glossed


@dataclass(frozen=True)
class Section:
    """A part of the page that is replaced as a whole when it changes.

    Args:
        id: id of its HTML element, which starts with that of its chapter.
        html: the HTML element.
        charts: the Vega-Lite definitions of its figures, by the id of the figure.
    """

    id: str
    html: str
    charts: Mapping[str, Any] = field(default_factory=dict)


@cache
def environment() -> Environment:
    """The environment that finds the templates and has the filters that they use."""
    environment = Environment(
        loader=PackageLoader("shatterlab", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["text"] = text
    environment.globals["palette"] = palette
    environment.filters["percent"] = lambda share: "—" if share is None else f"{100 * share:.2f}"
    environment.filters["count"] = lambda number: "—" if number is None else f"{number:,}"
    environment.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["glossed"] = glossed
    environment.filters["number_like"] = lambda cell: not isinstance(cell, str) or cell[:1] in "0123456789+-—"
    return environment


@cache
def text(name: str) -> Markup:
    """A style or a script of this folder, as it stands there; no value is filled into it."""
    return Markup(files("shatterlab.report").joinpath(name).read_text(encoding="utf-8"))


@cache
def palette() -> Markup:
    """The colours of the charts as variables of the page, which change with its theme and are light on paper."""
    light, dark = (
        " ".join(f"--c-{name[1:]}: {value};" for name, value in colours.items())
        for colours in ({name: name for name in ON_DARK}, ON_DARK)
    )
    return Markup(f":root {{ {light} }} :root.dark {{ {dark} }} @media print {{ :root.dark {{ {light} }} }}\n")


def render(id: str, template: str, charts: Mapping[str, Any] | None = None, **values: Any) -> Section:
    """Makes a section of a template and the values that are filled into it."""
    html = environment().get_template(f"{template}.html.jinja").render(id=id, **values)
    return Section(id, html, charts or {})


def as_json(value: Any) -> Markup:
    """A value as JSON that may stand inside a script element, as it contains no `</script>` or `<!--`."""
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
    """Turns a heading into the id of an HTML element."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def duration(seconds: float) -> str:
    """A duration in steps so coarse that it does not change with every second."""
    if seconds < 90:
        return f"{10 * max(1, round(seconds / 10))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.0f} h"
