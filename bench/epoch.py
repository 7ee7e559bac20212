"""Claim: a training epoch runs near this machine's matrix-product rate, and ahead of its peers.

Counts useful operations only: two per multiply-add of each convolution and linear layer, for the
forward pass, the weight gradients, and the input gradients of every layer but the first. The limit
is the rate of a large square matrix product of the same precision in the same process, by the faster
of the libraries that torch carries, measured for half a second right before and after each epoch, since
a shared machine's clock moves: sustained, as an epoch is, and the best single product. Peers train the
same network on the same images in the same process: a plain DataLoader loop, PyTorch Lightning, Keras 3
with the torch backend (the network in its TorchModuleWrapper), and scikit-learn's MLPClassifier for
perceptrons; a dash where one is not installed (pip install ".[bench]") or cannot do it. On a GPU, where
there is one, everything runs there, and TF32 is a third precision.

    python bench/epoch.py [--float32] [--tf32] [--bf16] [model ...]
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
from shatterlab.machine import processor
from shatterlab.training import Epoch, MomentumSGD, learner_for, train_together
from shatterlab.training.captured import WARM_UP
from shatterlab.training.precision import arithmetic
from shatterlab.training.preprocess import preprocess

# Images an epoch, so that one takes seconds; rates do not depend on it.
SIZES = {"mlp-1x512": 50_000, "mlp-3x512": 50_000, "alexnet": 5_120, "inception": 1_280, "inception-no-bn": 1_280}
GOALS = {"mlp-1x512": 0.8, "mlp-3x512": 0.8, "alexnet": 0.5, "inception": 0.7}
ROUNDS = 3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISIONS = ("float32", "tf32", "bf16") if DEVICE.type == "cuda" else ("float32", "bf16")
WARM = 1 + WARM_UP if DEVICE.type == "cuda" else 1
"""Epochs before the first measured one; on a GPU the last of them captures the smaller batch at its end."""
SIDE = 8192 if DEVICE.type == "cuda" else 2048
"""Of the square matrices whose product is the limit."""


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


def waited() -> float:
    """The time now that the device has done what it was given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matrix_rates(precision: str) -> np.ndarray:
    """(sustained, best) operations a second of a large matrix product over half a second, by the faster library."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b, c = (torch.randn(SIDE, SIDE, dtype=kind, device=DEVICE) for _ in range(3))
    products: list[Callable[[], object]] = [lambda: torch.mm(a, b, out=c)]
    if DEVICE.type == "cpu":
        # torch multiplies with MKL and convolves with oneDNN; which is faster differs between makers of processors.
        # oneDNN has no bfloat16 product for processors without AVX-512.
        products += (
            []
            if kind == torch.bfloat16 and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
            else [lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")]
        )
    rates = []
    with arithmetic(precision):
        for multiply in products:
            seconds: list[float] = []
            while sum(seconds) < 0.5:
                began = waited()
                multiply()
                seconds.append(waited() - began)
            rates.append(2 * SIDE**3 / np.array([np.mean(seconds), min(seconds)]))
    return np.max(rates, axis=0)


def our_epochs(name: str, data: Data, precision: str) -> np.ndarray:
    """Images a second, share of the sustained and of the best matrix rate; a line an epoch after those that warm up."""
    model = build(name, (28, 28, 3), 10)
    work = operations(model, (28, 28, 3))
    model.to(DEVICE, memory_format=torch.channels_last)  # type: ignore[call-overload]
    spec = make_spec(model=name, epochs=WARM + ROUNDS, learning_rate=1e-4, evaluate_every=10**6, precision=precision)
    measured, before = [], matrix_rates(precision)
    stack = learner_for([model], [MomentumSGD(model.parameters(), 0.9, 0.0)], bf16=precision == "bf16")
    for ends in train_together([spec], [data], stack):
        assert isinstance(ends[0], Epoch)
        after = matrix_rates(precision)
        rate = len(data.train) / ends[0].row.seconds
        sustained, best = (before[0] + after[0]) / 2, max(before[1], after[1])
        measured.append((rate, rate * work / sustained, rate * work / best))
        before = after
    return np.array(measured[WARM:])


def batches(data: Data, first_channel: bool = True) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Preprocessed images in batches of 128, shuffled anew each epoch."""
    images = preprocess(data.train.inputs, 28, "whiten", torch.device("cpu"))
    if first_channel:
        images = images.permute(0, 3, 1, 2).contiguous()
    return DataLoader(TensorDataset(images, torch.from_numpy(data.train.labels.copy())), batch_size=128, shuffle=True)


