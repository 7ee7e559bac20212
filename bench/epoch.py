"""Claim: a training epoch runs near this machine's float32 matrix-product rate, and ahead of its peers.

Counts useful operations only: two per multiply-add of each convolution and linear layer, for the
forward pass, the weight gradients, and the input gradients of every layer but the first. The limit
is the rate of a 2,048 x 2,048 float32 matrix product in the same process, measured for a second right
before and after each epoch, since a shared machine's clock moves: sustained, as an epoch is, and the
best single product. Peers do the same work in the same run: a plain DataLoader loop over the same
network, and scikit-learn's MLPClassifier for the perceptron.

    python bench/epoch.py [model ...]
"""

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from shatterlab import build, make_spec
from shatterlab.data import Data, load, subset
from shatterlab.results import processor
from shatterlab.training import MomentumSGD, train
from shatterlab.training.preprocess import preprocess

# Images an epoch, so that one takes seconds; rates do not depend on it.
SIZES = {"mlp-1x512": 50_000, "mlp-3x512": 50_000, "alexnet": 5_000, "inception": 1_280, "inception-no-bn": 1_280}
GOALS = {"mlp-1x512": 0.7, "alexnet": 0.5, "inception": 0.6}
ROUNDS = 3


def operations(model: nn.Module, shape: tuple[int, int, int]) -> float:
    """Useful floating-point operations of training on one image."""
    counts: list[float] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        counts.append(2.0 * output[0].numel() * weight[0].numel())

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    height, width, channels = shape
    model.eval()(torch.zeros(1, channels, height, width))
    for hook in hooks:
        hook.remove()
    return 3 * sum(counts) - counts[0]


def matrix_rates() -> np.ndarray:
    """(sustained, best) float32 operations a second of a large matrix product over a second, now."""
    a, b, c = (torch.randn(2048, 2048) for _ in range(3))
    seconds: list[float] = []
    while sum(seconds) < 1:
        began = time.perf_counter()
        torch.mm(a, b, out=c)
        seconds.append(time.perf_counter() - began)
    return 2 * 2048**3 / np.array([np.mean(seconds), min(seconds)])


def our_epochs(name: str, data: Data) -> np.ndarray:
    """Images a second, share of the sustained and of the best matrix rate; a line an epoch after one that warms up."""
    model = build(name, (28, 28, 3), 10)
    work = operations(model, (28, 28, 3))
    spec = make_spec(model=name, epochs=1 + ROUNDS, learning_rate=1e-4, evaluate_every=10**6)
    measured, before = [], matrix_rates()
    for row in train(spec, data, model, MomentumSGD(model.parameters(), 0.9, 0.0)):
        after = matrix_rates()
        rate = len(data.train) / row.seconds
        sustained, best = (before[0] + after[0]) / 2, max(before[1], after[1])
        measured.append((rate, rate * work / sustained, rate * work / best))
        before = after
    return np.array(measured[1:])


def data_loader_epoch(name: str, data: Data) -> Callable[[], None]:
    """The loop of every tutorial: DataLoader, torch.optim.SGD, a loss and an accuracy read at each step."""
    model = build(name, (28, 28, 3), 10).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    images = preprocess(data.train.images, 28, "whiten", torch.device("cpu")).permute(0, 3, 1, 2).contiguous()
    loader = DataLoader(TensorDataset(images, torch.from_numpy(data.train.labels.copy())), batch_size=128, shuffle=True)

    def epoch() -> None:
        loss_sum = right = 0.0
        for batch, labels in loader:
            optimizer.zero_grad()
            outputs = model(batch)
            loss = F.cross_entropy(outputs, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()

    return epoch


def sklearn_epoch(data: Data) -> Callable[[], None]:
    """MLPClassifier with the same layer, batch size and optimizer."""
    from sklearn.neural_network import MLPClassifier

    images = preprocess(data.train.images, 28, "whiten", torch.device("cpu")).flatten(1).numpy()
    classifier = MLPClassifier(
        (512,), solver="sgd", alpha=0.0, batch_size=128, learning_rate_init=1e-4, momentum=0.9, max_iter=1
    )

    def epoch() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged after one epoch
            classifier.fit(images, data.train.labels)

    return epoch


def best_rate(epoch: Callable[[], None], n: int) -> float:
    """Images a second of the best of `ROUNDS` epochs."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        epoch()
        best = min(best, time.perf_counter() - began)
    return n / best


def main() -> None:
    print(f"{processor()}; torch {torch.__version__}, {torch.get_num_threads()} threads; batch 128, float32, CIFAR-10")
    print(f"best (median) of {ROUNDS} epochs after one that warms up; peers: best of {ROUNDS}\n")
    print(f"{'':<26}{'share of matrix rate':^28}")
    print(f"{'model':<16}{'images/s':>10}{'sustained':>14}{'best':>14}{'goal':>7}{'DataLoader':>12}{'sklearn':>10}")
    for name in sys.argv[1:] or list(SIZES):
        data = subset(load("cifar10"), SIZES[name], 100, seed=0)
        ours = our_epochs(name, data)
        shares = [f"{column.max():.0%} ({np.median(column):.0%})" for column in ours.T[1:]]
        loader = best_rate(data_loader_epoch(name, data), SIZES[name])
        sklearn = f"{best_rate(sklearn_epoch(data), SIZES[name]):,.0f}" if name == "mlp-1x512" else ""
        goal = f"{GOALS[name]:.0%}" if name in GOALS else ""
        rate = ours[:, 0].max()
        print(f"{name:<16}{rate:>10,.0f}{shares[0]:>14}{shares[1]:>14}{goal:>7}{loader:>12,.0f}{sklearn:>10}")


if __name__ == "__main__":
    main()
