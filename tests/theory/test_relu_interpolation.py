"""The theorem: any points are fitted by the network's own values, with 2n + d weights, by every route alike."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab.theory import ReLUInterpolator, relu_interpolation


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 200), d=st.integers(1, 20), outputs=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_any_points_are_fitted_with_two_n_plus_d_weights(n: int, d: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, outputs)) * 10
    net = ReLUInterpolator(random_state=seed).fit(X, y)
    np.testing.assert_allclose(net.predict(X), y, atol=1e-6)
    assert net.n_weights_ == d + n + n * outputs


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_columns_of_any_scale_are_fitted(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((50, 3)) * [1, scale, 0]
    y = rng.integers(10, size=50)
    np.testing.assert_allclose(ReLUInterpolator().fit(X, y).predict(X), y, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 60, 300])
def test_predictions_are_the_sum_of_ramps_in_rational_numbers(n: int) -> None:
    rng = np.random.default_rng(n)
    X, new = rng.standard_normal((n, 5)), rng.standard_normal((20, 5)) * 2
    net = ReLUInterpolator().fit(X, rng.integers(10, size=n))
    b, w = ([Fraction(value) for value in values] for values in (net.weights_.b, net.weights_.w[:, 0]))
    for points in (X[:20], new):
        z = [Fraction(value) for value in relu_interpolation.project(points, net.weights_.a)]
        ramps = [float(sum(max(point - b, 0) * w for b, w in zip(b, w, strict=True))) for point in z]
        np.testing.assert_allclose(net.predict(points), ramps, rtol=1e-13, atol=1e-12)


def test_no_partial_sum_of_the_weights_is_rounded() -> None:
    rng = np.random.default_rng(0)
    y = np.column_stack([rng.integers(10, size=2_000), rng.standard_normal(2_000) * 1e-9])
    w = ReLUInterpolator().fit(rng.standard_normal((2_000, 3)), y).weights_.w
    for column in w.T:
        total = Fraction(0)
        for weight, rounded in zip(column, np.cumsum(column), strict=True):
            total += Fraction(weight)
            assert total == Fraction(rounded)


def test_predictions_come_from_the_weights_and_not_from_the_targets() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.integers(10, size=50)
    net = ReLUInterpolator().fit(X, y)
    before = net.predict(X)
    net.weights_ = replace(net.weights_, w=net.weights_.w * 2)
    np.testing.assert_allclose(net.predict(X), 2 * before)
    net.weights_ = replace(net.weights_, b=net.weights_.b + 1e-3)
    assert np.abs(net.predict(X) - 2 * y).max() > 0.1


def test_the_error_grows_about_as_n_and_that_of_the_plain_sum_about_as_n_squared() -> None:
    rng = np.random.default_rng(0)
    errors = {}
    for n in (500, 50_000):
        X, y = rng.standard_normal((n, 5)), rng.integers(10, size=n)
        net = ReLUInterpolator().fit(X, y)
        few = torch.tensor(X[:: n // 100])
        with torch.no_grad():
            plain = np.abs(net.to_torch()(few).numpy()[:, 0] - y[:: n // 100]).max()
        errors[n] = np.abs(net.predict(X) - y).max(), plain
    # The largest of n heavy-tailed errors scatters by a factor of ten and more from one draw to the next.
    assert errors[50_000][0] < 1e-8
    assert 1e-7 < errors[50_000][1] < 1e-2
    assert errors[500][1] < 1e-7


def test_the_torch_module_has_the_weights_and_fits_the_points() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((200, 7)), rng.integers(10, size=200)
    net = ReLUInterpolator().fit(X, y)
    module = net.to_torch()
    assert sum(parameter.numel() for parameter in module.parameters()) == 2 * 200 + 7 == net.n_weights_
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor(X)).numpy()[:, 0], y, atol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 64, 785])
def test_torch_projects_to_the_same_bits(d: int) -> None:
    from shatterlab.theory import networks

    rng = np.random.default_rng(d)
    X, a = rng.standard_normal((300, d)), rng.standard_normal(d)
    z = relu_interpolation.project(X, a)
    np.testing.assert_array_equal(networks.project(torch.tensor(X), torch.tensor(a)).numpy(), z)
    np.testing.assert_allclose(z, X @ a, atol=1e-11)


def test_thresholds_interleave_and_give_the_lemmas_eigenvalue() -> None:
    from shatterlab.theory import ramp_facts

    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((60, 4)), rng.integers(10, size=60)
    net = ReLUInterpolator().fit(X, y)
    z = np.sort(relu_interpolation.project(X, net.weights_.a))
    assert ramp_facts(z, net.weights_.b).smallest_eigenvalue == pytest.approx(net.smallest_eigenvalue_)


def test_a_row_is_predicted_the_same_alone_and_among_others() -> None:
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((5_000, 33)), rng.integers(10, size=5_000)
    net = ReLUInterpolator().fit(X, y)
    together = net.predict(X)
    for rows in (slice(17, 18), slice(100, 333), slice(4_999, None)):
        np.testing.assert_array_equal(net.predict(X[rows]), together[rows])
    np.testing.assert_array_equal(net.predict(np.asfortranarray(X)), together)


def test_strings_are_fitted_as_classes() -> None:
    X, y = np.arange(6.0)[:, None], np.array(["cat", "dog", "cat", "bird", "dog", "dog"])
    net = ReLUInterpolator().fit(X, y)
    np.testing.assert_array_equal(net.predict(X), y)
    assert net.score(X, y) == 1.0
    with pytest.raises(ValueError, match="use task='classification'"):
        ReLUInterpolator(task="regression").fit(X, y)


def test_equal_rows_with_different_labels_are_refused_by_name() -> None:
    X = np.random.default_rng(4).standard_normal((10, 3))
    X[7] = X[2]
    with pytest.raises(ValueError, match="rows 2 and 7 of X are equal but have different targets, 2 and 7"):
        ReLUInterpolator().fit(X, np.arange(10))


def test_equal_rows_with_equal_labels_are_merged() -> None:
    X = np.random.default_rng(5).standard_normal((10, 3))
    X[[5, 7]] = X[2]
    y = np.arange(10)
    y[[5, 7]] = 2
    net = ReLUInterpolator().fit(X, y)
    assert net.n_weights_ == 2 * 8 + 3
    np.testing.assert_allclose(net.predict(X), y, atol=1e-9)


def test_a_projection_that_ties_different_rows_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)

    class TiesAtFirst:
        calls = 0

        def standard_normal(self, size: int) -> np.ndarray:
            self.calls += 1
            return np.zeros(size) if self.calls <= 3 else rng.standard_normal(size)

    ties = TiesAtFirst()
    monkeypatch.setattr(relu_interpolation, "check_random_state", lambda seed: ties)
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    np.testing.assert_allclose(ReLUInterpolator().fit(X, y).predict(X), y, atol=1e-9)
    assert ties.calls > 3


def test_rows_that_float64_cannot_tell_apart_are_named() -> None:
    X = np.array([[1e30, 0.0], [-1e30, 0.0], [1e30, 1e-30]])
    X[:, 1] += [0, 1e30, 0]  # a wide column, so that the small difference drowns
    X[2, 1] = np.nextafter(0, 1)
    with pytest.raises(ValueError, match=r"rows 0 and 2 of X differ by too little for float64"):
        ReLUInterpolator().fit(X, [0, 1, 2])


def test_photographs_with_random_labels_are_fitted(cifar10: str) -> None:
    from shatterlab.data import at_most, load

    some = at_most(load(cifar10), 2_000, 10, 0)
    y = np.random.default_rng(0).integers(10, size=2_000)
    net = ReLUInterpolator().fit(some.train.flat(), y)
    assert np.abs(net.predict(some.train.flat()) - y).max() < 1e-9


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-160, 1e160, 1.7e308])
def test_columns_of_the_smallest_and_largest_numbers_are_fitted(size: float) -> None:
    X, y = size * np.array([[0.0], [1.0], [-1.0]]), [5.0, -1.0, 2.0]
    np.testing.assert_allclose(ReLUInterpolator().fit(X, y).predict(X), y, atol=1e-12)


def test_points_far_from_zero_beside_their_range_are_fitted() -> None:
    X, y = 1.0 + np.arange(50.0)[:, None] * np.finfo(np.float64).eps, np.arange(50.0) % 10
    np.testing.assert_allclose(ReLUInterpolator().fit(X, y).predict(X), y, atol=1e-9)


def test_targets_whose_slopes_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="slope between their targets overflows; divide y by a large number"):
        ReLUInterpolator().fit([[0.0], [1.0], [1.0 + 1e-12]], [0.0, 1e300, -1e300])
