"""AlexNet for ImageNet, in one tower: Krizhevsky, One weird trick for parallelizing convolutional networks (2014)."""

from itertools import pairwise

import torch
from torch import nn


class ImageNetAlexNet(nn.Module):
    """Five convolutions and three linear layers, without the first paper's normalization.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = 1_000) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
        layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
        for channels, out in pairwise((192, 384, 256, 256)):
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6))
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(256 * 36, 4_096), nn.ReLU(), nn.Dropout(), nn.Linear(4_096, 4_096), nn.ReLU(),
            nn.Linear(4_096, classes),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, 3, 224, 224)."""
        return self.classifier(self.features(images).flatten(1))
