"""The six conditions: shares, conventions, what is kept and what is not."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import CORRUPTION_NAMES, noise_data
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab import ShatterlabError, corrupt
from shatterlab.corruption import corrupt_labels
from shatterlab.data import Data, load
from shatterlab.seeds import stream
from shatterlab.spec import AMOUNTS

every_condition = pytest.mark.parametrize("name", CORRUPTION_NAMES)


def default(name: str) -> float:
    return AMOUNTS.get(name, 1.0)


@every_condition
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**31), amount=st.floats(0, 1))
def test_the_same_seed_gives_the_same_data(name: str, seed: int, amount: float) -> None:
    data = noise_data()
    first, second = (corrupt(data, name, amount, seed) for _ in range(2))
    assert first.train.fingerprint() == second.train.fingerprint()
    assert first.test.fingerprint() == second.test.fingerprint()


@every_condition
def test_another_seed_gives_other_data(name: str) -> None:
    first, second = (corrupt(noise_data(), name, default(name), seed).train.fingerprint() for seed in (0, 1))
    assert (first == second) == (name == "true-labels")


@every_condition
def test_amount_zero_changes_nothing(name: str) -> None:
    data = noise_data()
    after = corrupt(data, name, 0.0)
    assert after.train.fingerprint() == data.train.fingerprint()
    assert after.test.fingerprint() == data.test.fingerprint()
    assert not after.train.corrupted.any()


@every_condition
def test_labels_or_pixels_change_but_never_both(name: str) -> None:
    data = noise_data()
    after = corrupt(data, name, default(name)).train
    labels_kept = (after.labels == data.train.labels).all()
    pixels_kept = (after.inputs == data.train.inputs).all()
    assert labels_kept or pixels_kept
    assert (labels_kept and pixels_kept) == (name == "true-labels")


@every_condition
def test_true_labels_ride_along_and_the_test_set_keeps_its_own(name: str) -> None:
    data = noise_data()
    after = corrupt(data, name, default(name))
    assert (after.train.true_labels == data.train.labels).all()
    assert (after.test.labels == data.test.labels).all()


@every_condition
def test_read_only_data_are_left_alone(name: str) -> None:
    data = load("digits")
    before = data.train.fingerprint()
    corrupt(data, name, default(name))
    assert data.train.fingerprint() == before


@pytest.mark.parametrize("name", ["shuffled-pixels", "random-pixels"])
def test_permutations_keep_each_image_s_pixels_and_their_colours(name: str) -> None:
    data = noise_data()
    after = corrupt(data, name, 1.0).train.inputs
    for image, original in zip(after, data.train.inputs, strict=True):
        assert sorted(map(tuple, image.reshape(-1, 3))) == sorted(map(tuple, original.reshape(-1, 3)))


def test_one_permutation_shuffles_every_image_of_train_and_test() -> None:
    positions = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    data = noise_data(shape=(8, 8, 1))
    counting = Data(
        data.train.__class__(positions.repeat(40, axis=0), data.train.labels, 4),
        data.test.__class__(positions.repeat(20, axis=0), data.test.labels, 4),
    )
    after = corrupt(counting, "shuffled-pixels", 1.0)
    assert len(np.unique(np.concatenate([after.train.inputs, after.test.inputs]), axis=0)) == 1
    assert (after.train.inputs != counting.train.inputs).any()
    each = corrupt(counting, "random-pixels", 1.0)
    assert len(np.unique(each.train.inputs, axis=0)) == 40


def test_gaussian_pixels_have_the_mean_and_variance_of_the_data() -> None:
    data = load("digits")
    after = corrupt(data, "gaussian-pixels", 1.0).train.inputs
    # Digits are mostly 0 or 255, so clipping to bytes moves the moments; real photographs are tested below.
    assert abs(after.mean() - data.train.inputs.mean()) < 20
    floats = Data(*(part.__class__(part.inputs / np.float32(255), part.labels, 10) for part in (data.train, data.test)))
    after = corrupt(floats, "gaussian-pixels", 1.0).train.inputs
    count = after.size
    assert abs(after.mean() - floats.train.inputs.mean()) < 4 * after.std() / count**0.5
    assert abs(after.std() / floats.train.inputs.std() - 1) < 4 / (2 * count) ** 0.5


def test_gaussian_pixels_of_cifar10_survive_the_rounding(cifar10: str) -> None:
    data = load(cifar10)
    train = data.train.take(np.arange(5_000))
    after = corrupt(replace(data, train=train), "gaussian-pixels", 1.0).train.inputs
    assert abs(after.mean() - train.inputs.mean()) < 2
    assert abs(after.std() / train.inputs.std() - 1) < 0.07  # 5 % of the values are clipped


@pytest.mark.parametrize("convention", ["uniform", "symmetric"])
@pytest.mark.parametrize("amount", [0.2, 0.5, 1.0])
def test_the_share_of_wrong_labels_follows_the_convention(convention, amount: float) -> None:
    dataset = noise_data(n=100_000, shape=(1, 1, 1), classes=10).train
    after = corrupt_labels(dataset, amount, stream(0, "test"), convention)
    expected = amount * 0.9 if convention == "uniform" else amount
    deviation = (expected * (1 - expected) / len(dataset)) ** 0.5
    assert abs((after.labels != dataset.labels).mean() - expected) <= 4 * deviation
    assert (after.corrupted == (after.labels != dataset.labels)).all()


def test_random_labels_are_uniform_over_the_classes() -> None:
    after = corrupt(noise_data(n=100_000, shape=(1, 1, 1), classes=10), "random-labels", 1.0)
    counts = np.bincount(after.train.labels, minlength=10)
    assert np.abs(counts - 10_000).max() < 5 * (10_000 * 0.9) ** 0.5


def test_a_misspelt_condition_names_the_nearest() -> None:
    with pytest.raises(ShatterlabError, match="unknown corruption 'random-label'; did you mean 'random-labels'"):
        corrupt(noise_data(), "random-label", 1.0)
