"""Interpolants around random centres: they go through the points, and their norm is never below the least."""

import numpy as np
import pytest

from shatterlab.theory import KernelInterpolator
from shatterlab.theory.random_centres import interpolate_around


def problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 3))
    return X, rng.standard_normal((12, 2)), rng.standard_normal((12, 3))


def test_two_points_by_hand() -> None:
    """With centres at 0 and 2 and a point at each side of 1, symmetry gives alpha = 1 / (k(0.5) - k(1.5))."""
    fit = interpolate_around(np.array([[0.0], [2.0]]), np.array([[0.5], [1.5]]), np.array([[1.0], [-1.0]]), 1.0)
    size = 1 / (np.exp(-0.25) - np.exp(-2.25))
    np.testing.assert_allclose(fit.alpha, [[size], [-size]])
    assert fit.norm == pytest.approx(size * np.sqrt(2 - 2 * np.exp(-4)))
    assert fit.residual < 1e-12


def test_it_goes_through_the_points_with_a_norm_above_the_least() -> None:
    for seed in range(5):
        X, y, centres = problem(seed)
        fit = interpolate_around(centres, X, y, 0.5)
        np.testing.assert_allclose(fit.predict(X), y, atol=1e-6)
        assert fit.norm > 1.01 * KernelInterpolator("gaussian", 0.5).fit(X, y).norm_


def test_around_the_points_themselves_it_is_the_interpolant_of_least_norm() -> None:
    X, y, _ = problem()
    around, least = interpolate_around(X, X, y, 0.5), KernelInterpolator("gaussian", 0.5).fit(X, y)
    assert around.norm == pytest.approx(least.norm_, rel=1e-6)
    elsewhere = X + 0.3
    np.testing.assert_allclose(around.predict(elsewhere), least.predict(elsewhere), atol=1e-6)


def test_another_number_of_centres_is_refused() -> None:
    X, y, centres = problem()
    with pytest.raises(ValueError, match="give as many centres as points: 12, not 11"):
        interpolate_around(centres[1:], X, y, 0.5)
