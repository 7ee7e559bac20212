"""Trends of a measured quantity against the share of corrupted labels, with the spread over seeds."""

from typing import Any

import altair as alt
import polars as pl

from .style import GREY, drawable, end_names, finished, model_colour, model_dash, names_at_ends, thinned, with_lines


def trend(
    runs: pl.DataFrame,
    y: str,
    *,
    y_title: str,
    title: str,
    subtitle: str,
    y_format: str = ".2f",
    rule: tuple[float, str] | None = None,
    base: float | None = None,
) -> Any:
    """The mean of `y` against corruption for each model, with a dot for each run, and one standard deviation if n > 1.

    Args:
        runs: a table with the columns model, amount, seed and `y`; runs without `y` are left out.
        y: name of the column to draw.
        rule: the place of a horizontal line and its name, such as chance.
        base: where the axis of `y` begins at the latest, such as 1 for a ratio; None for 0.

    Returns:
        An altair chart.
    """
    present = runs.filter(pl.col(y).is_not_null()).select("model", "amount", "seed", y)
    models = sorted(present["model"].unique().to_list())
    x = alt.X(
        "amount:Q",
        title="share of labels replaced at random",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%"),
    )
    means = (
        present.group_by("model", "amount").agg(pl.col(y).mean(), pl.col(y).std().alias("sd")).sort("model", "amount")
    )
    places = end_names(means, "model", "amount", y, base=base)
    colour = model_colour("model", models, named=places is None)
    least = None if base is None or present.is_empty() else min(base, float(present[y].min()))  # type: ignore[arg-type]
    scale = alt.Undefined if least is None else alt.Scale(domainMin=least, zero=False)
    shown = alt.Y(f"{y}:Q", title=y_title, axis=alt.Axis(format=y_format), scale=scale)
    dots = (
        alt.Chart(thinned(present, "model"))
        .mark_point(filled=True, size=45, opacity=0.9)
        .encode(
            x=x,
            y=shown,
            color=colour,
            tooltip=["model:N", "amount:Q", "seed:N", alt.Tooltip(f"{y}:Q", title=y_title, format=y_format)],
        )
    )
    line = alt.Chart(with_lines(means.drop("sd"), "model", "amount")).mark_line(strokeWidth=2)
    dash = model_dash("model", models, named=places is None)
    layers = [line.encode(x=x, y=shown, color=colour, strokeDash=dash), dots]
    spread = means.drop_nulls("sd").with_columns(
        (pl.col(y) - pl.col("sd")).alias("low"), (pl.col(y) + pl.col("sd")).alias("high")
    )
    if not spread.is_empty():
        bars = alt.Chart(spread.drop("sd")).mark_errorbar(ticks=True)
        layers.append(bars.encode(x=x, y=alt.Y("low:Q", title=y_title, scale=scale), y2="high:Q", color=colour))
    if places is not None:
        layers.append(names_at_ends(places, "model", x, shown, colour))
    if rule:
        at = alt.Chart(pl.DataFrame({"at": [rule[0]], "name": [rule[1]]}))
        layers.append(at.mark_rule(strokeDash=[4, 4], color=GREY).encode(y="at:Q"))
        layers.append(at.mark_text(align="left", dx=4, dy=-7, x=0, color=GREY).encode(y="at:Q", text="name:N"))
    return finished(drawable(*layers), title, subtitle)
