"""Claim: a training epoch runs near this machine's matrix-product rate, and ahead of its peers.

Counts useful operations only: two per multiply-add of each convolution and linear layer, for the
forward pass, the weight gradients, and the input gradients of every layer but the first. The limit
is the rate of a 2,048 x 2,048 matrix product of the same precision in the same process, measured for a
second right before and after each epoch, since a shared machine's clock moves: sustained, as an epoch
is, and the best single product. Peers train the same network on the same images in the same process: a
plain DataLoader loop, PyTorch Lightning, Keras 3 with the torch backend (the network in its
TorchModuleWrapper), and scikit-learn's MLPClassifier for perceptrons; a dash where one is not installed
(pip install ".[bench]") or cannot do it.

    python bench/epoch.py [--bf16] [model ...]
"""

import os
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
SIZES = {"mlp-1x512": 50_000, "mlp-3x512": 50_000, "alexnet": 5_120, "inception": 1_280, "inception-no-bn": 1_280}
GOALS = {"mlp-1x512": 0.8, "mlp-3x512": 0.8, "alexnet": 0.5, "inception": 0.7}
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


def matrix_rates(bf16: bool) -> np.ndarray:
    """(sustained, best) operations a second of a large matrix product over a second, now, by the faster library."""
    a, b, c = (torch.randn(2048, 2048, dtype=torch.bfloat16 if bf16 else torch.float32) for _ in range(3))
    # torch multiplies with MKL and convolves with oneDNN; which is faster differs between makers of processors.
    products = {
        "mm": lambda: torch.mm(a, b, out=c),
        "oneDNN": lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""),
    }
    rates = []
    for multiply in products.values():
        seconds: list[float] = []
        while sum(seconds) < 0.5:
            began = time.perf_counter()
            multiply()
            seconds.append(time.perf_counter() - began)
        rates.append(2 * 2048**3 / np.array([np.mean(seconds), min(seconds)]))
    return np.max(rates, axis=0)


def our_epochs(name: str, data: Data, bf16: bool) -> np.ndarray:
    """Images a second, share of the sustained and of the best matrix rate; a line an epoch after one that warms up."""
    model = build(name, (28, 28, 3), 10)
    work = operations(model, (28, 28, 3))
    precision = "bf16" if bf16 else "float32"
    spec = make_spec(model=name, epochs=1 + ROUNDS, learning_rate=1e-4, evaluate_every=10**6, precision=precision)
    measured, before = [], matrix_rates(bf16)
    for row in train(spec, data, model, MomentumSGD(model.parameters(), 0.9, 0.0)):
        after = matrix_rates(bf16)
        rate = len(data.train) / row.seconds
        sustained, best = (before[0] + after[0]) / 2, max(before[1], after[1])
        measured.append((rate, rate * work / sustained, rate * work / best))
        before = after
    return np.array(measured[1:])


