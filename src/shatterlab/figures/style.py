"""One look for every chart: colours that a colour-blind eye and a grey printer can tell apart."""

from math import ceil, exp, floor, log
from typing import Any

import altair as alt
import polars as pl

BLUE, VERMILLION, GREEN, AMBER, PINK, VIOLET = "#0072B2", "#B84D00", "#007A5A", "#8A6100", "#B03A80", "#6B4FB0"
"""The colours of lines and dots: hues of Okabe and Ito (2008), so dark that each has a contrast of 4 to 1 on white."""
GREY = "#6B7480"
"""Rules and their names have this colour."""

ON_DARK = {
    BLUE: "#6CBCF0",
    VERMILLION: "#F6935C",
    GREEN: "#4FCFA5",
    AMBER: "#E6B340",
    PINK: "#F08FC4",
    VIOLET: "#B9A3F0",
    GREY: "#98A3AF",
}
"""The colour that the page shows in place of each while it is dark, with the same contrast."""

CONDITION_COLOURS = {
    "true-labels": BLUE,
    "partial-labels": VIOLET,
    "shuffled-pixels": GREEN,
    "gaussian-pixels": AMBER,
    "random-pixels": PINK,
    "random-labels": VERMILLION,
}
CONDITION_DASHES = {
    "true-labels": [1, 0],
    "partial-labels": [8, 2],
    "shuffled-pixels": [5, 3],
    "gaussian-pixels": [2, 2],
    "random-pixels": [8, 3, 2, 3],
    "random-labels": [12, 3],
}

DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
MODEL_COLOURS = [BLUE, VERMILLION, GREEN, AMBER, PINK, VIOLET]

FEWEST_FOR_A_LINE = 3
"""Fewer places than these are dots without a line, which would claim what lies between them."""

MOST_ROWS = 4_000
"""A table in a chart has at most this many rows: altair refuses more than 5,000, and large tables make pages heavy."""
LEAST_ROWS = 20
"""A curve that is thinned keeps at least this many rows."""

WIDTH, HEIGHT = 560, 320


def condition_colour(present: list[str]) -> alt.Color:
    """Colour by condition, in the table's order, without the absent ones."""
    names = [name for name in CONDITION_COLOURS if name in present]
    scale = alt.Scale(domain=names, range=[CONDITION_COLOURS[name] for name in names])
    return alt.Color("corruption:N", scale=scale, legend=name_legend())


