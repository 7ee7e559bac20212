"""One network under several conditions: its loss, and what it has memorized, epoch by epoch."""

from typing import Any

import altair as alt
import polars as pl

from .style import CONDITION_COLOURS, finished, model_colour, model_dash, name_legend, thinned

MOST_ROWS = 1_000
"""A chart of one network holds at most about this many rows, as a page may show many networks."""
SHARES = {"corrupted_fitted": "corrupted labels fitted", "test_accuracy": "test accuracy (true labels)"}


def losses_by_condition(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Online training loss against epochs, a line for each run, coloured by its condition.

    Args:
        epochs: columns run_id, condition, seed, epoch, online_loss.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    names, colour = _conditions(epochs)
    rows = epochs.select("run_id", "condition", "seed", "epoch", "online_loss")
    chart = (
        alt.Chart(thinned(rows, "run_id", MOST_ROWS))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("online_loss:Q", title="average training loss (nats)"),
            color=colour,
            strokeDash=model_dash("condition", names),
            detail="run_id:N",
            tooltip=["condition:N", "seed:N", "epoch:Q", alt.Tooltip("online_loss:Q", format=".3f")],
        )
    )
    return finished(chart, title, subtitle)


def memorization_timeline(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """The share of corrupted labels fitted and the test accuracy against epochs, a line for each run and share.

    Args:
        epochs: columns run_id, condition, seed, epoch, corrupted_fitted, test_accuracy; what was not evaluated in an
            epoch is None and left out.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    _, colour = _conditions(epochs)
    of_run = ["run_id", "condition", "seed", "epoch"]
    rows = (
        epochs.select(*of_run, *(pl.col(column).cast(pl.Float64).alias(name) for column, name in SHARES.items()))
        .unpivot(index=of_run, variable_name="measure", value_name="share")
        .drop_nulls("share")
        .with_columns(line=pl.col("run_id") + pl.col("measure"))
    )  # fmt: skip
    dashes = alt.Scale(domain=list(SHARES.values()), range=[[1, 0], [4, 3]])
    chart = (
        alt.Chart(thinned(rows, "line", MOST_ROWS))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("share:Q", title="share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
            color=colour,
            strokeDash=alt.StrokeDash("measure:N", scale=dashes, legend=name_legend()),
            detail="line:N",
            tooltip=["condition:N", "measure:N", "seed:N", "epoch:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return finished(chart, title, subtitle)


def _conditions(epochs: pl.DataFrame) -> tuple[list[str], alt.Color]:
    """The conditions, and their colours: those of every other chart unless two would share one."""
    names = epochs["condition"].unique(maintain_order=True).to_list()
    known = {CONDITION_COLOURS[base]: name for name in names if (base := name.partition(" ")[0]) in CONDITION_COLOURS}
    if len(known) < len(names):
        return names, model_colour("condition", names)
    scale = alt.Scale(domain=list(known.values()), range=list(known))
    return names, alt.Color("condition:N", scale=scale, legend=name_legend())
