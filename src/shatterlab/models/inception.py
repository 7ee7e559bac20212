"""The small Inception of Zhang et al. (2017), figure 3, with and without batch normalization."""

import torch
import torch.nn.functional as F
from torch import nn

from .layouts import INCEPTION_BLOCKS, INCEPTION_STEM, Shape


class BatchNorm(nn.Module):
    """Batch normalization with an offset and no scale: a scale before a ReLU is absorbed by the next layer.

    This is what makes the network's parameters 1,649,402, with and without normalization alike.
    """

    running_mean: torch.Tensor
    running_variance: torch.Tensor
    scale: torch.Tensor
    """Ones: torch's CUDA kernel returns no gradient of the offset where the scale is None (seen in torch 2.11)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.register_buffer("scale", torch.ones(channels), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The same shape, (batch, channels, height, width)."""
        return F.batch_norm(
            images,
            self.running_mean,
            self.running_variance,
            self.scale,
            self.offset,
            self.training,
            momentum=0.1,
            eps=1e-5,
        )


class Convolution(nn.Sequential):
    """A convolution with same padding, batch normalization if asked for, and a ReLU."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int = 1, normalize: bool) -> None:
        convolution = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=not normalize)
        super().__init__(convolution, *([BatchNorm(out)] if normalize else []), nn.ReLU(inplace=True))


class Module(nn.Module):
    """A 1 x 1 and a 3 x 3 convolution of the same input, concatenated."""

    def __init__(self, channels: int, one: int, three: int, *, normalize: bool) -> None:
        super().__init__()
        self.one = Convolution(channels, one, 1, normalize=normalize)
        self.three = Convolution(channels, three, 3, normalize=normalize)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, one + three, height, width)."""
        return torch.cat([self.one(images), self.three(images)], dim=1)


class Downsample(nn.Module):
    """A 3 x 3 convolution and a 3 x 3 max-pool of the same input, both with stride 2, concatenated."""

    def __init__(self, channels: int, out: int, *, normalize: bool) -> None:
        super().__init__()
        self.convolution = Convolution(channels, out, 3, stride=2, normalize=normalize)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, out + channels, height / 2, width / 2), rounded up."""
        pooled = F.max_pool2d(images, kernel_size=3, stride=2, padding=1)
        return torch.cat([self.convolution(images), pooled], dim=1)


class Inception(nn.Module):
    """The modules of `layouts.INCEPTION_BLOCKS`, a mean over all pixels, and a linear layer.

    Args:
        shape: height, width, channels of an image.
        classes: number of outputs.
        normalize: whether there is batch normalization; without it the convolutions have offsets of their own.
    """

    def __init__(self, shape: Shape, classes: int, *, normalize: bool = True) -> None:
        super().__init__()
        modules: list[nn.Module] = [Convolution(shape[2], INCEPTION_STEM, 3, normalize=normalize)]
        channels = INCEPTION_STEM
        for block in INCEPTION_BLOCKS:
            if isinstance(block, int):
                modules.append(Downsample(channels, block, normalize=normalize))
                channels += block
            else:
                modules.append(Module(channels, *block, normalize=normalize))
                channels = sum(block)
        self.features = nn.Sequential(*modules)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width)."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))
