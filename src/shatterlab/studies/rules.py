"""Premises and comparisons by which several studies judge their runs."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..paper import targets_for
from ..spec import PAPER_TRAINING_SIZE
from .outcome import Outcome, cannot_tell
from .sentences import display, percent
from .statistics import Estimate, paired_difference, share, unpaired_difference
from .study import Tables

FITS = 0.99
"""A network fits its training set from this train accuracy on; the paper's lowest in table 1 is 99.34 %."""

FEWEST = 100
"""Fewer training examples than this can be fitted by chance or by a linear model, and show nothing."""


def mean(values: pl.Series) -> float:
    """The mean over seeds."""
    return sum(values.to_list()) / len(values)


SIGNIFICANCE = 5  # goes with its last user


def generalizes(runs: pl.DataFrame) -> bool:  # goes with its last user
    guess, n_test = 1 / runs["classes"][0], runs["n_test"][0]
    return mean(runs["test_accuracy"]) > guess + SIGNIFICANCE * (guess * (1 - guess) / n_test) ** 0.5


def chance(runs: pl.DataFrame) -> float:
    """The accuracy of guessing: the share of the test set's majority class, or 1 / K in runs that did not keep it."""
    known = runs["majority"].drop_nulls() if "majority" in runs.columns else pl.Series()
    return float(max(known)) if len(known) else 1 / int(runs["classes"][0])


def unfitted(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a run has not fitted its training set, or None where all have."""
    short = runs.filter(pl.col("train_accuracy").fill_null(0.0) < FITS)
    if short.is_empty():
        return None
    worst = short.sort("train_accuracy").row(0, named=True)
    under = "" if worst["corruption"] == "true-labels" else f" on {worst['corruption'].replace('-', ' ')}"
    return cannot_tell(
        f"{display(worst['model'])} reached {percent(worst['train_accuracy'] or 0.0)} train accuracy{under} within "
        f"{worst['epochs']:,} epochs (seed {worst['seed']})",
        "scale",
    )


def few_seeds(runs: pl.DataFrame, needed: int = 2) -> Outcome | None:
    """The outcome `cannot tell` where there are fewer seeds than a rule needs, or None."""
    seeds = runs["seed"].n_unique()
    if seeds >= needed:
        return None
    return cannot_tell("one seed has no spread" if seeds == 1 else f"{seeds} seeds of at least {needed}", "seeds")


def difference(tables: Tables, first: pl.DataFrame, second: pl.DataFrame) -> Estimate | None:
    """The test accuracy of some runs less that of others, over the seeds that both have; None where there are none.

    The difference is paired by test example where each run has kept which examples it got right. Where the seeds have
    different test sets, the spread over seeds holds that of the test sets, too.
    """
    pairs = first.join(second, on="seed", suffix="_second").sort("seed")
    if pairs.is_empty():
        return None
    n = int(min(pairs["n_test"]))
    known = [_right(tables, pairs, column) for column in ("run_id", "run_id_second")]
    if known[0] and known[1]:
        (places, ours), (others, theirs) = known
        if all(map(np.array_equal, places, others)):
            if len(ours) == 1 or all(np.array_equal(place, places[0]) for place in places):
                return paired_difference(np.stack(ours), np.stack(theirs))
            differences = [float(a.mean() - b.mean()) for a, b in zip(ours, theirs, strict=True)]
            s = len(differences)
            return Estimate(float(np.mean(differences)), float(np.std(differences, ddof=1)) / s**0.5, s - 1, s)
    return unpaired_difference(pairs["test_accuracy"].to_list(), pairs["test_accuracy_second"].to_list(), n)


def _right(tables: Tables, runs: pl.DataFrame, column: str) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """The places of the test examples of each run in the data, and whether each was right; None where unknown."""
    if column not in runs.columns:
        return None
    kept = [tables.examples(id) for id in runs[column]]
    tests = [sets["test"] for sets in kept if sets]
    return ([test.index for test in tests], [test.right for test in tests]) if len(tests) == len(kept) else None


def accuracy(runs: pl.DataFrame, column: str = "test_accuracy") -> Estimate:
    """The mean accuracy over seeds with the error of one test set, which the seeds may share, and of the seeds."""
    values: Sequence[float] = runs[column].to_list()
    n, s = int(min(runs["n_test"])), len(values)
    sampling = share(sum(values) / s, n)
    if s == 1:
        return sampling._replace(degrees=n - 1)
    variance = float(np.var(values, ddof=1)) / s
    total = variance + sampling.error**2
    spread = variance**2 / (s - 1) + sampling.error**4 / (n - 1)
    return Estimate(sampling.value, total**0.5, total**2 / spread if spread else s - 1, s)


def compared(runs: pl.DataFrame) -> str:
    """Whether the means of some runs of one setting agree with the paper, or why they are not held against it."""
    line = runs.row(0, named=True)
    targets = targets_for(line)
    if not targets:
        if line["data"] != "cifar10":
            return "no: other data"
        return "no: other dials" if line["n"] == PAPER_TRAINING_SIZE else "no: other n"
    wrong = [
        f"{target.quantity.removesuffix('_accuracy')} off by {100 * (measured - target.value):+.2f}"
        for target in targets
        if target.value <= 1 and abs((measured := mean(runs[target.quantity])) - target.value) > target.tolerance
    ]
    return ", ".join(wrong) if wrong else "agrees"
