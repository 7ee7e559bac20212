"""Complexity measures of networks small enough to be worked out by hand."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from shatterlab.measures.complexity import (
    MEASURES,
    NORMS,
    CannotFold,
    complexity,
    fold_batch_norm,
    margins,
    path_norm,
    spectral_norms,
)


def two_two_two() -> nn.Module:
    """h = ReLU(x1 + 2 x2 + 1, 3 x1 - x2), f = (2 h1, h2 - h1 + 1)."""
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    values = ([[1.0, 2.0], [3.0, -1.0]], [1.0, 0.0], [[2.0, 0.0], [-1.0, 1.0]], [0.0, 1.0])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    return network


def normalized_cnn(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6, affine=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, 12),
        nn.BatchNorm1d(12),
        nn.ReLU(),
        nn.Linear(12, 10),
    )
    images = torch.rand(64, 1, 8, 8)
    for _ in range(5):
        network(images)  # moves the running statistics away from 0 and 1
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and module.affine:
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
    return network


def trained(steps: int = 150) -> tuple[nn.Module, nn.Module, torch.Tensor, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    inputs, labels = torch.as_tensor(X[:200] / 16, dtype=torch.float32), y[:200]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    initial = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    initial.load_state_dict(network.state_dict())
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), torch.as_tensor(labels)).backward()
        optimizer.step()
    return network, initial, inputs, labels


def test_path_norm_of_a_two_two_one_network_by_hand() -> None:
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0]]))
        network[2].weight.copy_(torch.tensor([[2.0, -1.0]]))
    # Four paths: (1 * 2)^2 + (2 * 2)^2 + (3 * -1)^2 + (-1 * -1)^2 = 4 + 16 + 9 + 1.
    assert path_norm(network, torch.zeros(1, 2)) == pytest.approx(30)


def test_every_measure_of_a_small_network_by_hand() -> None:
    X, y = [[1.0, 0.0], [0.0, 1.0]], [1, 0]
    # Logits at (1, 0): h = (2, 3), f = (4, 2), margin -2 for class 1; at (0, 1): h = (3, 0), f = (6, -2), margin 8.
    network = two_two_two()
    assert margins(network(torch.tensor(X)).detach().numpy(), y) == pytest.approx([-2, 8])
    initial = two_two_two()
    with torch.no_grad():
        initial[0].weight += 1
        initial[0].bias += 5  # which does not count
    found = complexity(network, X, [0, 0], initial=initial)
    assert found.values["parameters"] == 12
    assert found.values["squared norm"] == pytest.approx(1 + 4 + 9 + 1 + 4 + 0 + 1 + 1)
    assert found.values["squared distance from the start"] == pytest.approx(4)
    products = np.prod([np.linalg.norm(layer.weight.detach().numpy(), 2) for layer in (network[0], network[2])])
    assert found.values["log product of spectral norms"] == pytest.approx(2 * np.log(products))
    # Margins 2 and 8 for class 0: the tenth percentile is 2.6.
    assert found.values["inverse margin"] == pytest.approx(2.6**-2)
    # With squared weights on ones: h = (1 + 4 + 1, 9 + 1), outputs 4 * 6 and 6 + 10 + 1.
    assert found.values["path norm"] == pytest.approx(41)
    assert found.values["path norm over margin"] == pytest.approx(41 / 2.6**2)
    assert found.reported["squared norm"] == pytest.approx((21 / 2) ** 0.5)
    assert found.reported["log product of spectral norms"] == pytest.approx(np.log(products / 2**0.5))


def test_a_margin_that_is_not_positive_is_left_out_and_never_taken_by_its_size() -> None:
    found = complexity(two_two_two(), [[1.0, 0.0], [0.0, 1.0]], [1, 0])
    # Margins -2 and 8: the tenth percentile is -1.
    assert found.left_out["inverse margin"] == "the 10th percentile of the margin is -1, which is not positive"
    assert found.left_out["path norm over margin"] == found.left_out["inverse margin"]
    assert found.left_out["squared distance from the start"] == "the network before training was not handed in"
    assert "path norm" in found.values


def test_folding_batch_norm_keeps_the_outputs() -> None:
    network = normalized_cnn()
    images = torch.rand(10, 1, 8, 8, dtype=torch.float64)
    folded = fold_batch_norm(network)
    expected = normalized_cnn().double().eval()(images)
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) for module in folded.modules())
    assert torch.allclose(folded(images), expected, atol=1e-10)
    assert network.training
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_scaling_a_layer_before_its_batch_norm_changes_no_measure() -> None:
    """The function stays the same, and so do the folded weights; without folding every norm would change."""
    images = torch.rand(30, 1, 8, 8)
    network, scaled = normalized_cnn(), normalized_cnn()
    with torch.no_grad():
        scaled[0][0].weight *= 3
        scaled[0][1].running_mean *= 3
        scaled[0][1].running_var.mul_(9).add_(8e-5)  # (v + 1e-5) * 9 = 9 v + 8e-5 + 1e-5
        # Makes every label the class that the network predicts, so that margins are positive.
        labels = normalized_cnn().eval()(images).argmax(1).numpy()
    first, second = (complexity(each, images, labels, draws=2) for each in (network, scaled))
    assert {"squared norm", "path norm", "inverse margin", "sharpness"} <= first.reported.keys()
    for name, value in first.reported.items():
        assert second.reported[name] == pytest.approx(value, rel=1e-4), name


class Normalized(nn.Module):
    """Normalizes its inputs, which no layer precedes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(2), nn.Linear(2, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layer(self.norm(inputs))


class Branching(nn.Module):
    """Uses what it normalizes elsewhere, too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(2, 2), nn.BatchNorm1d(2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.layer(inputs)
        return self.norm(hidden) + hidden


class Undecided(nn.Module):
    """Has a path that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(2, 2), nn.BatchNorm1d(2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layer(inputs)) if inputs.sum() > 0 else self.layer(inputs)


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Normalized(), "does not follow a layer"),
        (Branching(), "does not follow a layer"),
        (Undecided(), "cannot trace"),
    ],
)
def test_batch_norm_that_cannot_be_folded_is_said_and_its_measures_left_out(network: nn.Module, why: str) -> None:
    with pytest.raises(CannotFold, match=why):
        fold_batch_norm(network)
    found = complexity(network, [[1.0, 2.0], [2.0, 1.0]], [0, 0])
    assert set(found.reported) <= {"inverse margin"}
    assert all(why in found.left_out[name] for name in NORMS)
    assert set(found.reported) | set(found.left_out) == set(MEASURES)


