"""Means with errors: differences of accuracies on a shared test set, over seeds, and the tests that rules apply."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .outcome import State

LEVEL = 0.95
"""Claims of a gain or a loss need the whole of the two-sided interval of this level on one side."""

EQUIVALENCE_LEVEL = 0.90
"""Claims of no gain need the upper end of the two-sided interval of this level below a stated margin."""

SEED_SPREAD = 0.01
"""The standard deviation of a test accuracy over seeds that a single seed is assumed to have (see `ASSUMPTIONS`)."""


class Estimate(NamedTuple):
    """An estimated number with its standard error."""

    value: float
    error: float
    """The standard error; infinite where it is not known."""
    degrees: float = np.inf
    """Degrees of freedom of the t distribution; infinite for a normal one."""
    seeds: int = 1
    measured: float | None = None
    """The standard error without what is assumed about the spread over seeds, where something is."""

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided confidence interval of a level in (0, 1), by the t quantile."""
        reach = _quantile((1 + level) / 2, self.degrees) * self.error if self.error else 0.0
        return self.value - reach, self.value + reach


@cache
def _quantile(probability: float, degrees: float) -> float:
    """The quantile of the t distribution; kept, as rules about curves ask for the same one a thousand times."""
    from scipy.stats import t

    return float(t.ppf(probability, degrees))


def over_seeds(values: Sequence[float], resolution: float = 0.0) -> Estimate:
    """The mean over seeds, with SD / sqrt(s) as its error and s - 1 degrees of freedom; one seed has no known error.

    Args:
        values: one for each seed.
        resolution: the standard deviation is taken to be at least this, as values that happen to be equal are not
            known without error. For a share of n examples it is 1 / n.
    """
    s = len(values)
    if s < 2:
        return Estimate(float(values[0]), np.inf, seeds=1)
    return Estimate(float(np.mean(values)), variance_over_seeds(values, resolution) ** 0.5, s - 1, s)


def variance_over_seeds(values: Sequence[float] | NDArray[np.float64], resolution: float) -> float:
    """The variance of the mean over at least two seeds, the standard deviation being at least the resolution."""
    return max(float(np.var(values, ddof=1)), resolution**2) / len(values)


def share(value: float, n: int) -> Estimate:
    """A share of n independent examples, with the binomial standard error sqrt(p (1 - p) / n).

    Where the share is 0 or 1 the error would be 0; it is taken at (x + 1) / (n + 2) instead.
    """
    p = (value * n + 1) / (n + 2) if value in (0, 1) else value
    return Estimate(value, (p * (1 - p) / n) ** 0.5)


