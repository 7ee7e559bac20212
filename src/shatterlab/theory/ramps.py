"""The lemma behind the theorem: a matrix of ramps between interleaved thresholds has full rank."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ramp_matrix(x: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Returns the matrix A with A_ij = max(x_i - b_j, 0).

    Args:
        x: (n,) points.
        b: (m,) thresholds.

    Returns:
        (n, m) float64.

    Source: Zhang et al. (2017), lemma 1.

    >>> ramp_matrix([1, 3], [0, 2])
    array([[1., 0.],
           [3., 1.]])
    """
    x, b = _vector(x, "x"), _vector(b, "b")
    return np.maximum(x[:, None] - b[None, :], 0)


def sum_of_ramps(z: NDArray[np.float64], b: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns sum_j w_j max(z_i - b_j, 0) without forming the n ramps of each point, nor losing digits to their size.

    Left of the next threshold the sum is f(b_k) + s_k (z - b_k), where the slope s_k is the sum of the first k weights,
    and f(b_k) that of the slopes times the intervals before. Ramps far larger than their sum cancel in the
    weights, before they are multiplied.

    Args:
        z: (m,) points.
        b: (n,) thresholds, ascending.
        w: (n, outputs) weights.

    Returns:
        (m, outputs) float64.

    >>> sum_of_ramps(np.array([1.0, 3.0]), np.array([0.0, 2.0]), np.array([[1.0], [-1.0]]))
    array([[1.],
           [2.]])
    """
    if not len(b):
        return np.zeros((len(z), w.shape[1]))
    slopes = np.cumsum(w, axis=0)
    values = np.zeros_like(w)
    np.cumsum(slopes[:-1] * np.diff(b)[:, None], axis=0, out=values[1:])
    before = np.searchsorted(b, z, side="right") - 1
    at = np.maximum(before, 0)
    sums = values[at] + slopes[at] * (z - b[at])[:, None]
    sums[before < 0] = 0
    return sums


@dataclass(frozen=True)
class RampFacts:
    """The properties of a ramp matrix of which the lemma speaks.

    Args:
        rank: n, the rank of the matrix.
        smallest_eigenvalue: min_i(x_i - b_i).
        condition_number: largest over smallest singular value, which is computed, as the lemma does not bound it.
    """

    rank: int
    smallest_eigenvalue: float
    condition_number: float


def ramp_facts(x: ArrayLike, b: ArrayLike) -> RampFacts:
    """Rank, smallest eigenvalue and condition number of `ramp_matrix(x, b)` for interleaved x and b.

    The matrix is lower triangular, so its eigenvalues are the diagonal x_i - b_i, all positive.

    Args:
        x: (n,) points, ascending.
        b: (n,) thresholds with b_i < x_i <= b_(i+1); the paper's lemma has them strictly between.

    Raises:
        ValueError: x and b are not interleaved.
    """
    x, b = _vector(x, "x"), _vector(b, "b")
    if len(x) != len(b) or not (b < x).all() or not (x[:-1] <= b[1:]).all():
        raise ValueError(
            "x and b must be interleaved, b_1 < x_1 <= b_2 < x_2 <= ..., and equally many; sort both first."
        )
    singular = np.linalg.svd(ramp_matrix(x, b), compute_uv=False)
    return RampFacts(len(x), float((x - b).min()), float(singular[0] / singular[-1]))


def _vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise ValueError(f"{name} must be a vector of finite numbers, got shape {vector.shape}.")
    return vector
