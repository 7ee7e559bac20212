"""The study of the theorem: what it fits, what it leaves out, and the exponents it fits."""

import numpy as np
import polars as pl
import pytest

from shatterlab.data import Data, Dataset
from shatterlab.studies import Tables
from shatterlab.studies.expressivity import STUDY, exponent, first_of_equal, fit_deep, fit_gaussian, fit_images


def with_repeats() -> Data:
    """60 images, of which those at 10 and 50 equal the one at 3 and have other labels."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(256, size=(60, 4, 4, 1), dtype=np.uint8), rng.integers(10, size=60)
    images[[10, 50]] = images[3]
    labels[[3, 10, 50]] = 1, 2, 3
    return Data(Dataset(images, labels, 10), Dataset(images[:5], labels[:5], 10))


@pytest.mark.parametrize("labels", ["random labels", "true labels"])
def test_equal_images_with_different_labels_are_fitted_once_and_counted(labels: str) -> None:
    (record,) = fit_images(with_repeats(), labels, n=60, sample=20, seed=0)
    assert (record["repeats"], record["n"], record["distinct"], record["weights"]) == (2, 58, 58, 2 * 58 + 16)
    assert 0 < record["network_error"] < 1e-9
    found = Tables(pl.DataFrame(), pl.DataFrame(), [{"data": "own", "seed": 0} | record])
    assert "left out as they equal another: 2 images" in STUDY.verdict(found)[0]


def test_rows_that_differ_by_the_sign_of_zero_are_equal() -> None:
    np.testing.assert_array_equal(first_of_equal(np.array([[0.0], [-0.0], [1.0], [0.0]])), [0, 2])


def test_the_error_of_the_network_and_of_its_plain_sum_are_measured() -> None:
    (record,) = fit_gaussian("gaussian", n=3_000, d=20, sample=500, seed=0)
    assert record["sampled"] == 500
    assert record["network_error"] < 1e-10 < record["torch_error"] < 1e-6


def test_a_network_that_misses_its_labels_is_recorded_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from shatterlab.theory import ReLUInterpolator

    fit = ReLUInterpolator.fit

    def spoilt(self, X, y):
        fit(self, X, y).weights_.w[5] *= 1.5
        return self

    monkeypatch.setattr(ReLUInterpolator, "fit", spoilt)
    (record,) = fit_gaussian("gaussian", n=100, d=5, sample=100, seed=0)
    assert record["network_error"] == pytest.approx(record["torch_error"])
    assert record["network_error"] > 0.01
    found = Tables(pl.DataFrame(), pl.DataFrame(), [{"seed": 0} | record])
    assert STUDY.claims[0].check(found).state == "contradicted"


def test_the_construction_has_the_exponents_of_the_corollary() -> None:
    records = [
        {"n": n, "d": n // thin, "seed": 0} | record
        for n in (100, 400, 1_600)
        for thin in (10, 2)
        for record in fit_deep([2, 3, 5, 10], n, n // thin, 0)
    ]
    assert STUDY.claims[1].check(Tables(pl.DataFrame(), pl.DataFrame(), records)).state == "confirmed"


def test_an_exponent_is_that_of_the_law_behind_it() -> None:
    x = [1.0, 2.0, 4.0, 8.0]
    assert exponent(x, [3 * value**1.5 for value in x]).value == pytest.approx(1.5)
    # Two groups with constants of their own: their common exponent is found, with no error.
    both = exponent(x * 2, [value**2 for value in x] + [100 * value**2 for value in x], ["a"] * 4 + ["b"] * 4)
    assert both.value == pytest.approx(2)
    assert both.error == pytest.approx(0, abs=1e-12)
    # By hand: logs (0, 1, 2) of x and (0, 1, 1) of y to the base e; slope 1/2, residuals (-1, 2, -1) / 6.
    found = exponent(np.exp([0, 1, 2]), np.exp([0, 1, 1]))
    assert found.value == pytest.approx(0.5)
    assert found.error == pytest.approx((6 / 36 / 1 / 2) ** 0.5)