def data_loader_epoch(name: str, data: Data, precision: str) -> Callable[[], None]:
    """The loop of every tutorial: DataLoader, torch.optim.SGD, a loss and an accuracy read at each step."""
    model = build(name, (28, 28, 3), 10).train().to(DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    loader = batches(data)

    def epoch() -> None:
        loss_sum = right = 0.0
        for batch, labels in loader:
            batch, labels = batch.to(DEVICE), labels.to(DEVICE)
            optimizer.zero_grad()
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16"):
                outputs = model(batch)
            loss = F.cross_entropy(outputs.float(), labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()

    return epoch


def lightning_epoch(name: str, data: Data, precision: str) -> Callable[[], None]:
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
            max_epochs=1, accelerator=DEVICE.type, devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
            precision="bf16-mixed" if precision == "bf16" else "32-true",
        )  # fmt: skip
        trainer.fit(module, loader)

    return epoch


def keras_epoch(name: str, data: Data, precision: str) -> Callable[[], None]:
    """`fit` of Keras 3 on torch, around the same torch network."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if precision == "bf16":
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


def sklearn_epoch(name: str, data: Data, precision: str) -> Callable[[], None]:
    """MLPClassifier with the same layers, batch size and optimizer."""
    from sklearn.neural_network import MLPClassifier

    if precision != "float32" or not name.startswith("mlp"):
        raise ImportError("scikit-learn has perceptrons in float only")
    images = preprocess(data.train.inputs, 28, "whiten", torch.device("cpu")).flatten(1).numpy()
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


def peer_rate(peer: Callable[[str, Data, str], Callable[[], None]], name: str, data: Data, precision: str) -> float:
    """Images a second of the best of `ROUNDS` epochs after one that warms up; not a number where it cannot be had."""
    try:
        with warnings.catch_warnings(), arithmetic(precision):
            warnings.simplefilter("ignore")
            epoch = peer(name, data, precision)
            epoch()
            best = float("inf")
            for _ in range(ROUNDS):
                began = waited()
                epoch()
                best = min(best, waited() - began)
    except (ImportError, RuntimeError):  # the latter where a peer brings a torchvision of another build
        return float("nan")
    return len(data.train) / best


def main() -> None:
    names = [name for name in sys.argv[1:] if not name.startswith("--")] or list(SIZES)
    precisions = [precision for precision in PRECISIONS if f"--{precision}" in sys.argv] or PRECISIONS
    where = (
        torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"{processor()}, {torch.get_num_threads()} threads"
    )
    print(f"{where}; torch {torch.__version__}; batch 128, CIFAR-10")
    print(f"best (median) of {ROUNDS} epochs after {WARM} to warm up; peers: best of {ROUNDS} (ours / theirs)\n")
    print(f"{'':<34}{'share of matrix rate':^28}")
    print(f"{'model':<16}{'':<8}{'images/s':>10}{'sustained':>14}{'best':>14}{'goal':>7}", *(f"{p:>17}" for p in PEERS))
    for name in names:
        data = subset(load("cifar10"), SIZES[name], 100, seed=0)
        for precision in precisions:
            ours = our_epochs(name, data, precision)
            shares = [f"{column.max():.0%} ({np.median(column):.0%})" for column in ours.T[1:]]
            rate = ours[:, 0].max()
            goal = f"{GOALS[name]:.0%}" if name in GOALS and precision == "float32" else ""
            print(f"{name:<16}{precision:<8}{rate:>10,.0f}{shares[0]:>14}{shares[1]:>14}{goal:>7}", end="", flush=True)
            for peer in PEERS.values():
                theirs = peer_rate(peer, name, data, precision)
                shown = "—" if theirs != theirs else f"{theirs:,.0f} ({rate / theirs:.2f}x)"
                print(f"{shown:>18}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
