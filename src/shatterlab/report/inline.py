"""A report or charts within a notebook, as frames that need no connection."""

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from .alone import page_alone
from .render import heading_of, render

HEIGHT = 700
"""The height of a frame, in pixels."""


class Page(os.PathLike[str]):
    """A page that was written into a file; a notebook shows it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        return _frame(self.path.read_text(encoding="utf-8"), "report")


class Charts(dict[str, Any]):
    """Altair charts by name; a notebook shows them one below the other."""

    def _repr_html_(self) -> str:
        specs = {f"chart-{i}": chart.to_dict() for i, chart in enumerate(self.values())}
        figures = [{"id": id, "heading": heading_of(spec)} for id, spec in specs.items()]
        section = render("drawn", "charts", charts=specs, figures=figures)
        return _frame(page_alone(section, title="Charts", about=", ".join(self)), "charts")


def _frame(html: str, title: str) -> str:
    style = f"width: 100%; height: {HEIGHT}px; border: 0"
    return f'<iframe srcdoc="{escape(html)}" title="{title}" style="{style}"></iframe>'


def named(study: str, scale: str, data: str, charts: Mapping[str, Any]) -> dict[str, Any]:
    """The charts of a study under names that tell studies, scales and data apart."""
    return {f"{study}, {scale}, {data}: {name}": chart for name, chart in charts.items()}
