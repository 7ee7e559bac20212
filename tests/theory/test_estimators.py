"""What holds for every estimator: scikit-learn's conventions, and how each meets bad input."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from shatterlab.theory import KernelInterpolator, MinimumNormRegressor, ReLUInterpolator, kernels

ESTIMATORS = {
    "relu": ReLUInterpolator(),
    "relu, classes": ReLUInterpolator(task="classification"),
    "minimum norm": MinimumNormRegressor(),
    "ridge": MinimumNormRegressor(ridge=0.1),
    "gaussian": KernelInterpolator(),
    "gaussian, classes": KernelInterpolator(task="classification"),
    "gaussian, ridge": KernelInterpolator(ridge=0.01),
    "laplace": KernelInterpolator("laplace"),
    "linear": KernelInterpolator("linear"),
    "linear, ridge": KernelInterpolator("linear", ridge=0.1),
    "gaussian by conjugate gradients": KernelInterpolator(solver="cg"),
}
IN_FLOAT32 = {
    "gaussian in float32": KernelInterpolator(dtype="float32"),
    "laplace in float32": KernelInterpolator("laplace", dtype="float32"),
}
of_any_precision = pytest.mark.parametrize(
    "estimator", (ESTIMATORS | IN_FLOAT32).values(), ids=(ESTIMATORS | IN_FLOAT32).keys()
)
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


@every_estimator
def test_scikit_learns_conventions_hold(estimator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator)


@pytest.fixture(autouse=True, scope="module")
def _no_estimate_of_speed() -> Iterator[None]:
    """Each fit of a kernel times a matrix product to announce how long it takes, which takes longer than the fit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "matrix_rate", lambda dtype: 1e12)
        yield


def points(n: int = 30, d: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.integers(10, size=n)


@every_estimator
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[np.nan, 1.0], [0.0, 1.0]], [0, 1], "NaN"),
        ([[np.inf, 1.0], [0.0, 1.0]], [0, 1], "infinity"),
        ([[0.0, 1.0], [1.0, 1.0]], [0, 1, 2], "inconsistent numbers of samples"),
        ([0.0, 1.0], [0, 1], "Expected 2D array"),
        (np.zeros((2, 0)), [0, 1], "0 feature"),
        (np.zeros((0, 2)), [], "0 sample"),
    ],
)
def test_bad_input_is_refused_with_the_reason(estimator, X, y, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, y)


@every_estimator
def test_constant_columns_change_nothing_that_is_fitted(estimator) -> None:
    X, y = points()
    X[:, 3] = 7.0
    X[:, 4] = 0.0
    predicted = clone(estimator).fit(X, y).predict(X)
    np.testing.assert_allclose(predicted, y, atol=0.5 if getattr(estimator, "ridge", 0) else 1e-4)


@every_estimator
def test_equal_rows_with_equal_targets_are_fitted(estimator) -> None:
    X, y = points(20)
    X, y = np.concatenate([X, X[:5]]), np.concatenate([y, y[:5]])
    predicted = clone(estimator).fit(X, y).predict(X)
    np.testing.assert_allclose(predicted, y, atol=0.5 if getattr(estimator, "ridge", 0) else 1e-3)


@every_estimator
def test_one_point_is_fitted(estimator) -> None:
    if getattr(estimator, "ridge", 0):
        pytest.skip("a ridge shrinks")
    assert clone(estimator).fit([[1.0, 2.0]], [3]).predict([[1.0, 2.0]]) == pytest.approx(3)


@of_any_precision
@settings(max_examples=8, deadline=None)
@given(of_points=st.integers(-300, 300), of_targets=st.integers(-300, 300))
def test_points_and_targets_times_powers_of_two_give_the_same_answers(estimator, of_points, of_targets) -> None:
    X, y = points()
    new = points(seed=1)[0]
    if getattr(estimator, "dtype", "") == "float32":
        X, new, of_points = X.astype(np.float32), new.astype(np.float32), of_points // 3  # its range is up to 2^128
    if getattr(estimator, "task", "auto") == "classification":
        of_targets = 0  # classes have no scale
    before, after = clone(estimator), clone(estimator)
    linear = isinstance(estimator, MinimumNormRegressor) or getattr(estimator, "kernel", "") == "linear"
    if linear:
        after.set_params(ridge=np.ldexp(estimator.ridge, 2 * of_points))  # in units of the squared points
    before.fit(X, y)
    after.fit(np.ldexp(X, of_points), np.ldexp(y.astype(float), of_targets) if of_targets else y)
    same = {"rtol": 1e-9, "atol": 1e-9}
    found = after.predict(np.ldexp(new, of_points))
    np.testing.assert_allclose(np.ldexp(found, -of_targets) if of_targets else found, before.predict(new), **same)
    if hasattr(before, "norm_"):
        of_norm = of_targets - of_points * linear
        assert np.ldexp(after.norm_, -of_norm) == pytest.approx(before.norm_, rel=1e-6)


@of_any_precision
@pytest.mark.parametrize("size", [1e-155, 1e155])
def test_points_and_targets_whose_squares_are_no_numbers_are_fitted(estimator, size: float) -> None:
    if getattr(estimator, "ridge", 0):
        pytest.skip("a ridge shrinks")
    if getattr(estimator, "dtype", "") == "float32":
        size **= 1 / 5
    X, y = points()
    predicted = clone(estimator).fit(X * size, y).predict(X * size)
    np.testing.assert_allclose(predicted, y, atol=1e-3)
    if getattr(estimator, "task", "auto") != "classification":
        model = clone(estimator).fit(X, y * size)
        np.testing.assert_allclose(model.predict(X) / size, y, atol=1e-3)
        assert not hasattr(model, "norm_") or 0 < model.norm_ < np.inf
