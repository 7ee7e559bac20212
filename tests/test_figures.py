"""Charts of more than fits into a chart."""

import json

import polars as pl
import pytest

from shatterlab.figures.curves import best_so_far, loss_curves, online_accuracy
from shatterlab.figures.lines import lines
from shatterlab.figures.rows import accuracy_rows
from shatterlab.figures.style import MOST_ROWS, thinned
from shatterlab.figures.timeline import losses_by, memorization_timeline
from shatterlab.figures.trends import trend

EPOCHS, SEEDS = 150, 100
MANY = pl.DataFrame(
    [
        {"run_id": f"{name}-{seed}", "run": f"{name}-{seed}", "name": name, "model": name, "corruption": name, "condition": name, "corrupted_fitted": 0.5, "seed": seed,
         "epoch": epoch, "step": 10 * epoch, "online_loss": 2.0 / epoch, "online_accuracy": 0.5, "test_accuracy": 0.4,
         "amount": epoch / EPOCHS, "test": 0.4, "source": "measured", "row": "none", "where": "here"}
        for name in ("true-labels", "random-labels") for seed in range(SEEDS) for epoch in range(1, EPOCHS + 1)
    ]
)  # fmt: skip
WORDS = {"title": "t", "subtitle": "s"}
CHARTS = {
    "losses by condition": lambda: losses_by("condition", MANY, **WORDS),
    "memorization": lambda: memorization_timeline(MANY, **WORDS),
    "loss curves": lambda: loss_curves(MANY, **WORDS),
    "online accuracy": lambda: online_accuracy(MANY, **WORDS),
    "best so far": lambda: best_so_far(MANY, **WORDS),
    "lines": lambda: lines(MANY.to_dicts(), "step", "online_loss", "name", **WORDS),
    "trend": lambda: trend(MANY, "online_loss", y_title="y", **WORDS),
    "rows": lambda: accuracy_rows(MANY, order=["none"], chance=0.1, **WORDS),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_thirty_thousand_rows_is_drawn_from_a_few_thousand(name: str) -> None:
    drawn = CHARTS[name]().to_dict()
    assert len(json.dumps(drawn)) < 3_000_000
    assert all(len(rows) < 5_000 for rows in drawn["datasets"].values())


def test_a_thinned_curve_keeps_its_ends() -> None:
    kept = thinned(MANY, "run_id")
    assert len(kept) <= 1.1 * MOST_ROWS
    for _, curve in kept.group_by("run_id"):
        assert curve["epoch"].min() == 1
        assert curve["epoch"].max() == EPOCHS
    few = MANY.head(MOST_ROWS)
    assert thinned(few, "run_id").equals(few)


def test_a_mean_is_of_all_rows_though_few_are_drawn() -> None:
    rows = [{"x": 1.0, "y": float(i), "by": "a"} for i in range(9_001)]
    drawn = lines(rows, "x", "y", "by", **WORDS).to_dict()
    assert [{"by": "a", "x": 1.0, "y": 4_500.0}] in drawn["datasets"].values()
