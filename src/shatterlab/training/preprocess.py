"""Preprocessing: images are cropped, scaled and whitened once, before training."""

from typing import Literal

import numpy as np
import torch

from ..errors import ShatterlabError

BLOCK = 5_000
"""So many images are handled at a time, so that no second float copy of the whole set exists."""


def crop_box(shape: tuple[int, ...], crop: int | None) -> tuple[slice, ...]:
    """Returns the rows and columns of the centre crop of side `crop` in an image, or the whole image for None.

    Raises:
        ShatterlabError: the crop is larger than the image, or the examples are no images.
    """
    if crop is None:
        return tuple(slice(0, side) for side in shape[:2])
    if len(shape) != 3:
        raise ShatterlabError(f"crop={crop} cuts images, but an example has the shape {shape}; leave the dial out.")
    height, width, _ = shape
    if crop > min(height, width):
        raise ShatterlabError(
            f"crop={crop} is larger than the images of {height} x {width}; ask for at most {min(height, width)}."
        )
    top, left = (height - crop) // 2, (width - crop) // 2
    return slice(top, top + crop), slice(left, left + crop)


def preprocess(
    images: np.ndarray, crop: int | None, how: Literal["whiten", "scale", "standardize", "none"], device: torch.device
) -> torch.Tensor:
    """Crops images to their centre, scales pixels to [0, 1] and whitens each image, as far as `how` asks for it.

    Whitening takes x to (x - mean(x)) / max(std(x), 1 / sqrt(N)), with mean and standard deviation over the N numbers
    of one image, as TensorFlow's `per_image_standardization` does (Zhang et al., 2017, appendix A).

    Args:
        images: uint8 in 0..255 or float32, shape (n, height, width, channels); or inputs of any other shape, integers
            among them, which are token ids and stay as they are.
        crop: side of the centre crop in pixels, or None.
        how: `"whiten"`, or `"scale"` to stop after the division by 255 (floats are left as they are), or `"none"` to
            leave all numbers as they are; `"standardize"`, which needs the whole training set, is done before.
        device: where the result lies.

    Returns:
        float32, or int64 for token ids, of the shape (n, height, width, channels), contiguous.
    """
    cropped = images[(slice(None), *crop_box(images.shape[1:], crop))]
    if images.dtype.kind == "i":
        return torch.from_numpy(np.array(cropped)).to(device)
    result = torch.empty(cropped.shape, dtype=torch.float32, device=device)
    for start in range(0, len(images), BLOCK):
        block = torch.from_numpy(np.array(cropped[start : start + BLOCK])).to(device)  # a copy: data are read-only
        result[start : start + BLOCK] = _scaled(block, how)
    return result


def preprocess_batch(
    images: torch.Tensor, crop: int | None, how: Literal["whiten", "scale", "standardize", "none"]
) -> torch.Tensor:
    """Preprocesses a batch of images where it lies; the arguments and the result are those of `preprocess`."""
    return _scaled(images[(slice(None), *crop_box(tuple(images.shape[1:]), crop))], how).contiguous()


def _scaled(images: torch.Tensor, how: str) -> torch.Tensor:
    pixels = to_unit(images) if how in ("whiten", "scale") else images.float()
    return whiten(pixels) if how == "whiten" else pixels


def to_unit(pixels: torch.Tensor) -> torch.Tensor:
    """Scales bytes 0..255 to float32 in [0, 1]; floats are left as they are."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels


def whiten(images: torch.Tensor) -> torch.Tensor:
    """Brings each image to mean 0 and standard deviation 1, see `preprocess`; float32 (n, ...)."""
    shape = images.shape[1:]
    # This is one fused pass; the epsilon, far below a real image's variance, only keeps a constant image finite.
    whitened, _, inverse = torch.native_layer_norm(images.contiguous(), shape, None, None, 1e-12)
    floor = shape.numel() ** -0.5
    return whitened.mul_((1 / (inverse * floor)).clamp_(max=1))
