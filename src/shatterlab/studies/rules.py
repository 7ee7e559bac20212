"""Rules by which several studies judge their runs."""

import polars as pl

from ..paper import targets_for
from ..spec import PAPER_TRAINING_SIZE

FITS = 0.99
"""A verdict says that a network fits from this train accuracy on; the paper's lowest in table 1 is 99.34 %."""

SIGNIFICANCE = 5
"""A network generalizes when its test accuracy lies this many standard errors of the test set above chance."""


def mean(values: pl.Series) -> float:
    """The mean over seeds."""
    return sum(values.to_list()) / len(values)


def generalizes(runs: pl.DataFrame) -> bool:
    """Whether the mean test accuracy lies `SIGNIFICANCE` standard errors of one test set above chance."""
    chance, n_test = 1 / runs["classes"][0], runs["n_test"][0]
    return mean(runs["test_accuracy"]) > chance + SIGNIFICANCE * (chance * (1 - chance) / n_test) ** 0.5


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
