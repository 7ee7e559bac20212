"""The finite-sample expressivity theorem as a construction: n points, 2n + d weights, any labels, exactly.

    f(x) = sum_j w_j max(a'x - b_j, 0)

Zhang et al. (2017), theorem 1 and lemma 1. Choose a such that z_i = a'x_i are all different, sort, and choose
thresholds b_1 < z_1 <= b_2 < z_2 <= b_3 ...: the matrix A_ij = max(z_i - b_j, 0) is then lower triangular with
the positive diagonal z_i - b_i, so A w = y has one solution. We take b_(j+1) = z_j, which makes every diagonal
entry as large as it can be and f the piecewise linear function through all points: w_j is the change of slope
at b_j, and no system is solved.

Slopes are as steep as the nearest points are near, about n² for n random points, so that rounding a single w_j would
move all later points by n² times the precision of float64: 5e-5 for a million points. Neighbouring slopes are
therefore rounded to a grid that they share, see `slopes_between`, which leaves about n times the precision.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .ramps import sum_of_ramps
from .targets import AnyTarget, Task, numbers

if TYPE_CHECKING:
    import torch

CANDIDATES = 8
"""So many projections are tried; the one whose nearest points lie furthest apart is taken."""
ATTEMPTS = 64
"""At most this many projections are tried until one tells all points apart."""
BLOCK = 131_072
"""So many numbers are projected at a time, a megabyte, which stays in the processor's cache."""
SCALES = 2.0**-1022, 2.0**1000
"""A column is scaled by no factor outside of these, so that no projection overflows."""


