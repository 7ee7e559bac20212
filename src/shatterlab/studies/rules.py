"""Premises and comparisons by which several studies judge their runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from ..measures.convergence import falling
from ..paper import targets_for, targets_of
from ..spec import PAPER_TRAINING_SIZE
from .outcome import Outcome, State, cannot_tell
from .sentences import count_of, display, percent
from .statistics import (
    Estimate,
    above,
    over_seeds,
    paired_difference,
    plus,
    share,
    unpaired_difference,
    variance_over_seeds,
    with_seed_spread,
)
from .study import Tables

FITS = 0.99
"""A network fits its training set from this train accuracy on; the paper's lowest in table 1 is 99.34 %."""

FEWEST = 100
"""Fewer training examples than this can be fitted by chance or by a linear model, and show nothing."""


def mean(values: pl.Series) -> float:
    """The mean over seeds."""
    return sum(values.to_list()) / len(values)


def chance(runs: pl.DataFrame) -> float:
    """The accuracy of guessing: the share of the test set's majority class, or 1 / K in runs that did not keep it."""
    known = runs["majority"].drop_nulls() if "majority" in runs.columns else pl.Series()
    return float(max(known)) if len(known) else 1 / int(runs["classes"][0])


def not_finite(lines: pl.DataFrame | Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Outcome | None:
    """The outcome `cannot tell` where a number that a rule needs is infinite or no number at all, or None.

    A comparison with such a number is false whatever it is held against, so that a rule would say anything.

    Args:
        lines: the table of runs, or the records of computations.
        columns: the names of the numbers, or of lists of numbers; what a line lacks, or has as None, is passed over.
    """
    for line in lines.iter_rows(named=True) if isinstance(lines, pl.DataFrame) else lines:
        for column in columns:
            value = line.get(column)
            if value is not None and not np.isfinite(np.asarray(value, dtype=float)).all():
                who = f" of {display(line['model'])}" if line.get("model") else ""
                seed = f" (seed {line['seed']})" if line.get("seed") is not None else ""
                return cannot_tell(f"The {column.replace('_', ' ')}{who} is not a finite number{seed}")
    return None


def diverged(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where the training of a run has diverged, or None."""
    return not_finite(runs, ("train_loss", "train_accuracy", "test_accuracy"))


def unfitted(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a run has diverged or not fitted its training set, or None where all have."""
    if broken := diverged(runs):
        return broken
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


LABELS_OFF = 4
"""The share of wrong labels lies within this many standard errors of what the amount of noise makes of them."""


def mislabelled(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a run with label noise has another share of wrong labels than asked for, or None.

    Of labels of which a share p is redrawn from K classes, p (1 - 1/K) are wrong on average; from the others, p.
    """
    for run in runs.iter_rows(named=True):
        expected = run["amount"] * (1 if run["label_noise"] == "symmetric" else 1 - 1 / run["classes"])
        if run["wrong_labels"] is None:
            return cannot_tell("How many of the labels are wrong is not known")
        error = (expected * (1 - expected) / run["n"]) ** 0.5
        if abs(run["wrong_labels"] - expected) > LABELS_OFF * error:
            return cannot_tell(
                f"{percent(run['wrong_labels'])} of the labels are wrong where {percent(expected)} were to be"
            )
    return None


def small(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a run has fewer than `FEWEST` training examples, or None."""
    fewest = min(runs["n"])
    return cannot_tell(f"{count_of(fewest, 'example')} can be fitted by chance", "scale") if fewest < FEWEST else None


FROM_CHANCE = 4
"""Labels without any information leave the test accuracy within this many standard errors of guessing."""


def random_labels_premise(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where runs on random labels do not show what fitting such labels takes, or None.

    They have to be at least `FEWEST`, as many wrong as random labels are, and tell the network nothing about the test
    set: its test accuracy is that of guessing, 1 / K, or, where it predicts one class, at most the majority's share.
    """
    if unready := small(runs) or diverged(runs) or mislabelled(runs):
        return unready
    majority = chance(runs)
    for run in runs.iter_rows(named=True):
        guessing = 1 / run["classes"]
        error = share(guessing, run["n_test"]).error
        if abs(run["test_accuracy"] - guessing) > max(majority - guessing, 0.0) + FROM_CHANCE * error:
            return cannot_tell(
                f"{display(run['model'])} has a test accuracy of {percent(run['test_accuracy'])}, away from the "
                f"{percent(guessing)} of labels without any information (seed {run['seed']})"
            )
    return None


def kept_from_fitting(tables: Tables, run: Mapping[str, Any], reached: str, column: str = "train_accuracy") -> Outcome:
    """Whether a regularizer has not kept a run from fitting random labels.

    Args:
        tables: the evidence, with the epochs of the run and with runs of its network and seed without a regularizer.
        run: a line of the table of runs, on random labels with a regularizer.
        reached: what it reached, in words, for the reason where nothing can be told.
        column: the accuracy that counts, `train_accuracy` or `online_accuracy`.

    Returns:
        Confirmed if the run fits its labels. Contradicted if it does not, its loss has stopped falling, and without the
        regularizer they are fitted.
    """
    if run[column] >= FITS:
        return Outcome("confirmed", "")
    bare = tables.runs.filter(
        (pl.col("corruption") == "random-labels")
        & (pl.col("model") == run["model"])
        & (pl.col("regularizers") == "none")
        & (pl.col("seed") == run["seed"])
    )
    if bare.is_empty():
        return cannot_tell(f"{reached}, and the network has not been trained without it", "finish")
    if min(bare["train_accuracy"]) < FITS:
        return cannot_tell(f"{reached}, and without it not {percent(FITS)} either", "scale")
    losses = tables.epochs.filter(pl.col("run_id") == run["run_id"])["online_loss"].to_list()
    if any(loss is None or not isfinite(loss) for loss in losses):
        return cannot_tell(f"{reached}, and its loss diverged")
    if falling(losses) is False:
        return Outcome("contradicted", "")
    return cannot_tell(f"{reached} within {run['epochs']:,} epochs, and the loss was still falling", "scale")


def few_seeds(runs: pl.DataFrame, needed: int = 2) -> Outcome | None:
    """The outcome `cannot tell` where there are fewer seeds than a rule needs, or None."""
    seeds = runs["seed"].n_unique()
    if seeds >= needed:
        return None
    return cannot_tell("one seed has no spread" if seeds == 1 else f"{seeds} seeds of at least {needed}", "seeds")


def difference(tables: Tables, first: pl.DataFrame, second: pl.DataFrame) -> Estimate | None:
    """The test accuracy of some runs less that of others, over the seeds that both have; None where there are none.

    The difference is paired by test example where each run has kept which examples it got right. Where the seeds have
    different test sets, the spread over seeds holds their sampling, but for what test examples in common do to all:
    the mean covariance of two seeds is added to the squared error.
    """
    pairs = first.join(second, on="seed", suffix="_second").sort("seed")
    if pairs.is_empty():
        return None
    n = int(min(pairs["n_test"]))
    ours_known, theirs_known = (_right(tables, pairs, column) for column in ("run_id", "run_id_second"))
    if ours_known and theirs_known:
        (places, ours), (others, theirs) = ours_known, theirs_known
        if all(map(np.array_equal, places, others)):
            if len(ours) == 1 or all(np.array_equal(place, places[0]) for place in places):
                return paired_difference(np.stack(ours), np.stack(theirs))
            gains = [a.astype(float) - b for a, b in zip(ours, theirs, strict=True)]
            alone = over_seeds([float(gain.mean()) for gain in gains], 1 / n)
            return alone._replace(error=(alone.error**2 + _common_variance(places, gains)) ** 0.5)
    return unpaired_difference(pairs["test_accuracy"].to_list(), pairs["test_accuracy_second"].to_list(), n)


def _common_variance(places: list[np.ndarray], gains: list[np.ndarray]) -> float:
    """The mean covariance of the mean gains of two seeds, which have some test examples in common; at least 0."""
    covariances = []
    for (place, gain), (other, its) in combinations(zip(places, gains, strict=True), 2):
        _, ours, theirs = np.intersect1d(place, other, return_indices=True)
        covariance = float(np.cov(gain[ours], its[theirs])[0, 1]) if len(ours) > 1 else 0.0
        covariances.append(len(ours) * covariance / (len(gain) * len(its)))
    return max(float(np.mean(covariances)), 0.0)


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
    variance = variance_over_seeds(values, 1 / n)
    total = variance + sampling.error**2
    spread = variance**2 / (s - 1) + sampling.error**4 / (n - 1)
    return Estimate(sampling.value, total**0.5, total**2 / spread if spread else s - 1, s)


LEAD = 1 / 3
"""A network generalizes if it covers more than this share of the way from chance to 100 % test accuracy: an assumption.
The lowest network of table 1 on true labels, MLP 1x512 with weight decay, covers 45 %."""


def lead(runs: pl.DataFrame) -> Estimate:
    """The test accuracy above chance, with the assumed spread of seeds where there is one seed."""
    found = with_seed_spread(accuracy(runs), models=1)
    return found._replace(value=found.value - chance(runs))


def generalizes(runs: pl.DataFrame) -> State:
    """Whether a network covers more than `LEAD` of the way from chance to 100 % test accuracy, beyond its error."""
    return above(lead(runs), LEAD * (1 - chance(runs)))


def share_kept(bare: pl.DataFrame, helped: pl.DataFrame) -> float | None:
    """The test accuracy of some runs above chance over that of others, or None where the others have none."""
    above_chance = lead(helped).value
    return lead(bare).value / above_chance if above_chance > 0 else None


def keeps(
    tables: Tables, bare: pl.DataFrame, helped: pl.DataFrame, share: float, name: str, *, both_fit: bool = True
) -> Outcome:
    """Whether a network without something keeps more than a share of its test accuracy above chance with it.

    Args:
        tables: the evidence, for a comparison by test example.
        bare: the runs without it.
        helped: the runs with it.
        share: the share to be kept, in (0, 1).
        name: the name of what the latter have.
        both_fit: whether the latter have to fit their training set as well.

    Returns:
        Confirmed if the share is kept beyond the error of the runs and the network generalizes without it.
        Contradicted if less than the share is kept beyond the error. It cannot be told where a run is not fitted, or
        where the network does not generalize either way, or was trained on fewer than `FEWEST` examples.
    """
    found = difference(tables, bare, helped)
    network = display(helped["model"][0])
    if found is None:
        return cannot_tell(f"{network} has no seed both with {name} and without it", "finish")
    both = pl.concat([bare, helped], how="diagonal_relaxed")
    if broken := diverged(both):
        return broken
    part = share_kept(bare, helped)
    numbers = (
        f"{network} with {name} {percent(mean(helped['test_accuracy']))}, without it "
        f"{percent(mean(bare['test_accuracy']))}, chance {percent(chance(bare))}"
        f"{f', {percent(part)} kept' if part is not None and 0 <= part <= 1 else ''} (n = {bare['n'][0]:,}, "
        f"{count_of(found.seeds, 'seed')})"
    )
    if unready := small(both) or unfitted(both if both_fit else bare):
        return replace(unready, numbers=numbers)
    alone = generalizes(bare)
    if alone != "confirmed" and generalizes(helped) != "confirmed":
        return cannot_tell(
            f"{network} does not clearly generalize, with a test accuracy of {percent(mean(bare['test_accuracy']))}, "
            f"chance {percent(chance(bare))}",
            "scale",
            numbers,
        )
    # bare - share x helped = (bare - helped) + (1 - share) x helped, all above chance.
    kept = above(plus(with_seed_spread(found), lead(helped), 1 - share), 0)
    if kept == "confirmed" and alone != "confirmed":
        kept = "not shown"
    return Outcome(kept, numbers)


def common_share(tables: Tables, runs: pl.DataFrame) -> float:
    """The share of its test examples that a run has in common with another one, on average; 1 where it is not known."""
    kept = _right(tables, runs, "run_id")
    if kept is None or len(runs) < 2:
        return 1.0
    pairs = combinations(kept[0], 2)
    return float(np.mean([len(np.intersect1d(a, b)) / min(len(a), len(b)) for a, b in pairs]))


def compared(runs: pl.DataFrame) -> str:
    """Whether the means of some runs of one setting agree with the paper, or why they are not held against it."""
    line = runs.row(0, named=True)
    targets = targets_of(line)
    if not targets:
        if line["data"] != "cifar10":
            return "no: other data"
        return "no: other dials" if line["n"] == PAPER_TRAINING_SIZE else "no: other n"
    if not all(targets_for(run) for run in runs.iter_rows(named=True)):
        return f"no: neither fitted nor trained for {targets[0].epochs} epochs"
    wrong = [
        f"{target.quantity.removesuffix('_accuracy')} off by {100 * (measured - target.value):+.2f}"
        for target in targets
        if abs((measured := mean(runs[target.quantity])) - target.value) > target.tolerance
    ]
    return ", ".join(wrong) if wrong else "agrees"