def model_colour(field: str, names: list[str], legend: alt.Legend | None = None, *, named: bool = True) -> alt.Color:
    """Colour by model, or by what else tells marks apart, in the order of `names`; the usual legend shows lines.

    Without `named` there is no legend.
    """
    colours = (MODEL_COLOURS * (1 + len(names) // len(MODEL_COLOURS)))[: len(names)]
    scale = alt.Scale(domain=names, range=colours)
    return alt.Color(f"{field}:N", scale=scale, legend=(legend or name_legend()) if named and len(names) > 1 else None)


def model_dash(field: str, names: list[str], *, named: bool = True) -> alt.StrokeDash:
    """Line pattern by model, beside `model_colour`, for readers who cannot tell colours apart; `named` in a legend."""
    patterns = [DASHES[i % len(DASHES)] for i in range(len(names))]
    legend = name_legend() if named and len(names) > 1 else None
    return alt.StrokeDash(f"{field}:N", scale=alt.Scale(domain=names, range=patterns), legend=legend)


def name_legend() -> alt.Legend:
    """The legend of `model_colour`; a second channel with the same names has to use it, too, so that both merge."""
    # Long strokes, so that the patterns show.
    return alt.Legend(
        title=None, labelLimit=320, symbolType="stroke", symbolSize=900, symbolStrokeWidth=2.5, symbolOpacity=1
    )


def dot_legend() -> alt.Legend:
    """The legend of names that are told apart by the colour and shape of their dots."""
    return alt.Legend(title=None, labelLimit=320, symbolSize=80, symbolOpacity=1)


def condition_dash(present: list[str]) -> alt.StrokeDash:
    """Line pattern by condition, for readers who cannot tell colours apart."""
    names = [name for name in CONDITION_DASHES if name in present]
    scale = alt.Scale(domain=names, range=[CONDITION_DASHES[name] for name in names])
    return alt.StrokeDash("corruption:N", scale=scale, legend=name_legend())


def thinned(rows: pl.DataFrame, run: str, most: int = MOST_ROWS) -> pl.DataFrame:
    """Thins curves to what a chart can hold: every k-th row of each run and its last, but no run beyond a number.

    Args:
        rows: the points of the curves, each curve in its order.
        run: column that tells the curves apart.
        most: about the largest number of rows that are kept.
    """
    if len(rows) <= most:
        return rows
    shown = rows[run].unique(maintain_order=True).head(most // LEAST_ROWS)
    rows = rows.filter(pl.col(run).is_in(shown.to_list()))
    every = -(-len(rows) // most)
    position = pl.int_range(pl.len()).over(run)
    return rows.filter((position % every == 0) | (position == pl.len().over(run) - 1))


def finished(chart: Any, title: str, subtitle: str, width: int = WIDTH, height: int = HEIGHT) -> Any:
    """Gives a chart its size in pixels, title and fonts; the parts of a facet have their own size."""
    heading = alt.TitleParams(title, subtitle=subtitle, anchor="start", fontSize=15, subtitleFontSize=12, offset=12)
    size = {} if isinstance(chart, alt.FacetChart) else {"width": width, "height": height}
    return (
        chart.properties(title=heading, **size)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridOpacity=0.5)
        .configure_axisQuantitative(labelFlush=False, labelOverlap="greedy", labelSeparation=8)
        .configure_legend(labelFontSize=12, titleFontSize=12)
        .configure_view(stroke=None)
    )


def with_lines(rows: pl.DataFrame, name: str, x: str) -> pl.DataFrame:
    """The rows of those names that have enough different places for a line."""
    return rows.filter(pl.col(x).n_unique().over(name) >= FEWEST_FOR_A_LINE)


def drawable(*layers: Any) -> Any:
    """The layers that have rows, on top of each other; browsers complain of axes of a layer without any."""
    return alt.layer(*(layer for layer in layers if not layer.data.is_empty()))


END_GAP = 0.11
"""Names at the ends of lines are at least this share of the height apart."""
FARTHEST = 0.15
"""A name stands at most this share of the height away from the end of its line; else a legend names the lines."""
MOST_AT_ENDS = 5


def end_names(
    rows: pl.DataFrame,
    name: str,
    x: str,
    y: str,
    *,
    log_x: bool = False,
    log_y: bool = False,
    base: float | None = None,
) -> pl.DataFrame | None:
    """The places of the names of lines beside their right ends, so far apart that none covers another.

    Args:
        rows: the points of the lines.
        name, x, y: the columns that tell the lines apart and give their places.
        log_x, log_y: whether the axes are logarithmic.
        base: where the axis of `y` begins at the latest; by default 0, or, if it is logarithmic, with the least value.

    Returns:
        A table with the columns `name`, `x` and `y`, or None where a legend names the lines better: there is one, there
        are many, one of them ends far from the right edge, or they end too close to each other.
    """
    rows = rows.drop_nulls([x, y])
    if not 2 <= rows[name].n_unique() <= MOST_AT_ENDS or len(with_lines(rows, name, x)) < len(rows):
        return None
    u, v = (
        pl.col(column).log() if log else pl.col(column).cast(pl.Float64) for column, log in ((x, log_x), (y, log_y))
    )
    placed = rows.select(name, x, y, u.alias("across"), v.alias("down"))
    (left, right), (low, high) = ((min(values), max(values)) for values in (placed["across"], placed["down"]))
    if log_y:  # the axis ends at powers of ten
        low, high = (bound * log(10) for bound in (floor(low / log(10)), ceil(high / log(10))))
    else:
        low, high = min(low, base or 0.0), max(high, base or 0.0)
    ends = placed.sort("across").group_by(name, maintain_order=True).last().sort("down")
    if high == low or min(ends["across"]) - left < 0.97 * (right - left):
        return None
    wanted = [(place - low) / (high - low) for place in ends["down"]]
    given: list[float] = []
    for place in wanted:
        given.append(max(place, given[-1] + END_GAP) if given else place)
    # What was pushed up moves down as one, so that the names stay around their lines.
    shift = sum(a - b for a, b in zip(given, wanted, strict=True)) / len(given)
    given = [place - shift for place in given]
    if max(abs(a - b) for a, b in zip(given, wanted, strict=True)) > FARTHEST:
        return None
    back = [low + place * (high - low) for place in given]
    return ends.select(name, x).with_columns(pl.Series(y, [exp(place) for place in back] if log_y else back))


def names_at_ends(places: pl.DataFrame, name: str, across: alt.X, down: alt.Y, colour: alt.Color) -> Any:
    """The layer that writes the names where `end_names` puts them."""
    mark = alt.Chart(places).mark_text(align="left", dx=8, fontSize=12, fontWeight="bold")
    return mark.encode(x=across, y=down, text=f"{name}:N", color=colour)
