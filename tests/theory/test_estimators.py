"""What holds for every estimator: scikit-learn's conventions, and how each meets bad input."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from shatterlab.theory import KernelInterpolator, MinimumNormRegressor, ReLUInterpolator

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
    "gaussian by conjugate gradients": KernelInterpolator(solver="cg"),
}
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


@every_estimator
def test_scikit_learns_conventions_hold(estimator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(estimator)


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
