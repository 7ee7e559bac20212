"""Rank tests of complexity measures, held against the example by hand and against scipy."""

from itertools import product

import numpy as np
import pytest
import scipy.stats

from shatterlab.measures.ranks import (
    axis_errors,
    effective_number,
    granulated,
    kendall_tau,
    noise_weight,
    sign_errors,
)

PLACES = [{"a": a, "b": b} for a, b in product((0, 1), repeat=2)]
GAPS = [0.1, 0.2, 0.3, 0.4]
MEASURE = [2, 1, 4, 3]


def grid(*sizes: int) -> list[dict[str, int]]:
    return [dict(zip("abc", place, strict=False)) for place in product(*map(range, sizes))]


def test_kendall_tau_of_the_example_by_hand_is_a_third() -> None:
    assert kendall_tau(MEASURE, GAPS) == pytest.approx(1 / 3)


def test_granulated_tau_of_the_example_by_hand() -> None:
    result = granulated(MEASURE, GAPS, PLACES)
    assert result.psi == {"a": 1, "b": -1}
    assert result.mean == 0


def test_sign_errors_of_the_example_by_hand() -> None:
    result = sign_errors(MEASURE, GAPS, PLACES)
    assert (result.mean, result.robust) == (0.5, 1)
    assert [(e.axis, e.values, e.error, e.pairs) for e in result.environments] == [
        ("b", (0, 1), 1, 2),
        ("a", (0, 1), 0, 2),
    ]
    assert result.percentile_90 == pytest.approx(0.9)


def test_without_ties_tau_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    assert kendall_tau(a, b) == pytest.approx(scipy.stats.kendalltau(a, b).statistic)


def test_ties_count_nothing_and_stay_in_the_denominator() -> None:
    assert kendall_tau([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / 3)
    assert kendall_tau([1, 1, 1], [1, 2, 3]) == 0
    assert sign_errors([1, 1], [1, 2], [{"a": 0}, {"a": 1}]).robust == 0.5


def test_a_measure_that_is_the_gap_makes_no_error_and_its_negative_only_errors() -> None:
    places = grid(3, 2, 3)
    gaps = np.random.default_rng(0).random(len(places))
    assert granulated(gaps, gaps, places).mean == 1
    assert sign_errors(gaps, gaps, places).robust == 0
    assert sign_errors(-gaps, gaps, places).mean == 1
    # Three pairs of values along each axis of three, one along the axis of two.
    assert len(sign_errors(gaps, gaps, places).environments) == 7


def test_the_sign_error_of_an_axis_is_its_granulated_tau_in_other_words() -> None:
    rng = np.random.default_rng(1)
    places = grid(3, 2, 4)
    mu, g = rng.random((2, len(places)))
    psi = granulated(mu, g, places).psi
    for result in axis_errors(mu, g, places):
        assert result.error == pytest.approx((1 - psi[result.axis]) / 2)


def test_the_noise_filter_by_hand() -> None:
    # n dg^2 / 2 = 5: (1 - 2 exp(-5))^2 - 1/2 = 0.47322; at 1 the probability is 0.07 and the pair does not count.
    assert noise_weight([0.1**0.5, 0.0, (2 / 100) ** 0.5], 100) == pytest.approx([0.473229, 0, 0], abs=1e-6)
    assert effective_number(np.array([1.0, 1.0, 0.0])) == 2
    assert effective_number(np.zeros(3)) == 0


def test_pairs_within_noise_do_not_count_and_environments_of_few_pairs_are_dropped() -> None:
    places = grid(2, 12)
    gaps = np.array([0.3 * place["a"] + 0.001 * place["b"] for place in places])
    against = -gaps
    result = sign_errors(against, gaps, places, n=1_000)
    assert [(e.axis, e.error, e.pairs) for e in result.environments] == [("a", 1, 12)]
    assert result.environments[0].effective == pytest.approx(12)
    assert result.dropped == 66
    assert [axis.axis for axis in axis_errors(against, gaps, places, n=1_000)] == ["a"]
    fewer = [number for number, place in enumerate(places) if place["b"]]
    dropped = sign_errors(against[fewer], gaps[fewer], [places[number] for number in fewer], n=1_000)
    assert dropped.environments == ()
    assert np.isnan(dropped.robust)


def test_the_error_along_an_axis_covers_the_truth() -> None:
    """Networks whose measure moves with the gap in three of four pairs."""
    rng = np.random.default_rng(0)
    places = grid(3, 9)
    covered = 0
    for _ in range(200):
        gaps = rng.random(len(places))
        right = np.repeat(rng.random((1, 9)) < 0.75, 3, axis=0).ravel()
        (along, _) = axis_errors(np.where(right, gaps, -gaps), gaps, places)
        covered += abs(along.error - 0.25) <= 2.31 * along.standard_error  # t with 8 degrees of freedom, 95 %
    assert covered >= 0.93 * 200


def test_the_standard_error_along_an_axis_is_never_zero() -> None:
    places = grid(2, 9)
    gaps = np.random.default_rng(0).random(18)
    (along, _) = axis_errors(gaps, gaps, places)
    assert along.error == 0
    assert along.standard_error == pytest.approx((1 / 11 * 10 / 11 / 9) ** 0.5)


def test_a_grid_with_holes_is_ranked_by_the_networks_that_are_there() -> None:
    kept = [0, 1, 2]
    result = granulated(np.take(MEASURE, kept), np.take(GAPS, kept), [PLACES[place] for place in kept])
    assert result.psi == {"a": 1, "b": -1}


@pytest.mark.parametrize(
    ("measure", "gaps", "places", "message"),
    [
        ([1], [1], PLACES[:1], "two numbers or more"),
        ([1, 2], [1, 2, 3], PLACES[:2], "same networks"),
        ([1, np.nan], [1, 2], PLACES[:2], "must be finite"),
        ([1, 2], [1, 2], PLACES, "2 networks but 4 settings"),
        ([1, 2], [1, 2], [PLACES[0], PLACES[0]], "average measure and gap over seeds"),
        ([1, 2], [1, 2], [PLACES[0], {"a": 1}], "a value of every axis"),
        ([1, 2], [1, 2], [PLACES[0], PLACES[3]], "differ in one axis alone"),
    ],
)
def test_what_cannot_be_ranked_is_refused_with_the_way_out(measure, gaps, places, message) -> None:
    with pytest.raises(ValueError, match=message):
        granulated(measure, gaps, places)
