"""Figure 1a: the loss on the training set falls to zero whatever the labels and the pixels are."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures.curves import loss_curves
from ..paper import FIGURE_1A_ORDER
from ..spec import Spec, make_spec
from .study import OVERFIT_LOSS, Scale, Study, Tables, mean_of, percent, setting

CONDITIONS = ("true-labels", "partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian-pixels")

LABEL_CONDITIONS = ("true-labels", "partial-labels", "random-labels")
"""Share the images; in the paper's order, fastest to fit first."""

FITS = 0.99
"""Train accuracy from which a verdict says that a network fits; the paper's lowest in table 1 is 99.34 %."""

# Epochs are enough for random labels to end; see "number of epochs" in ASSUMPTIONS.
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
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
        fits = fits_random_labels(model, runs)
        sentences += [*([fits] if fits else []), order_of_conditions(model, runs)]
    return sentences


def fits_random_labels(model: str, runs: pl.DataFrame) -> str | None:
    """The paper's central finding in one sentence, or None without a run on random labels."""
    random = runs.filter(pl.col("corruption") == "random-labels")
    if random.is_empty():
        return None
    train, test = random["train_accuracy"].to_list(), random["test_accuracy"].to_list()
    does = "fits" if sum(train) / len(train) >= FITS else "does not fit"
    return (
        f"{model} {does} random labels: {mean_of(train, percent)} train, {mean_of(test, percent)} test, "
        f"chance {100 / random['classes'][0]:.0f} %."
    )


def order_of_conditions(model: str, runs: pl.DataFrame) -> str:
    """Steps until each condition is overfitted, fastest first, against figure 1a's order."""
    means = runs.group_by("corruption").agg(
        pl.col("overfit_step").mean(), pl.col("overfit_step").is_null().any().alias("unfinished")
    )
    unfinished = sorted(means.filter("unfinished")["corruption"].to_list())
    ended = means.filter(~pl.col("unfinished")).sort("overfit_step", "corruption")
    if ended.is_empty():
        return f"{model}: no condition reached a training loss of {OVERFIT_LOSS:g} within the epochs given."
    steps = dict(ended.select("corruption", "overfit_step").iter_rows())
    listed = ", ".join(f"{name} {step:,.0f}" for name, step in steps.items())
    rest = f" (not yet: {', '.join(unfinished)})" if unfinished else ""
    return f"{model}, steps to a training loss of {OVERFIT_LOSS:g}: {listed}{rest}{_against_the_paper(steps)}."


def _against_the_paper(steps: Mapping[str, float]) -> str:
    """Whether the order agrees, as far as the conditions that have ended can tell; ties agree."""
    claims = []
    same_images = [steps[name] for name in LABEL_CONDITIONS if name in steps]
    if len(same_images) == len(LABEL_CONDITIONS):
        claims.append(
            "of those that share the images true labels are fastest and random labels slowest, as in the paper"
            if same_images == sorted(same_images)
            else "true labels are not the fastest or random labels not the slowest of those that share the images, "
            "unlike in the paper"
        )
    if set(FIGURE_1A_ORDER) <= steps.keys():
        in_order = [steps[name] for name in FIGURE_1A_ORDER]
        claims.append(
            "the order of figure 1a"
            if in_order == sorted(in_order)
            else f"figure 1a's order is {' < '.join(FIGURE_1A_ORDER)}"
        )
    return "".join(f"; {claim}" for claim in claims)


STUDY = Study(
    question="Can the network fit labels and images that carry no pattern, and how much longer does that take?",
    source="Zhang et al. (2017), section 2.2, figure 1a",
    specs=specs,
    draw=draw,
    verdict=verdict,
)
