"""What theory says of linear models: Cover's counts by hand and by drawing, least squares by its formula."""

import numpy as np
import pytest
from scipy.stats import binom

from shatterlab.measures.linear import dichotomies, linear_capacity, separable_share, sign_capacity, sign_error


def test_three_points_in_the_plane_and_four_in_space_are_counted_by_hand() -> None:
    assert dichotomies(3, 2) == 6
    assert dichotomies(4, 3) == 14
    assert dichotomies(5, 5) == dichotomies(5, 9) == 2**5


@pytest.mark.parametrize("n", [2, 5, 30, 200])
def test_the_counts_obey_covers_recursion(n: int) -> None:
    for d in (2, 3, 7, 50):
        assert dichotomies(n + 1, d) == dichotomies(n, d) + dichotomies(n, d - 1)


@pytest.mark.parametrize("d", [1, 5, 100, 1_000])
def test_half_of_all_labels_are_separable_at_twice_the_dimension(d: int) -> None:
    assert separable_share(2 * d, d) == 0.5
    assert separable_share(3 * d, d) == pytest.approx(binom.cdf(d - 1, 3 * d - 1, 0.5))


@pytest.mark.parametrize(("d", "expected"), [(5, (6, 10, 16)), (20, (31, 40, 51)), (100, (178, 200, 224))])
def test_separable_numbers_have_their_tabulated_values(d: int, expected) -> None:
    theory = linear_capacity(d, bias=False)
    assert (theory.low, theory.middle, theory.high) == expected


def test_a_bias_is_one_dimension_more() -> None:
    assert linear_capacity(9) == linear_capacity(10, bias=False)
    assert linear_capacity(9).mean == 2 * (9 + 1)


@pytest.mark.parametrize("d", [1, 4, 25])
def test_mean_and_deviation_are_those_of_the_separation_point(d: int) -> None:
    # P(point >= n) is the separable share, so that its moments are sums of the shares.
    n = np.arange(1, 40 * d + 200)
    shares = np.array([separable_share(int(number), d) for number in n])
    mean, square = shares.sum(), ((2 * n - 1) * shares).sum()
    theory = linear_capacity(d, bias=False)
    assert theory.mean == pytest.approx(mean)
    assert theory.deviation == pytest.approx(np.sqrt(square - mean**2))


@pytest.mark.parametrize(("tolerance", "ratio"), [(0.1, 1.61), (0.05, 1.37), (0.01, 1.18)])
def test_least_squares_by_sign_has_its_tabulated_ratios(tolerance: float, ratio: float) -> None:
    assert round(sign_capacity(1, tolerance), 2) == ratio
    assert sign_error(10_000, round(10_000 / sign_capacity(1, tolerance))) == pytest.approx(tolerance, rel=0.01)


def test_least_squares_by_sign_errs_as_the_formula_says() -> None:
    rng = np.random.default_rng(0)
    d, n = 150, 240
    errors = []
    for _ in range(10):
        basis = np.linalg.qr(rng.standard_normal((n, d)))[0]
        signs = rng.choice([-1, 1], size=n)
        errors.append((basis @ (basis.T @ signs) * signs < 0).mean())
    assert np.mean(errors) == pytest.approx(sign_error(n, d), abs=4 * np.std(errors, ddof=1) / np.sqrt(10))
    assert sign_error(150, 150) == 0
