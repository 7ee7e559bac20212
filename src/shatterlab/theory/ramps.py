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
