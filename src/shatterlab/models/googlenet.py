"""GoogLeNet, the first Inception: Szegedy et al. (2015), table 1, with batch normalization and without the auxiliary
classifiers, which only train. As in torchvision, and in TensorFlow's version before it, the 5 x 5 filters are 3 x 3.
"""

from typing import NamedTuple

import torch
from torch import nn

from .blocks import convolution


class Widths(NamedTuple):
    """Channels of an Inception module: of each branch, and of the 1 x 1 convolutions before the larger filters."""

    one: int
    before_three: int
    three: int
    before_five: int
    five: int
    pooled: int


STAGES = (
    (Widths(64, 96, 128, 16, 32, 32), Widths(128, 128, 192, 32, 96, 64)),
    (
        Widths(192, 96, 208, 16, 48, 64), Widths(160, 112, 224, 24, 64, 64), Widths(128, 128, 256, 24, 64, 64),
        Widths(112, 144, 288, 32, 64, 64), Widths(256, 160, 320, 32, 128, 128),
    ),
    (Widths(256, 160, 320, 32, 128, 128), Widths(384, 192, 384, 48, 128, 128)),
)  # fmt: skip
"""The modules 3a and 3b, 4a to 4e, 5a and 5b; a pooling layer lies between stages."""


class Module(nn.Module):
    """Four branches side by side, whose outputs are concatenated.

    Args:
        channels: channels of the input.
        widths: channels of the branches.
    """

    def __init__(self, channels: int, widths: Widths) -> None:
        super().__init__()
        one, before_three, three, before_five, five, pooled = widths
        self.out = one + three + five + pooled
        self.branches = nn.ModuleList(
            [
                convolution(channels, one, 1),
                nn.Sequential(convolution(channels, before_three, 1), convolution(before_three, three, 3, padding=1)),
                nn.Sequential(convolution(channels, before_five, 1), convolution(before_five, five, 3, padding=1)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), convolution(channels, pooled, 1)),
            ]
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, out, height, width)."""
        return torch.cat([branch(images) for branch in self.branches], dim=1)


class GoogLeNet(nn.Module):
    """Three convolutions, nine Inception modules and a linear layer.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = 1_000) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            convolution(3, 64, 7, stride=2, padding=3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            convolution(64, 64, 1),
            convolution(64, 192, 3, padding=1),
        ]
        channels = 192
        for stage in STAGES:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            for widths in stage:
                module = Module(channels, widths)
                layers.append(module)
                channels = module.out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, 3, 224, 224)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))
