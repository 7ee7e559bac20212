"""The theorem: exact on any points, 2n + d weights, and the same function by every route."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab.theory import ReLUInterpolator


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 200), d=st.integers(1, 20), outputs=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_any_points_are_fitted_exactly_with_two_n_plus_d_weights(n: int, d: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, outputs)) * 10
    net = ReLUInterpolator(random_state=seed).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), y)
    assert net.n_weights_ == d + n + n * outputs


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_columns_of_any_scale_are_fitted(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((50, 3)) * [1, scale, 0]
    y = rng.integers(10, size=50)
    np.testing.assert_array_equal(ReLUInterpolator().fit(X, y).predict(X), y)


def test_the_search_computes_the_network_of_the_weights() -> None:
    rng = np.random.default_rng(0)
    X, y, new = rng.standard_normal((100, 5)), rng.integers(10, size=100), rng.standard_normal((300, 5))
    net = ReLUInterpolator().fit(X, y)
    a, b, w = net.weights_.a, net.weights_.b, net.weights_.w
    ramps = np.maximum((new @ a)[:, None] - b, 0) @ w
    np.testing.assert_allclose(net.predict(new), ramps[:, 0], atol=1e-8)


def test_the_torch_module_has_the_weights_and_fits_the_points() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((200, 7)), rng.integers(10, size=200)
    net = ReLUInterpolator().fit(X, y)
    module = net.to_torch()
    assert sum(parameter.numel() for parameter in module.parameters()) == 2 * 200 + 7 == net.n_weights_
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor(X)).numpy()[:, 0], y, atol=1e-6)


def test_thresholds_interleave_and_give_the_lemmas_eigenvalue() -> None:
    from shatterlab.theory import ramp_facts

    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((60, 4)), rng.integers(10, size=60)
    net = ReLUInterpolator().fit(X, y)
    z = np.sort(np.einsum("ij,j->i", X, net.weights_.a))
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
    np.testing.assert_array_equal(net.predict(X), y)


def test_a_projection_that_ties_different_rows_is_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from shatterlab.theory import relu_interpolation

    rng = np.random.default_rng(0)

    class TiesAtFirst:
        calls = 0

        def standard_normal(self, size: int) -> np.ndarray:
            self.calls += 1
            return np.zeros(size) if self.calls <= 3 else rng.standard_normal(size)

    ties = TiesAtFirst()
    monkeypatch.setattr(relu_interpolation, "check_random_state", lambda seed: ties)
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    np.testing.assert_array_equal(ReLUInterpolator().fit(X, y).predict(X), y)
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
    assert np.abs(net.predict(some.train.flat()) - y).max() == 0
