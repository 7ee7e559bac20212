"""VGG with 16 layers: Simonyan and Zisserman (2015), column D of table 1."""

import torch
from torch import nn

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of 3 x 3 convolutions of each stage, which ends in a pooling layer."""


class VGG16(nn.Module):
    """Thirteen convolutions and three linear layers, without batch normalization.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int = 1_000) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for out, convolutions in STAGES:
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, 4_096), nn.ReLU(), nn.Dropout(), nn.Linear(4_096, 4_096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4_096, classes),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, 3, 224, 224)."""
        return self.classifier(self.features(images).flatten(1))
