"""Learning curves: something against steps, a line a run."""

from typing import Any

import altair as alt
import polars as pl

from .style import condition_colour, condition_dash, finished, model_colour


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


def online_accuracy(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Accuracy over the batches as they are trained on against epochs, a line a run.

    Args:
        epochs: columns run_id, name, seed, epoch, online_accuracy; a name is a colour.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    names = epochs["name"].unique(maintain_order=True).to_list()
    chart = (
        alt.Chart(epochs.select("run_id", "name", "seed", "epoch", "online_accuracy"))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("online_accuracy:Q", title="accuracy on the batches trained on", axis=alt.Axis(format="%")),
            color=model_colour("name", names),
            detail="run_id:N",
            tooltip=["name:N", "seed:N", "epoch:Q", alt.Tooltip("online_accuracy:Q", format=".2%")],
        )
    )
    return finished(chart, title, subtitle)


def best_so_far(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Test accuracy against steps, a line a run, shaded up to the best so far (the paper's figure 2).

    Args:
        epochs: columns run_id, model, seed, epoch, step, test_accuracy; epochs without a test are left out.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    tested = (
        epochs.filter(pl.col("test_accuracy").is_not_null())
        .select("run_id", "model", "seed", "epoch", "step", "test_accuracy")
        .sort("run_id", "step")
        .with_columns(pl.col("test_accuracy").cum_max().over("run_id").alias("best"))
    )
    base = alt.Chart(tested).encode(
        x=alt.X("step:Q", title="training steps"),
        color=model_colour("model", sorted(tested["model"].unique())),
        detail="run_id:N",
        tooltip=[
            "model:N",
            "seed:N",
            "epoch:Q",
            *(alt.Tooltip(f"{y}:Q", format=".2%") for y in ("test_accuracy", "best")),
        ],
    )
    y = alt.Y("test_accuracy:Q", title="test accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    shade = base.mark_area(opacity=0.25).encode(y=y, y2="best:Q")
    return finished(alt.layer(shade, base.mark_line(strokeWidth=2).encode(y=y)), title, subtitle)
