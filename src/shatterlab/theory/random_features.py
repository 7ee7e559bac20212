"""Random ReLU features and ridge regression on them: the smallest model that shows double descent.

Belkin et al. (2019): the test error of the minimum-norm fit peaks where there are as many features as training points,
and falls again beyond. Nakkiran et al. (2021): the right ridge removes the peak.
"""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arguments import number, whole


def random_relu_features(X: NDArray, count: int, seed: int = 0) -> NDArray[np.float64]:
    """Returns max(X W, 0) / sqrt(count) with Gaussian W of variance 1 / d; equal seeds give equal W.

    Args:
        X: (n, d).
        count: number of features.
        seed: seed of W.

    Returns:
        (n, count).

    Raises:
        ValueError: count is no whole number of at least 1.
    """
    count = whole("count", count)
    weights = np.random.default_rng(seed).standard_normal((X.shape[1], count)) / np.sqrt(X.shape[1])
    return np.maximum(X @ weights, 0) / np.sqrt(count)


def ridge_path(features: NDArray, targets: NDArray, ridges: Sequence[float]) -> NDArray[np.float64]:
    """Returns the weights w that minimize |F w - y|² + ridge |w|² for each ridge; for 0 those of least norm.

    Args:
        features: F, (n, count).
        targets: y, (n, outputs).
        ridges: numbers of at least 0.

    Returns:
        (len(ridges), count, outputs).

    Raises:
        ValueError: a ridge is negative, not finite or no number.
    """
    ridges = [number("each ridge", ridge) for ridge in ridges]
    left, singular, right = scipy.linalg.svd(features, full_matrices=False)
    kept = singular > singular.max(initial=0) * max(features.shape) * np.finfo(np.float64).eps
    left, singular, right = left[:, kept], singular[kept], right[kept]
    along = left.T @ targets
    # Written so, singular / (singular² + ridge) needs no square, which could overflow or vanish.
    return np.stack([right.T @ (along / (singular + ridge / singular)[:, None]) for ridge in ridges])
