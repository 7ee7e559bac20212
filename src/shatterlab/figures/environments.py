"""Sign errors of several measures, a dot for each environment and a tick at the worst."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from .style import GREY, dot_legend, finished, model_colour


def sign_error_rows(errors: Sequence[Mapping[str, Any]], *, title: str, subtitle: str) -> Any:
    """A row for each measure with a dot for each environment, coloured by the axis that is moved.

    Args:
        errors: mappings with measure, axis, values (in words) and error (in [0, 1]); the rows stand in the order in
            which the measures first occur.
        title, subtitle: texts that say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    table = pl.DataFrame(
        list(errors), schema={"measure": pl.String, "axis": pl.String, "values": pl.String, "error": pl.Float64}
    )
    order = table["measure"].unique(maintain_order=True).to_list()
    y = alt.Y("measure:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
    x = alt.X("error:Q", title="sign error", scale=alt.Scale(domain=[0, 1]))
    axes = table["axis"].unique(maintain_order=True).to_list()
    dots = (
        alt.Chart(table)
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(
            x=x,
            y=y,
            color=model_colour("axis", axes, dot_legend()),
            shape=alt.Shape("axis:N", scale=alt.Scale(domain=axes), legend=dot_legend() if len(axes) > 1 else None),
            tooltip=["measure:N", "axis:N", "values:N", alt.Tooltip("error:Q", format=".2f")],
        )
    )
    worst = table.group_by("measure", maintain_order=True).agg(pl.col("error").max())
    ticks = alt.Chart(worst).mark_tick(color=GREY, thickness=3, size=20).encode(x=x, y=y)
    coin = alt.Chart(pl.DataFrame({"at": [0.5], "name": ["a coin"]}))
    rule = coin.mark_rule(strokeDash=[4, 4], color=GREY).encode(x="at:Q")
    name = coin.mark_text(align="left", dx=4, dy=-6, y=0, color=GREY).encode(x="at:Q", text="name:N")
    return finished(alt.layer(rule, name, ticks, dots), title, subtitle)
