"""The finite-sample expressivity theorem as a construction: n points, 2n + d weights, any labels, exactly.

    f(x) = sum_j w_j max(a'x - b_j, 0)

Zhang et al. (2017), theorem 1 and lemma 1. Choose a such that z_i = a'x_i are all different, sort, and choose
thresholds b_1 < z_1 <= b_2 < z_2 <= b_3 ...: the matrix A_ij = max(z_i - b_j, 0) is then lower triangular with
the positive diagonal z_i - b_i, so A w = y has one solution. We take b_(j+1) = z_j, which makes every diagonal
entry as large as it can be and f the piecewise linear function through all points: w_j is the change of slope
at b_j, no system is solved, and no error builds up along the points.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .targets import AnyTarget, Task, numbers

if TYPE_CHECKING:
    import torch

CANDIDATES = 8
"""So many projections are tried; the one whose nearest points lie furthest apart is taken."""
ATTEMPTS = 64
"""At most this many projections are tried until one tells all points apart."""
BLOCK = 65_536
"""So many rows are projected at a time."""


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
        before = (self.z[-1] - self.z[0]) / len(self.z) or 1.0
        return np.concatenate([[self.z[0] - before], self.z])

    @property
    def slopes(self) -> NDArray[np.float64]:
        """The slope of f between the knots, (n, outputs); f is 0 up to the first."""
        rises = np.diff(self.y, axis=0, prepend=np.zeros((1, self.y.shape[1])))
        return rises / np.diff(self.knots)[:, None]


class ReLUInterpolator(AnyTarget):
    """A two-layer ReLU network with 2n + d weights that fits any n points exactly.

    Args:
        task: `"auto"` fits numbers as numbers, strings and booleans as classes; `"classification"` fits every
            label as a class, by its index among the sorted classes, so that one output and 2n + d weights do.
        random_state: seed of the projection.

    Attributes:
        weights_: `Weights` a, b, w, over the distinct rows of X.
        n_weights_: number of weights, 2n + d for n distinct rows and one output.
        smallest_eigenvalue_: smallest eigenvalue of the matrix A, which is min_i(z_i - b_i) by the lemma.
        classes_: sorted class labels, or None for numbers.
        n_features_in_: d.

    Raises:
        ValueError: at fit, when two equal rows have different targets, or two different rows cannot be told
            apart in float64; the message names them.

    The projection is computed in float64, row by row in one order of summation: a million projections lie 1e-12
    apart at the nearest, where the last bit matters. A prediction is a search among the sorted thresholds,
    O(d + log n) a point.

    Source: Zhang et al. (2017), theorem 1.

    >>> ReLUInterpolator().fit([[0.0], [1.0], [3.0]], [5.0, -1.0, 2.0]).predict([[1.0], [3.0], [0.0]])
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
        self.classes_ = self._classes_of(y)
        targets = numbers(y) if self.classes_ is None else numbers(np.searchsorted(self.classes_, y.ravel()))
        self._one_output = y.ndim == 1 or self.classes_ is not None
        line = sorted_line(X, targets, self.random_state)
        with np.errstate(over="ignore", invalid="ignore"):
            self._knots, self._slopes = line.knots, line.slopes
        if not np.isfinite(self._slopes).all():
            raise ValueError(
                "two rows of X lie so near to each other that the slope between them overflows; scale X up."
            )
        self._values = np.concatenate([np.zeros((1, targets.shape[1])), line.y])
        self.weights_ = Weights(line.a, self._knots[:-1], np.diff(self._slopes, axis=0, prepend=0.0))
        self.n_weights_ = self.weights_.count
        self.smallest_eigenvalue_ = float(np.diff(self._knots).min())
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """The network's output: (n,) or (n, outputs) float64, or the nearest class."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        values = self._evaluate(project(X, self.weights_.a))
        if self.classes_ is not None:
            return self.classes_[np.clip(np.rint(values[:, 0]), 0, len(self.classes_) - 1).astype(int)]
        return values[:, 0] if self._one_output else values

    def _evaluate(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of ramps, taken from the knot before z, where its value is known without rounding."""
        knot = np.searchsorted(self._knots, z, side="right") - 1
        slope = self._slopes[np.clip(knot, 0, len(self._slopes) - 1)]
        values = self._values[np.maximum(knot, 0)] + slope * (z - self._knots[np.maximum(knot, 0)])[:, None]
        values[knot < 0] = 0
        return values

    def to_torch(self) -> "torch.nn.Module":
        """The same function as a two-layer network in float64 with 2n + d parameters.

        It computes the sum of ramps as written, with n hidden units a point, so it rounds where slopes are steep:
        relative to the largest |w_j (z - b_j)|, about 1e-16.
        """
        from .networks import TwoLayer

        check_is_fitted(self)
        return TwoLayer(self.weights_.a, self.weights_.b, self.weights_.w)


def project(X: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns X a, (n,); a row gives the same bits whatever other rows X has, unlike in a BLAS product."""
    blocks = (np.ascontiguousarray(X[start : start + BLOCK]) for start in range(0, len(X), BLOCK))
    return np.concatenate([np.einsum("ij,j->i", block, a) for block in blocks])


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
    width = np.ptp(X, axis=0)
    scale = np.divide(1.0, width, out=np.zeros_like(width), where=width > 0)  # constant columns tell no rows apart
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
    if best[1] is None:
        raise ValueError(
            f"rows {clash[0]} and {clash[1]} of X differ by too little for float64 to tell apart after any of "
            f"{ATTEMPTS} projections; merge them, or subtract what all rows have in common."
            if clash
            else "X has no rows."
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
