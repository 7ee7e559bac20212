"""Learning curves: loss or accuracy against steps or epochs, with a line for each run."""

from typing import Any

import altair as alt
import polars as pl

from .style import condition_colour, condition_dash, drawable, finished, model_colour, model_dash, thinned

LOW = 0.1
"""The loss at which the paper's readers count the steps of figure 1a; a dot marks it."""
KEPT = 1.25
"""Curves are shown up to so many times the last step with a loss above `LOW`."""
WORTH_CUTTING = 1.2
"""A tail is cut only where the curves go on for more than so many times of that."""


def loss_curves(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Online training loss against steps, a line for each condition and seed (the paper's figure 1a).

    A dot marks the first epoch of a run whose mean loss has fallen to `LOW`; what comes well after the last of these
    dots is cut off.

    Args:
        epochs: columns run_id, corruption, seed, epoch, step, online_loss, online_accuracy.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    columns = ["run_id", "corruption", "seed", "epoch", "step", "online_loss", "online_accuracy"]
    low = epochs.filter(pl.col("online_loss") <= LOW).select(columns).sort("step").unique("run_id", keep="first")
    if not low.is_empty():
        subtitle += f"; dot: first epoch with a loss of at most {LOW:g}"
    epochs, end = _without_tail(epochs)
    if end:
        subtitle += f"; cut at step {end:,}, where every loss has long been below"
    low = low.filter(pl.col("step") <= epochs["step"].max())
    present = epochs["corruption"].unique().to_list()
    seeds = epochs["seed"].n_unique()
    hover = alt.selection_point(name="hover", fields=["corruption"], on="pointerover", empty=True)
    x = alt.X("step:Q", title="training steps")
    colour, dash = condition_colour(present), condition_dash(present)
    y_title = "average training loss (nats)"
    runs = (
        alt.Chart(thinned(epochs.select(columns), "run_id"))
        .mark_line(strokeWidth=2 if seeds == 1 else 1, clip=True)
        .encode(
            x=x,
            y=alt.Y("online_loss:Q", title=y_title),
            color=colour,
            strokeDash=dash,
            detail="run_id:N",
            opacity=alt.condition(hover, alt.value(1.0 if seeds == 1 else 0.4), alt.value(0.15)),
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
    reached = (
        alt.Chart(thinned(low, "corruption"))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x=x, y=alt.Y("online_loss:Q", title=y_title), color=colour, tooltip=["corruption", "seed", "step"])
    )
    if seeds == 1:
        return finished(drawable(runs, reached), title, subtitle)
    # The mean is drawn only while every seed is still training, since those that end early would bend it.
    means = (
        epochs.group_by("corruption", "step")
        .agg(
            pl.col("online_loss").mean().alias("mean"), pl.col("online_loss").std().alias("sd"), pl.len().alias("runs")
        )
        .filter(pl.col("runs") == pl.col("runs").max().over("corruption"))
        .with_columns((pl.col("mean") - pl.col("sd")).alias("low"), (pl.col("mean") + pl.col("sd")).alias("high"))
        .sort("corruption", "step")
    )
    base = alt.Chart(thinned(means, "corruption")).encode(x=x, color=colour)
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q")
    mean = base.mark_line(strokeWidth=2.5).encode(y=alt.Y("mean:Q", title=y_title), strokeDash=dash)
    subtitle += "; thick: mean, band: one standard deviation"
    return finished(drawable(runs, band, mean, reached), title, subtitle)


def _without_tail(epochs: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The epochs until well after the last with a loss above `LOW`, and the step of the cut; 0 if nothing is cut."""
    above = epochs.filter(pl.col("online_loss") > LOW)["step"]
    end = int(max(above) * KEPT) if len(above) else 0
    return (epochs.filter(pl.col("step") <= end), end) if max(epochs["step"]) > end * WORTH_CUTTING > 0 else (epochs, 0)


def online_accuracy(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Accuracy over the batches as they are trained on against epochs, with a line for each run.

    Args:
        epochs: columns run_id, name, seed, epoch, online_accuracy; each name has its colour.
        title, subtitle: say what was measured, with n and seeds.

    Returns:
        An altair chart.
    """
    names = epochs["name"].unique(maintain_order=True).to_list()
    chart = (
        alt.Chart(thinned(epochs.select("run_id", "name", "seed", "epoch", "online_accuracy"), "run_id"))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("online_accuracy:Q", title="accuracy on the batches trained on", axis=alt.Axis(format="%")),
            color=model_colour("name", names),
            strokeDash=model_dash("name", names),
            detail="run_id:N",
            tooltip=["name:N", "seed:N", "epoch:Q", alt.Tooltip("online_accuracy:Q", format=".2%")],
        )
    )
    return finished(chart, title, subtitle)


def best_so_far(epochs: pl.DataFrame, *, title: str, subtitle: str) -> Any:
    """Test accuracy against steps, with a line for each run, shaded up to the best so far (the paper's figure 2).

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
    models = sorted(tested["model"].unique())
    base = alt.Chart(thinned(tested, "run_id")).encode(
        x=alt.X("step:Q", title="training steps"),
        color=model_colour("model", models),
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
    line = base.mark_line(strokeWidth=2).encode(y=y, strokeDash=model_dash("model", models))
    return finished(alt.layer(shade, line), title, subtitle)
