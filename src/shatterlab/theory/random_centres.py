"""Interpolation with a kernel around other points than those that are fitted, of which the solution is not the least.

Zhang et al. (2017), section 5: any n centres in general position give a function through n points, so that fitting them
says nothing about generalization.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arguments import number
from .kernels import gaussian


@dataclass(frozen=True)
class AroundCentres:
    """f(x) = sum_j alpha_j exp(-gamma |x - c_j|²).

    Args:
        centres: c, (n, d).
        alpha: (n, outputs) float64.
        gamma: inverse squared width.
        norm: sqrt(sum alpha * K alpha) with K the Gram matrix of the centres, the norm of f in the kernel's space.
        residual: the largest |f(x_i) - y_i| over the points that were fitted.
    """

    centres: NDArray
    alpha: NDArray[np.float64]
    gamma: float
    norm: float
    residual: float

    def predict(self, X: NDArray) -> NDArray[np.float64]:
        """f(x), (m, outputs)."""
        return gaussian(X.astype(np.float64), self.centres, self.gamma) @ self.alpha


def interpolate_around(centres: NDArray, X: NDArray, targets: NDArray, gamma: float) -> AroundCentres:
    """Fits n points by a sum of Gaussians around n other ones.

    Of all functions in the kernel's space that go through the points this is not the one of least norm, unless the
    centres are the points.

    Args:
        centres: (n, d), any points.
        X: (n, d), the points to be fitted.
        targets: (n, outputs).
        gamma: inverse squared width, above 0.

    Raises:
        ValueError: there are not as many centres as points, or gamma is not positive and finite.

    Source: Zhang et al. (2017), section 5.

    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0]])
    >>> fit = interpolate_around(X + 0.5, X, np.array([[1.0], [-1.0]]), 1.0)
    >>> fit.predict(X).round(9)
    array([[ 1.],
           [-1.]])
    """
    gamma = number("gamma", gamma, above=True)
    if len(centres) != len(X):
        raise ValueError(f"give as many centres as points: {len(X)}, not {len(centres)}.")
    centres, X = centres.astype(np.float64), X.astype(np.float64)
    between = gaussian(X, centres, gamma)
    factor = scipy.linalg.lu_factor(between)
    alpha = scipy.linalg.lu_solve(factor, targets)
    alpha += scipy.linalg.lu_solve(factor, targets - between @ alpha)  # the matrix may be close to singular
    norm = float(np.sqrt(max(0.0, float((alpha * (gaussian(centres, centres, gamma) @ alpha)).sum()))))
    return AroundCentres(centres, alpha, gamma, norm, float(np.abs(between @ alpha - targets).max()))
