"""What rounding to bfloat16 costs in fit: the random labels of table 1, trained in float32 and under bfloat16."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures.curves import online_accuracy
from ..paper import TABLE_1
from ..spec import Spec
from .study import Cells, Claim, Outcome, Scale, Study, Tables, mean_of, points, setting
from .table1 import SETTINGS, specs_of

PRECISIONS = ("float32", "bf16")
LEFT_OUT = {"inception-no-bn"}
"""Trained at a rate of its own on small sets, and three times as long as the others."""


def specs(scale: Scale, data: str, seeds: int) -> list[Spec]:
    """The random-labels rows of table 1, each in both precisions; the float32 runs are those of table 1."""
    rows = [row for row in TABLE_1 if row.random_labels and row.model in SETTINGS[scale] and row.model not in LEFT_OUT]
    return [
        spec.model_copy(update={"precision": precision})
        for row in rows
        for spec in specs_of(row, scale, data, seeds)
        for precision in PRECISIONS
    ]


def done(runs: pl.DataFrame) -> list[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """The models that have runs in both precisions, each with these runs, of the seeds that both have."""
    found = []
    for model in runs["model"].unique(maintain_order=True):
        of_model = runs.filter(pl.col("model") == model)
        both = [of_model.filter(pl.col("precision") == precision) for precision in PRECISIONS]
        whole, rounded = (some.join(other, on="seed", how="semi").sort("seed") for some, other in (both, both[::-1]))
        if not whole.is_empty():
            found.append((model, whole, rounded))
    return found


def table(tables: Tables) -> list[Cells]:
    """A line a model and precision."""
    return [
        {
            "model": model,
            "precision": runs["precision"][0],
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "train loss": mean_of(runs["train_loss"].to_list(), "{:.4f}".format).partition(" (")[0],
            "epochs": mean_of(runs["epochs"].to_list(), "{:.1f}".format).partition(" (")[0],
            "fitted": f"{runs['fit_step'].count()} of {len(runs)}",
        }
        for model, *both in done(tables.runs)
        for runs in both
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Online accuracy against epochs."""
    return {
        "fit-by-precision": online_accuracy(
            tables.epochs.with_columns((pl.col("model") + ", " + pl.col("precision")).alias("name")),
            title="Fitting random labels in float32 and under bfloat16",
            subtitle=setting(tables.runs),
        )
    }


def verdict(tables: Tables) -> list[str]:
    """The cost for each model."""
    return [_sentence(*one) for one in done(tables.runs)] or ["No model has been trained in both precisions yet."]


def cost(whole: pl.DataFrame, rounded: pl.DataFrame) -> list[float]:
    """Percentage points of train accuracy that bfloat16 lacks, a number a seed."""
    return (100 * (whole["train_accuracy"] - rounded["train_accuracy"])).to_list()


def _sentence(model: str, whole: pl.DataFrame, rounded: pl.DataFrame) -> str:
    fitted = [f"{runs['fit_step'].count()} of {len(runs)} runs" for runs in (whole, rounded)]
    return (
        f"bfloat16 costs {model} {mean_of(cost(whole, rounded), '{:.2f}'.format)} points of train accuracy on random "
        f"labels at n = {whole['n'][0]:,}: {points(rounded['train_accuracy'])} % after "
        f"{mean_of(rounded['epochs'].to_list(), '{:.0f}'.format).partition(' (')[0]} epochs, in float32 "
        f"{points(whole['train_accuracy'])} % after "
        f"{mean_of(whole['epochs'].to_list(), '{:.0f}'.format).partition(' (')[0]}; fitted throughout are {fitted[1]}, "
        f"in float32 {fitted[0]}."
    )


def _leaves_labels_unfitted(tables: Tables) -> Outcome | None:
    models = done(tables.runs)
    if not models:
        return None
    costs = {model: cost(whole, rounded) for model, whole, rounded in models}
    numbers = ", ".join(f"{model} {mean_of(values, '{:.2f}'.format)} points" for model, values in costs.items())
    return Outcome(all(sum(values) > 0 for values in costs.values()), numbers)


STUDY = Study(
    question="What does rounding to bfloat16 cost in fit?",
    source="ours; the paper does not name its precision",
    chapter="Randomization tests",
    specs=specs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Under bfloat16 the last random labels stay unfitted.",
            "the mean train accuracy of every model is lower under bfloat16 than in float32, seeds and dials alike",
            _leaves_labels_unfitted,
        ),
    ),
    assumptions=("batch size", "initialization", "learning-rate decay", "number of epochs"),
)
