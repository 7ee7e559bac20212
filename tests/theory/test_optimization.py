"""Implicit bias, nonconvex descent and the bias-variance decomposition, against what theory and other routes say."""

import numpy as np
import pytest

from shatterlab.theory import decompose, descend_factored, minimum_nuclear_norm, sensing_problem
from shatterlab.theory.matrix_factorization import nuclear_norm
from shatterlab.theory.nonconvex import PROBLEMS


def test_the_start_decides_whether_the_matrix_is_found() -> None:
    problem = sensing_problem(seed=0)
    tiny, large = descend_factored(problem, 1e-3), descend_factored(problem, 5.0)
    error = {name: np.linalg.norm(found.X - problem.truth) for name, found in (("tiny", tiny), ("large", large))}
    assert tiny.residual <= 1e-3
    assert large.residual <= 1e-3
    assert error["tiny"] < 0.01
    assert error["large"] > 0.5


def test_the_tiny_start_and_the_convex_programme_agree() -> None:
    problem = sensing_problem(n=20, rank=1, measurements=100, seed=1)
    convex, descended = minimum_nuclear_norm(problem), descend_factored(problem, 1e-4, tolerance=1e-4).X
    np.testing.assert_allclose(problem.operator @ convex.ravel(), problem.y, atol=1e-6)
    np.testing.assert_allclose(descended, convex, atol=5e-3)
    assert nuclear_norm(convex) <= nuclear_norm(descended) + 1e-6
    assert nuclear_norm(convex) == pytest.approx(nuclear_norm(problem.truth), abs=1e-6)


def test_a_step_that_is_too_long_is_said_to_diverge() -> None:
    with (
        pytest.raises(FloatingPointError, match="diverged at learning rate 100; try a tenth"),
        np.errstate(all="ignore"),
    ):
        descend_factored(sensing_problem(n=10, rank=1, measurements=60), 1.0, learning_rate=100.0)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_plain_descent_converges_linearly_and_stays_incoherent(problem: str, seed: int) -> None:
    path = PROBLEMS[problem](seed=seed, iterations=500)
    reached = path.iterations_to(1e-8)
    assert reached is not None
    assert reached <= 500
    slope, fit = path.linearity()
    assert slope < 0
    assert fit > 0.99
    assert path.incoherence.max() < 4
    assert len(path.error) == 501


def test_a_larger_blind_deconvolution_converges_and_too_long_a_step_is_said_to_diverge() -> None:
    path = PROBLEMS["blind deconvolution"](k=200, iterations=30)
    assert path.error[-1] < path.error[0] / 5
    with pytest.raises(FloatingPointError, match="diverged; try half the step"), np.errstate(all="ignore"):
        PROBLEMS["blind deconvolution"](iterations=200, step=5.0)


def test_a_path_that_does_not_arrive_says_so() -> None:
    path = PROBLEMS["phase retrieval"](iterations=3)
    assert path.iterations_to(1e-8) is None
    assert PROBLEMS["phase retrieval"](iterations=1).linearity() == pytest.approx((np.nan, np.nan), nan_ok=True)


@pytest.mark.parametrize("degree", [0, 3, 7, 12])
def test_bias_variance_and_noise_add_up_to_the_error_on_new_points(degree: int) -> None:
    parts = decompose(degree, repeats=400, seed=0)
    assert parts.bias2 + parts.variance + parts.noise == pytest.approx(parts.total, abs=4 * parts.total_error)


def test_the_errors_of_the_parts_are_their_spread_over_seeds() -> None:
    seeds = [decompose(3, repeats=100, points=50, seed=seed) for seed in range(40)]
    # Over 40 seeds a standard deviation is known within a ninth of itself.
    for part in ("variance", "total"):
        claimed = np.mean([getattr(parts, f"{part}_error") ** 2 for parts in seeds]) ** 0.5
        assert np.std([getattr(parts, part) for parts in seeds], ddof=1) == pytest.approx(claimed, rel=0.35)
    # Its second order is an upper bound.
    spread = np.std([parts.bias2 for parts in seeds], ddof=1)
    assert 0.3 < spread / np.mean([parts.bias2_error for parts in seeds]) < 1.35


def test_a_constant_fitted_to_a_sine_has_the_bias_and_variance_of_a_mean() -> None:
    from shatterlab.theory.bias_variance import sine

    parts = decompose(0, n=60, noise=0.5, repeats=4_000, seed=1)
    u = np.cos(np.pi * np.random.default_rng(0).random(10**6))
    assert parts.bias2 == pytest.approx(sine(u).var(), rel=0.02)  # its mean over x is 0 by symmetry
    assert parts.variance == pytest.approx((sine(u).var() + 0.25) / 60, rel=0.1)


def test_one_repeat_cannot_tell_variance_from_bias() -> None:
    with pytest.raises(ValueError, match="repeats must be a whole number of at least 2"):
        decompose(1, repeats=1)
