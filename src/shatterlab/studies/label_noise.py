"""Figures 1b and 1c, from one set of runs: with label noise, how much longer fitting takes and how test error grows."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import polars as pl

from ..figures.trends import trend
from ..jobs import Training
from ..paper import FIGURE_1B_SLOWDOWN
from ..spec import make_spec
from .recipes import for_data
from .rules import FITS
from .sentences import mean_of, percent, setting
from .study import OVERFIT_LOSS, Claim, Outcome, Scale, Study, Tables

AMOUNTS: dict[Scale, tuple[float, ...]] = {
    "demo": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "cpu": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "paper": tuple(i / 10 for i in range(11)),
}
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
        {"model": "alexnet", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
    ],
    "paper": [
        {"model": "inception", "epochs": 60},
        {"model": "alexnet", "epochs": 100},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
    ],
}


def condition(amount: float) -> dict[str, Any]:
    """The dials of an amount of noise; both ends are conditions of the learning curves, whose runs are shared."""
    ends = {0.0: "true-labels", 1.0: "random-labels"}
    return {"corruption": ends[amount]} if amount in ends else {"corruption": "partial-labels", "amount": amount}


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """Each model of the scale at each share of random labels."""
    return [
        Training(make_spec(**for_data(dials, data), data=data, **condition(amount), seed=seed, stop="fit"))
        for dials in RUNS[scale]
        for amount in AMOUNTS[scale]
        for seed in range(seeds)
    ]


def with_slowdown(runs: pl.DataFrame) -> pl.DataFrame:
    """Adds `test_error` and `slowdown`, the steps to overfit over those of the same model and seed with true labels."""
    clean = runs.filter(pl.col("amount") == 0).select("model", "seed", pl.col("overfit_step").alias("clean_step"))
    return runs.join(clean, on=["model", "seed"], how="left").with_columns(
        (pl.col("overfit_step") / pl.col("clean_step")).alias("slowdown"),
        (1 - pl.col("test_accuracy")).alias("test_error"),
    )


def draw(tables: Tables) -> Mapping[str, Any]:
    """Figure 1b, slowdown, if anything was fitted, and figure 1c, test error."""
    runs = with_slowdown(tables.runs)
    shared = setting(runs)
    chance = 1 - 1 / runs["classes"][0]
    charts = {}
    if runs["slowdown"].is_not_null().any():
        charts["slowdown"] = trend(
            runs,
            "slowdown",
            y_title="steps to overfit / steps with true labels",
            title="Time to overfit, relative to true labels",
            subtitle=f"{shared}; overfitted at an online loss of {OVERFIT_LOSS:g}",
            y_format=".1f",
        )
    charts["test-error"] = trend(
        runs,
        "test_error",
        y_title="test error, true labels, last epoch",
        title="Test error after training on noisy labels",
        subtitle=shared,
        y_format=".0%",
        rule=(chance, "chance"),
    )
    return charts


def verdict(tables: Tables) -> list[str]:
    """For each model: the slowdown at full noise, and the growth of the test error."""
    sentences = []
    for model in tables.runs["model"].unique(maintain_order=True):
        runs = with_slowdown(tables.runs.filter(pl.col("model") == model))
        low, high = runs["amount"].min(), runs["amount"].max()
        assert isinstance(low, float)
        assert isinstance(high, float)
        first, last = (runs.filter(pl.col("amount") == amount) for amount in (low, high))
        sentences.append(
            f"{model}: from {percent(low)} to {percent(high)} random labels the test error goes from "
            f"{mean_of((1 - first['test_accuracy']).to_list(), percent)} to "
            f"{mean_of((1 - last['test_accuracy']).to_list(), percent)}, {_training(runs)}{_slower(last, high)}."
        )
    return sentences


def _slower(noisiest: pl.DataFrame, amount: float) -> str:
    slowdowns = noisiest["slowdown"].drop_nulls().to_list()
    if not slowdowns:
        return f"; at {percent(amount)} there is no slowdown to report, as it or the true labels are not fitted"
    times = mean_of(slowdowns, "{:.1f}".format)
    paper = f" (the paper, on all of CIFAR-10: up to about {FIGURE_1B_SLOWDOWN:g})" if amount == 1 else ""
    return f"; {percent(amount)} takes {times} times the steps to fit{paper}"


def _training(runs: pl.DataFrame) -> str:
    worst = runs["train_accuracy"].min()
    assert isinstance(worst, float)
    return (
        "with train accuracy 100 % throughout"
        if worst == 1
        else f"with train accuracy at least {percent(worst)} throughout"
    )


SMALL_FACTOR = 10
"""A slowdown on random labels counts as a small constant factor up to this; the paper's is about 4."""


def _slows_little(tables: Tables) -> Outcome | None:
    random = with_slowdown(tables.runs).filter((pl.col("amount") == 1) & pl.col("slowdown").is_not_null())
    if random.is_empty():
        return None
    parts = [f"{model} {slowdown:.1f} times" for model, slowdown in random.select("model", "slowdown").iter_rows()]
    return Outcome(max(random["slowdown"]) <= SMALL_FACTOR, f"{', '.join(parts)} (a number a seed)")


def _error_grows(tables: Tables) -> Outcome | None:
    """Judges means over seeds; a fall within two standard errors of the test set does not count as one."""
    confirmed, parts = True, []
    for model in tables.runs["model"].unique(maintain_order=True):
        means = (
            with_slowdown(tables.runs)
            .filter(pl.col("model") == model)
            .group_by("amount")
            .agg(pl.col("test_error", "train_accuracy").mean(), pl.col("n_test").first())
            .sort("amount")
        )
        if len(means) < 3:
            continue
        errors, n_test = means["test_error"].to_list(), means["n_test"][0]
        falls = max(before - after for before, after in pairwise(errors))
        worst = min(means["train_accuracy"])
        confirmed &= falls <= 2 * (0.5 / n_test) ** 0.5 and errors[-1] > errors[0] and worst >= FITS
        parts.append(
            f"{model} {percent(errors[0])} to {percent(errors[-1])}, largest fall {percent(max(falls, 0))}, "
            f"train accuracy at least {percent(worst)}"
        )
    return Outcome(confirmed, "; ".join(parts)) if parts else None


STUDY = Study(
    question="As labels turn to noise, how much longer does fitting take, and what becomes of the test error?",
    source="Zhang et al. (2017), section 2.2, figures 1b and 1c",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    claims=(
        Claim(
            "Random labels slow training down only by a small constant factor.",
            f"reaching a training loss of {OVERFIT_LOSS:g} takes at most {SMALL_FACTOR} times the steps of true "
            "labels, for every network and seed (the paper's largest is about 4)",
            _slows_little,
        ),
        Claim(
            "The more labels are corrupted, the larger the test error, while the training set is fitted throughout.",
            "from one amount of noise to the next the mean test error never falls by more than two standard errors of "
            f"the test set, and the mean train accuracy is at least {percent(FITS)} at each",
            _error_grows,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "partially corrupted labels",
        "number of epochs",
        "training loss of a curve",
        "time to overfit",
    ),
)
