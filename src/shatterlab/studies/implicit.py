"""Figure 2b: what early stopping and batch normalization, the implicit regularizers, add to Inception."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import polars as pl

from ..figures.curves import best_so_far
from ..jobs import Training
from ..paper import FIGURE_2B_BN_GAIN
from ..spec import make_spec
from .rules import FITS, SIGNIFICANCE, generalizes
from .sentences import gain, mean_of, percent, points, setting, unlike
from .study import Cells, Claim, Outcome, Scale, Study, Tables

MODELS = ("inception", "inception-no-bn")

# The validation split chooses the epoch without a look at the test set. At the paper's size it comes out of the 50,000
# training images, so that the paper's own runs are made without a split, too.
SETTINGS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"n": 200, "n_test": 250, "n_validation": 100, "epochs": 24, "batch_size": 16, "evaluate_every": 3}],
    "cpu": [
        {"n": 2_000, "n_test": 2_000, "n_validation": 1_000, "epochs": 45, "batch_size": 64, "decay_every": 10_000,
         "evaluate_every": 2},
    ],
    "paper": [{"epochs": 100, "evaluate_every": 1}, {"epochs": 100, "evaluate_every": 1, "n_validation": 5_000}],
}  # fmt: skip

SCALED_RATES = {"inception-no-bn": {"learning_rate": 0.004}}
"""These dials are for sets far smaller than the paper's, where a rate of 0.1 kills this network (NOTEBOOK.md)."""

DIGITS = {"n": 500, "n_test": None, "n_validation": 200}


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """Inception with and without batch normalization, no explicit regularizer."""
    specs = (
        make_spec(
            **dials
            | (DIGITS if data == "digits" else {})
            | ({} if scale == "paper" else SCALED_RATES.get(model, {}))
            | {"model": model, "data": data, "seed": seed}
        )
        for dials in SETTINGS[scale]
        for model in MODELS
        for seed in range(seeds)
    )
    return [Training(spec) for spec in dict.fromkeys(specs)]  # cut to the digits, two settings are one


def groups(runs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs of each model and size, those with a validation split apart."""
    return list(
        runs.sort("n", "model", "seed", descending=[True, False, False])
        .partition_by("model", "n", "n_validation", maintain_order=True)
    )  # fmt: skip


def table(tables: Tables) -> list[Cells]:
    """Test accuracy in the last epoch, where the validation split stops, and at its best."""
    return [
        {
            "model": runs["model"][0],
            "n": runs["n"][0],
            "validation": runs["n_validation"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            "stopped by validation": points(runs["validation_test_accuracy"]) if runs["n_validation"][0] else "—",
            "best on test set": points(runs["best_test_accuracy"]),
        }
        for runs in groups(tables.runs)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Figure 2b: test accuracy against steps, the best so far shaded."""
    models = tables.runs["model"].unique(maintain_order=True).to_list()
    named = "Inception, with and without batch normalization" if {*models} <= {*MODELS} else " and ".join(models)
    return {
        f"test-accuracy-{n}": best_so_far(
            tables.epochs.filter(pl.col("n") == n),
            title=f"Test accuracy of {named}",
            subtitle=f"{setting(tables.runs.filter(pl.col('n') == n))}; shaded: up to the best so far",
        )
        for n in tables.runs["n"].unique(maintain_order=True)
    }


def verdict(tables: Tables) -> list[str]:
    """What early stopping gains each model, honestly and on the test set, and what batch normalization adds."""
    of_size = groups(tables.runs)
    sentences = [_stopping(runs) for runs in of_size]
    for runs in of_size:
        bare = [other for other in of_size if other["n"][0] == runs["n"][0] and other["model"][0] == "inception-no-bn"]
        if runs["model"][0] == "inception" and bare:
            low, high = (100 * gain for gain in FIGURE_2B_BN_GAIN)
            last, best = (gain(runs, bare[0], column) for column in ("test_accuracy", "best_test_accuracy"))
            sentences.append(
                f"Batch normalization adds {last} points of test accuracy in the last epoch and {best} at the one "
                f"that is best on the test set, n = {runs['n'][0]:,}{unlike(runs, bare[0])} "
                f"(paper, 50,000 of CIFAR-10: {low:g} to {high:g})."
            )
    return sentences


def gained_by_stopping(runs: pl.DataFrame, where: str) -> list[float]:
    """By how many percentage points of test accuracy the epoch in the column `where` beats the last, for each run."""
    return (100 * (runs[where] - runs["test_accuracy"])).to_list()


def _stopping(runs: pl.DataFrame) -> str:
    on_test = mean_of(gained_by_stopping(runs, "best_test_accuracy"), "{:+.2f}".format)
    sentence = f"{runs['model'][0]}, n = {runs['n'][0]:,}: early stopping gains {on_test} points over the last epoch "
    if not runs["n_validation"][0]:
        return f"{sentence}when the test set itself chooses the epoch, as in the paper (which finds no gain)."
    honest = mean_of(gained_by_stopping(runs, "validation_test_accuracy"), "{:+.2f}".format)
    return (
        f"{runs['model'][0]}, n = {runs['n'][0]:,}: early stopping gains {honest} points over the last epoch when "
        f"{runs['n_validation'][0]:,} validation examples choose the epoch, {on_test} when the test set itself does, "
        "as in the paper (which finds no gain)."
    )


TELLING = 3.0
"""If two standard errors of a test set exceed this many percentage points, nobody can tell whether early stopping gains
the few points that it might."""


def _no_gain(tables: Tables) -> Outcome | None:
    """Judges the runs with a validation split; the others choose on the test set, which flatters early stopping."""
    split = tables.runs.filter(pl.col("n_validation") > 0)
    if split.is_empty():
        return None
    gained = fmean(gained_by_stopping(split, "validation_test_accuracy"))
    error = 100 * 2 * (0.5 / min(split["n_test"])) ** 0.5
    if error > TELLING:
        return None
    return Outcome(
        gained <= error,
        f"{gained:+.2f} points over {len(split)} runs, two standard errors of a test set: {error:.2f}",
    )


def _without_normalization(tables: Tables) -> Outcome | None:
    bare = tables.runs.filter(pl.col("model") == "inception-no-bn")
    if bare.is_empty():
        return None
    parts = [
        f"{percent(r['train_accuracy'])} train, {percent(r['test_accuracy'])} test at n = {r['n']:,}"
        for r in bare.iter_rows(named=True)
    ]
    fine = all(generalizes(runs) and min(runs["train_accuracy"]) >= FITS for runs in groups(bare))
    return Outcome(fine, f"{'; '.join(parts)}; chance {percent(1 / bare['classes'][0])}")


STUDY = Study(
    question="Do early stopping and batch normalization, the implicit regularizers, explain generalization?",
    source="Zhang et al. (2017), section 3, figure 2b",
    chapter="Regularization",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Early stopping, an implicit regularizer, gains nothing on CIFAR-10 (figure 2b).",
            "stopping where a validation split says so gains on average no more than two standard errors of the test "
            "set over the last epoch",
            _no_gain,
        ),
        Claim(
            "Inception generalizes without batch normalization.",
            f"without it every run fits its training set to at least {percent(FITS)}, and the mean test accuracy lies "
            f"{SIGNIFICANCE} standard errors of a test set above chance",
            _without_normalization,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "learning rate",
        "batch normalization",
        "validation split",
        "number of epochs",
    ),
)
