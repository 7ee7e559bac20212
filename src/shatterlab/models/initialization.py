"""The initial weights of models: the paper does not give their distribution, so it is one of our named assumptions."""

from collections.abc import Callable
from math import pi

import torch
from torch import nn

Initialization = Callable[[nn.Module, int], None]
"""A function of this type draws a model's weights in place; equal seeds give equal weights on every device."""


def he(model: nn.Module, seed: int) -> None:
    """Draws normal weights of variance 2 / fan-in, or 1 / fan-in in the last layer; offsets start at zero.

    This keeps the mean square of activations constant through ReLUs (He et al., 2015, arXiv 1502.01852, eq. 10).
    """
    layers = _layers(model)
    for layer, drawn in _drawn(layers, seed):
        _set(layer, drawn, variance=1 if layer is layers[-1] else 2)


def centred(model: nn.Module, seed: int) -> None:
    """Draws weights as `he` does, but those of each unit sum to zero; for deep networks without normalization.

    Behind a ReLU every activation is positive, and the mean of the activations grows from layer to layer until it
    drowns what distinguishes the images. Weights that sum to zero do not see this mean. The variance of a standard
    normal number behind a ReLU is (1 - 1/pi) / 2, so weights of variance 2 / (1 - 1/pi) / fan-in keep the variance of
    activations constant (Brock et al., 2021, arXiv 2101.08692, section 3). The first layer sees whitened pixels; the
    last layer starts small, as its gradient grows with the activations (NOTEBOOK.md).
    """
    layers = _layers(model)
    for layer, drawn in _drawn(layers, seed):
        if layer is layers[0]:
            _set(layer, drawn, variance=1)
            continue
        drawn -= drawn.flatten(1).mean(1).view(-1, *[1] * (drawn.dim() - 1))
        _set(layer, drawn, variance=0.1 if layer is layers[-1] else 2 / (1 - 1 / pi))


def tutorial(model: nn.Module, seed: int) -> None:
    """Draws weights as TensorFlow's CIFAR-10 tutorial does, whose network is the paper's small AlexNet.

    Weights are normal, truncated at two standard deviations, which are 0.05 in convolutions, 0.04 in hidden linear
    layers and one over the number of inputs in the last layer. Offsets start at 0 in the first and the last layer and
    at 0.1 between (TensorFlow models, tutorials/image/cifar10/cifar10.py, `inference`).
    """
    layers = _layers(model)
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        last = layer is layers[-1]
        deviation = 1 / layer.weight[0].numel() if last else 0.05 if isinstance(layer, nn.Conv2d) else 0.04
        nn.init.trunc_normal_(layer.weight, 0, deviation, -2 * deviation, 2 * deviation, generator=generator)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, 0.0 if last or layer is layers[0] else 0.1)


INITIALIZATIONS: dict[str, Initialization] = {"he": he, "centred": centred, "tutorial": tutorial}
"""The values of the dial `initialization`, each with its function."""

Layer = nn.Conv2d | nn.Linear


def _layers(model: nn.Module) -> list[Layer]:
    return [module for module in model.modules() if isinstance(module, Layer)]


def _drawn(layers: list[Layer], seed: int) -> list[tuple[Layer, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [(layer, torch.randn(layer.weight.shape, generator=generator)) for layer in layers]


@torch.no_grad()
def _set(layer: Layer, drawn: torch.Tensor, *, variance: float) -> None:
    """Scales drawn numbers to weights of variance `variance` / fan-in and sets offsets to zero."""
    layer.weight.copy_(drawn * (variance / drawn[0].numel()) ** 0.5)
    if layer.bias is not None:
        layer.bias.zero_()
