"""Lines: one quantity against another, a line for each of a few names, with a dot for every value behind a mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from .style import (
    GREY,
    dot_legend,
    drawable,
    end_names,
    finished,
    model_colour,
    model_dash,
    names_at_ends,
    thinned,
    with_lines,
)


def lines(
    records: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    by: str,
    *,
    title: str,
    subtitle: str,
    x_title: str | None = None,
    y_title: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
    x_format: str = "~s",
    y_format: str = "~g",
    x_ticks: Sequence[float] | None = None,
    rules: Mapping[str, float] | None = None,
    dots: bool = True,
) -> Any:
    """The mean of `y` at each `x` for each value of `by`, with every single value as a dot.

    Where a mean is taken over several values, a band reaches one standard deviation to each side; below the mean of a
    logarithmic axis it is as high as above, since the mean less the deviation may not be above 0 there. A line joins
    the means of three places or more; fewer are ticks. Lines that end apart are named there, others by a legend.

    Args:
        records: mappings with `x`, `y` and `by`; records without `y` are left out, and so are values that are not above
            0 on a logarithmic axis.
        x, y, by: names of the fields of a record.
        title, subtitle: texts that say what was computed, with n and seeds.
        x_title, y_title: titles of the axes, with units; by default the names of the fields.
        log_x, log_y: whether the axes are logarithmic.
        x_format, y_format: formats of the numbers at the axes, in d3's notation.
        x_ticks: the places with a number at the horizontal axis, where they are not chosen by the span.
        rules: vertical lines by name, each with its place.
        dots: whether single values are drawn.

    Returns:
        An altair chart.
    """
    kept = [
        {x: r[x], y: r[y], by: str(r[by])}
        for r in records
        if r.get(y) is not None and (r[y] > 0 or not log_y) and (r[x] > 0 or not log_x)
    ]
    table = pl.DataFrame(kept, schema={x: pl.Float64, y: pl.Float64, by: pl.String})
    names = list(dict.fromkeys(record[by] for record in kept))
    across = alt.X(
        f"{x}:Q",
        title=x_title or x,
        scale=alt.Scale(type="log", nice=False) if log_x else alt.Scale(zero=False),
        axis=alt.Axis(format=x_format, values=alt.Undefined if x_ticks is None else list(x_ticks)),
    )
    scale = alt.Scale(type="log" if log_y else "linear")
    axis = alt.Axis(format=y_format)
    spread = table.group_by(by, x, maintain_order=True).agg(pl.col(y).mean(), pl.col(y).std().alias("sd")).sort(by, x)
    places = end_names(spread, by, x, y, log_x=log_x, log_y=log_y)
    lined = with_lines(spread, by, x)
    # Where nothing is a line, the legend shows dots.
    colour = model_colour(by, names, dot_legend() if lined.is_empty() else None, named=places is None)
    mean = alt.Y(f"{y}:Q", title=y_title or y, scale=scale, axis=axis)
    tooltip = [
        f"{by}:N",
        alt.Tooltip(f"{x}:Q", format=",~g"),
        alt.Tooltip(f"{y}:Q", title=f"mean {y}", format=",~g"),
    ]
    layers = [
        alt.Chart(thinned(lined.select(by, x, y), by))
        .mark_line(strokeWidth=2)
        .encode(
            x=across, y=mean, color=colour, strokeDash=model_dash(by, names, named=places is None), tooltip=tooltip
        ),
        alt.Chart(thinned(spread.join(lined, on=[by, x], how="anti").drop_nulls("sd").select(by, x, y), by))
        .mark_tick(size=24, thickness=3, orient="horizontal")
        .encode(x=across, y=mean, color=colour, tooltip=tooltip),
    ]
    spread = spread.drop_nulls("sd")
    if not spread.is_empty():
        low, high = (pl.col(y) - pl.col("sd")), (pl.col(y) + pl.col("sd"))
        if log_y:
            low = pl.col(y) ** 2 / high
        layers.append(
            alt.Chart(thinned(spread.select(by, x, low.alias("low"), high.alias("high")), by))
            .mark_area(opacity=0.15)
            .encode(x=across, y=alt.Y("low:Q", title=y_title or y, scale=scale, axis=axis), y2="high:Q", color=colour)
        )
    if dots:
        dotted = [*tooltip[:2], alt.Tooltip(f"{y}:Q", format=",~g")]
        joined = lined[by].unique().to_list()
        # Where no line leads to them, dots are all there is to see.
        for some, size in (
            (table.filter(pl.col(by).is_in(joined)), 36),
            (table.filter(~pl.col(by).is_in(joined)), 100),
        ):
            points = alt.Chart(thinned(some, by)).mark_point(filled=True, size=size, opacity=0.8)
            layers.append(points.encode(x=across, y=mean, color=colour, tooltip=dotted))
    if places is not None:
        layers.append(names_at_ends(places, by, across, mean, colour))
    if rules:
        at = alt.Chart(pl.DataFrame({"at": [float(value) for value in rules.values()], "name": list(rules)}))
        layers.append(at.mark_rule(strokeDash=[4, 4], color=GREY).encode(x="at:Q"))
        layers.append(at.mark_text(align="left", dx=4, dy=8, y=0, color=GREY).encode(x="at:Q", text="name:N"))
    return finished(drawable(*layers), title, subtitle)
