"""Small convolutional networks on a grid of settings, each trained to one training loss and then measured."""

import copy
from collections.abc import Sequence
from itertools import product
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import at_most
from ..measures.complexity import PERTURBATIONS, complexity
from ..seeds import stream

if TYPE_CHECKING:
    import torch
    from torch import nn

MOMENTUM = 0.9
"""The momentum of SGD, that of the paper's appendix A."""


def build(
    shape: tuple[int, int, int], classes: int, width: int, depth: int, batch_norm: bool, seed: int
) -> "nn.Module":
    """A network of 3 x 3 convolutions, of which the first two halve the image, ReLUs and one linear layer.

    Args:
        shape: height, width and channels of an image.
        classes: the number of logits.
        width: channels of each convolution.
        depth: the number of convolutions, at least 2.
        batch_norm: whether batch normalization follows each convolution.
        seed: seed of the He-normal weights; biases start at zero.
    """
    import torch
    from torch import nn

    height, breadth, channels = shape
    layers: list[nn.Module] = []
    for number in range(depth):
        stride = 2 if number < 2 else 1
        height, breadth = -(-height // stride), -(-breadth // stride)
        layers.append(nn.Conv2d(width if number else channels, width, 3, stride=stride, padding=1))
        layers += [nn.BatchNorm2d(width)] if batch_norm else []
        layers.append(nn.ReLU())
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * height * breadth, classes))
    generator = torch.Generator().manual_seed(seed)
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            gain = 2 if isinstance(layer, nn.Conv2d) else 1
            nn.init.normal_(layer.weight, 0, (gain / layer.weight[0].numel()) ** 0.5, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def train_and_measure(
    data: Any,
    n: int,
    n_test: int,
    width: int,
    depth: int,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    batch_norms: Sequence[bool],
    loss: float,
    epochs: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Trains the networks of one size, and measures each on its training set.

    Args:
        data: a `Data`.
        n, n_test: examples of the two sets; fewer where there are fewer.
        width, depth: the size of the networks, see `build`.
        batch_sizes, learning_rates, batch_norms: the values of the other axes of the grid.
        loss: training ends after the first epoch at whose end the mean cross-entropy on the training set is at most
            this.
        epochs: training ends after this many epochs, whatever the loss is.
        seed: seed of the subset, the weights and the order of the examples.

    Returns:
        For each network its place on the grid, `trained` and `tested`, the examples of the two sets, `epochs_taken`,
        `train_loss` (None where it is not finite), `reached` (whether that is at most `loss`), the accuracies, `gap`
        (train less test accuracy), and by name `measures`, `errors` and `left_out`, see `Complexity`. A network that
        has not reached the loss is not measured.
    """
    import torch

    subset = at_most(data, n, n_test, seed)
    train, test = (_whitened(part.as_images()) for part in (subset.train, subset.test))
    labels, truth = (torch.from_numpy(part.labels.copy()) for part in (subset.train, subset.test))
    shape = subset.train.as_images().shape[1:]
    records = []
    for batch, rate, normalized in product(batch_sizes, learning_rates, batch_norms):
        network = build(shape, subset.train.classes, width, depth, normalized, seed)
        initial = copy.deepcopy(network)
        taken, train_loss = _train(network, train, labels, batch, rate, loss, epochs, seed)
        reached = train_loss <= loss
        found = complexity(network, train, labels.numpy(), initial=initial, draws=DRAWS, seed=seed) if reached else None
        train_accuracy, test_accuracy = (
            float((_logits(network, inputs).argmax(1) == of).double().mean())
            for inputs, of in ((train, labels), (test, truth))
        )
        records.append(
            {
                "batch_size": batch,
                "learning_rate": rate,
                "batch_norm": normalized,
                "trained": len(labels),
                "tested": len(truth),
                "epochs_taken": taken,
                "train_loss": train_loss if isfinite(train_loss) else None,
                "reached": reached,
                "train_accuracy": train_accuracy,
                "test_accuracy": test_accuracy,
                "gap": train_accuracy - test_accuracy,
                "measures": dict(found.reported) if found else {},
                "errors": dict(found.errors) if found else {},
                "left_out": dict(found.left_out) if found else {},
            }
        )
    return records


DRAWS = PERTURBATIONS // 2
"""The sharpness is averaged over this many random directions, which costs less than training does."""


def _train(
    network: "nn.Module",
    inputs: "torch.Tensor",
    labels: "torch.Tensor",
    batch: int,
    rate: float,
    loss: float,
    epochs: int,
    seed: int,
) -> tuple[int, float]:
    """Trains in place by SGD; returns the epochs taken and the training loss at the end of the last."""
    import torch
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.SGD(network.parameters(), rate, MOMENTUM)
    at_end = float("inf")
    for epoch in range(1, epochs + 1):
        network.train()
        order = torch.from_numpy(stream(seed, "order", epoch).permutation(len(labels)))
        online = 0.0
        for part in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            error = cross_entropy(network(inputs[part]), labels[part])
            error.backward()
            optimizer.step()
            online += float(error.detach()) * len(part) / len(labels)
        if not isfinite(online):
            return epoch, float("nan")
        # The loss at the end is rarely far below that of the epoch, and costs a pass over the set.
        if online <= 3 * loss or epoch == epochs:
            at_end = float(cross_entropy(_logits(network, inputs), labels))
            if at_end <= loss:
                return epoch, at_end
    return epochs, at_end


def _logits(network: "nn.Module", inputs: "torch.Tensor") -> "torch.Tensor":
    import torch

    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in inputs.split(1_000)])


def _whitened(images: np.ndarray) -> "torch.Tensor":
    """Images (n, height, width, channels) as float32 (n, channels, height, width), each of mean 0 and deviation 1."""
    import torch

    pixels = images.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2, 3), keepdims=True)
    pixels /= np.maximum(pixels.std(axis=(1, 2, 3), keepdims=True), 1e-6)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
