"""What the large networks of the lecture's list are made of: a normalized convolution, and two outputs in training."""

from typing import Any, NamedTuple

import torch
from torch import nn


class WithAuxiliary(NamedTuple):
    """What a network with an auxiliary classifier returns in training mode; elsewhere it returns its logits alone."""

    logits: torch.Tensor
    """The network's own logits, (batch, classes)."""
    auxiliary: torch.Tensor
    """The logits of the auxiliary classifier, (batch, classes)."""


def convolution(
    channels: int, out: int, kernel: int | tuple[int, int], *, eps: float = 1e-3, **options: Any
) -> nn.Module:
    """A convolution without offsets, batch normalization and a ReLU.

    Args:
        channels, out: channels of input and output.
        kernel: height and width of the filters.
        eps: what the normalization adds to the variance.
        options: stride and padding of the convolution.
    """
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, bias=False, **options), nn.BatchNorm2d(out, eps=eps), nn.ReLU(inplace=True)
    )
