"""Accuracies in bands of rows: circles show measured runs, diamonds the numbers to compare them with."""

from typing import Any

import altair as alt
import polars as pl

from .style import BLUE, GREY, VERMILLION, finished, thinned


def accuracy_rows(lines: pl.DataFrame, *, order: list[str], chance: float, title: str, subtitle: str) -> Any:
    """Draws a band for each model, in which each row is a line with the measured runs and the paper's number.

    Args:
        lines: columns model, row, test (a share), source (`measured` or `paper`), where (for the tooltip).
        order: the order of the rows in each band, from the top.
        chance: accuracy of guessing, which is drawn as a line.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    lines = thinned(lines, "model")
    models = lines["model"].unique(maintain_order=True).to_list()
    base = alt.Chart(lines).encode(
        x=alt.X("test:Q", title="test accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        y=alt.Y("row:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
        tooltip=["model:N", "row:N", alt.Tooltip("test:Q", title="test accuracy", format=".2%"), "where:N"],
    )
    shapes = alt.Scale(domain=["measured", "paper"], range=["circle", "diamond"])
    colours = alt.Scale(domain=["measured", "paper"], range=[BLUE, VERMILLION])
    marks = base.mark_point(size=70, strokeWidth=2, opacity=1).encode(
        shape=alt.Shape("source:N", scale=shapes, legend=alt.Legend(title=None)),
        color=alt.Color("source:N", scale=colours, legend=alt.Legend(title=None)),
    )
    rule = alt.Chart(lines).mark_rule(strokeDash=[4, 4], color=GREY).encode(x=alt.datum(chance))
    header = alt.Header(labelAngle=0, labelAlign="left", labelFontSize=12, labelLimit=240)
    bands = alt.Row("model:N", sort=models, title=None, header=header)
    chart = alt.layer(rule, marks).properties(width=420).facet(row=bands).resolve_scale(y="independent")
    return finished(chart, title, subtitle)
