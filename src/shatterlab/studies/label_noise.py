"""Figures 1b and 1c, from one set of runs: with label noise, how much longer fitting takes and how test error grows."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures.trends import trend
from ..paper import FIGURE_1B_SLOWDOWN
from ..spec import Spec, make_spec
from .learning_curves import dials_for
from .study import OVERFIT_LOSS, Scale, Study, Tables, mean_of, percent, setting

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
    """The ends of the sweep are the conditions of the learning curves, so that their runs are shared."""
    ends = {0.0: "true-labels", 1.0: "random-labels"}
    return {"corruption": ends[amount]} if amount in ends else {"corruption": "partial-labels", "amount": amount}


def specs(scale: Scale, data: str, seeds: int) -> list[Spec]:
    """Each model of the scale at each share of random labels."""
    return [
        make_spec(**dials_for(dials, data), data=data, **condition(amount), seed=seed, stop="fit")
        for dials in RUNS[scale]
        for amount in AMOUNTS[scale]
        for seed in range(seeds)
    ]


def with_slowdown(runs: pl.DataFrame) -> pl.DataFrame:
    """Adds `slowdown`: steps to overfit over those of the same model and seed with true labels. And `test_error`."""
    clean = runs.filter(pl.col("amount") == 0).select("model", "seed", pl.col("overfit_step").alias("clean_step"))
    return runs.join(clean, on=["model", "seed"], how="left").with_columns(
        (pl.col("overfit_step") / pl.col("clean_step")).alias("slowdown"),
        (1 - pl.col("test_accuracy")).alias("test_error"),
    )


def draw(tables: Tables) -> Mapping[str, Any]:
    """Figure 1b, slowdown, and figure 1c, test error."""
    runs = with_slowdown(tables.runs)
    shared = setting(runs)
    chance = 1 - 1 / runs["classes"][0]
    return {
        "slowdown": trend(
            runs,
            "slowdown",
            y_title="steps to overfit / steps with true labels",
            title="Time to overfit, relative to true labels",
            subtitle=f"{shared}; overfitted at an online loss of {OVERFIT_LOSS:g}",
            y_format=".1f",
        ),
        "test-error": trend(
            runs,
            "test_error",
            y_title="test error, true labels, last epoch",
            title="Test error after training on noisy labels",
            subtitle=shared,
            y_format=".0%",
            rule=(chance, "chance"),
        ),
    }


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


STUDY = Study(
    question="As labels turn to noise, how much longer does fitting take, and what becomes of the test error?",
    source="Zhang et al. (2017), section 2.2, figures 1b and 1c",
    specs=specs,
    draw=draw,
    verdict=verdict,
)
