"""What rounding to bfloat16 costs in fit: the random labels of table 1, trained in float32 and under bfloat16."""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, log
from statistics import fmean
from typing import Any

import polars as pl

from ..figures.curves import online_accuracy
from ..jobs import Training
from ..paper import TABLE_1
from ..row import FIT_LOSS
from .outcome import Outcome, all_of, cannot_tell
from .recipes import TABLE_1_DIALS, specs_of
from .rules import FEWEST, few_seeds, not_finite, random_labels_premise, unfitted
from .sentences import count_of, display, percent, points, sentence, setting, times
from .statistics import LEVEL, Estimate, above, over_seeds
from .study import Cells, Claim, Scale, Study, Tables

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
            "model": display(model),
            "precision": runs["precision"][0],
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "mean train loss": f"{fmean(runs['train_loss']):.4f}",
            "mean epochs": f"{fmean(runs['epochs']):.1f}",
            "fitted": f"{runs['fit_step'].count()} of {len(runs)}",
        }
        for model, *both in done(tables.runs)
        for runs in both
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Online accuracy against epochs."""
    names = pl.concat_str(
        pl.col("model").map_elements(display, return_dtype=pl.String), pl.lit(", "), pl.col("precision")
    )
    return {
        "fit-by-precision": online_accuracy(
            tables.epochs.with_columns(names.alias("name")),
            title="Fitting random labels in float32 and under bfloat16",
            subtitle=setting(tables.runs),
        )
    }


def verdict(tables: Tables) -> list[str]:
    """For each model: how its training loss and its fit under bfloat16 compare with those in float32."""
    models = done(tables.runs)
    if not models:
        return ["No model has been trained in both precisions yet."]
    return [_sentence(tables, *model) for model in models]


def last_losses(tables: Tables, full: pl.DataFrame, half: pl.DataFrame) -> pl.DataFrame:
    """The online losses of the last epoch that both runs of a seed have done, as a run ends once it fits.

    Returns:
        A line for each seed that has an epoch in both precisions, with columns `half_loss` and `online_loss`, the
        latter in float32.
    """
    if "epoch" not in tables.epochs.columns:
        return pl.DataFrame(schema={"half_loss": pl.Float64, "online_loss": pl.Float64})
    losses = tables.epochs.select("run_id", "epoch", "online_loss")
    return (
        full.select("seed", "run_id")
        .join(half.select("seed", pl.col("run_id").alias("half_id")), on="seed")
        .join(losses, on="run_id")
        .join(losses.rename({"run_id": "half_id", "online_loss": "half_loss"}), on=["half_id", "epoch"])
        .sort("seed", "epoch")
        .group_by("seed", maintain_order=True)
        .last()
    )


LEAST_SPREAD = 0.02
"""The standard deviation over seeds of the logarithm of a ratio of losses is taken to be at least this: an assumption.
That of MLP 1x512 is 0.01 (docs/measured/precision.csv)."""


def loss_ratio(losses: pl.DataFrame) -> Estimate:
    """The logarithm of the training loss under bfloat16 over that in float32, paired by seed, with its error over them.

    The losses are compared on a log scale, since near the fit a loss falls by a constant factor an epoch: seeds differ
    by factors, and a difference would depend on the epoch in which it is taken. A loss below `FIT_LOSS` counts as
    `FIT_LOSS`, as both have fitted there.
    """
    return over_seeds([log(half / full) for half, full in _floored(losses)], LEAST_SPREAD)


def _floored(losses: pl.DataFrame) -> list[tuple[float, float]]:
    pairs = losses.select("half_loss", "online_loss").iter_rows()
    return [(max(half, FIT_LOSS), max(full, FIT_LOSS)) for half, full in pairs]


IN_ONE_RANGE = 10
"""Losses whose ratio lies beyond this factor are given themselves, as one network has hardly learned there."""


def in_words(losses: pl.DataFrame) -> str:
    """How the losses under bfloat16 compare with those of float32, as a ratio, or, far apart, themselves.

    Examples are `1.05 times (95 % interval 0.98 to 1.13, 3 seeds) that of float32` and `2.3 where that of float32 is
    0.012 (geometric means, 3 seeds)`.
    """
    if losses.is_empty():
        return "not known"
    seeds = count_of(len(losses), "seed")
    failed = _failed(losses)
    if failed.height:
        rest = losses.filter(pl.col("half_loss").is_finite())
        return f"not finite in {failed.height} of {seeds}" + (f", else {in_words(rest)}" if rest.height else "")
    if not losses["online_loss"].is_finite().all():
        return "not comparable, as that of float32 is not finite"
    ratio = loss_ratio(losses)
    if abs(ratio.value) > log(IN_ONE_RANGE):
        half, full = (exp(fmean(map(log, column))) for column in zip(*_floored(losses), strict=True))
        return f"{half:.2g} where that of float32 is {full:.2g} (geometric mean{'s' * (ratio.seeds > 1)}, {seeds})"
    if ratio.seeds < 2:
        return f"{exp(ratio.value):.2f} times ({seeds}) that of float32"
    low, high = ratio.interval()
    ends = f"{exp(low):.2f} to {exp(high):.2f}" if max(-low, high) < log(100) else "far below 1 to far above"
    return f"{exp(ratio.value):.2f} times ({percent(LEVEL)} interval {ends}, {seeds}) that of float32"


def _failed(losses: pl.DataFrame) -> pl.DataFrame:
    """The seeds whose loss is no finite number under bfloat16: their training has diverged, which is a failed fit."""
    return losses.filter(~pl.col("half_loss").is_finite())


def _sentence(tables: Tables, model: str, full: pl.DataFrame, half: pl.DataFrame) -> str:
    losses = last_losses(tables, full, half)
    ends = [
        f"{points(runs['train_accuracy'])} % and {runs['fit_step'].count()} of {count_of(len(runs), 'run')} at 100 % "
        f"with a loss below {FIT_LOSS:g}"
        for runs in (half, full)
    ]
    return sentence(
        f"Under bfloat16 the training loss of {display(model)} on random labels at n = {full['n'][0]:,} is",
        f"{in_words(losses)}{'' if losses.is_empty() else ', in the last epoch of both'}",
        f"train accuracy {ends[0]}",
        f"in float32 {ends[1]}",
        caveat="each run is scored in its own precision",
    )


COST = 1.1
"""A precision costs fit if it multiplies the training loss by more than this: an assumption. The loss of MLP 1x512 in
float32 differs by 6 % between seeds (docs/measured/precision.csv)."""


FEWEST_SEEDS = 3
"""Two seeds may give the same ratio by accident: an assumption."""


def _costs_fit(tables: Tables) -> Outcome:
    models = [] if tables.runs.is_empty() else done(tables.runs)
    return all_of(_costs_one(tables, *model) for model in models)


def _costs_one(tables: Tables, model: str, full: pl.DataFrame, half: pl.DataFrame) -> Outcome:
    losses = last_losses(tables, full, half)
    numbers = f"{display(model)} under bfloat16: training loss {in_words(losses)}, n = {full['n'][0]:,}"
    if unready := random_labels_premise(full) or unfitted(full) or few_seeds(full, FEWEST_SEEDS):
        return replace(unready, numbers=numbers)
    if len(losses) < len(full):
        return cannot_tell(f"The epochs of {display(model)} are not known")
    if unready := not_finite(losses, ("online_loss",)):
        return replace(unready, numbers=numbers)
    if failed := _failed(losses).height:
        return Outcome("confirmed" if failed == len(losses) else "not shown", numbers)
    return Outcome(above(loss_ratio(losses), log(COST)), numbers)


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
            f"Confirmed if every network that fits at least {FEWEST} random labels in float32 in at least "
            f"{FEWEST_SEEDS} seeds has, under bfloat16, more than {times(COST)} the training loss, beyond the spread "
            f"over seeds (t quantile, {percent(LEVEL)}), or a loss that is not finite in every seed. Contradicted if "
            "a network has less. The losses are those of the last epoch that both runs of a seed have done, on a log "
            f"scale; one below {FIT_LOSS:g} counts as {FIT_LOSS:g}. The labels must be as wrong as random ones are, "
            "and leave the test accuracy at chance.",
            _costs_fit,
        ),
    ),
    assumptions=("batch size", "initialization", "learning-rate decay", "number of epochs"),
)
