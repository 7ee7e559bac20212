"""The architectures of Zhang et al. (2017), appendix A, as data, and their parameters counted without torch.

The tests count them with torch, too, so that two routes have to lead to one number.
"""

from itertools import pairwise
from math import ceil

Shape = tuple[int, int, int]
"""A shape is the height, width and channels of an image."""

ALEXNET_CHANNELS = 64
ALEXNET_HIDDEN = (384, 192)

# This is figure 3 of the paper, from the image up. A pair is a module (1 x 1 channels, 3 x 3 channels), and a
# single number is a downsampling module with that many convolution channels.
INCEPTION_STEM = 96
INCEPTION_BLOCKS: tuple[int | tuple[int, int], ...] = (
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
)


def halved(side: int) -> int:
    """The side of an image after a stride of 2 with same padding."""
    return ceil(side / 2)


def mlp_parameters(shape: Shape, classes: int, widths: tuple[int, ...]) -> int:
    """The number of weights and offsets of a multilayer perceptron on the flattened image."""
    height, width, channels = shape
    sizes = (height * width * channels, *widths, classes)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def alexnet_parameters(shape: Shape, classes: int) -> int:
    """The parameters of two 5 x 5 convolutions and of a perceptron on an image halved twice."""
    height, width, channels = shape
    convolutions = (25 * channels + 1) * ALEXNET_CHANNELS + (25 * ALEXNET_CHANNELS + 1) * ALEXNET_CHANNELS
    left = halved(halved(height)), halved(halved(width)), ALEXNET_CHANNELS
    return convolutions + mlp_parameters(left, classes, ALEXNET_HIDDEN)


def inception_parameters(shape: Shape, classes: int) -> int:
    """The parameters of an Inception: each channel has one offset, with or without normalization, and no scale."""
    total = (9 * shape[2] + 1) * INCEPTION_STEM
    channels = INCEPTION_STEM
    for block in INCEPTION_BLOCKS:
        if isinstance(block, int):
            total += (9 * channels + 1) * block
            channels += block
        else:
            one, three = block
            total += (channels + 1) * one + (9 * channels + 1) * three
            channels = one + three
    return total + (channels + 1) * classes


INCEPTION_V3_SMALLEST = 75
"""With fewer pixels a side, a filter of Inception V3 would be larger than what is left of the image."""
INCEPTION_V3_SIDE = 299
"""The side of the images of Inception V3, in pixels; its auxiliary classifier does not fit on smaller ones."""


def has_auxiliary(shape: Shape) -> bool:
    """Whether Inception V3 has its auxiliary classifier on images of this shape."""
    return min(shape[:2]) >= INCEPTION_V3_SIDE


def inception_v3_parameters(shape: Shape, classes: int) -> int:
    """The parameters of Inception V3; each convolution has filters, and a scale and an offset for each channel."""
    channels = shape[2]
    filters = [(channels, 32, 9), (32, 32, 9), (32, 64, 9), (64, 80, 1), (80, 192, 9)]
    for seen, pooled in ((192, 32), (256, 64), (288, 64)):
        filters += [(seen, 64, 1), (seen, 48, 1), (48, 64, 25), (seen, 64, 1), (64, 96, 9), (96, 96, 9)]
        filters += [(seen, pooled, 1)]
    filters += [(288, 384, 9), (288, 64, 1), (64, 96, 9), (96, 96, 9)]
    for within in (128, 160, 160, 192):
        filters += [(768, 192, 1), (768, within, 1), (within, within, 7), (within, 192, 7)]
        filters += [(768, within, 1), *[(within, within, 7)] * 3, (within, 192, 7), (768, 192, 1)]
    filters += [(768, 192, 1), (192, 320, 9), (768, 192, 1), (192, 192, 7), (192, 192, 7), (192, 192, 9)]
    for seen in (1_280, 2_048):
        filters += [(seen, 320, 1), (seen, 384, 1), (384, 384, 3), (384, 384, 3)]
        filters += [(seen, 448, 1), (448, 384, 9), (384, 384, 3), (384, 384, 3), (seen, 192, 1)]
    if has_auxiliary(shape):
        filters += [(768, 128, 1), (128, 768, 25)]
    heads = (2_048 + 1) * classes + (768 + 1) * classes * has_auxiliary(shape)
    return sum(seen * out * pixels + 2 * out for seen, out, pixels in filters) + heads
