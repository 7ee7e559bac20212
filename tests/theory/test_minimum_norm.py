"""Minimum norm: equal to the pseudoinverse and to where descent goes; curvature the same at every optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from shatterlab.theory import MinimumNormRegressor, curvature, descend, span_angle


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 40), d=st.integers(1, 60), outputs=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_it_equals_the_pseudoinverse(n: int, d: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, outputs))
    model = MinimumNormRegressor().fit(X, y)
    expected = np.linalg.pinv(X) @ y
    np.testing.assert_allclose(model.coef_.T, expected, atol=1e-6 * max(1.0, np.abs(expected).max()))
    np.testing.assert_allclose(X.T @ model.dual_coef_, model.coef_.T, atol=1e-6 * max(1.0, np.abs(expected).max()))
    assert model.rank_ == min(n, d)
    assert model.norm_ == pytest.approx(np.linalg.norm(expected), rel=1e-5)


@pytest.mark.parametrize(("n", "d"), [(10, 30), (30, 10)])
def test_a_ridge_equals_scikit_learns(n: int, d: int) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    expected = Ridge(alpha=0.7, fit_intercept=False).fit(X, y).coef_
    np.testing.assert_allclose(MinimumNormRegressor(ridge=0.7).fit(X, y).coef_, expected, atol=1e-10)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_a_singular_gram_matrix_takes_the_svd_and_is_right(shape) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1]))
    y = rng.standard_normal(shape[0])
    for ridge in (0.0, 1e-12):
        model = MinimumNormRegressor(ridge=ridge).fit(X, y)
        assert (model.route_, model.rank_) == ("svd", 3)
        np.testing.assert_allclose(model.coef_, np.linalg.pinv(X) @ y, atol=1e-8)


def test_zeros_are_solved_by_zero() -> None:
    model = MinimumNormRegressor().fit(np.zeros((3, 2)), [1.0, 2.0, 3.0])
    assert model.rank_ == 0
    np.testing.assert_array_equal(model.coef_, [0, 0])


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf, "1"])
def test_a_ridge_below_zero_is_refused(ridge) -> None:
    with pytest.raises(ValueError, match="ridge must be a finite number of at least 0"):
        MinimumNormRegressor(ridge=ridge).fit([[1.0]], [1.0])


def wide(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((10, 60)), rng.standard_normal(10)


@pytest.mark.parametrize("batch_size", [None, 1, 4])
def test_descent_from_zero_ends_at_the_minimum_norm_solution(batch_size) -> None:
    X, y = wide()
    *_, last = descend(X, y, steps=4_000, batch_size=batch_size)
    least = MinimumNormRegressor().fit(X, y)
    np.testing.assert_allclose(last, least.coef_, atol=1e-8)
    assert np.linalg.norm(last) == pytest.approx(least.norm_)
    cosine = last @ least.coef_ / np.linalg.norm(last) / least.norm_
    assert cosine == pytest.approx(1)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_every_iterate_from_zero_stays_in_the_span_of_the_data(batch_size) -> None:
    X, y = wide(1)
    assert all(span_angle(X, w) < 1e-6 for w in descend(X, y, steps=50, batch_size=batch_size))
    assert span_angle(X, np.random.default_rng(0).standard_normal(60)) > 0.5


@pytest.mark.parametrize("batch_size", [None, 1])
def test_descent_from_elsewhere_ends_at_the_projection_of_its_start(batch_size) -> None:
    X, y = wide(2)
    start = np.random.default_rng(3).standard_normal(60)
    *_, last = descend(X, y, start, steps=4_000, batch_size=batch_size)
    np.testing.assert_allclose(last, start + np.linalg.pinv(X) @ (y - X @ start), atol=1e-8)
    assert np.linalg.norm(last) > MinimumNormRegressor().fit(X, y).norm_


@pytest.mark.parametrize(("n", "d"), [(10, 60), (60, 10)])
def test_curvature_is_that_of_the_dense_hessian_at_every_point(n: int, d: int) -> None:
    import torch

    rng = np.random.default_rng(4)
    X, y = torch.tensor(rng.standard_normal((n, d))), torch.tensor(rng.standard_normal(n))
    expected = curvature(X.numpy())
    assert (expected[: max(0, d - n)] == 0).all()
    for _ in range(3):
        w = torch.tensor(rng.standard_normal(d) * 5)
        hessian = torch.autograd.functional.hessian(lambda w: ((X @ w - y) ** 2).mean() / 2, w)
        np.testing.assert_allclose(np.linalg.eigvalsh(hessian.numpy()), expected, atol=1e-10)


def test_a_start_of_another_shape_is_refused() -> None:
    X, y = wide()
    with pytest.raises(ValueError, match=r"start must have shape \(60,\), got \(3,\)"):
        next(descend(X, y, np.zeros(3), steps=1))


@pytest.mark.parametrize("ridge", [1e-14, 1e-10, 1e-6, 1e-2, 10.0])
@pytest.mark.parametrize(("n", "d"), [(200, 5), (5, 200), (30, 30)])
def test_a_small_ridge_loses_no_digits(n: int, d: int, ridge: float) -> None:
    rng = np.random.default_rng(n)
    X, y = rng.standard_normal((n, d)), 1_000 * rng.standard_normal(n)
    # The least-squares problem of [X; sqrt(ridge) I], which never forms a Gram matrix.
    stacked = np.concatenate([X, np.sqrt(ridge) * np.eye(d)])
    expected = np.linalg.lstsq(stacked, np.concatenate([y, np.zeros(d)]), rcond=None)[0]
    np.testing.assert_allclose(MinimumNormRegressor(ridge).fit(X, y).coef_, expected, rtol=1e-6, atol=1e-6)


def test_points_at_the_origin_move_nothing() -> None:
    assert [w.tolist() for w in descend(np.zeros((3, 2)), [1.0, 2.0, 3.0], steps=2)] == [[0.0, 0.0]] * 2


@pytest.mark.parametrize("size", [1e-300, 1e-155, 1e155, 1e300])
def test_points_of_any_size_give_the_pseudoinverse(size: float) -> None:
    X, y = wide()
    expected = np.linalg.pinv(X) @ y
    model = MinimumNormRegressor().fit(X * size, y)
    np.testing.assert_allclose(model.coef_ * size, expected, rtol=1e-9)
    assert model.norm_ * size == pytest.approx(np.linalg.norm(expected))
    np.testing.assert_allclose(MinimumNormRegressor().fit(X, y * size).norm_ / size, np.linalg.norm(expected))
    *_, last = descend(X * size, y, steps=2_000)
    np.testing.assert_allclose(last * size, expected, rtol=1e-6)
    assert span_angle(X * size, last) < 1e-6
    assert span_angle(X, expected * size) < 1e-6


def test_points_of_any_size_have_the_curvature_of_their_scale() -> None:
    X, _ = wide()
    for exponent in (-500, 500):
        np.testing.assert_allclose(np.ldexp(curvature(np.ldexp(X, exponent)), -2 * exponent), curvature(X))


def test_a_learning_rate_is_in_the_units_of_the_data() -> None:
    X, y = wide()
    X *= 1_000
    *_, w = descend(X, y, np.ones(60), steps=3, learning_rate=1e-8)
    expected = np.ones(60)
    for _ in range(3):
        expected = expected - 1e-8 / len(X) * (X.T @ (X @ expected - y))
    np.testing.assert_allclose(w, expected)


@pytest.mark.parametrize("w", [np.zeros(60), np.full(60, np.nan), np.ones(3)])
def test_zero_has_no_angle(w) -> None:
    with pytest.raises(ValueError, match="w must be 60 finite numbers that are not all zero"):
        span_angle(wide()[0], w)
