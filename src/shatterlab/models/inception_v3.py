"""Inception V3: Szegedy et al., Rethinking the Inception architecture (2016), table 1; the paper's network on ImageNet.

Its auxiliary classifier looks at the 17 x 17 pixels that images of 299 x 299 are reduced to by then, and is there for
images of at least that size alone.
"""

from collections.abc import Sequence

import torch
from torch import nn

from .blocks import WithAuxiliary, convolution
from .layouts import Shape, has_auxiliary

ACROSS, DOWN = (1, 7), (7, 1)
"""A 7 x 7 filter is made of one along a row and one along a column."""


class Branches(nn.Module):
    """Branches side by side, whose outputs are concatenated.

    Args:
        branches: modules that take the same input.
    """

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, the sum of the branches' channels, height, width)."""
        return torch.cat([branch(images) for branch in self.branches], dim=1)


def chain(channels: int, *steps: tuple[int, int | tuple[int, int]], last_stride: int = 1) -> nn.Sequential:
    """Convolutions one after the other, each given by its channels and its filter; the last may skip pixels."""
    layers = []
    for place, (out, kernel) in enumerate(steps):
        stride = last_stride if place == len(steps) - 1 else 1
        padding = 0 if stride > 1 else _half(kernel)
        layers.append(convolution(channels, out, kernel, stride=stride, padding=padding))
        channels = out
    return nn.Sequential(*layers)


def _half(kernel: int | tuple[int, int]) -> int | tuple[int, int]:
    return kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)


def _pooled(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, 1, padding=1), convolution(channels, out, 1))


def _small(channels: int, pooled: int) -> Branches:
    """Filters of up to 5 x 5, on 35 x 35 pixels."""
    return Branches(
        chain(channels, (64, 1)),
        chain(channels, (48, 1), (64, 5)),
        chain(channels, (64, 1), (96, 3), (96, 3)),
        _pooled(channels, pooled),
    )


def _long(channels: int, within: int) -> Branches:
    """Filters of up to 7 x 7 in two steps, on 17 x 17 pixels."""
    return Branches(
        chain(channels, (192, 1)),
        chain(channels, (within, 1), (within, ACROSS), (192, DOWN)),
        chain(channels, (within, 1), (within, DOWN), (within, ACROSS), (within, DOWN), (192, ACROSS)),
        _pooled(channels, 192),
    )


def _wide(channels: int) -> Branches:
    """Branches that split once more, on 8 x 8 pixels."""

    def split(steps: Sequence[tuple[int, int]]) -> nn.Sequential:
        last = steps[-1][0]
        return nn.Sequential(chain(channels, *steps), Branches(chain(last, (384, (1, 3))), chain(last, (384, (3, 1)))))

    return Branches(chain(channels, (320, 1)), split([(384, 1)]), split([(448, 1), (384, 3)]), _pooled(channels, 192))


class Auxiliary(nn.Sequential):
    """The auxiliary classifier: a pooling layer, two convolutions, and the logits of a single pixel.

    Args:
        classes: number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(
            nn.AvgPool2d(5, 3), convolution(768, 128, 1), convolution(128, 768, 5), nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(768, classes, 1), nn.Flatten(),
        )  # fmt: skip


class InceptionV3(nn.Module):
    """Five convolutions, eleven Inception modules, of which two halve the image, and a linear layer.

    Args:
        shape: height, width and channels of an image; each side has at least `layouts.INCEPTION_V3_SMALLEST` pixels.
        classes: number of outputs.
        auxiliary: whether there is an auxiliary classifier, which takes part in training only.
    """

    def __init__(self, shape: Shape = (299, 299, 3), classes: int = 1_000, *, auxiliary: bool = False) -> None:
        super().__init__()
        self.lower = nn.Sequential(
            convolution(shape[2], 32, 3, stride=2), convolution(32, 32, 3), convolution(32, 64, 3, padding=1),
            nn.MaxPool2d(3, 2),
            convolution(64, 80, 1), convolution(80, 192, 3),
            nn.MaxPool2d(3, 2),
            _small(192, 32), _small(256, 64), _small(288, 64),
            Branches(
                chain(288, (384, 3), last_stride=2),
                chain(288, (64, 1), (96, 3), (96, 3), last_stride=2),
                nn.MaxPool2d(3, 2),
            ),
            _long(768, 128), _long(768, 160), _long(768, 160), _long(768, 192),
        )  # fmt: skip
        self.auxiliary = Auxiliary(classes) if auxiliary else None
        self.upper = nn.Sequential(
            Branches(
                chain(768, (192, 1), (320, 3), last_stride=2),
                chain(768, (192, 1), (192, ACROSS), (192, DOWN), (192, 3), last_stride=2),
                nn.MaxPool2d(3, 2),
            ),
            _wide(1_280), _wide(2_048),
        )  # fmt: skip
        self.classifier = nn.Linear(2_048, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor | WithAuxiliary:
        """Logits (batch, classes) of images (batch, channels, height, width); in training with the auxiliary ones."""
        middle = self.lower(images)
        logits = self.classifier(self.upper(middle).mean(dim=(2, 3)))
        if self.auxiliary is None or not self.training:
            return logits
        return WithAuxiliary(logits, self.auxiliary(middle))


def inception_v3(shape: Shape, classes: int) -> InceptionV3:
    """Inception V3 for such images, with its auxiliary classifier where they are large enough for it."""
    return InceptionV3(shape, classes, auxiliary=has_auxiliary(shape))
