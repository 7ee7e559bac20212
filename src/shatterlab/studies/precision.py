"""What rounding to bfloat16 costs in fit: the random labels of table 1, trained in float32 and under bfloat16."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

import polars as pl

from ..figures.curves import online_accuracy
from ..jobs import Training
from ..paper import TABLE_1
from ..row import FIT_LOSS
from .recipes import TABLE_1_DIALS, specs_of
from .sentences import mean_of, points, setting
from .study import Cells, Claim, Outcome, Scale, Study, Tables

PRECISIONS = ("float32", "bf16")
LEFT_OUT = {"inception-no-bn"}
"""This model is trained at its own rate on small sets, and three times as long as the others."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """The random-labels rows of table 1, each in both precisions; the float32 runs are those of table 1."""
    rows = [
        row for row in TABLE_1 if row.random_labels and row.model in TABLE_1_DIALS[scale] and row.model not in LEFT_OUT
    ]
    return [
        Training(spec.model_copy(update={"precision": precision}))
        for row in rows
        for spec in specs_of(row, scale, data, seeds)
        for precision in PRECISIONS
    ]


def done(runs: pl.DataFrame) -> list[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """The models with runs in both precisions: name, float32 runs and bf16 runs, for the seeds that both have."""
    models = []
    for model in runs["model"].unique(maintain_order=True):
        of_model = runs.filter(pl.col("model") == model)
        full, half = (of_model.filter(pl.col("precision") == precision) for precision in PRECISIONS)
        full, half = (
            group.join(other, on="seed", how="semi").sort("seed") for group, other in ((full, half), (half, full))
        )
        if not full.is_empty():
            models.append((model, full, half))
    return models


def table(tables: Tables) -> list[Cells]:
    """A line for each model and precision."""
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


def costs(full: pl.DataFrame, half: pl.DataFrame) -> list[float]:
    """By how many percentage points of train accuracy bf16 falls behind float32, a number for each seed."""
    return (100 * (full["train_accuracy"] - half["train_accuracy"])).to_list()


def _sentence(model: str, full: pl.DataFrame, half: pl.DataFrame) -> str:
    less = costs(full, half)
    change = "as much as"
    if any(less):
        sign, word = (1, "less") if fmean(less) >= 0 else (-1, "more")
        change = f"{mean_of([sign * cost for cost in less], '{:.2f}'.format)} points {word} than"
    fitted = [f"{runs['fit_step'].count()} of {len(runs)}" for runs in (half, full)]
    return (
        f"Under bfloat16 {model} reaches {points(half['train_accuracy'])} % train accuracy on random labels at n = "
        f"{full['n'][0]:,}, {change} in float32 ({points(full['train_accuracy'])} %); {fitted[0]} runs end at 100 % "
        f"with a loss below {FIT_LOSS:g}, in float32 {fitted[1]}. Each is scored in its own precision."
    )


def _costs_fit(tables: Tables) -> Outcome | None:
    models = [(model, costs(full, half)) for model, full, half in done(tables.runs) if len(full) > 1]
    if not models:
        return None
    numbers = ", ".join(f"{model} {mean_of(values, '{:.2f}'.format)}" for model, values in models)
    return Outcome(
        all(fmean(values) > 2 * stdev(values) / len(values) ** 0.5 for _, values in models), f"points less: {numbers}"
    )


STUDY = Study(
    question="What does rounding to bfloat16 cost in fit?",
    source="ours; the paper does not name its precision",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Rounding to bfloat16 costs every network fit on random labels.",
            "every model trained with at least two seeds has a lower mean train accuracy under bfloat16 than in "
            "float32, by more than two standard errors of the difference over seeds",
            _costs_fit,
        ),
    ),
    assumptions=("batch size", "initialization", "learning-rate decay", "number of epochs"),
)