@dataclass(frozen=True)
class Weights:
    """The weights of the network: projection a (d,), thresholds b (n,), output weights w (n, outputs); float64."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    w: NDArray[np.float64]

    @property
    def count(self) -> int:
        """The number of weights, d + n + n times outputs, which is 2n + d for one output."""
        return self.a.size + self.b.size + self.w.size


@dataclass(frozen=True)
class Line:
    """Distinct points in the order of their projection.

    Args:
        a: the projection, (d,).
        z: projected points, (n,), ascending and all different.
        y: their targets, (n, outputs).
    """

    a: NDArray[np.float64]
    z: NDArray[np.float64]
    y: NDArray[np.float64]

    @property
    def knots(self) -> NDArray[np.float64]:
        """The thresholds b_1 < z_1, b_2 = z_1, ..., and z_n: (n + 1,)."""
        before = self.z[0] - ((self.z[-1] - self.z[0]) / len(self.z) or 1.0)
        return np.concatenate([[min(before, np.nextafter(self.z[0], -np.inf))], self.z])


class ReLUInterpolator(AnyTarget):
    """A two-layer ReLU network with 2n + d weights that fits any n points.

    Args:
        task: `"auto"` fits numbers as numbers, strings and booleans as classes; `"classification"` fits every
            label as a class, by its index among the sorted classes, so that one output and 2n + d weights do.
        random_state: seed of the projection.

    Attributes:
        weights_: `Weights` a, b, w, over the distinct rows of X.
        n_weights_: number of weights, 2n + d for n distinct rows and one output.
        smallest_eigenvalue_: smallest eigenvalue of the matrix A, which is min_i(z_i - b_i) by the lemma.
        classes_: sorted class labels; not there where numbers were fitted.
        n_features_in_: d.

    Raises:
        ValueError: at fit, when two equal rows have different targets, or two different rows cannot be told
            apart in float64; the message names them.

    Predictions are values of the network, computed from a, b and w alone; targets are not kept. The labels 0 to 9 of
    Gaussian points are met to 2e-13 at n = 1,000 and 1e-9 at n = 1,000,000. Two orders of summation are part of that:
    the projection adds up in one fixed order (`project`), since a million projections lie 1e-12 apart at the nearest,
    where the last bit matters; and ramps are added up by prefix sums (`sum_of_ramps`), O(d + log n) a point after O(n).

    Source: Zhang et al. (2017), theorem 1.

    >>> ReLUInterpolator().fit([[0.0], [1.0], [3.0]], [5.0, -1.0, 2.0]).predict([[1.0], [3.0], [0.0]]).round(12)
    array([-1.,  2.,  5.])
    """

    def __init__(self, task: Task = "auto", *, random_state: int | None = 0) -> None:
        self.task = task
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fits every point.

        Args:
            X: (n, d) finite numbers.
            y: (n,) or (n, outputs) numbers, or (n,) class labels.
        """
        X, y = self._read(X, y, np.float64)
        self._classes = self._classes_of(y)
        targets = numbers(y) if self._classes is None else numbers(np.searchsorted(self._classes, y.ravel()))
        self._one_output = y.ndim == 1 or self._classes is not None
        line = sorted_line(X, targets, self.random_state)
        slopes = slopes_between(line.knots, line.y)
        self.weights_ = Weights(line.a, line.knots[:-1], np.diff(slopes, axis=0, prepend=0.0))
        self.n_weights_ = self.weights_.count
        self.smallest_eigenvalue_ = float(np.diff(line.knots).min())
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """The network's output: (n,) or (n, outputs) float64, or the nearest class."""
        values = self._evaluate(X)
        if self._classes is not None:  # halfway between two classes the first one is taken, as by `decision_function`
            return self._classes[np.clip(np.ceil(values[:, 0] - 0.5), 0, len(self._classes) - 1).astype(int)]
        return values[:, 0] if self._one_output else values

    def _decisions(self, X: ArrayLike) -> NDArray[np.float64]:
        """Minus the distance of the network's output to the index of each class; for two classes output - 1/2."""
        values, count = self._evaluate(X), len(self.classes_)
        return values[:, 0] - 0.5 if count <= 2 else -np.abs(values - np.arange(count))

    def _evaluate(self, X: ArrayLike) -> NDArray[np.float64]:
        """The network's output, (n, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return sum_of_ramps(project(X, self.weights_.a), self.weights_.b, self.weights_.w)

    def to_torch(self) -> "torch.nn.Module":
        """The same function as a two-layer network in float64 with 2n + d parameters.

        It adds the ramps up as written, with n hidden units a point. The largest |w_j (z - b_j)| is about n² times
        their sum, so that float64 leaves an error of n² times its precision whatever the weights are: for the labels 0
        to 9 of Gaussian points 2e-9 at n = 1,000 and 0.1 at n = 1,000,000. `predict` is the same function without it.
        """
        from .networks import TwoLayer

        check_is_fitted(self)
        return TwoLayer(self.weights_.a, self.weights_.b, self.weights_.w)


def project(X: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns X a, (n,), added up in one fixed order: the second half of the terms onto the first, and so on.

    A row gives the same bits beside other rows, on every machine and in torch (`networks.project`), unlike in a product
    of BLAS.
    """
    n, d = X.shape
    rows = max(1, BLOCK // d)
    z, buffer = np.empty(n), np.empty((min(n, rows), d))  # fresh memory for each block would take most of the time
    for start in range(0, n, rows):
        terms = np.multiply(X[start : start + rows], a, out=buffer[: n - start])
        while (width := terms.shape[1]) > 1:
            half = (width + 1) // 2
            terms[:, : width - half] += terms[:, half:]
            terms = terms[:, :half]
        z[start : start + rows] = terms[:, 0]
    return z


def slopes_between(knots: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slopes of the piecewise linear function that is 0 at the first knot and y at the others.

    The changes w of the slopes are exact in float64, and so are all their partial sums: each slope is rounded to a
    multiple of 2^-52 times the power of two above itself and its two neighbours, so that float64 holds the difference
    of neighbours. The sum of the first k weights is then the k-th slope itself, and rounding a slope moves points by
    its share of its own interval only, not of all intervals after it.

    Args:
        knots: (n + 1,) ascending.
        y: (n, outputs).

    Returns:
        (n, outputs).

    Raises:
        ValueError: a slope overflows.
    """
    rises = np.diff(y, axis=0, prepend=np.zeros((1, y.shape[1])))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        slopes = rises / np.diff(knots)[:, None]
    if not (np.abs(slopes) < np.finfo(np.float64).max / 4).all():
        raise ValueError(
            "two rows of X lie so near to each other that the slope between their targets overflows; divide y by a "
            "large number, or merge the rows."
        )
    size = np.pad(np.abs(slopes), ((1, 1), (0, 0)))
    _, exponents = np.frexp(np.maximum(np.maximum(size[:-2], size[2:]), size[1:-1]))
    return np.ldexp(np.rint(np.ldexp(slopes, 52 - exponents)), exponents - 52)


def sorted_line(X: NDArray[np.float64], y: NDArray[np.float64], random_state: Any = 0) -> Line:
    """Projects the points so that all distinct rows lie apart; merges equal rows.

    Args:
        X: (n, d) float64.
        y: (n, outputs) float64.
        random_state: seed of the projections.

    Returns:
        The points under that one of `CANDIDATES` projections whose smallest gap is the largest relative to its range.

    Raises:
        ValueError: equal rows have different targets, or float64 cannot tell two rows apart; both are named.
    """
    rng = check_random_state(random_state)
    low, high = X.min(axis=0), X.max(axis=0)
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.clip(1 / (high - low), *SCALES)
    scale[low == high] = 0  # constant columns tell no rows apart
    best: tuple[float, Any] = -1.0, None
    clash: tuple[int, int] | None = None
    usable = 0
    for _ in range(ATTEMPTS):
        a = rng.standard_normal(X.shape[1]) * scale
        z = project(X, a)
        order = np.argsort(z, kind="stable")
        gaps = np.diff(z[order])
        tied = np.flatnonzero(gaps == 0)
        # A tie of many rows is a chain of neighbours, so it is one row exactly if all neighbours are equal.
        apart = [i for i in tied if not np.array_equal(X[order[i]], X[order[i + 1]])]
        if apart:
            clash = int(order[apart[0]]), int(order[apart[0] + 1])
            continue
        usable += 1
        smallest = gaps[gaps > 0].min(initial=np.inf) / ((z[order[-1]] - z[order[0]]) or 1.0)
        if smallest > best[0]:
            best = smallest, (a, z, order, tied)
        if usable == CANDIDATES or len(tied) == len(X) - 1:
            break
    if clash and best[1] is None:
        raise ValueError(
            f"rows {clash[0]} and {clash[1]} of X differ by too little for float64 to tell apart after any of "
            f"{ATTEMPTS} projections; merge them, or subtract what all rows have in common."
        )
    a, z, order, tied = best[1]
    for i in tied:
        if not np.array_equal(y[order[i]], y[order[i + 1]]):
            first, second = sorted((int(order[i]), int(order[i + 1])))
            raise ValueError(
                f"rows {first} and {second} of X are equal but have different targets, {_shown(y[first])} and "
                f"{_shown(y[second])}, so no function fits both; drop one of them or give them one target."
            )
    kept = np.delete(order, tied)
    return Line(a, z[kept], y[kept])


def _shown(target: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in target)
