"""The small AlexNet of Zhang et al. (2017), appendix A: the network of TensorFlow's CIFAR-10 tutorial."""

import torch
import torch.nn.functional as F
from torch import nn

from .layouts import ALEXNET_CHANNELS, ALEXNET_HIDDEN, Shape, halved


class LocalResponseNorm(nn.Module):
    """Divides each activation by a power of the energy of its neighbour channels at the same pixel.

    y_c = x_c / (bias + alpha * sum_{|c' - c| <= radius} x_c'^2)^beta, with TensorFlow's meaning of
    alpha (torch divides its alpha by the number of neighbours). Krizhevsky et al. (2012), section 3.3.

    The sum over neighbours is a 1 x 1 convolution with a band of ones: many times faster than
    `torch.nn.functional.local_response_norm`, which pools over a five-dimensional copy.
    """

    band: torch.Tensor

    def __init__(self, channels: int, radius: int = 4, bias: float = 1.0, alpha: float = 0.001 / 9) -> None:
        super().__init__()
        self.bias = bias
        distance = (torch.arange(channels)[:, None] - torch.arange(channels)).abs()
        band = alpha * (distance <= radius).float()
        self.register_buffer("band", band[:, :, None, None], persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same shape, (batch, channels, height, width)."""
        root = F.conv2d(images * images, self.band).add_(self.bias).rsqrt_()
        return images * (root * root.sqrt())  # beta = 3/4, without the slow general power


class AlexNet(nn.Module):
    """Twice (5 x 5 convolution, ReLU, 3 x 3 max-pool with stride 2, normalization), then 384, 192, classes.

    Args:
        shape: height, width, channels of an image.
        classes: number of outputs.
    """

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        height, width, channels = shape
        self.features = nn.Sequential(
            *self._stage(channels),
            *self._stage(ALEXNET_CHANNELS),
        )
        flat = halved(halved(height)) * halved(halved(width)) * ALEXNET_CHANNELS
        first, second = ALEXNET_HIDDEN
        self.classifier = nn.Sequential(
            nn.Linear(flat, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, classes)
        )

    @staticmethod
    def _stage(channels: int) -> tuple[nn.Module, ...]:
        return (
            nn.Conv2d(channels, ALEXNET_CHANNELS, kernel_size=5, padding=2),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            nn.ReLU(inplace=True),  # after the pool, which it commutes with: a quarter of the work
            LocalResponseNorm(ALEXNET_CHANNELS),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.classifier(self.features(images).permute(0, 2, 3, 1).flatten(1))
