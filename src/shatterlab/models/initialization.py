"""How weights start: the paper does not say, so this is one of our named assumptions."""

import torch
from torch import nn


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """Draws the weights of every convolution and linear layer, in the order of `model.modules()`.

    A weight is normal with variance 2 / fan-in, which keeps the scale of activations constant
    through ReLUs (He et al., 2015, https://arxiv.org/abs/1502.01852, eq. 10); the last layer, which
    no ReLU follows, has variance 1 / fan-in. Offsets start at zero.

    Args:
        model: changed in place.
        seed: of the generator; equal seeds give equal weights on every device, as they are drawn on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        fan_in = layer.weight[0].numel()
        variance = (1 if layer is layers[-1] else 2) / fan_in
        drawn = torch.randn(layer.weight.shape, generator=generator) * variance**0.5
        layer.weight.copy_(drawn)
        if layer.bias is not None:
            layer.bias.zero_()
