"""Figure 1a: the loss on the training set falls to zero whatever the labels and the pixels are."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures.curves import loss_curves
from ..paper import FIGURE_1A_ORDER
from ..spec import Spec, make_spec
from .study import Scale, Study, Tables, mean_of, percent, setting

CONDITIONS = ("true-labels", "partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian-pixels")

# Epochs are enough for random labels to end; see "number of epochs" in ASSUMPTIONS.
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "mlp-1x512", "epochs": 90},
    ],
    "paper": [{"model": "inception", "epochs": 60}],
}
# The digits are few and small; the sizes above are for sets like CIFAR-10.
DIGITS = {"n": 500, "n_test": None, "epochs": 400, "batch_size": 32}


def specs(scale: Scale, data: str, seeds: int) -> list[Spec]:
    """Each model of the scale under each condition."""
    return [
        make_spec(**dials_for(dials, data), data=data, corruption=condition, seed=seed, stop="fit")
        for dials in RUNS[scale]
        for condition in CONDITIONS
        for seed in range(seeds)
    ]


def dials_for(dials: dict[str, Any], data: str) -> dict[str, Any]:
    """The dials of a run, cut down to the digits where these are the data."""
    return dials | DIGITS if data == "digits" else dials


def draw(tables: Tables) -> Mapping[str, Any]:
    """A chart of loss curves for each model."""
    return {
        model: loss_curves(
            tables.epochs.filter(pl.col("model") == model),
            title=f"Training loss of {model} under each condition",
            subtitle=setting(tables.runs.filter(pl.col("model") == model)),
        )
        for model in tables.runs["model"].unique(maintain_order=True)
    }


def verdict(tables: Tables) -> list[str]:
    """For each model: does it fit random labels, and in which order do the conditions end?"""
    sentences = []
    for model in tables.runs["model"].unique(maintain_order=True):
        runs = tables.runs.filter(pl.col("model") == model)
        sentences += [fits_random_labels(model, runs), order_of_conditions(model, runs)]
    return [sentence for sentence in sentences if sentence]


def fits_random_labels(model: str, runs: pl.DataFrame) -> str | None:
    """The paper's central finding in one sentence, or None without a run on random labels."""
    random = runs.filter(pl.col("corruption") == "random-labels")
    if random.is_empty():
        return None
    train, test = random["train_accuracy"].to_list(), random["test_accuracy"].to_list()
    does = "fits" if sum(train) / len(train) >= 0.99 else "does not fit"
    return (
        f"{model} {does} random labels: {mean_of(train, percent)} train, {mean_of(test, percent)} test, "
        f"chance {100 / random['classes'][0]:.0f} %."
    )


def order_of_conditions(model: str, runs: pl.DataFrame) -> str | None:
    """Steps until each condition is overfitted, fastest first, against figure 1a's order."""
    means = runs.group_by("corruption").agg(
        pl.col("overfit_step").mean(), pl.col("overfit_step").is_null().any().alias("unfinished")
    )
    unfinished = sorted(means.filter("unfinished")["corruption"].to_list())
    ended = means.filter(~pl.col("unfinished")).sort("overfit_step", "corruption")
    if ended.is_empty():
        return f"{model}: no condition reached a training loss of 0.1; give it more --epochs."
    steps = dict(ended.select("corruption", "overfit_step").iter_rows())
    listed = ", ".join(f"{name} {step:,.0f}" for name, step in steps.items())
    rest = f" (not yet: {', '.join(unfinished)})" if unfinished else ""
    known = [name for name in steps if name in FIGURE_1A_ORDER]
    claim = ""
    if {"true-labels", "random-labels"} <= steps.keys():
        images_kept = {
            name: step for name, step in steps.items() if name in ("true-labels", "partial-labels", "random-labels")
        }
        extreme = min(images_kept, key=images_kept.__getitem__), max(images_kept, key=images_kept.__getitem__)
        agrees = extreme == ("true-labels", "random-labels")
        claim = (
            "; of those that share the images true labels are fastest and random labels slowest, as in the paper"
            if agrees
            else "; true labels are not the fastest or random labels not the slowest, unlike in the paper"
        )
        same = known == [name for name in FIGURE_1A_ORDER if name in known]
        claim += "; the order of figure 1a" if same else f"; figure 1a's order is {' < '.join(FIGURE_1A_ORDER)}"
    return f"{model}, steps to a training loss of 0.1: {listed}{rest}{claim}."


STUDY = Study(
    question="Can the network fit labels and images that carry no pattern, and how much longer does that take?",
    source="Zhang et al. (2017), section 2.2, figure 1a",
    specs=specs,
    draw=draw,
    verdict=verdict,
)