def batches(data: Data, first_channel: bool = True) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Preprocessed images in batches of 128, shuffled anew each epoch."""
    images = preprocess(data.train.images, 28, "whiten", torch.device("cpu"))
    if first_channel:
        images = images.permute(0, 3, 1, 2).contiguous()
    return DataLoader(TensorDataset(images, torch.from_numpy(data.train.labels.copy())), batch_size=128, shuffle=True)


def data_loader_epoch(name: str, data: Data, bf16: bool) -> Callable[[], None]:
    """The loop of every tutorial: DataLoader, torch.optim.SGD, a loss and an accuracy read at each step."""
    model = build(name, (28, 28, 3), 10).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    loader = batches(data)

    def epoch() -> None:
        loss_sum = right = 0.0
        for batch, labels in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs = model(batch)
            loss = F.cross_entropy(outputs.float(), labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()

    return epoch


def lightning_epoch(name: str, data: Data, bf16: bool) -> Callable[[], None]:
    """A Trainer without logger, checkpoints and progress bar, whose start is part of no epoch but the first."""
    import logging

    import pytorch_lightning as pl

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = build(name, (28, 28, 3), 10)

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
            return F.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=1e-4, momentum=0.9)

    module, loader = Module(), batches(data)

    def epoch() -> None:
        trainer = pl.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, precision="bf16-mixed" if bf16 else "32-true",
        )  # fmt: skip
        trainer.fit(module, loader)

    return epoch


def keras_epoch(name: str, data: Data, bf16: bool) -> Callable[[], None]:
    """`fit` of Keras 3 on torch, around the same torch network."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if bf16:
        raise ImportError("a TorchModuleWrapper ignores Keras's precision")
    network = keras.Sequential(
        [keras.Input((3, 28, 28)), keras.layers.TorchModuleWrapper(build(name, (28, 28, 3), 10))]
    )
    network.compile(
        optimizer=keras.optimizers.SGD(1e-4, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    loader = batches(data)
    return lambda: network.fit(loader, epochs=1, verbose=0)


def sklearn_epoch(name: str, data: Data, bf16: bool) -> Callable[[], None]:
    """MLPClassifier with the same layers, batch size and optimizer."""
    from sklearn.neural_network import MLPClassifier

    if bf16 or not name.startswith("mlp"):
        raise ImportError("scikit-learn has perceptrons in float only")
    images = preprocess(data.train.images, 28, "whiten", torch.device("cpu")).flatten(1).numpy()
    layers, width = map(int, name.removeprefix("mlp-").split("x"))
    classifier = MLPClassifier(
        [width] * layers, solver="sgd", alpha=0.0, batch_size=128, learning_rate_init=1e-4, momentum=0.9, max_iter=1
    )

    def epoch() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged after one epoch
            classifier.fit(images, data.train.labels)

    return epoch


PEERS = {
    "DataLoader": data_loader_epoch, "Lightning": lightning_epoch, "Keras": keras_epoch, "sklearn": sklearn_epoch,
}  # fmt: skip


def peer_rate(peer: Callable[[str, Data, bool], Callable[[], None]], name: str, data: Data, bf16: bool) -> float:
    """Images a second of the best of `ROUNDS` epochs after one that warms up; not a number where it cannot be had."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            epoch = peer(name, data, bf16)
            epoch()
            best = float("inf")
            for _ in range(ROUNDS):
                began = time.perf_counter()
                epoch()
                best = min(best, time.perf_counter() - began)
    except (ImportError, RuntimeError):  # the latter where a peer brings a torchvision of another build
        return float("nan")
    return len(data.train) / best


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(SIZES)
    bf16 = "--bf16" in sys.argv
    print(f"{processor()}; torch {torch.__version__}, {torch.get_num_threads()} threads; batch 128, "
          f"{'bf16' if bf16 else 'float32'}, CIFAR-10")  # fmt: skip
    print(f"best (median) of {ROUNDS} epochs after one that warms up; peers: best of {ROUNDS} (ours / theirs)\n")
    print(f"{'':<26}{'share of matrix rate':^28}")
    print(f"{'model':<16}{'images/s':>10}{'sustained':>14}{'best':>14}{'goal':>7}", *(f"{peer:>17}" for peer in PEERS))
    for name in names:
        data = subset(load("cifar10"), SIZES[name], 100, seed=0)
        ours = our_epochs(name, data, bf16)
        shares = [f"{column.max():.0%} ({np.median(column):.0%})" for column in ours.T[1:]]
        rate = ours[:, 0].max()
        goal = f"{GOALS[name]:.0%}" if name in GOALS and not bf16 else ""
        print(f"{name:<16}{rate:>10,.0f}{shares[0]:>14}{shares[1]:>14}{goal:>7}", end="", flush=True)
        for peer in PEERS.values():
            theirs = peer_rate(peer, name, data, bf16)
            shown = "—" if theirs != theirs else f"{theirs:,.0f} ({rate / theirs:.2f}x)"
            print(f"{shown:>18}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