def clopper_pearson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact two-sided interval of a share of which `successes` of n independent trials were observed.

    Args:
        successes: from 0 to n.
        n: the number of trials, at least 1.
        level: the level of the interval, in (0, 1).

    Source: Clopper and Pearson (1934).

    >>> [round(end, 3) for end in clopper_pearson(6, 6)]
    [0.541, 1.0]
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = float(beta.ppf(tail, successes, n - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def paired_difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Estimate:
    """The accuracy of the first models less that of the second, on one test set that all of them share.

    Args:
        first, second: bool (s, n), whether the model of each seed predicts each test example correctly; the seeds of
            both stand in the same order.

    Returns:
        The mean difference, in shares. With one seed its error is sqrt(b + c - (b - c)² / n) / n, where b and c count
        the examples that only the first, only the second model gets right; the spread over seeds is not in it. With
        several seeds the squared error is the variance of the seeds' differences over s plus that of the examples'
        differences over n, which is the variance of a bootstrap that resamples seeds and examples together, without
        its bias by (s - 1) / s; the degrees of freedom are Satterthwaite's. Neither part is taken to be less than one
        discordant example makes it.
    """
    difference = first.astype(np.int8) - second.astype(np.int8)
    s, n = difference.shape
    value = float(difference.mean())
    if s == 1:
        b, c = int((difference > 0).sum()), int((difference < 0).sum())
        # Where no prediction differs, the error is that of one discordant example.
        return Estimate(value, max(b + c - (b - c) ** 2 / n, 1.0) ** 0.5 / n, n - 1)
    of_seeds = variance_over_seeds(difference.mean(axis=1), 1 / n)
    of_examples = max(float(difference.mean(axis=0).var(ddof=1)) / n, 1 / n**2)
    return _combined(value, of_seeds, s, of_examples, n)


def unpaired_difference(first: Sequence[float], second: Sequence[float], n: int, *, overlap: float = 1.0) -> Estimate:
    """The same from accuracies alone, where it is not known which examples were right: with larger errors.

    Args:
        first, second: shares in [0, 1] for each seed, in the same order.
        n: the number of test examples behind each.
        overlap: the share of test examples that two seeds have in common, in [0, 1]. The spread over seeds holds the
            sampling of all but these: with sampling variance v and overlap o it is v (1 - o) or more, and the mean
            over seeds lacks o v. That is at most o / (1 - o) of the variance over seeds.
    """
    differences = np.subtract(first, second)
    s = len(differences)
    of_examples = sum(share(float(np.mean(values)), n).error ** 2 for values in (first, second))
    if s == 1:
        return Estimate(float(differences[0]), of_examples**0.5)
    of_seeds = variance_over_seeds(differences, 1 / n)
    if overlap < 1 and (bound := overlap / (1 - overlap) * s * of_seeds) < overlap * of_examples:
        return Estimate(float(differences.mean()), (of_seeds + bound) ** 0.5, s - 1, s)
    return _combined(float(differences.mean()), of_seeds, s, overlap * of_examples, n)


def over_seeds_and_examples(values: Sequence[float], variances: Sequence[float], n: int) -> Estimate:
    """The mean over seeds of numbers that were each measured on n test examples.

    Args:
        values: one for each seed.
        variances: the squared standard error of each over its test examples. As the seeds may share these, their mean
            is added to the variance over seeds; where they do not, the error comes out too large.
        n: the number of test examples of a seed.
    """
    of_examples = float(np.mean(variances))
    s = len(values)
    if s == 1:
        return Estimate(float(values[0]), of_examples**0.5, n - 1)
    return _combined(float(np.mean(values)), variance_over_seeds(values, 1 / n), s, of_examples, n)


def _combined(value: float, of_seeds: float, s: int, of_examples: float, n: int) -> Estimate:
    total = of_seeds + of_examples
    spread = of_seeds**2 / (s - 1) + of_examples**2 / (n - 1)
    return Estimate(value, total**0.5, total**2 / spread if spread else float(s - 1), s)


def with_seed_spread(estimate: Estimate, models: int = 2, spread: float = SEED_SPREAD) -> Estimate:
    """Adds to an estimate from one seed the spread over seeds that each of its models is assumed to have.

    Args:
        estimate: an accuracy, or a difference of accuracies.
        models: how many models it is made of: two for a difference.
        spread: the standard deviation over seeds of one model.
    """
    if estimate.seeds > 1:
        return estimate
    return estimate._replace(error=(estimate.error**2 + models * spread**2) ** 0.5, measured=estimate.error)


def plus(first: Estimate, second: Estimate, factor: float) -> Estimate:
    """The first estimate plus a multiple of the second.

    Their standard errors are added up, as both may come from the same runs and test examples; this is never too small.
    """
    return Estimate(
        first.value + factor * second.value,
        first.error + abs(factor) * second.error,
        min(first.degrees, second.degrees),
        min(first.seeds, second.seeds),
    )


def above(estimate: Estimate, threshold: float, level: float = LEVEL) -> State:
    """Whether a number lies above a threshold, beyond its error: with its whole two-sided interval of this level."""
    low, high = estimate.interval(level)
    return "confirmed" if low > threshold else "contradicted" if high < threshold else "not shown"


def below(estimate: Estimate, threshold: float, level: float = LEVEL) -> State:
    """Whether a number lies below a threshold, beyond its error; see `above`."""
    return above(estimate._replace(value=-estimate.value), -threshold, level)


def corrected(comparisons: int) -> float:
    """The level at which the best of several comparisons is judged as strictly as a single one (Bonferroni).

    >>> corrected(1) == LEVEL
    True
    """
    return 1 - (1 - LEVEL) / comparisons


def no_gain(estimate: Estimate, margin: float) -> State:
    """An equivalence test: whether a gain is smaller than a margin, both in the same unit.

    It is contradicted where the whole interval lies above the margin.
    """
    if estimate.interval(EQUIVALENCE_LEVEL)[1] < margin:
        return "confirmed"
    return "contradicted" if estimate.interval()[0] > margin else "not shown"
