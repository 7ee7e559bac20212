"""ResNet with 50 layers: He et al., Deep residual learning (2016), table 1."""

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import convolution

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Inner channels and number of blocks of each stage; all but the first halve the image."""
WIDENED = 4
"""A block has so many times as many channels outside as inside."""


class Bottleneck(nn.Module):
    """A 1 x 1, a 3 x 3 and a 1 x 1 convolution, whose output is added to the input.

    Args:
        channels: channels of the input.
        inner: channels of the 3 x 3 convolution.
        stride: pixels that the 3 x 3 convolution moves by.
    """

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        out = WIDENED * inner
        self.body = nn.Sequential(
            convolution(channels, inner, 1, eps=1e-5),
            convolution(inner, inner, 3, eps=1e-5, stride=stride, padding=1),
            nn.Conv2d(inner, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, 4 inner, height / stride, width / stride)."""
        return F.relu(self.body(images) + self.shortcut(images))


class ResNet50(nn.Module):
    """A convolution, sixteen bottlenecks and a linear layer.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = 1_000) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, 64, 7, eps=1e-5, stride=2, padding=3), nn.MaxPool2d(3, 2, padding=1)]
        channels = 64
        for stage, (inner, blocks) in enumerate(STAGES):
            for block in range(blocks):
                layers.append(Bottleneck(channels, inner, 2 if stage and not block else 1))
                channels = WIDENED * inner
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, 3, 224, 224)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))
