"""Rademacher complexity: the formulas' examples, and what a lower bound may and may not say."""

from itertools import product

import numpy as np
import pytest

from shatterlab.measures.fitting import Outcome
from shatterlab.measures.rademacher import (
    estimate,
    linear_upper_bound,
    measure,
    one_draw_spread,
    requests,
)


def majority(X, y, seed):
    """The best of the two constants."""
    best = int(2 * y.sum() > len(y))
    return lambda X: np.full(len(X), best)


@pytest.mark.parametrize("n", [2, 3])
def test_two_constants_have_a_half_for_two_and_for_three_points(n: int) -> None:
    # All signs are equally likely, so that the mean over every choice of them is the complexity itself.
    fits = [majority(None, np.array(signs), 0)(signs) != np.array(signs) for signs in product([0, 1], repeat=n)]
    assert estimate([Outcome(int(wrong.sum()), n) for wrong in fits]).value == pytest.approx(0.5)


def test_a_shattered_set_has_one() -> None:
    result = estimate([Outcome(0, 50)] * 4)
    assert (result.value, result.error) == (1, 0)
    assert result.verdict == "near 1: a bound on the error that rests on it is vacuous"


def test_linear_functions_of_two_unit_vectors_have_the_root_of_a_half() -> None:
    X = np.eye(2)
    # The best w of norm 1 points along the sum of s_i x_i, and reaches its length.
    exact = np.mean([np.linalg.norm(np.array(signs) @ X) / 2 for signs in product([-1, 1], repeat=2)])
    assert exact == pytest.approx(0.7071, abs=5e-5)
    assert linear_upper_bound(X, norm=1) == pytest.approx(exact)


def test_the_bound_for_linear_functions_lies_above_their_complexity() -> None:
    X = np.random.default_rng(0).standard_normal((8, 3))
    exact = np.mean([2 * np.linalg.norm(np.array(signs) @ X) / 8 for signs in product([-1, 1], repeat=8)])
    assert exact < linear_upper_bound(X, norm=2) < 1.3 * exact


def test_mean_and_standard_error_are_those_of_the_draws() -> None:
    result = estimate([Outcome(10, 100), Outcome(30, 100), Outcome(20, 100)])
    assert result.values == pytest.approx((0.8, 0.4, 0.6))
    assert result.value == pytest.approx(0.6)
    assert result.error == pytest.approx(0.2 / np.sqrt(3))  # standard deviation .2
    assert np.isnan(estimate([Outcome(0, 5)]).error)
    assert "one draw" in str(estimate([Outcome(0, 5)]))


def test_more_draws_extend_fewer() -> None:
    few, many = requests(30, draws=3, seed=5), requests(30, draws=8, seed=5)
    for one, other in zip(few, many[:3], strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.fit_seed == other.fit_seed
    assert len({draw.labels.tobytes() for draw in many}) == 8


def test_signs_are_fair_and_independent_of_place() -> None:
    labels = np.array([draw.labels for draw in requests(50, draws=400)])
    assert set(np.unique(labels)) == {0, 1}
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(labels.size)
    assert abs(labels.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(400)


def test_the_better_constant_has_the_mean_of_a_random_walk() -> None:
    # |sum of n signs| / n has mean sqrt(2 / (pi n)) up to order 1/n.
    result = measure(majority, np.zeros(100), draws=200)
    assert result.value == pytest.approx(np.sqrt(2 / (np.pi * 100)), abs=3 * result.error)


def test_what_is_said_follows_from_the_number() -> None:
    assert "no better than guessing" in str(estimate([Outcome(20, 100)] * 3))
    assert "with so few examples" in str(estimate([Outcome(30, 60)] * 3))  # 3 sqrt(ln(40) / 120) is .53
    many = estimate([Outcome(4_900, 10_000)] * 3)
    assert "small, which proves nothing" in str(many)
    # By hand: 3 sqrt(ln(40) / 20,000) = 3 * .013581 = .04074.
    assert many.least_guarantee(0.1) == pytest.approx(0.1 + 0.02 + 0.04074, abs=1e-5)


def test_unfinished_fits_are_counted_and_named() -> None:
    result = estimate([Outcome(10, 100, finished=False), Outcome(10, 100)])
    assert result.unfinished == 1
    assert "1 of the fits still improving" in str(result)


def test_one_draw_of_the_constants_stays_within_mcdiarmids_spread() -> None:
    result = measure(majority, np.zeros(100), draws=200)
    inside = np.abs(np.array(result.values) - result.value) < one_draw_spread(100)
    assert inside.mean() >= 0.95
    assert one_draw_spread(100) == pytest.approx(0.2716, abs=1e-4)  # sqrt(2 ln 40 / 100)


@pytest.mark.parametrize(("n", "draws"), [(0, 3), (3, 0)])
def test_nothing_to_draw_is_refused(n: int, draws: int) -> None:
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        requests(n, draws=draws)
