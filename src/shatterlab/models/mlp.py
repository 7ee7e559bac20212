"""Multilayer perceptrons: `mlp-1x512` and `mlp-3x512` of Zhang et al. (2017), and any other size."""

from itertools import pairwise

import torch
from torch import nn

from .layouts import Shape


class MLP(nn.Module):
    """Fully connected ReLU layers on the flattened image.

    Args:
        shape: height, width, channels of an image.
        classes: number of outputs.
        widths: number of units of each hidden layer.
    """

    def __init__(self, shape: Shape, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        height, width, channels = shape
        sizes = (height * width * channels, *widths)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        # Images lie channels-last in memory, so that this order of the pixels is a view and costs no copy.
        return self.layers(images.permute(0, 2, 3, 1).flatten(1))
