"""Augmentation against Pillow and torchvision on real images, to within rounding, and as it reaches the network."""

import numpy as np
import pytest
import torch
from helpers import noise_data
from PIL import Image, ImageEnhance
from torchvision.transforms.v2 import functional as torchvision

from shatterlab import ShatterlabError, load, make_spec
from shatterlab.spec import AUGMENTATIONS
from shatterlab.training.augment import COLOURS, augment, check, draw, place
from shatterlab.training.preprocess import crop_box, to_unit, whiten

CPU = torch.device("cpu")
LEVEL = 1 / 255
ALL_DIALS = {
    "random_crop": True,
    "flip": 0.5,
    "rotation": 25,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.4,
    "hue": 0.2,
}


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """Real colour images: CIFAR-10 where it is, else the two photographs that scikit-learn brings, in pieces."""
    from sklearn.datasets import load_sample_images

    try:
        return load("cifar10").train.inputs[:64].copy()
    except ShatterlabError:
        pieces = [
            image[y : y + 128 : 4, x : x + 128 : 4]
            for image in load_sample_images().images
            for y in range(0, 384, 128)
            for x in range(0, 640, 128)
        ]
        return np.stack(pieces)


def factors(n: int, low: float, high: float) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(low, high, n).astype(np.float32))


def as_pillow(images: np.ndarray, change) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(image), i)) for i, image in enumerate(images)]) / 255


def test_rotation_is_pillows(photographs: np.ndarray) -> None:
    degrees = factors(len(photographs), -180, 180)
    ours = place(torch.from_numpy(photographs), {"rotation": degrees}, None)
    theirs = as_pillow(
        photographs, lambda image, i: image.rotate(degrees[i].item(), resample=Image.Resampling.BILINEAR)
    )
    # A pixel whose source lies on the very edge of the image may fall to either side of it.
    wrong = (ours.numpy() - theirs).__abs__().max(-1) > 1.01 * LEVEL
    assert wrong.mean() < 1e-3


def test_rotation_is_torchvisions_away_from_the_edge(photographs: np.ndarray) -> None:
    degrees = factors(len(photographs), -25, 25)
    images = torch.from_numpy(photographs)
    ours = place(images, {"rotation": degrees}, 14)
    for i, angle in enumerate(degrees.tolist()):
        turned = torchvision.rotate(to_unit(images[i]).permute(2, 0, 1), angle, torchvision.InterpolationMode.BILINEAR)
        torch.testing.assert_close(ours[i], turned.permute(1, 2, 0)[9:23, 9:23], atol=1e-4, rtol=0)


def test_a_crop_after_a_rotation_cuts_the_turned_image(photographs: np.ndarray) -> None:
    images = torch.from_numpy(photographs)
    changes = {"rotation": factors(len(images), -25, 25), "top": torch.full((len(images),), 4),
               "left": torch.full((len(images),), 1), "flip": torch.ones(len(images), dtype=torch.bool)}  # fmt: skip
    whole = place(images, {"rotation": changes["rotation"]}, None)
    torch.testing.assert_close(place(images, changes, 28), whole[:, 4:32, 1:29].flip(2), atol=1e-5, rtol=0)


def test_crop_and_flip_copy_pixels(photographs: np.ndarray) -> None:
    images = torch.from_numpy(photographs)
    rng = np.random.default_rng(1)
    top, left = (torch.from_numpy(rng.integers(5, size=len(images))) for _ in range(2))
    flip = torch.from_numpy(rng.random(len(images)) < 0.5)
    ours = place(images, {"top": top, "left": left, "flip": flip}, 28)
    assert ours.dtype == torch.uint8
    for i in range(len(images)):
        expected = torchvision.crop(images[i].permute(2, 0, 1), int(top[i]), int(left[i]), 28, 28)
        expected = torchvision.horizontal_flip(expected) if flip[i] else expected
        assert torch.equal(ours[i], expected.permute(1, 2, 0))


PILLOW = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}
TORCHVISION = {
    "brightness": torchvision.adjust_brightness,
    "contrast": torchvision.adjust_contrast,
    "saturation": torchvision.adjust_saturation,
    "hue": torchvision.adjust_hue,
}


