"""Timelines of runs, epoch by epoch: their losses, and what a network has memorized under each condition."""

from typing import Any

import altair as alt
import polars as pl

from .style import CONDITION_COLOURS, finished, model_colour, model_dash, name_legend, thinned

MOST_ROWS = 1_000
"""A chart of one network holds at most about this many rows, as a page may show many networks."""
SHARES = {"corrupted_fitted": "corrupted examples fitted", "test_accuracy": "test accuracy (true labels)"}


def losses_by(name: str, epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Online training loss against epochs, with a line for each run, and dots where the lines are short.

    Args:
        name: the column whose values have a colour each, such as the condition.
        epochs: columns run_id, epoch, online_loss, online_accuracy and `name`.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    names, colour = _coloured(name, epochs)
    rows = epochs.select("run_id", name, "epoch", "online_loss", "online_accuracy")
    chart = (
        alt.Chart(thinned(rows, "run_id", MOST_ROWS))
        .mark_line(strokeWidth=2, point=_points(rows))
        .encode(
            x=_epochs(rows),
            y=alt.Y("online_loss:Q", title="average training loss (nats)"),
            color=colour,
            strokeDash=model_dash(name, names),
            detail="run_id:N",
            tooltip=[f"{name}:N", "epoch:Q", alt.Tooltip("online_loss:Q", format=".3f"),
                     alt.Tooltip("online_accuracy:Q", format=".1%")],
        )
    )  # fmt: skip
    return finished(chart, title, subtitle)


def memorization_timeline(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """The share of corrupted labels fitted and the test accuracy against epochs, a line for each run and share.

    Args:
        epochs: columns run_id, condition, seed, epoch, corrupted_fitted, test_accuracy; a value that was not measured
            in an epoch is None and left out.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    _, colour = _coloured("condition", epochs)
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
        .mark_line(strokeWidth=2, point=_points(rows))
        .encode(
            x=_epochs(rows),
            y=alt.Y("share:Q", title="share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
            color=colour,
            strokeDash=alt.StrokeDash("measure:N", scale=dashes, legend=name_legend()),
            detail="line:N",
            tooltip=["condition:N", "measure:N", "seed:N", "epoch:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    return finished(chart, title, subtitle)


def _coloured(name: str, epochs: pl.DataFrame) -> tuple[list[str], alt.Color]:
    """The values of a column and their colours; conditions keep those of other charts unless two would share one."""
    names = epochs[name].unique(maintain_order=True).to_list()
    known = {CONDITION_COLOURS[base]: name for name in names if (base := name.partition(" ")[0]) in CONDITION_COLOURS}
    if len(known) < len(names):
        return names, model_colour(name, names)
    scale = alt.Scale(domain=list(known.values()), range=list(known))
    return names, alt.Color(f"{name}:N", scale=scale, legend=name_legend() if len(names) > 1 else None)


def _points(rows: pl.DataFrame) -> Any:
    """Dots on short lines, which may consist of a single epoch; long lines have none."""
    return alt.OverlayMarkDef(size=30, filled=False) if len(rows) < 100 else alt.Undefined


def _epochs(rows: pl.DataFrame) -> alt.X:
    """The axis of epochs, whose ticks are whole numbers."""
    span = 1 if rows.is_empty() else int(rows["epoch"].max() - rows["epoch"].min())  # type: ignore[operator, arg-type]
    return alt.X("epoch:Q", title="epoch", axis=alt.Axis(format="d", tickCount=max(1, min(10, span))))
