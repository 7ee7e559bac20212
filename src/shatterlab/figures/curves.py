"""Learning curves: something against steps, a line a run."""

from typing import Any

import altair as alt
import polars as pl

from .style import condition_colour, condition_dash, finished


def loss_curves(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Online training loss against steps, a line for each condition and seed (the paper's figure 1a).

    Args:
        epochs: columns run_id, corruption, seed, epoch, step, online_loss, online_accuracy.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    columns = ["run_id", "corruption", "seed", "epoch", "step", "online_loss", "online_accuracy"]
    present = epochs["corruption"].unique().to_list()
    hover = alt.selection_point(fields=["corruption"], on="pointerover", empty=True)
    chart = (
        alt.Chart(epochs.select(columns))
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            x=alt.X("step:Q", title="training steps"),
            y=alt.Y("online_loss:Q", title="average training loss (nats)"),
            color=condition_colour(present),
            strokeDash=condition_dash(present),
            detail="run_id:N",
            opacity=alt.condition(hover, alt.value(1.0), alt.value(0.25)),
            tooltip=[
                alt.Tooltip("corruption:N"),
                alt.Tooltip("seed:N"),
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("step:Q"),
                alt.Tooltip("online_loss:Q", title="loss", format=".3f"),
                alt.Tooltip("online_accuracy:Q", title="accuracy", format=".1%"),
            ],
        )
        .add_params(hover)
    )
    return finished(chart, title, subtitle)
