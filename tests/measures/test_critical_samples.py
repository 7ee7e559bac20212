"""The critical sample ratio: an example by hand, brute force on a grid, and what a search may not change."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from shatterlab.measures.critical_samples import STARTS, STEPS, gradient_search, random_search


def linear_by_hand() -> nn.Module:
    """f = 3 x1 - x2, whose sign is the class."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -1.0]]))
    return layer


def perceptron(seed: int = 0, d: int = 2, classes: int = 3, scale: float = 1.0) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, classes))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    return network


def points(n: int = 60, d: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def predict_of(network: nn.Module):
    return lambda X: (network(torch.as_tensor(X, dtype=torch.float32)).detach().numpy()[:, 0] > 0).astype(np.int64)


def test_the_example_by_hand_flips_beyond_one_half() -> None:
    results = gradient_search(linear_by_hand(), [[1.0, 1.0]], [0.49, 0.51, 0.6])
    assert [result.share for result in results] == [0, 1, 1]
    assert [result.radius for result in results] == [0.49, 0.51, 0.6]


def test_random_search_finds_the_corner_of_the_example_by_hand_and_nothing_nearer() -> None:
    results = random_search(predict_of(linear_by_hand()), [[1.0, 1.0]], [0.49, 0.6])
    assert [result.share for result in results] == [0, 1]


@pytest.mark.parametrize("radius", [0.05, 0.2, 0.5])
def test_both_searches_agree_with_brute_force_in_two_dimensions(radius: float) -> None:
    network, X = perceptron(), points()
    places = np.stack(np.meshgrid(*[np.linspace(-radius, radius, 41)] * 2), axis=-1).reshape(-1, 2)
    with torch.no_grad():
        near = torch.as_tensor(X[:, None] + places.astype(np.float32))
        classes = network(near).argmax(-1)
        own = network(torch.as_tensor(X)).argmax(-1)
    truth = (classes != own[:, None]).any(1).numpy().mean()

    def predict(Z):
        return network(torch.as_tensor(Z)).argmax(1).numpy()

    (by_gradient,) = gradient_search(network, X, [radius])
    (at_random,) = random_search(predict, X, [radius], draws=200)
    assert 0.05 < truth < 0.9
    assert by_gradient.share == pytest.approx(truth, abs=1.5 / len(X))
    assert truth - 2.5 / len(X) <= at_random.share <= truth + 0.5 / len(X)


def test_points_that_are_critical_are_removed_without_changing_the_result() -> None:
    network, X, radii = perceptron(d=8), points(40, 8), [0.03, 0.3]
    naive, shares = np.zeros(len(X), dtype=bool), []
    centre = torch.as_tensor(X)
    own, *others = network(centre).argsort(1, descending=True).T
    for radius in radii:
        for start in range(STARTS):
            offset = np.random.default_rng([0, start]).uniform(-1, 1, X.shape) if start else np.zeros(X.shape)
            there, aim = centre + radius * torch.as_tensor(offset, dtype=torch.float32), others[start % 2]
            for _ in range(STEPS):
                there = there.detach().requires_grad_()
                logits = network(there)
                (logits[range(40), aim] - logits[range(40), own]).sum().backward()
                there = there.detach() + 2.5 / STEPS * radius * there.grad.sign()
                there = torch.clamp(there, centre - radius, centre + radius)
                naive |= (network(there).argmax(1) != own).numpy()
        shares.append(naive.mean())
    assert 0 < shares[0] < shares[-1] < 1
    for batch in (500, 7):
        assert [found.share for found in gradient_search(network, X, radii, batch=batch)] == pytest.approx(shares)


def test_a_network_that_is_sure_of_itself_is_searched_as_well() -> None:
    """The cross-entropy of such a network has no gradient left in single precision."""
    X, sure = points(40), perceptron(scale=1e6)
    there = torch.as_tensor(X).requires_grad_()
    logits = sure(there)
    nn.functional.cross_entropy(logits, logits.argmax(1)).backward()
    assert not there.grad.any()
    assert gradient_search(sure, X, [0.5])[0].share > 0.3


def test_the_valid_range_keeps_the_search_inside() -> None:
    network = linear_by_hand()
    assert gradient_search(network, [[1.0, 1.0]], [0.6], low=[0.6, -1])[0].share == 0
    assert random_search(predict_of(network), [[1.0, 1.0]], [0.6], low=[0.6, -1])[0].share == 0
    with pytest.raises(ValueError, match="outside low and high"):
        gradient_search(network, [[1.0, 1.0]], [0.6], high=0.9)


def test_images_of_any_shape_and_a_network_in_training_mode_are_taken_and_left_as_they_were() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = load_digits().images[:20, None] / 16
    (small, large) = gradient_search(network, images, [0.01, 0.5], low=0, high=1)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert 0 <= small.share < large.share <= 1
    assert small.n == 20


def test_the_error_is_that_of_a_share_and_never_zero() -> None:
    (middle,) = gradient_search(perceptron(), points(), [0.2])
    assert middle.error == pytest.approx((middle.share * (1 - middle.share) / 60) ** 0.5)
    (none,) = gradient_search(linear_by_hand(), [[1.0, 1.0]] * 8, [0.1])
    assert none.share == 0
    assert none.error == pytest.approx((0.1 * 0.9 / 8) ** 0.5)
    assert str(none) == (
        "At least 0.0 % of 8 points (SE 10.6 %) have another class within 0.1 of each coordinate (gradient search, "
        "100 tries a point)."
    )


def test_more_draws_extend_fewer_and_a_forest_can_be_searched() -> None:
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(X[:300], y[:300])
    few, many, again = (
        [result.share for result in random_search(forest.predict, X[300:340], [1, 4], draws=draws, low=0, high=16)]
        for draws in (4, 20, 20)
    )
    assert many == again
    assert few[0] <= many[0] <= many[1]
    assert few[1] <= many[1]
    assert 0 < many[1] < 1


def test_inputs_without_a_gradient_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="use random_search"):
        gradient_search(perceptron(), np.zeros((3, 2), dtype=np.int64), [1])
    for search, model in ((gradient_search, perceptron()), (random_search, lambda X: np.zeros(len(X)))):
        with pytest.raises(ValueError, match="positive"):
            search(model, points(), [0.0])
        with pytest.raises(ValueError, match="no points"):
            search(model, np.zeros((0, 2)), [0.1])


def test_random_search_hands_over_the_dtype_of_the_inputs_whatever_the_bounds_are() -> None:
    seen = []

    def predict(X):
        seen.append(X.dtype)
        return np.zeros(len(X), dtype=np.int64)

    random_search(predict, points(4), [0.1], low=-9, high=[9, 9], draws=2)
    assert set(seen) == {np.dtype(np.float32)}
