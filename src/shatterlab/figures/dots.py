"""Dots that show a quantity for each of a few names on a logarithmic axis, where a bar would have no beginning."""

from typing import Any

import altair as alt
import polars as pl

from .style import BLUE, GREY, VERMILLION, finished

TICKS = alt.Axis(format="~s", values=[10**power for power in range(4, 10)])
"""One number at the axis for each power of ten; more would collide."""


def parameter_dots(counts: pl.DataFrame, *, sets: dict[str, int], title: str, subtitle: str) -> Any:
    """Numbers of parameters on a logarithmic scale, with lines at the sizes of training sets.

    Args:
        counts: a table with the columns network, parameters, and counted by (`here`, or the name of the source).
        sets: the training sets by name, each with its number of images.
        title, subtitle: texts that say what was counted.

    Returns:
        An altair chart.
    """
    order = counts.filter(pl.col("counted by") != "here").sort("parameters")["network"].to_list()
    y = alt.Y("network:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
    x = alt.X("parameters:Q", scale=alt.Scale(type="log"), title="trainable parameters", axis=TICKS)
    base = alt.Chart(counts).encode(y=y, tooltip=["network:N", alt.Tooltip("parameters:Q", format=","), "counted by:N"])
    here = (
        base.transform_filter("datum['counted by'] == 'here'").mark_circle(color=BLUE, size=120, opacity=1).encode(x=x)
    )
    lecture = (
        base.transform_filter("datum['counted by'] != 'here'")
        .mark_tick(color=VERMILLION, thickness=3, size=22)
        .encode(x=x)
    )
    lines = alt.Chart(pl.DataFrame({"images": list(sets.values()), "name": list(sets)}))
    rules = lines.mark_rule(strokeDash=[4, 4], color=GREY).encode(x="images:Q")
    names = lines.mark_text(align="left", dx=4, y=-6, color=GREY).encode(x="images:Q", text="name:N")
    return finished(alt.layer(here, lecture, rules, names), title, subtitle)