def test_a_resized_crop_is_torchvisions_away_from_its_edge(photographs: np.ndarray) -> None:
    images = torch.from_numpy(photographs[:8])
    boxes = {"top": 3, "left": 5, "height": 20, "width": 16}
    ours = place(images, {name: torch.full((8,), float(value)) for name, value in boxes.items()}, 28)
    theirs = torchvision.resized_crop(
        to_unit(images).permute(0, 3, 1, 2), **boxes, size=[28, 28], antialias=False
    ).permute(0, 2, 3, 1)
    torch.testing.assert_close(ours[:, 2:-2, 2:-2], theirs[:, 2:-2, 2:-2], rtol=0, atol=1e-5)


def test_resized_crops_lie_within_the_image_and_have_the_sizes_that_were_asked_for() -> None:
    spec = make_spec(crop=28, random_crop=True, crop_area=0.1)
    box = draw(spec, 5_000, (40, 30, 3), 1, CPU)
    assert box["top"].min() >= 0
    assert (box["top"] + box["height"]).max() <= 40.001
    assert box["left"].min() >= 0
    assert (box["left"] + box["width"]).max() <= 30.001
    shares = box["height"] * box["width"] / 1_200
    assert 0.09 < shares.min() < 0.11
    assert 0.85 < shares.max() <= 1.001
    inside = (box["width"] < 30) & (box["height"] < 40)
    ratios = (box["width"] / box["height"])[inside]
    assert 0.74 < ratios.min() < 0.77
    assert 1.3 < ratios.max() < 1.34


def test_the_size_of_a_crop_needs_a_random_crop() -> None:
    with pytest.raises(ShatterlabError, match="crop_area is the size of a random crop; add random_crop=True"):
        make_spec(crop_area=0.5)


@pytest.mark.parametrize("name", PILLOW)
def test_a_colour_change_is_pillows(name: str, photographs: np.ndarray) -> None:
    factor = factors(len(photographs), 0.2, 1.8)
    ours = COLOURS[name](to_unit(torch.from_numpy(photographs)), factor)
    theirs = as_pillow(photographs, lambda image, i: PILLOW[name](image).enhance(factor[i].item()))
    # Pillow rounds the grey of a pixel and the mean grey of an image to whole levels first, and truncates at the end.
    assert np.abs(ours.numpy() - theirs).max() <= 2.5 * LEVEL


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_colour_change_is_torchvisions(name: str, photographs: np.ndarray) -> None:
    factor = factors(len(photographs), -0.5, 0.5) if name == "hue" else factors(len(photographs), 0.2, 1.8)
    images = to_unit(torch.from_numpy(photographs))
    ours = COLOURS[name](images, factor)
    for i, value in enumerate(factor.tolist()):
        theirs = TORCHVISION[name](images[i].permute(2, 0, 1), value).permute(1, 2, 0)
        torch.testing.assert_close(ours[i], theirs, atol=4e-4, rtol=0)  # its luma weights have four digits, ours three


@pytest.mark.parametrize("name", COLOURS)
def test_the_neutral_factor_changes_nothing_and_every_result_is_a_pixel(name: str, photographs: np.ndarray) -> None:
    images = to_unit(torch.from_numpy(photographs))
    neutral = torch.full((len(images),), 0.0 if name == "hue" else 1.0)
    torch.testing.assert_close(COLOURS[name](images, neutral), images, atol=1e-5, rtol=0)
    strong = COLOURS[name](images, factors(len(images), 0, 0.5 if name == "hue" else 2))
    assert strong.min() >= 0
    assert strong.max() <= 1


@pytest.mark.parametrize("name", [*AUGMENTATIONS, "random_crop"])
def test_every_dial_changes_images_from_epoch_to_epoch_and_redraws_no_other(name: str) -> None:
    one = make_spec(data="cifar10", **{name: ALL_DIALS[name]})
    first, again, later = (draw(one, 50, (32, 32, 3), epoch, CPU) for epoch in (1, 1, 2))
    alone = draw(make_spec(data="cifar10", **ALL_DIALS), 50, (32, 32, 3), 1, CPU)
    for key in first:
        assert torch.equal(first[key], again[key])
        assert torch.equal(first[key], alone[key])
        assert not torch.equal(first[key], later[key])


