"""One look for every chart: colours that a colour-blind eye and a grey printer can tell apart."""

from typing import Any

import altair as alt
import polars as pl

# The colours of Okabe and Ito (2008) are ordered so that neighbours differ in lightness; conditions keep theirs.
CONDITION_COLOURS = {
    "true-labels": "#0072B2",
    "partial-labels": "#56B4E9",
    "shuffled-pixels": "#009E73",
    "gaussian-pixels": "#E69F00",
    "random-pixels": "#CC79A7",
    "random-labels": "#D55E00",
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
MODEL_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"]

GREY = "#777"
"""Rules and their names have this colour, which is legible on white and on black."""

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


def model_colour(field: str, names: list[str], legend: alt.Legend | None = None) -> alt.Color:
    """Colour by model, or by what else tells marks apart, in the order of `names`; the usual legend shows lines."""
    colours = (MODEL_COLOURS * (1 + len(names) // len(MODEL_COLOURS)))[: len(names)]
    scale = alt.Scale(domain=names, range=colours)
    return alt.Color(f"{field}:N", scale=scale, legend=(legend or name_legend()) if len(names) > 1 else None)


def model_dash(field: str, names: list[str]) -> alt.StrokeDash:
    """Line pattern by model, beside `model_colour`, for readers who cannot tell colours apart."""
    patterns = [DASHES[i % len(DASHES)] for i in range(len(names))]
    return alt.StrokeDash(
        f"{field}:N", scale=alt.Scale(domain=names, range=patterns), legend=name_legend() if len(names) > 1 else None
    )


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
        .configure_legend(labelFontSize=12, titleFontSize=12)
        .configure_view(stroke=None)
    )
