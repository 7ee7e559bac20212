"""The corollary: exact at every depth, as narrow and with as few weights as it says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab.theory import ReLUInterpolator, deep_relu_interpolator


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 300), d=st.integers(1, 10), depth=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_every_depth_fits_with_width_n_over_k_and_order_n_plus_d_weights(n: int, d: int, depth: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.integers(10, size=n)
    net = deep_relu_interpolator(X, y, depth, random_state=seed)
    np.testing.assert_allclose(net.predict(X), y, atol=1e-5)
    assert net.depth == depth
    assert max(net.widths) <= -(-n // (depth - 1)) + 4
    assert net.n_weights <= 4 * n + d + 9 * depth


@pytest.mark.parametrize(("n", "d", "depth"), [(10, 3, 2), (50, 4, 3), (80, 4, 7), (300, 2, 30)])
def test_the_weights_are_counted_as_they_stand_in_the_layers(n: int, d: int, depth: int) -> None:
    rng = np.random.default_rng(0)
    net = deep_relu_interpolator(rng.standard_normal((n, d)), rng.standard_normal(n), depth)
    module = net.to_torch()
    every = [*module.parameters(), *module.buffers()]
    # No dense layer hides behind the count: what is stored is what is counted, but for weights fixed at 0 and 1, and
    # for where the line begins.
    assert n <= sum(parameter.numel() for parameter in module.parameters()) <= net.n_weights + 1
    assert net.n_weights >= 2 * n + d
    assert sum(values.numel() for values in every) <= net.n_weights + 6 * depth


def test_depth_two_is_the_theorem() -> None:
    rng = np.random.default_rng(0)
    X, y, new = rng.standard_normal((50, 4)), rng.standard_normal(50), rng.standard_normal((100, 4))
    deep, flat = deep_relu_interpolator(X, y, 2), ReLUInterpolator().fit(X, y)
    assert deep.n_weights == flat.n_weights_ == 2 * 50 + 4
    np.testing.assert_allclose(deep.predict(new), flat.predict(new), atol=1e-8)


@pytest.mark.parametrize("depth", [2, 3, 7, 30])
def test_depth_changes_the_network_and_not_the_function(depth: int) -> None:
    rng = np.random.default_rng(1)
    X, y, new = rng.standard_normal((80, 4)), rng.standard_normal((80, 2)), rng.standard_normal((200, 4))
    net = deep_relu_interpolator(X, y, depth)
    np.testing.assert_allclose(net.predict(new), ReLUInterpolator().fit(X, y).predict(new), atol=1e-8)
    with torch.no_grad():
        np.testing.assert_allclose(net.to_torch()(torch.tensor(new)).numpy(), net.predict(new), atol=1e-8)


@pytest.mark.parametrize("depth", [1, 0, 2.5])
def test_a_depth_below_two_is_refused(depth) -> None:
    with pytest.raises(ValueError, match="depth, in layers of weights, must be a whole number of at least 2"):
        deep_relu_interpolator([[0.0], [1.0]], [0, 1], depth)


def test_features_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="X has 2 features, but the network was built for 1"):
        deep_relu_interpolator([[0.0], [1.0]], [0, 1], 2).predict([[0.0, 1.0]])