def test_draws_stay_within_their_dials_and_use_all_of_them() -> None:
    spec = make_spec(data="cifar10", **ALL_DIALS)
    changes = draw(spec, 4_000, (32, 32, 3), 1, CPU)
    assert set(changes["top"].tolist()) == set(changes["left"].tolist()) == set(range(5))
    odd = draw(make_spec(data="digits", crop=7, random_crop=True), 100, (8, 9, 1), 1, CPU)
    assert (set(odd["top"].tolist()), set(odd["left"].tolist())) == ({0, 1}, {0, 1, 2})
    assert abs(changes["flip"].double().mean() - 0.5) < 4 * 0.5 / 4_000**0.5
    for name, low, high in (("rotation", -25, 25), ("brightness", 0.6, 1.4), ("contrast", 0.6, 1.4),
                            ("saturation", 0.6, 1.4), ("hue", -0.2, 0.2)):  # fmt: skip
        values = changes[name]
        assert low <= values.min() < low + (high - low) / 50
        assert high >= values.max() > high - (high - low) / 50


def test_without_dials_a_batch_is_what_the_plain_run_sees(photographs: np.ndarray) -> None:
    images = torch.from_numpy(photographs)
    rows, columns = crop_box((32, 32, 3), 28)
    expected = whiten(to_unit(images)[:, rows, columns])
    torch.testing.assert_close(augment(images, {}, make_spec(data="cifar10")), expected, atol=1e-5, rtol=0)


def test_whitening_comes_last() -> None:
    images = torch.from_numpy(noise_data(shape=(32, 32, 3)).train.inputs)
    spec = make_spec(data="cifar10", **ALL_DIALS)
    seen = augment(images, draw(spec, len(images), (32, 32, 3), 1, CPU), spec)
    assert seen.shape == (40, 28, 28, 3)
    assert seen.is_contiguous()
    torch.testing.assert_close(seen.mean((1, 2, 3)), torch.zeros(40), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std((1, 2, 3), correction=0), torch.ones(40), atol=1e-4, rtol=0)


def test_floats_and_grey_images_are_augmented_too() -> None:
    images = torch.rand(6, 9, 7, 1)
    spec = make_spec(data="mnist", crop=6, random_crop=True, rotation=10, contrast=0.3, brightness=0.3, flip=1)
    check(spec, images.numpy())
    assert augment(images, draw(spec, 6, (9, 7, 1), 1, CPU), spec).shape == (6, 6, 6, 1)


def test_what_cannot_be_augmented_is_one_sentence() -> None:
    with pytest.raises(ShatterlabError, match="crop=8 leaves a random crop no room to move in images of 8 x 8; ask"):
        check(make_spec(data="digits", crop=8, random_crop=True), np.zeros((1, 8, 8, 1), np.uint8))
    with pytest.raises(
        ShatterlabError, match="images of digits have 1 channel and not 3, so that there is no hue to change"
    ):
        check(make_spec(data="digits", hue=0.1), np.zeros((1, 8, 8, 1), np.uint8))
    with pytest.raises(ShatterlabError, match="random_crop needs to know the side of the crop on digits; write crop=K"):
        make_spec(data="digits", random_crop=True)


def test_colours_of_pixels_beyond_one_are_refused_before_they_are_clipped() -> None:
    bright = np.full((2, 8, 8, 3), 255, np.float32)
    with pytest.raises(ShatterlabError, match=r"brightness clips pixels to \[0, 1\], but those of own lie in 255..255"):
        check(make_spec(data="own", brightness=0.1), bright)
    check(make_spec(data="own", brightness=0.1), bright / 255)
    check(make_spec(data="own", flip=0.5), bright)


def test_a_batch_goes_through_every_change_in_the_order_that_is_documented(photographs: np.ndarray) -> None:
    spec = make_spec(data="cifar10", random_crop=True, flip=0.5, rotation=25, brightness=0.4, contrast=0.4,
                     saturation=0.4, hue=0.2)  # fmt: skip
    images = torch.from_numpy(photographs)
    changes = draw(spec, len(images), images.shape[1:], 1, CPU)
    expected = place(images, changes, spec.crop)
    for name in ("brightness", "contrast", "saturation", "hue"):
        expected = COLOURS[name](expected, changes[name])
    torch.testing.assert_close(augment(images, changes, spec), whiten(expected))