def test_other_layers_with_weights_leave_the_norms_out() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    found = complexity(network, [[1.0, 2.0], [2.0, 1.0]], [0, 1])
    assert found.left_out["path norm"] == "the network has LayerNorm with weights of its own"
    assert found.values["parameters"] == 30


@pytest.mark.parametrize(
    "convolution", [nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 3, stride=2), nn.Conv1d(2, 2, 3)]
)
def test_the_spectral_norm_of_a_convolution_is_that_of_its_matrix(convolution: nn.Module) -> None:
    shape = (2, 6, 5) if isinstance(convolution, nn.Conv2d) else (2, 7)
    size = int(np.prod(shape))
    with torch.no_grad():
        offset = convolution(torch.zeros(1, *shape))
        matrix = (convolution(torch.eye(size).reshape(size, *shape)) - offset).flatten(1).numpy()
    norms = spectral_norms(nn.Sequential(convolution), torch.zeros(1, *shape))
    assert norms["0"] == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-5)


def test_sharpness_is_the_perturbation_that_costs_a_tenth_of_the_training_accuracy() -> None:
    network, initial, inputs, labels = trained()
    before = [parameter.clone() for parameter in network.parameters()]
    found = complexity(network, inputs, labels, initial=initial, seed=1)
    sigma = found.values["sharpness"] ** -0.5
    exact = (network(inputs).argmax(1).numpy() == labels).mean()
    rng, lost = np.random.default_rng(7), []
    for _ in range(200):
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), before, strict=True):
                parameter.copy_(value + sigma * torch.as_tensor(rng.standard_normal(value.shape), dtype=torch.float32))
            lost.append(exact - (network(inputs).argmax(1).numpy() == labels).mean())
    assert np.mean(lost) == pytest.approx(0.1, abs=0.03)
    assert 0 < found.errors["sharpness"] < 0.3 * found.reported["sharpness"]
    assert not found.left_out


def test_the_error_of_the_sharpness_is_the_spread_over_seeds() -> None:
    network, _, inputs, labels = trained(60)
    several = [complexity(network, inputs, labels, seed=seed, draws=5) for seed in range(12)]
    spread = np.std([found.reported["sharpness"] for found in several], ddof=1)
    stated = np.mean([found.errors["sharpness"] for found in several])
    assert 0.5 < stated / spread < 2


def test_a_network_that_nothing_can_perturb_has_no_sharpness() -> None:
    network = nn.Linear(2, 2)
    # All inputs are zero and the biases are apart by more than any noise.
    with torch.no_grad():
        network.bias.copy_(torch.tensor([1e6, 0.0]))
    found = complexity(network, np.zeros((4, 2), dtype=np.float32), [0, 0, 0, 0])
    assert "no perturbation" in found.left_out["sharpness"]


def test_the_network_is_left_as_it_was() -> None:
    network = normalized_cnn()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    complexity(network, torch.rand(8, 1, 8, 8), np.arange(8), draws=1)
    assert network.training
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(ValueError, match="same examples"):
        complexity(nn.Linear(2, 2), np.zeros((3, 2), dtype=np.float32), [0, 1])
    with pytest.raises(ValueError, match=r"logits \(n, K\) with K > 1"):
        complexity(nn.Linear(2, 1), np.zeros((2, 2), dtype=np.float32), [0, 1])


def test_the_sentence_names_every_measure_or_why_it_is_missing() -> None:
    text = str(complexity(two_two_two(), [[1.0, 0.0], [0.0, 1.0]], [0, 0]))
    assert text.startswith("Complexity on m = 2 examples, as sqrt(v / m): parameters 2.449; squared norm 3.24")
    assert "no squared distance from the start, as the network before training was not handed in" in text
