"""How well a complexity measure ranks the generalization gaps of many networks, and where it fails.

The networks stand on a grid of settings, such as width x depth x learning rate. A measure that ranks them well over all
may still be wrong whenever one axis alone is moved: Kendall's tau over the grid cannot tell, its granulated form (Jiang
et al., 2020, arXiv 1912.02178, section 4) and the sign error in the worst environment (Dziugaite et al., 2020, arXiv
2010.11924, section 3) can. Average a measure and a gap over seeds first, and compare networks at equal training loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_PAIRS = 12
"""With the noise filter an environment counts if the effective number of its pairs is at least this (Dziugaite et al.,
2020)."""

Settings = Sequence[Mapping[str, Any]]
"""The values of the axes of each network, in the order of the measures, every network with the same axes."""


def kendall_tau(measure: ArrayLike, gaps: ArrayLike) -> float:
    """The rank correlation sum_{a != b} sign(mu_a - mu_b) sign(g_a - g_b) / (T (T - 1)).

    Ties count 0 and stay in the denominator.

    Args:
        measure, gaps: numbers (T,) of the same networks, T at least 2.

    Returns:
        A number in [-1, 1].

    Raises:
        ValueError: the two differ in length, there are fewer than two networks, or a number is not finite.
    """
    mu, g = _numbers(measure, gaps)
    return _tau(mu, g)


def _tau(mu: NDArray[np.float64], g: NDArray[np.float64]) -> float:
    agreement = np.sign(mu[:, None] - mu) * np.sign(g[:, None] - g)
    return float(agreement.sum() / (len(mu) * (len(mu) - 1)))


@dataclass(frozen=True)
class Granulated:
    """Kendall's tau along one axis at a time.

    Args:
        psi: by axis, the mean of tau along it over all settings of the other axes, in [-1, 1]; axes along which no
            network can be compared with another are left out.
        mean: Psi, the mean of psi over axes.
    """

    psi: Mapping[str, float]
    mean: float


def granulated(measure: ArrayLike, gaps: ArrayLike, settings: Settings) -> Granulated:
    """psi_i, the mean over all settings of the other axes of Kendall's tau along axis i, and Psi, their mean.

    Args:
        measure, gaps: numbers (T,) of the same networks.
        settings: the place of each on the grid. The grid may have holes: a line along an axis counts with the networks
            that are there, if they are at least two.

    Raises:
        ValueError: lengths or axes differ, two networks have one place, or no two differ in one axis alone.
    """
    mu, g = _numbers(measure, gaps)
    psi = {}
    for axis in _axes(settings, len(mu)):
        taus = [_tau(mu[line], g[line]) for line in _lines(settings, axis)]
        if taus:
            psi[axis] = float(np.mean(taus))
    if not psi:
        raise ValueError("no two networks differ in one axis alone; hand in a grid of settings.")
    return Granulated(psi, float(np.mean(list(psi.values()))))


@dataclass(frozen=True)
class Environment:
    """The sign error of a measure when one axis is moved from one value to another and the rest stays.

    Args:
        axis: the axis that is moved.
        values: its two values, in the order in which they stand in the settings.
        error: the weighted mean over pairs of (1 - sign(dC) sign(dg)) / 2, in [0, 1]; a coin has 1/2.
        pairs: the number of pairs with a positive weight.
        effective: the effective number of pairs, (sum w)^2 / sum w^2.
    """

    axis: str
    values: tuple[Any, Any]
    error: float
    pairs: int
    effective: float


@dataclass(frozen=True)
class SignErrors:
    """The sign errors of a measure over environments, worst first.

    Args:
        environments: those that count, the largest error first.
        dropped: how many were dropped because too few of their pairs differ beyond noise.
    """

    environments: tuple[Environment, ...]
    dropped: int

    @property
    def robust(self) -> float:
        """The largest sign error of any environment; NaN where none counts."""
        return self._summary(np.max)

    @property
    def percentile_90(self) -> float:
        """The 90th percentile of the sign error over environments."""
        return self._summary(lambda errors: np.percentile(errors, 90))

    @property
    def mean(self) -> float:
        """The mean sign error over environments."""
        return self._summary(np.mean)

    def _summary(self, of: Any) -> float:
        errors = [environment.error for environment in self.environments]
        return float(of(errors)) if errors else float("nan")


def sign_errors(measure: ArrayLike, gaps: ArrayLike, settings: Settings, n: int | None = None) -> SignErrors:
    """The sign error of each environment: an axis that is moved between two of its values while the rest stays.

    Args:
        measure, gaps: numbers (T,) of the same networks.
        settings: the place of each on the grid, which may have holes.
        n: the number of examples behind a gap. With it each pair has the weight of `noise_weight`, and environments
            with fewer than `FEWEST_PAIRS` effective pairs are dropped. Without it every pair counts alike.

    Raises:
        ValueError: lengths or axes differ, or two networks have one place.
    """
    mu, g = _numbers(measure, gaps)
    environments, dropped = [], 0
    for axis in _axes(settings, len(mu)):
        pairs = _pairs(settings, axis)
        for values, members in pairs.items():
            first, second = np.array(members).T
            weights = np.ones(len(first)) if n is None else noise_weight(g[second] - g[first], n)
            effective = effective_number(weights)
            if n is not None and effective < FEWEST_PAIRS:
                dropped += 1
                continue
            errors = (1 - np.sign(mu[second] - mu[first]) * np.sign(g[second] - g[first])) / 2
            error = float(weights @ errors / weights.sum())
            environments.append(Environment(axis, values, error, int((weights > 0).sum()), effective))
    return SignErrors(tuple(sorted(environments, key=lambda environment: -environment.error)), dropped)


def noise_weight(differences: ArrayLike, n: int) -> NDArray[np.float64]:
    """The weight (w - 1/2)_+ of a pair, with w = max(0, 1 - 2 exp(-n dg^2 / 2))^2.

    By Hoeffding's inequality each of two gaps lies within |dg| / 2 of its expectation with probability at least
    1 - 2 exp(-n dg^2 / 2), so that w is the least probability that the difference has the right sign.

    Args:
        differences: differences dg of gaps, as shares.
        n: the number of examples behind each gap.
    """
    sure = np.maximum(0, 1 - 2 * np.exp(-n * np.square(np.asarray(differences, dtype=float)) / 2)) ** 2
    return np.maximum(sure - 0.5, 0)


def effective_number(weights: NDArray[np.float64]) -> float:
    """The effective number of weighted pairs, (sum w)^2 / sum w^2; 0 where all weights are 0."""
    squares = float(weights @ weights)
    return float(weights.sum() ** 2 / squares) if squares else 0.0


@dataclass(frozen=True)
class AxisError:
    """The sign error along one axis with its standard error.

    Args:
        axis: the axis that is moved.
        error: the weighted mean sign error over all pairs that differ in this axis alone, in [0, 1].
        standard_error: over lines of the grid along the axis, as the pairs of one line share networks.
        lines: the number of lines with a pair of positive weight.
        effective: the effective number of these lines.
    """

    axis: str
    error: float
    standard_error: float
    lines: int
    effective: float


def axis_errors(measure: ArrayLike, gaps: ArrayLike, settings: Settings, n: int | None = None) -> tuple[AxisError, ...]:
    """The sign error along each axis, over all pairs of its values, with a standard error that is never 0.

    The error over lines is that of a ratio, sqrt(L / (L - 1) sum_l (a_l - e w_l)^2) / sum_l w_l, with a_l and w_l the
    weighted errors and weights of line l; it is at least that of a share of L' trials, (x + 1) / (L' + 2), where L'
    is the effective number of lines. Axes whose pairs all lie within noise are left out.

    Args:
        measure, gaps, settings, n: as in `sign_errors`.

    Raises:
        ValueError: lengths or axes differ, or two networks have one place.
    """
    mu, g = _numbers(measure, gaps)
    results = []
    for axis in _axes(settings, len(mu)):
        members = _lines(settings, axis)
        pairs = [(number, *pair) for number, line in enumerate(members) for pair in combinations(line, 2)]
        if not pairs:
            continue
        line, first, second = np.array(pairs).T
        weights = np.ones(len(line)) if n is None else noise_weight(g[second] - g[first], n)
        errors = (1 - np.sign(mu[second] - mu[first]) * np.sign(g[second] - g[first])) / 2
        a, w = (np.bincount(line, of).astype(np.float64) for of in (weights * errors, weights))
        lines, effective = int((w > 0).sum()), effective_number(w)
        if not lines:
            continue
        error = float(a.sum() / w.sum())
        clustered = float(np.sqrt(lines / max(lines - 1, 1) * np.square(a - error * w).sum()) / w.sum())
        shrunk = (error * effective + 1) / (effective + 2)
        least = (shrunk * (1 - shrunk) / effective) ** 0.5
        results.append(AxisError(axis, error, max(clustered, least), lines, effective))
    return tuple(results)


def _numbers(measure: ArrayLike, gaps: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mu, g = np.asarray(measure, dtype=float), np.asarray(gaps, dtype=float)
    if mu.shape != g.shape or mu.ndim != 1 or len(mu) < 2:
        raise ValueError(
            f"measure and gaps must be two numbers or more of the same networks, got shapes {mu.shape} and {g.shape}."
        )
    if not (np.isfinite(mu).all() and np.isfinite(g).all()):
        raise ValueError("measure and gaps must be finite; leave out the networks whose measure is missing.")
    return mu, g


def _axes(settings: Settings, n: int) -> list[str]:
    if len(settings) != n:
        raise ValueError(f"there are {n} networks but {len(settings)} settings.")
    axes = list(settings[0])
    if any(set(setting) != set(axes) for setting in settings):
        raise ValueError("every network needs a value of every axis.")
    if len({tuple(setting[axis] for axis in axes) for setting in settings}) < n:
        raise ValueError("two networks have one place on the grid; average measure and gap over seeds first.")
    return axes


def _lines(settings: Settings, axis: str) -> list[list[int]]:
    """The networks that differ in one axis alone, as lists of at least two, each in the order of `settings`."""
    lines: dict[tuple[Any, ...], list[int]] = {}
    for number, setting in enumerate(settings):
        lines.setdefault(tuple(setting[other] for other in settings[0] if other != axis), []).append(number)
    return [line for line in lines.values() if len(line) > 1]


def _pairs(settings: Settings, axis: str) -> dict[tuple[Any, Any], list[tuple[int, int]]]:
    """By two values of an axis, the pairs of networks that have these and agree in the rest."""
    order = {value: place for place, value in enumerate(dict.fromkeys(setting[axis] for setting in settings))}
    pairs: dict[tuple[Any, Any], list[tuple[int, int]]] = {}
    for line in _lines(settings, axis):
        in_order = sorted(line, key=lambda number: order[settings[number][axis]])
        for first, second in combinations(in_order, 2):
            pairs.setdefault((settings[first][axis], settings[second][axis]), []).append((first, second))
    return pairs
