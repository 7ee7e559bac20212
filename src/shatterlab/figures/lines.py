"""Lines: one quantity against another, a line for each of a few names, with a dot for every value behind a mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from .style import finished, model_colour

DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]


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
    rules: Mapping[str, float] | None = None,
    dots: bool = True,
) -> Any:
    """The mean of `y` at each `x` for each value of `by`, with every single value as a dot.

    Args:
        records: each with `x`, `y` and `by`; those without `y` are left out, on a logarithmic axis also those not
            above 0.
        x, y, by: names of their entries.
        title, subtitle: say what was computed, with n and seeds.
        x_title, y_title: default the names, with their units.
        log_x, log_y: logarithmic axes.
        x_format, y_format: of the numbers at the axes, as d3 writes them.
        rules: names of vertical lines and where they stand.
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
        scale=alt.Scale(type="log" if log_x else "linear", nice=not log_x, zero=False),
        axis=alt.Axis(format=x_format),
    )
    scale = alt.Scale(type="log" if log_y else "linear")
    axis = alt.Axis(format=y_format)
    colour = model_colour(by, names)
    dash = alt.StrokeDash(
        f"{by}:N",
        scale=alt.Scale(domain=names, range=[DASHES[i % len(DASHES)] for i in range(len(names))]),
        legend=None,
    )
    layers = [
        alt.Chart(table)
        .mark_line(strokeWidth=2)
        .encode(
            x=across,
            y=alt.Y(f"mean({y}):Q", title=y_title or y, scale=scale, axis=axis),
            color=colour,
            strokeDash=dash,
            tooltip=[f"{by}:N", alt.Tooltip(f"{x}:Q", format=",~g"), alt.Tooltip(f"mean({y}):Q", format=",~g")],
        )
    ]
    if dots:
        layers.append(
            alt.Chart(table)
            .mark_point(filled=True, size=36, opacity=0.6)
            .encode(
                x=across,
                y=alt.Y(f"{y}:Q", title=y_title or y, scale=scale, axis=axis),
                color=colour,
                tooltip=[f"{by}:N", alt.Tooltip(f"{x}:Q", format=",~g"), alt.Tooltip(f"{y}:Q", format=",~g")],
            )
        )
    if rules:
        at = alt.Chart(pl.DataFrame({"at": [float(value) for value in rules.values()], "name": list(rules)}))
        layers.append(at.mark_rule(strokeDash=[4, 4], color="#666").encode(x="at:Q"))
        layers.append(at.mark_text(align="left", dx=4, dy=8, y=0, color="#666").encode(x="at:Q", text="name:N"))
    return finished(alt.layer(*layers), title, subtitle)
