"""How many random labels a learner fits: its capacity, also called effective model complexity.

One draw is an order of the examples and a random label for each, uniform over the classes. Its separation point is
the largest n for which the learner, trained on the first n, errs on at most a given share of them; it is found by
doubling n until the learner fails and then by bisection. Capacity is the mean separation point over draws.

A number of examples counts only if it has two classes at least: one class is fitted by a constant, whose capacity is 0.
Errors need not grow with n; where they do not, bisection finds one of the places where the learner begins to fail, and
the curve of errors on a grid of n shows it. A learner that takes steps should take equally many at each n: with a fixed
number of epochs small n fail for want of steps.

Sources: Nakkiran et al., Deep double descent (2020), definition 1; Cover, Geometrical and statistical properties of
systems of linear inequalities (1965).
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import fraction, number, whole
from .fitting import Fit, Outcome, do, generator, length, seed_of


@dataclass(frozen=True)
class Probe:
    """A fit to the first n examples of a draw, with their random labels.

    Args:
        n: number of examples, at least 2.
        draw: "search 0", "search 1", ... for the draws that are searched, "fresh 0", ... for those that confirm.
        total: number of examples in the pool.
        k: number of classes.
        seed: seed of all draws.
    """

    n: int
    draw: str
    total: int
    k: int
    seed: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places of the examples in the pool, (n,)."""
        return self._random("order").permutation(self.total)[: self.n]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Random class indices, (n,)."""
        return self._random("labels").integers(self.k, size=self.total)[: self.n]

    @property
    def fit_seed(self) -> int:
        """The seed that the fit is given, the same for all n of a draw."""
        kind, index = self.draw.split()
        return seed_of(self.seed, f"weights of capacity, {kind}", int(index))

    def _random(self, name: str) -> np.random.Generator:
        kind, index = self.draw.split()
        return generator(self.seed, f"{name} of capacity, {kind}", int(index))


@dataclass(frozen=True)
class Point:
    """The training error on random labels at one n.

    Args:
        n: number of examples.
        error: mean share of random labels that are not fitted, from 0 to 1.
        spread: standard error of that mean over the draws; nan for one draw.
        draws: number of draws.
        unfinished: number of fits that ended while they would still have improved.
    """

    n: int
    error: float
    spread: float
    draws: int
    unfinished: int


@dataclass(frozen=True)
class Capacity:
    """The largest n of which the random labels are fitted up to a share of errors.

    Args:
        tolerance: the share of training errors that still counts as fitted; 0 for exact.
        value: mean separation point over the draws: for each the middle of what its bracket leaves open.
        error: standard error of that mean over the draws; nan for one draw.
        fitted: of each draw the largest n found to be fitted; 0 if none.
        failed: of each draw the smallest n found not to be fitted; None if all examples tried were fitted.
        unfinished: number of draws whose smallest failed n is a fit that would still have improved: it did not finish,
            which is not to say that it cannot fit, so that `value` is too low.
        n: number of examples tried at most.
        k: number of classes.
        bracket: the smallest number fitted by any draw and the largest that failed; its upper end is n if none failed.
        fresh: number of fresh draws at either end of the bracket.
        fresh_fitted: how many of them were fitted at the lower and how many at the upper end.
    """

    tolerance: float
    value: float
    error: float
    fitted: tuple[int, ...]
    failed: tuple[int | None, ...]
    unfinished: int
    n: int
    k: int
    bracket: tuple[int, int]
    fresh: int = 0
    fresh_fitted: tuple[int, int] = (0, 0)

    @property
    def draws(self) -> int:
        """Number of draws of order and labels."""
        return len(self.fitted)

    @property
    def all_fitted(self) -> int:
        """Number of draws of which all n labels were fitted, so that the separation point lies beyond n."""
        return sum(high is None and low > 0 for low, high in zip(self.fitted, self.failed, strict=True))

    @property
    def at_least(self) -> bool:
        """Whether some draws ran out of examples or of steps, so that `value` is a lower bound."""
        return bool(self.all_fitted or self.unfinished)

    def __str__(self) -> str:
        kind = "exactly" if self.tolerance == 0 else f"up to {100 * self.tolerance:g} % errors"
        spread = "one draw" if self.draws == 1 else f"± {self.error:.1f} standard error over {self.draws} draws"
        if not any(self.fitted):
            return f"Fits no random labels of two classes {kind} ({self.draws} draws, n up to {self.n:,})."
        if self.all_fitted == self.draws:
            return f"Fits all {self.n:,} random labels that were tried {kind} ({self.draws} draws, {self.k} classes)."
        reasons = []
        if self.all_fitted:
            reasons.append(f"{self.all_fitted} draws were fitted whole")
        if self.unfinished:
            reasons.append(f"{self.unfinished} searches ended at a fit that was still improving")
        return (
            f"Fits {'at least ' if self.at_least else ''}{self.value:.1f} random labels {kind} ({spread}, "
            f"{self.k} classes, n up to {self.n:,}{''.join(f'; {reason}' for reason in reasons)})."
        )


@dataclass(frozen=True)
class Capacities:
    """What was found of a learner's capacity.

    Args:
        exact: for no training error.
        near: for a tenth of training errors, or what else was asked for.
        curve: training errors on random labels, for n from few to all.
        fits: number of fits that were needed.
    """

    exact: Capacity
    near: Capacity
    curve: tuple[Point, ...]
    fits: int

    def __str__(self) -> str:
        return f"{self.exact} {self.near}"


Search = Generator[list[Probe], Sequence[Outcome], Capacities]


def grid(total: int, *, ratio: float = 2.0) -> list[int]:
    """Numbers of examples from 2 to all, each about `ratio` times the one before.

    Raises:
        ValueError: there are fewer than 2 examples, or the ratio is not above 1.

    >>> grid(20)
    [2, 4, 8, 16, 20]
    """
    total, ratio = whole("total", total, least=2), number("ratio", ratio, least=1, above=True)
    numbers = [2]
    while numbers[-1] < total:
        numbers.append(min(total, max(numbers[-1] + 1, round(numbers[-1] * ratio))))
    return numbers


def requests(
    total: int,
    *,
    k: int = 2,
    draws: int = 10,
    tolerance: float = 0.1,
    resolution: float = 0.05,
    curve_draws: int = 3,
    fresh: int = 3,
    seed: int = 0,
) -> Search:
    """Yields lists of fits, any of which may run side by side, is sent their outcomes, and returns what they say.

        search = requests(1_000)
        probes = next(search)
        probes = search.send([do(probe, fit, X) for probe in probes])  # until StopIteration, whose value is the result

    A fit that was not finished and did not fit counts as failed in the search, and is counted apart in the result.
    No probe is asked for twice; more draws keep those there are.

    Args:
        total: number of examples in the pool, at least 2; no more random labels are tried.
        k: number of classes, at least 2, for example 2 to compare with Cover's 2 (d + 1).
        draws: number of orders and labellings that are searched, at least 1.
        tolerance: share of training errors, in (0, 1), of the second capacity; the first is exact.
        resolution: bisection stops where the smallest failed n exceeds the largest fitted one by no more than this
            share; 0 goes on until they are neighbours.
        curve_draws: number of the draws that are fitted at every n of the curve, all if there are fewer; 0 for no
            curve.
        fresh: number of fresh draws with which both ends of either bracket are tried again.
        seed: seed of all draws and of the learner.

    Raises:
        ValueError: a number is out of its range.
    """
    total, k, draws = whole("total", total, least=2), whole("k", k, least=2), whole("draws", draws)
    curve_draws, fresh = whole("curve_draws", curve_draws, least=0), whole("fresh", fresh, least=0)
    seed, resolution = whole("seed", seed, least=0), number("resolution", resolution)
    tolerance = fraction("tolerance", tolerance)
    known: dict[Probe, Outcome] = {}

    def probe(n: int, draw: str) -> Probe:
        return Probe(n, draw, total, k, seed)

    def ask(probes: list[Probe]) -> Generator[list[Probe], Sequence[Outcome], list[Outcome]]:
        new = [one for one in dict.fromkeys(probes) if one not in known]
        if new:
            known.update(zip(new, (yield new), strict=True))
        return [known[one] for one in probes]

    steps = grid(total)
    names = [f"search {index}" for index in range(draws)]
    found: list[Capacity] = []
    starts = [0] * draws
    for share in (0.0, tolerance):
        searches = [
            _Bisection(_first_mixed(probe(total, name).labels), steps, share, resolution, start)
            for name, start in zip(names, starts, strict=True)
        ]
        while open_ones := [(search, name) for search, name in zip(searches, names, strict=True) if search.next]:
            outcomes = yield from ask([probe(search.next, name) for search, name in open_ones])
            for (search, _), outcome in zip(open_ones, outcomes, strict=True):
                search.learn(outcome)
        # What is fitted exactly is fitted with errors allowed, so that the second search begins there.
        starts = [search.fitted for search in searches]
        found.append(_summary(searches, share, total, k))
    for place, one in enumerate(found):
        passed = []
        for n in one.bracket:
            outcomes = yield from ask([probe(n, f"fresh {index}") for index in range(fresh) if n])
            passed.append(sum(outcome.error <= one.tolerance for outcome in outcomes) if n else fresh)
        found[place] = replace(one, fresh=fresh, fresh_fitted=(passed[0], passed[1]))
    points = []
    for n in steps if curve_draws else []:
        points.append(_point(n, (yield from ask([probe(n, name) for name in names[:curve_draws]]))))
    return Capacities(found[0], found[1], tuple(points), len(known))


def measure(fit: Fit, X: Any, **options: Any) -> Capacities:
    """Finds how many random labels the learner fits; the labels of the data are not needed.

    Args:
        fit: the learner.
        X: (n, ...) inputs: an array, a sparse matrix, a frame or a list.
        options: the keyword arguments of `requests`.

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from shatterlab.measures.fitting import from_sklearn
    >>> print(measure(from_sklearn(KNeighborsClassifier(1)), np.arange(40.0)[:, None]).exact)
    Fits all 40 random labels that were tried exactly (10 draws, 2 classes).
    """
    search = requests(length(X), **options)
    outcomes: Any = None  # what a generator has to be sent first
    while True:
        try:
            probes = search.send(outcomes)
        except StopIteration as end:
            return end.value
        outcomes = [do(probe, fit, X) for probe in probes]


class _Bisection:
    """The search for one separation point: `next` is the n to be tried, 0 at the end."""

    def __init__(self, first: int, steps: list[int], tolerance: float, resolution: float, fitted: int) -> None:
        self.first, self.steps, self.tolerance, self.resolution = first, steps, tolerance, resolution
        self.fitted = fitted
        self.failed: int | None = None
        self.finished = True
        self.next = self._choose()

    def learn(self, outcome: Outcome) -> None:
        if outcome.error <= self.tolerance:
            self.fitted = self.next
        else:
            self.failed, self.finished = self.next, outcome.finished
        self.next = self._choose()

    def _choose(self) -> int:
        # Below the first n with two classes nothing counts.
        low = max(self.fitted, self.first - 1)
        if self.failed is None:
            return next((n for n in self.steps if n > low), 0)
        return 0 if self.failed - low <= max(1, self.resolution * low) else (low + self.failed) // 2


def _first_mixed(labels: NDArray[np.int64]) -> int:
    """The least n of which the first n labels are of two classes; one more than there are if there is none."""
    return int(np.flatnonzero(np.append(labels, -1) != labels[0])[0]) + 1


def _summary(searches: list[_Bisection], tolerance: float, total: int, k: int) -> Capacity:
    fitted, failed = tuple(search.fitted for search in searches), tuple(search.failed for search in searches)
    # Nothing fitted is 0; all fitted is the number tried; else what is open lies between `fitted` and `failed` - 1.
    middles = np.array(
        [low if high is None or low == 0 else (low + high - 1) / 2 for low, high in zip(fitted, failed, strict=True)]
    )
    return Capacity(
        tolerance=tolerance,
        value=float(middles.mean()),
        error=_standard_error(middles),
        fitted=fitted,
        failed=failed,
        unfinished=sum(not search.finished for search in searches),
        n=total,
        k=k,
        bracket=(min(fitted), max(total if high is None else high for high in failed)),
    )


def _point(n: int, outcomes: Sequence[Outcome]) -> Point:
    errors = np.array([outcome.error for outcome in outcomes])
    unfinished = sum(not outcome.finished for outcome in outcomes)
    return Point(n, float(errors.mean()), _standard_error(errors), len(errors), unfinished)


def _standard_error(values: NDArray) -> float:
    return float(values.std(ddof=1) / sqrt(len(values))) if len(values) > 1 else nan
