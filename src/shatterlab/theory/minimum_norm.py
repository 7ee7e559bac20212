"""Linear models with more weights than points: the solution of least norm, and the limit of gradient descent.

Zhang et al. (2017), section 5: with d >= n every labelling is fitted by many w, all of them optima with the same
curvature. Gradient descent from zero stays in the span of the data, w = X' alpha, and there X X' alpha = y has one
solution: the w of least l2 norm.
"""

from collections.abc import Iterator
from typing import Self

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y, validate_data

from ..arguments import number, whole
from .scales import exponent_of, times_power

SINGULAR = 1e-9
"""Below this reciprocal condition number of the Gram matrix Cholesky would leave fewer than seven digits."""


class MinimumNormRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """w = X' (X X' + ridge I)^-1 y: of all w that minimize |X w - y|² + ridge |w|², the one of least l2 norm.

    Without ridge this is the pseudoinverse solution, and the limit of gradient descent and of SGD from zero where
    n <= d. The smaller of X X' and X'X is factored by Cholesky; where that is singular, X by SVD. There is no
    intercept: centre X and y, or give X a column of ones. X and y are scaled by powers of two before anything is
    squared, so that numbers as small as 1e-300 or as large as 1e300 are fitted like others.

    Args:
        ridge: weight decay, at least 0, in units of the sum of squares (not of its mean).

    Attributes:
        coef_: w, (d,) or (outputs, d) float64.
        dual_coef_: alpha with w = X' alpha, (n,) or (n, outputs); less exact than w for a tiny ridge and n > d, and
            infinite or zero where float64 holds no such number.
        norm_: l2 norm of w; for several outputs the root of the sum of squares.
        rank_: rank of X, as far as float64 can tell.
        route_: how w was computed, "cholesky" or "svd".

    Source: Zhang et al. (2017), section 5.

    >>> MinimumNormRegressor().fit([[1.0, 1.0]], [2.0]).coef_
    array([1., 1.])
    """

    def __init__(self, ridge: float = 0.0) -> None:
        self.ridge = ridge

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Solves for w.

        Args:
            X: (n, d) finite numbers.
            y: (n,) or (n, outputs) numbers.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        number("ridge", self.ridge)
        targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # With ridge / 4^e the weights of X / 2^e and y / 2^f are w 2^e / 2^f.
        e, f = exponent_of(X), exponent_of(targets)
        if self.ridge:
            e = max(e, (int(np.frexp(self.ridge)[1]) + 1) // 2)
        X, targets, ridge = times_power(X, -e), times_power(targets, -f), float(np.ldexp(self.ridge, -2 * e))
        solved = _by_cholesky(X, targets, ridge)
        self.route_: str = "svd" if solved is None else "cholesky"
        weights, alpha, self.rank_ = solved or _by_svd(X, targets, ridge)
        self.norm_: float = float(times_power(np.array(np.linalg.norm(weights)), f - e))
        weights, alpha = times_power(weights, f - e), times_power(alpha, f - 2 * e)
        self.coef_: NDArray[np.float64] = weights[:, 0] if y.ndim == 1 else weights.T
        self.dual_coef_ = alpha[:, 0] if y.ndim == 1 else alpha
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """X w, (n,) or (n, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.coef_.T


def _by_cholesky(X: NDArray, y: NDArray, ridge: float) -> tuple[NDArray, NDArray, int] | None:
    """w, alpha and the rank, or None where the Gram matrix is too close to singular."""
    wide = X.shape[0] <= X.shape[1]
    gram = X @ X.T if wide else X.T @ X
    gram.flat[:: len(gram) + 1] += ridge
    size = np.abs(gram).sum(axis=0).max()  # the 1-norm
    try:
        factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True)
    except np.linalg.LinAlgError:
        return None
    reciprocal_condition, _ = scipy.linalg.lapack.dpocon(factor[0], size, uplo="L")
    if not reciprocal_condition >= SINGULAR:
        return None
    if wide:
        alpha = scipy.linalg.cho_solve(factor, y)
        return X.T @ alpha, alpha, len(X)
    weights = scipy.linalg.cho_solve(factor, X.T @ y)
    # Without ridge many alpha have X' alpha = w; X (X'X)^-1 w is the one in the span of X. With a ridge, w must not be
    # computed from alpha, whose rounding error is divided by the ridge.
    alpha = (y - X @ weights) / ridge if ridge else X @ scipy.linalg.cho_solve(factor, weights)
    return weights, alpha, X.shape[1]


def _by_svd(X: NDArray, y: NDArray, ridge: float) -> tuple[NDArray, NDArray, int]:
    left, singular, right = scipy.linalg.svd(X, full_matrices=False)
    # A singular value below this is rounding, by the convention of numpy.linalg.matrix_rank.
    kept = singular > singular.max(initial=0) * max(X.shape) * np.finfo(np.float64).eps
    left, singular, right = left[:, kept], singular[kept][:, None], right[kept]
    coordinates = left.T @ y / (singular**2 + ridge)
    return right.T @ (singular * coordinates), left @ coordinates, int(kept.sum())


def curvature(X: ArrayLike) -> NDArray[np.float64]:
    """Eigenvalues of the Hessian X'X / n of the mean of half the squared residuals, ascending: (d,).

    The Hessian does not depend on w, so it is the same at every optimum: curvature cannot tell them apart.
    At least d - n of its eigenvalues are zero.

    Source: Zhang et al. (2017), section 5.
    """
    X = check_array(X, dtype=np.float64)
    n, d = X.shape
    e = exponent_of(X)
    X = times_power(X, -e)
    # The non-zero eigenvalues of the smaller of X'X and X X' are those of both.
    values = scipy.linalg.eigvalsh(X.T @ X if d <= n else X @ X.T) / n
    return times_power(np.concatenate([np.zeros(max(0, d - n)), np.maximum(values, 0)]), 2 * e)


def descend(
    X: ArrayLike,
    y: ArrayLike,
    start: ArrayLike | None = None,
    *,
    steps: int,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    random_state: int | None = 0,
) -> Iterator[NDArray[np.float64]]:
    """Minimizes mean_i (x_i'w - y_i)² / 2 by gradient descent or SGD.

    Every step adds a combination of rows of X, so w - start stays in their span. With n <= d and rows that are
    linearly independent the limit is start + X^+ (y - X start): of all w that fit, the one nearest to the start, and
    from zero the one of least norm.

    Args:
        X: (n, d) finite numbers.
        y: (n,) numbers.
        start: the first w, (d,); by default zero.
        steps: number of updates, at least 1.
        learning_rate: by default 1 / the largest eigenvalue of X'X / n for gradient descent and 1 / the largest |x_i|²
            for SGD, at which both converge on data that can be fitted.
        batch_size: number of examples in a step, drawn with replacement; by default all, which is gradient descent.
        random_state: seed of the draws.

    Yields:
        The w after each step, (d,) float64, each in a new array.

    Raises:
        ValueError: a number is missing, not finite or out of its range.

    Source: Zhang et al. (2017), section 5.
    """
    X, y = check_X_y(X, y, dtype=np.float64, y_numeric=True)
    n, d = X.shape
    w = np.zeros(d) if start is None else np.array(start, dtype=np.float64)
    if w.shape != (d,):
        raise ValueError(f"start must have shape ({d},), got {w.shape}.")
    steps = whole("steps", steps)
    if batch_size is not None:
        whole("batch_size", batch_size)
    # Descent on X / 2^e and y / 2^f takes the same steps, with w 2^e / 2^f and a rate of 4^e times the rate.
    e = exponent_of(X)
    f = max(exponent_of(y), exponent_of(w) + e) if w.any() else exponent_of(y)
    f = min(max(f, e - 1_000), e + 1_000)  # so that float64 holds 2^(f - e), which is faster than np.ldexp
    X, y, w, back = times_power(X, -e), times_power(y, -f), times_power(w, e - f), 2.0 ** (f - e)
    if learning_rate is None:
        steepest = curvature(X)[-1] if batch_size is None else (X**2).sum(axis=1).max()
        learning_rate = 1 / steepest if steepest > 0 else 1.0  # rows of zeros move nothing
    else:
        learning_rate = float(np.ldexp(number("learning_rate", learning_rate, above=True), 2 * e))
    rng = check_random_state(random_state)
    for _ in range(steps):
        rows = slice(None) if batch_size is None else rng.randint(n, size=batch_size)
        chosen = X[rows]
        w = w - learning_rate / len(chosen) * (chosen.T @ (chosen @ w - y[rows]))
        yield w * back


def span_angle(X: ArrayLike, w: ArrayLike) -> float:
    """The angle in radians between w and the span of the rows of X: 0 for w inside it, pi / 2 for w orthogonal.

    Args:
        X: (n, d).
        w: (d,) finite numbers, not all zero.

    Raises:
        ValueError: w is zero, which has no direction, or not finite.
    """
    X, w = check_array(X, dtype=np.float64), np.asarray(w, dtype=np.float64)
    if w.shape != (X.shape[1],) or not np.isfinite(w).all() or not w.any():
        raise ValueError(f"w must be {X.shape[1]} finite numbers that are not all zero, as zero has no direction.")
    X, w = times_power(X, -exponent_of(X)), times_power(w, -exponent_of(w))
    basis = scipy.linalg.orth(X.T)
    inside = basis @ (basis.T @ w)
    return float(np.arctan2(np.linalg.norm(w - inside), np.linalg.norm(inside)))
