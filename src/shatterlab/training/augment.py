"""Data augmentation: training images change from epoch to epoch, a whole batch at a time, on the device.

The order of the operations is rotation, crop, flip, brightness, contrast, saturation, hue, all on pixels in [0, 1];
then each image is whitened, as in Zhang et al. (2017), appendix A. How much each image changes is drawn by numpy once
an epoch, from streams named after the changes. So a resumed run sees the same images, every device sees the same
changes, and turning one dial redraws no other.

Each change is a pure function of the images and of one number for each image; Pillow and torchvision compute the same
(tests/training/test_augment.py).
"""

from collections.abc import Callable
from math import pi

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import ShatterlabError
from ..seeds import stream
from ..spec import Spec
from .preprocess import crop_box, to_unit, whiten

Changes = dict[str, torch.Tensor]
"""The changes of an epoch: each dial that is on maps to a tensor with one number for each image."""

WIDEST = 4 / 3
"""A resized crop is at most so many times as wide as it is high, and the other way round (Szegedy et al., 2015)."""

# The weights of red, green and blue in ITU-R 601 luma, as in Pillow's convert("L").
LUMA = (0.299, 0.587, 0.114)


def check(spec: Spec, images: np.ndarray) -> None:
    """Refuses images that cannot be augmented as the spec asks.

    Args:
        spec: the dials of the run.
        images: the images as they are stored, (n, height, width, channels).

    Raises:
        ShatterlabError: the examples are no images; a random crop has no room to move; colour dials are on although
            the images have no colours, or have pixels outside [0, 1], which the changes would clip.
    """
    if not spec.augments:
        return
    if images.ndim != 4:
        raise ShatterlabError(
            f"random crop and the other augmentations change images, but an example of {spec.data} has the shape "
            f"{images.shape[1:]}; leave these dials off."
        )
    height, width, channels = images.shape[1:]
    if spec.random_crop and spec.crop_area == 1 and spec.crop is not None and spec.crop == max(height, width):
        raise ShatterlabError(
            f"crop={spec.crop} leaves a random crop no room to move in images of {height} x {width}; ask for less."
        )
    coloured = [name for name in ("saturation", "hue") if getattr(spec, name) > 0]
    if coloured and channels != 3:
        raise ShatterlabError(
            f"images of {spec.data} have {channels} channel{'s' * (channels > 1)} and not 3, so that there is no "
            f"{' and no '.join(coloured)} to change; leave the dial at 0."
        )
    clipping = [name for name in COLOURS if getattr(spec, name) > 0]
    if clipping and images.dtype.kind == "f" and not (images.min() >= 0 and images.max() <= 1):
        raise ShatterlabError(
            f"{clipping[0]} clips pixels to [0, 1], but those of {spec.data} lie in {images.min():g}..{images.max():g}"
            "; scale them to [0, 1], or store them as uint8."
        )


