"""What rounding to bfloat16 costs in fit: the random labels of table 1, trained in float32 and under bfloat16."""

from collections.abc import Mapping
from math import exp, log
from statistics import fmean
from typing import Any

import polars as pl
from numpy import finfo, float32

from ..figures.curves import online_accuracy
from ..jobs import Training
from ..paper import TABLE_1
from ..row import FIT_LOSS
from .outcome import Outcome, all_of, cannot_tell
from .recipes import TABLE_1_DIALS, specs_of
from .rules import few_seeds, unfitted
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


def loss_ratio(tables: Tables, full: pl.DataFrame, half: pl.DataFrame) -> Estimate | None:
    """The logarithm of the training loss under bfloat16 over that in float32, paired by seed, with its error over them.

    The losses are the online losses of the last epoch that both runs of a seed have done, as a run ends once it fits.
    They are compared on a log scale, since near the fit a loss falls by a constant factor an epoch: seeds differ by
    factors, and a difference would depend on the epoch in which it is taken.

    Returns:
        None where no seed has an epoch in both precisions.
    """
    if "epoch" not in tables.epochs.columns:
        return None
    losses = tables.epochs.select("run_id", "epoch", "online_loss")
    both = (
        full.select("seed", "run_id")
        .join(half.select("seed", pl.col("run_id").alias("half_id")), on="seed")
        .join(losses, on="run_id")
        .join(losses.rename({"run_id": "half_id", "online_loss": "half_loss"}), on=["half_id", "epoch"])
        .sort("seed", "epoch")
        .group_by("seed", maintain_order=True)
        .last()
    )
    if both.is_empty():
        return None
    # A loss that float32 rounds to 0 is taken for the smallest that it could show.
    smallest = float(finfo(float32).tiny)
    pairs = both.select("half_loss", "online_loss").iter_rows()
    logs = [log(max(half, smallest) / max(full, smallest)) for half, full in pairs]
    return over_seeds(logs)


def in_words(ratio: Estimate) -> str:
    """The ratio of the losses with its interval: 1.05 times (95 % interval 0.98 to 1.13, 3 seeds)."""
    seeds = count_of(ratio.seeds, "seed")
    if ratio.seeds < 2:
        return f"{exp(ratio.value):.2f} times ({seeds})"
    low, high = ratio.interval()
    ends = f"{exp(low):.2f} to {exp(high):.2f}" if max(-low, high) < log(100) else "far below 1 to far above"
    return f"{exp(ratio.value):.2f} times ({percent(LEVEL)} interval {ends}, {seeds})"


def _sentence(tables: Tables, model: str, full: pl.DataFrame, half: pl.DataFrame) -> str:
    ratio = loss_ratio(tables, full, half)
    ends = [
        f"{points(runs['train_accuracy'])} % and {runs['fit_step'].count()} of {count_of(len(runs), 'run')} at 100 % "
        f"with a loss below {FIT_LOSS:g}"
        for runs in (half, full)
    ]
    return sentence(
        f"Under bfloat16 the training loss of {display(model)} on random labels at n = {full['n'][0]:,} is",
        "not known" if ratio is None else f"{in_words(ratio)} that of float32 in the last epoch of both",
        f"train accuracy {ends[0]}",
        f"in float32 {ends[1]}",
        caveat="each run is scored in its own precision",
    )


COST = 1.1
"""A precision costs fit if it multiplies the training loss by more than this: an assumption. The loss of MLP 1x512 in
float32 differs by 6 % between seeds (docs/measured/precision.csv)."""


def _costs_fit(tables: Tables) -> Outcome:
    models = [] if tables.runs.is_empty() else done(tables.runs)
    return all_of(_costs_one(tables, *model) for model in models)


def _costs_one(tables: Tables, model: str, full: pl.DataFrame, half: pl.DataFrame) -> Outcome:
    if unready := unfitted(full) or few_seeds(full):
        return unready
    ratio = loss_ratio(tables, full, half)
    if ratio is None:
        return cannot_tell(f"the epochs of {display(model)} are not known")
    return Outcome(above(ratio, log(COST)), f"{display(model)} {in_words(ratio)} the training loss of float32")


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
            "Confirmed if every network that fits in float32 in at least two seeds has, under bfloat16, more than "
            f"{times(COST)} the training loss, beyond the spread over seeds (t quantile, {percent(LEVEL)}). "
            "Contradicted if a network has less. The losses are those of the last epoch that both runs of a seed "
            "have done, on a log scale.",
            _costs_fit,
        ),
    ),
    assumptions=("batch size", "initialization", "learning-rate decay", "number of epochs"),
)
