"""Gabor wavelets, random filters, random ReLU features and the ridge path, each against a second route."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from shatterlab.theory import (
    gabor_bank,
    gabor_features,
    pooled_activations,
    random_filter_grams,
    random_filters,
    random_relu_features,
    ridge_path,
)
from shatterlab.theory.patch_filters import CONTRAST, PATCH, Filters


def images(n: int = 12, size: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, size, size, channels), dtype=np.uint8)


def test_a_grating_answers_most_to_the_wavelet_of_its_own_direction() -> None:
    bank = gabor_bank(28, 28, wavelengths=[6.0], orientations=8, stride=28)
    rows, columns = np.mgrid[:28, :28]
    for number in range(8):
        angle = np.pi * number / 8
        grating = np.cos(2 * np.pi / 6 * (columns * np.cos(angle) + rows * np.sin(angle)))
        assert np.abs(grating.ravel() @ bank).argmax() == number


def test_constant_images_have_no_gabor_response_away_from_the_border() -> None:
    bank = gabor_bank(40, 40, wavelengths=[4.0, 6.0], orientations=4, stride=40)  # one place, the centre
    assert np.abs(np.ones(1_600) @ bank).max() < 1e-4
    np.testing.assert_allclose(np.linalg.norm(bank, axis=0), 1, atol=0.1)


def test_gabor_features_are_magnitudes_of_the_banks_responses() -> None:
    grey = images(5, 12, 1)
    bank = gabor_bank(12, 12, wavelengths=[5.0], orientations=3, stride=4)
    expected = np.abs((grey.reshape(5, -1) / 255) @ bank)
    found = gabor_features(grey, wavelengths=[5.0], orientations=3, stride=4)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(found, gabor_features(grey[..., 0], wavelengths=[5.0], orientations=3, stride=4))
    with pytest.raises(ValueError, match=r"images must be \(n, height, width"):
        gabor_features(grey.reshape(5, -1))


def test_pooled_activations_equal_torchs_convolution() -> None:
    data, filters = images(), random_filters(images(), 10)
    size = data.shape[1] - PATCH + 1
    x = torch.tensor(data, dtype=torch.float64).permute(0, 3, 1, 2)
    v = torch.tensor(filters.v.astype(np.float64)).T.reshape(10, PATCH, PATCH, 3).permute(0, 3, 1, 2)
    patches = torch.nn.functional.unfold(x, PATCH)
    deviation = (patches.var(dim=1, correction=0) + CONTRAST).sqrt().reshape(len(data), 1, size, size)
    response = torch.nn.functional.conv2d(x, v) / deviation - torch.tensor(filters.c)[None, :, None, None]
    found = pooled_activations(data, filters).reshape(len(data), 2, 2, 20)
    half = -(-size // 2)
    for row, rows in enumerate((slice(0, half), slice(half, size))):
        for column, columns in enumerate((slice(0, half), slice(half, size))):
            cell = response[:, :, rows, columns]
            for sign, part in ((1, slice(0, 10)), (-1, slice(10, 20))):
                expected = torch.relu(sign * cell - 1).mean(dim=(2, 3))
                np.testing.assert_allclose(found[:, row, column, part], expected, atol=1e-4)


def test_grams_by_blocks_of_filters_equal_those_of_all_features_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    module = sys.modules["shatterlab.theory.patch_filters"]
    train, test = images(30), images(9, seed=1)
    filters = random_filters(train, 20)
    ours, theirs = pooled_activations(train, filters), pooled_activations(test, filters)
    mean, deviation = ours.mean(axis=0), ours.std(axis=0)
    alive = deviation > 0
    ours, theirs = ((part - mean)[:, alive] / deviation[alive] for part in (ours, theirs))
    monkeypatch.setattr(module, "FILTERS", 6)
    gram, against = random_filter_grams(train, test, 20)
    np.testing.assert_allclose(gram, ours @ ours.T / alive.sum() + 1, atol=1e-3)
    np.testing.assert_allclose(against, theirs @ ours.T / alive.sum() + 1, atol=1e-3)
    np.testing.assert_array_equal(gram, gram.T)


def test_filters_do_not_see_brightness_and_are_the_same_for_the_same_seed() -> None:
    data = images() // 2
    filters = random_filters(data, 8, seed=3)
    np.testing.assert_allclose(
        pooled_activations(data, filters), pooled_activations(data + np.uint8(50), filters), atol=1e-3
    )
    np.testing.assert_array_equal(filters.v, random_filters(data, 8, seed=3).v)
    assert isinstance(filters, Filters)
    floats = random_filters(data.astype(np.float32) / 255, 8, seed=3)
    np.testing.assert_allclose(floats.v, filters.v, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "count", "message"), [((3, 5, 5, 1), 2, "at least 6 pixels"), ((3, 8, 8, 1), 0, "count")]
)
def test_filters_that_cannot_be_are_refused(shape, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_filters(np.zeros(shape, np.uint8), count)


@pytest.mark.parametrize("features", [lambda x: random_filters(x, 2), gabor_features])
@pytest.mark.parametrize("kind", [np.int64, np.uint16, bool, complex, object])
def test_images_in_which_white_may_be_anything_are_refused(features, kind) -> None:
    with pytest.raises(ValueError, match=r"images must be an array of uint8 or of floats in \[0, 1\], got"):
        features(images().astype(kind))
    with pytest.raises(ValueError, match="got list"):
        features(images().tolist())


def test_floats_that_are_no_shares_of_white_are_refused_where_contrast_has_a_unit() -> None:
    np.testing.assert_allclose(random_filters(images() / 255, 2).v, random_filters(images(), 2).v, atol=1e-4)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got 0 to 255; divide pixels of 0..255 by 255"):
        random_filters(images().astype(np.float32), 2)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        random_filters(np.full((2, 8, 8, 1), np.nan), 2)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_ridge_path_of_features_of_any_size_is_the_pseudoinverse(size: float) -> None:
    rng = np.random.default_rng(0)
    F, y = rng.standard_normal((10, 20)), rng.standard_normal((10, 1))
    np.testing.assert_allclose(ridge_path(F * size, y, [0.0])[0] * size, np.linalg.pinv(F) @ y, rtol=1e-9)


def test_the_ridge_path_equals_scikit_learns_ridge_and_the_pseudoinverse() -> None:
    rng = np.random.default_rng(0)
    F, y = random_relu_features(rng.standard_normal((30, 8)), 50), rng.standard_normal((30, 2))
    path = ridge_path(F, y, [0.0, 0.01, 1.0])
    np.testing.assert_allclose(path[0], np.linalg.pinv(F) @ y, atol=1e-6)
    for ridge, w in zip((0.01, 1.0), path[1:], strict=True):
        np.testing.assert_allclose(w, Ridge(alpha=ridge, fit_intercept=False).fit(F, y).coef_.T, atol=1e-8)


def test_random_features_are_the_same_for_train_and_test() -> None:
    X = np.random.default_rng(1).standard_normal((10, 4))
    both = random_relu_features(X, 20, seed=5)
    np.testing.assert_allclose(both[3:7], random_relu_features(X[3:7], 20, seed=5))
    assert (both >= 0).all()
