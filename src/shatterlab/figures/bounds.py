"""Guaranteed errors in rows: a dot for each guarantee, a tick at the error that was measured, a line at guessing."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from .style import GREY, dot_legend, finished, model_colour


def bound_rows(bounds: Sequence[Mapping[str, Any]], *, guessing: float, title: str, subtitle: str) -> Any:
    """A row for each training with the errors that are guaranteed, coloured by what guarantees them.

    Args:
        bounds: mappings with training and kind (in words), bound (at least 0, may be infinite), error (the share of
            held-out examples that are predicted wrongly) and seed; the rows stand in the order in which the trainings
            first occur. A bound of 1 or more, which guarantees nothing, is drawn at 1.
        guessing: the error of guessing, which is drawn as a line.
        title, subtitle: texts that say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    columns = {"training": pl.String, "kind": pl.String, "bound": pl.Float64, "error": pl.Float64, "seed": pl.Int64}
    table = pl.DataFrame(list(bounds), schema=columns).with_columns(
        pl.col("bound").clip(0, 1),
        pl.when(pl.col("bound") < 1).then(pl.lit("guaranteed")).otherwise(pl.lit("guarantees nothing")).alias("says"),
    )
    order, kinds = (table[name].unique(maintain_order=True).to_list() for name in ("training", "kind"))
    y = alt.Y("training:N", sort=order, title=None, axis=alt.Axis(labelLimit=260))
    scale = alt.Scale(domain=[0, 1])
    dots = (
        alt.Chart(table)
        .mark_point(filled=True, size=80, opacity=0.8)
        .encode(
            x=alt.X("bound:Q", title="error", scale=scale, axis=alt.Axis(format="%")),
            y=y,
            color=model_colour("kind", kinds, dot_legend()),
            shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds), legend=dot_legend()),
            tooltip=["training:N", "kind:N", "says:N", alt.Tooltip("bound:Q", format=".1%"), "seed:N"],
        )
    )
    measured = table.select("training", "seed", "error").unique(maintain_order=True)
    ticks = (
        alt.Chart(measured)
        .mark_tick(color=GREY, thickness=3, size=20)
        .encode(
            x=alt.X("error:Q", scale=scale),
            y=y,
            tooltip=["training:N", alt.Tooltip("error:Q", title="held-out error", format=".1%"), "seed:N"],
        )
    )
    line = alt.Chart(pl.DataFrame({"at": [guessing], "name": ["guessing"]}))
    rule = line.mark_rule(strokeDash=[4, 4], color=GREY).encode(x="at:Q")
    name = line.mark_text(align="left", dx=4, dy=-6, y=0, color=GREY).encode(x="at:Q", text="name:N")
    return finished(alt.layer(rule, name, ticks, dots), title, subtitle)
