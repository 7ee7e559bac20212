"""A chart laid out for a place on paper: its physical width, and letters as large as those of the text around it."""

import json
import re
import textwrap
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from ..errors import ShatterlabError

POINTS_PER_INCH = 72
NAMED = {"column": "84mm", "text": "174mm"}
"""The widths of a column and of the text in journals with two columns, as in Springer's instructions for authors."""
UNITS = {"mm": POINTS_PER_INCH / 25.4, "cm": POINTS_PER_INCH / 2.54, "in": POINTS_PER_INCH, "pt": 1.0}
LEAST, MOST = 100.0, 2_000.0
"""Widths in points between which a chart can be laid out."""

USUAL_FONT = 12
"""The size of the letters on the page, in pixels; lines and dots are scaled with the letters."""
SHAPE = 0.5
"""The height of a plot, as a share of the width of the whole chart."""
NARROW = 330
"""Below this width, in points, a legend lies under the chart."""
FEW_PICTURES = 4
"""At most this many pictures stand side by side in a narrow chart."""
LABEL = 0.38
"""A label may take this share of the width."""
SHORT = 0.25
"""Names in a legend that take at most this share of the width stand in two columns."""
LETTER = 0.52
"""The width of a letter, as a share of its height, on average."""


def points_of(width: str) -> float:
    """A width in points: `column`, `text`, or a number with a unit, such as 84mm, 8.4cm, 3.3in or 239pt.

    Raises:
        ShatterlabError: this is no width, or a chart cannot be laid out in it.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+) ?(mm|cm|in|pt)", NAMED.get(width, width).strip())
    if match is None:
        raise ShatterlabError(
            f"'{width}' is no width; write column ({NAMED['column']}), text ({NAMED['text']}), or a number with a "
            "unit, such as 84mm, 3.3in or 239pt."
        )
    points = float(match[1]) * UNITS[match[2]]
    if not LEAST <= points <= MOST:
        raise ShatterlabError(
            f"a width of {width} is {points:,.0f} points; charts are laid out for {LEAST:.0f} to {MOST:,.0f}, "
            f"such as --width {NAMED['column']}."
        )
    return points


def laid_out(
    definition: Mapping[str, Any], points: float, font: float, measured: Callable[[dict[str, Any]], float]
) -> dict[str, Any]:
    """The definition of a chart for a width on paper, in which a unit is a point.

    Args:
        definition: a Vega-Lite definition, as altair makes it.
        points: the whole width of the chart, with axes and legend.
        font: the size of all letters, in points.
        measured: returns the width of a definition as it is drawn, for charts of several plots, which cannot be told
            their whole width.
    """
    spec = deepcopy(dict(definition))
    scale = font / USUAL_FONT
    pictures = '"image"' in json.dumps(spec.get("layer", ""))
    if pictures and points < NARROW:
        # In a column as many pictures stand side by side as leave room for the names below them.
        spec["transform"] = [{"filter": f"datum.picture <= {FEW_PICTURES}"}, *spec.get("transform", [])]
        columns = len({row["picture"] for rows in spec["datasets"].values() for row in rows if "picture" in row})
        spec["width"] = spec["width"] * min(columns, FEW_PICTURES) / columns
    if not pictures:
        _scale_marks(spec, scale, font)
    _limit_labels(spec, scale, points * LABEL)
    config = spec.setdefault("config", {})
    letters = {"labelFontSize": font, "titleFontSize": font}
    for part in ("axis", "legend", "header"):
        config[part] = {**config.get(part, {}), **letters}
    config["axis"] |= {"titlePadding": 3 * scale, "labelPadding": 2 * scale, "tickSize": 4 * scale}
    config["text"] = {**config.get("text", {}), "fontSize": font}
    if points < NARROW:
        columns = 2 if _longest_name(spec) * LETTER * font < points * SHORT else 1
        config["legend"] |= {"orient": "bottom", "columns": columns, "symbolLimit": 40}
    title = spec.get("title")
    if isinstance(title, dict):
        title |= {"fontSize": font + 1, "subtitleFontSize": font, "offset": 6 * scale}
        title["text"] = _wrapped(title.get("text", ""), points, font + 1)
        title["subtitle"] = _wrapped(title.get("subtitle", ""), points, font)
    for facet in spec["facet"].values() if isinstance(spec.get("facet"), dict) else ():
        if isinstance(facet, dict):
            above = {"labelOrient": "top", "labelAnchor": "start", "labelLimit": points} if points < NARROW else {}
            facet["header"] = {**facet.get("header", {}), **letters, **above}
    if pictures or "facet" in spec:
        return _squeezed(spec, points, font, measured, pictures=pictures)
    spec |= {"width": points, "height": points * SHAPE, "autosize": {"type": "fit-x", "contains": "padding"}}
    return spec


def _squeezed(
    spec: dict[str, Any], points: float, font: float, measured: Callable[[dict[str, Any]], float], *, pictures: bool
) -> dict[str, Any]:
    """A chart of several plots or of pictures, whose inner width is corrected until the whole has its width."""
    inner = spec["spec"] if "facet" in spec else spec
    # A number that sticks out at the right end of an axis would be there at one width and left out at the next.
    spec["config"].setdefault("axisQuantitative", {})["labelFlush"] = True
    for _ in range(4):
        excess = measured(spec) - points
        if abs(excess) < 0.5:
            break
        before = float(inner["width"])
        inner["width"] = max(20.0, before - excess)
        if pictures:
            _scale_pictures(inner, inner["width"] / before, font)
    return spec


def _scale_pictures(spec: dict[str, Any], share: float, font: float) -> None:
    """Scales pictures and the places of the names below them; names keep the size of the letters."""
    spec["height"] = float(spec["height"]) * share
    for layer in spec["layer"]:
        mark = layer["mark"]
        for name in {"width", "height", "yOffset", "dy"} & mark.keys():
            mark[name] *= share
        if mark["type"] == "text":
            mark["fontSize"] = font


def _scale_marks(node: Any, scale: float, font: float) -> None:
    """Scales dots, lines and offsets of all marks with the letters, and gives letters within the plot their size."""
    if isinstance(node, list):
        for one in node:
            _scale_marks(one, scale, font)
    elif isinstance(node, dict):
        mark = node.get("mark")
        if isinstance(mark, dict):
            for name in {"strokeWidth", "dx", "dy", "thickness"} & mark.keys():
                mark[name] *= scale
            if isinstance(mark.get("size"), int | float):
                mark["size"] *= scale**2 if mark.get("type") in ("point", "circle", "square") else scale
            if "fontSize" in mark:
                mark["fontSize"] = font
        if "symbolSize" in node:
            node["symbolSize"] *= scale**2
        for name, value in node.items():
            if name not in ("data", "datasets"):
                _scale_marks(value, scale, font)


def _limit_labels(node: Any, scale: float, most: float) -> None:
    """Cuts labels that would leave a narrow chart no room."""
    if isinstance(node, list):
        for one in node:
            _limit_labels(one, scale, most)
    elif isinstance(node, dict):
        if isinstance(node.get("labelLimit"), int | float):
            node["labelLimit"] = min(node["labelLimit"] * scale, most)
        for name, value in node.items():
            if name not in ("data", "datasets"):
                _limit_labels(value, scale, most)


def _longest_name(node: Any) -> int:
    """The number of letters of the longest name in a legend."""
    if isinstance(node, list):
        return max(map(_longest_name, node), default=0)
    if not isinstance(node, dict):
        return 0
    own = 0
    for channel in ("color", "shape", "strokeDash"):
        scale = node.get(channel, {}).get("scale") if isinstance(node.get(channel), dict) else None
        names = scale.get("domain", []) if isinstance(scale, dict) else []
        own = max([own, *(len(name) for name in names if isinstance(name, str))])
    return max([own, *(_longest_name(value) for name, value in node.items() if name not in ("data", "datasets"))])


def _wrapped(text: str | list[str], points: float, font: float) -> list[str]:
    whole = text if isinstance(text, str) else " ".join(text)
    return textwrap.wrap(whole, max(20, int(points / (LETTER * font))))
