"""A convolution with batch normalization and a ReLU, of which the large networks of the lecture's list are made."""

from typing import Any

from torch import nn


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
