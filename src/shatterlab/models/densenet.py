"""DenseNet with bottlenecks for 32 x 32 images: Huang, Liu, van der Maaten, Weinberger (2017), section 3."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def _normalized_convolution(channels: int, out: int, kernel: int) -> nn.Sequential:
    """Batch normalization, ReLU, convolution: the order of the paper."""
    convolution = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), convolution)


class DenseLayer(nn.Sequential):
    """A 1 x 1 convolution to 4 k channels and a 3 x 3 one to k, the growth, concatenated with the layer's input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__(
            _normalized_convolution(channels, 4 * growth, 1), _normalized_convolution(4 * growth, growth, 3)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, channels + growth, height, width)."""
        return torch.cat([images, super().forward(images)], dim=1)


class DenseNet(nn.Module):
    """Three dense blocks with transitions between them, a mean over all pixels, and a linear layer.

    Args:
        depth: number of layers with weights: 6 m + 4 if each block has m layers of two convolutions.
        growth: number of channels that each layer adds, the paper's k.
        compression: share of the channels that a transition keeps. With 0.5 the network starts from
            2 k channels and is the paper's DenseNet-BC; with 1 it starts from 16 and is DenseNet-B.
        classes: number of outputs.
    """

    def __init__(self, depth: int = 190, growth: int = 40, compression: float = 1.0, classes: int = 10) -> None:
        super().__init__()
        layers = (depth - 4) // 6
        channels = 2 * growth if compression < 1 else 16
        modules: list[tuple[str, nn.Module]] = [("stem", nn.Conv2d(3, channels, 3, padding=1, bias=False))]
        for block in (1, 2, 3):
            for layer in range(1, layers + 1):
                modules.append((f"block{block}-layer{layer}", DenseLayer(channels, growth)))
                channels += growth
            if block < 3:
                kept = int(channels * compression)
                modules.append((f"transition{block}", _normalized_convolution(channels, kept, 1)))
                modules.append((f"pool{block}", nn.AvgPool2d(2)))
                channels = kept
        self.features = nn.Sequential(OrderedDict(modules))
        self.norm = nn.BatchNorm2d(channels)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, 3, height, width)."""
        return self.classifier(F.relu(self.norm(self.features(images))).mean(dim=(2, 3)))