def draw(spec: Spec, n: int, shape: tuple[int, ...], epoch: int, device: torch.device) -> Changes:
    """Draws what happens to each of `n` images in an epoch.

    Args:
        spec: the dials and the seed of the run.
        n: number of images.
        shape: height, width, channels of the stored images.
        epoch: number of the epoch, counted from 1.
        device: where the result lies.

    Returns:
        Tensors of shape (n,): `top`, `left` in pixels (int64, or float32 where `height` and `width` in pixels stand
        beside them, the size of a crop that is resized); `flip` (bool); `rotation` in degrees,
        counter-clockwise; `brightness`, `contrast`, `saturation` as factors around 1; `hue` as a share
        of the colour wheel (float32).
    """
    changes: dict[str, np.ndarray] = {}
    if spec.random_crop and spec.crop_area < 1:
        area, sides, top, left = (
            stream(spec.seed_of_training, "augmentation", name, epoch).random(n)
            for name in ("crop area", "crop sides", "top", "left")
        )
        size = (spec.crop_area + (1 - spec.crop_area) * area) * shape[0] * shape[1]
        ratio = WIDEST ** (2 * sides - 1)
        height, width = np.minimum((size / ratio) ** 0.5, shape[0]), np.minimum((size * ratio) ** 0.5, shape[1])
        box = {"top": top * (shape[0] - height), "left": left * (shape[1] - width), "height": height, "width": width}
        changes = {name: values.astype(np.float32) for name, values in box.items()}
    elif spec.random_crop and spec.crop is not None:
        for name, side in (("top", shape[0]), ("left", shape[1])):
            changes[name] = stream(spec.seed_of_training, "augmentation", name, epoch).integers(
                side - spec.crop + 1, size=n
            )
    if spec.flip:
        changes["flip"] = stream(spec.seed_of_training, "augmentation", "flip", epoch).random(n) < spec.flip
    for name, middle in (("rotation", 0), ("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0)):
        most = getattr(spec, name)
        if most:
            rng = stream(spec.seed_of_training, "augmentation", name, epoch)
            changes[name] = rng.uniform(middle - most, middle + most, n).astype(np.float32)
    return {name: torch.from_numpy(values).to(device) for name, values in changes.items()}


def augment(images: torch.Tensor, changes: Changes, spec: Spec) -> torch.Tensor:
    """Changes a batch of images and preprocesses it for the network.

    Args:
        images: the images as they are stored, (batch, height, width, channels), uint8 or float32 in [0, 1].
        changes: what happens to these images, from `draw`.
        spec: gives crop and preprocessing.

    Returns:
        float32, (batch, crop, crop, channels), contiguous; whitened if the spec says so.
    """
    seen = to_unit(place(images, changes, spec.crop))
    for name, change in COLOURS.items():
        if name in changes:
            seen = change(seen, changes[name])
    return whiten(seen) if spec.preprocessing == "whiten" else seen.contiguous()


def place(images: torch.Tensor, changes: Changes, crop: int | None) -> torch.Tensor:
    """Rotates, crops and mirrors images in one step.

    Without a rotation or a change of size pixels are copied, and uint8 stays uint8. Otherwise they are interpolated
    bilinearly from the stored image, so that a turned crop has black corners only where the image ends.

    Args:
        images: (batch, height, width, channels), uint8 or float32.
        changes: any of `top`, `left`, `height`, `width`, `flip`, `rotation`; without any the result is the central
            crop, upright.
        crop: side in pixels, or None for the whole image.

    Returns:
        (batch, crop, crop, channels).
    """
    batch, height, width, channels = images.shape
    middle = crop_box((height, width, channels), crop)
    sides = [span.stop - span.start for span in middle]
    # A tensor made of a list would be copied from the host, which every step would wait for.
    top, left = (
        changes.get(name, torch.full((1,), span.start, device=images.device)).expand(batch)
        for name, span in zip(("top", "left"), middle, strict=True)
    )
    steps = [torch.arange(side, device=images.device) for side in sides]
    if "rotation" in changes or "width" in changes:
        if "width" in changes:  # the middle of each pixel of the crop, in pixels of the image
            rows, columns = (
                first[:, None] + (step + 0.5) * (changes[name] / side)[:, None] - 0.5
                for first, step, name, side in zip((top, left), steps, ("height", "width"), sides, strict=True)
            )
        else:
            rows, columns = top[:, None] + steps[0], left[:, None] + steps[1]
        placed = _turned(to_unit(images), rows, columns, changes.get("rotation", rows.new_zeros(1)))
    else:
        rows = top[:, None] + steps[0]
        # A row of a crop is one stretch of memory, copied whole.
        first = torch.arange(batch, device=images.device)[:, None] * height + rows
        stretches = images.reshape(-1).unfold(0, sides[1] * channels, 1)
        placed = stretches.index_select(0, ((first * width + left[:, None]) * channels).flatten())
        placed = placed.view(batch, *sides, channels)
    if "flip" in changes:
        placed = torch.where(changes["flip"][:, None, None, None], placed.flip(2), placed)
    return placed


def _turned(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """The pixels at `rows` (batch, h) and `columns` (batch, w) of each image after turning it about its middle."""
    height, width = images.shape[1:3]
    angle = degrees * (pi / 180)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x = (columns + (0.5 - width / 2))[:, None, :]
    y = (rows + (0.5 - height / 2))[:, :, None]
    # Each pixel is read at a place whose coordinates run from -1 to 1 between the outer edges of the image.
    across = (cosine * x - sine * y) / (width / 2)
    down = (sine * x + cosine * y) / (height / 2)
    turned = F.grid_sample(
        images.permute(0, 3, 1, 2),
        torch.stack((across, down), dim=-1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    inside = (across.abs() <= 1) & (down.abs() <= 1)
    return turned.mul_(inside[:, None]).permute(0, 2, 3, 1).contiguous()


def brightness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiplies each pixel: x -> factor x, clipped to [0, 1]; (batch, height, width, channels) and (batch,)."""
    return (images * factor[:, None, None, None]).clamp_(0, 1)


def contrast(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Moves each pixel away from the mean grey m of its image: x -> factor x + (1 - factor) m, clipped to [0, 1]."""
    mean = grey(images).mean((1, 2))[:, None, None, None]
    return torch.lerp(mean, images, factor[:, None, None, None]).clamp_(0, 1)


def saturation(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Moves each pixel away from its own grey g: x -> factor x + (1 - factor) g, clipped to [0, 1]."""
    return torch.lerp(grey(images)[..., None], images, factor[:, None, None, None]).clamp_(0, 1)


def hue(images: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Turns the colour wheel by `shift`, a share of the full circle; value and saturation (HSV) stay as they are.

    A channel of a colour with value v, chroma c and hue H is v - c clip(2 - d, 0, 1), where d is the distance
    on the circle of length 6 between H and the channel's complement: 3 for red, 5 for green, 1 for blue.
    """
    red, green, blue = images.permute(3, 0, 1, 2).contiguous()
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    between = torch.where(value == red, green - blue, torch.where(value == green, blue - red, red - green))
    sector = torch.where(value == red, 0.0, torch.where(value == green, 2.0, 4.0))
    # Where there is no chroma there is no hue, and any finite number does.
    wheel = sector + between / chroma.clamp(min=1e-12) + 6 * shift[:, None, None]
    wheel -= 6 * torch.floor(wheel / 6)
    lacks = ((2 - (wheel - 3).abs()), ((wheel - 5).abs() - 3).abs() - 1, ((wheel - 1).abs() - 3).abs() - 1)
    return torch.stack([value - chroma * lack.clamp_(0, 1) for lack in lacks], dim=-1)


def grey(images: torch.Tensor) -> torch.Tensor:
    """Returns the luma of colour images and the mean channel of other images, (batch, height, width)."""
    if images.shape[-1] != 3:
        return images.mean(-1)
    red, green, blue = images.unbind(-1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


COLOURS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
}
"""The functions that change colours, by dial, in the order in which they are applied."""
