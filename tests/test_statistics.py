"""Means with errors: examples by hand, and a second route to each number."""

import numpy as np
import pytest
from verdicts.made import alike, guesses, run, tables_of

from shatterlab.studies.outcome import Outcome, all_of, cannot_tell
from shatterlab.studies.rules import accuracy, chance, difference, not_finite, unfitted
from shatterlab.studies.sentences import display, mean_of, percent, points_of, sentence, times, with_error
from shatterlab.studies.statistics import (
    Estimate,
    above,
    below,
    no_gain,
    over_seeds,
    paired_difference,
    share,
    unpaired_difference,
    with_seed_spread,
)


def test_a_paired_difference_by_hand() -> None:
    first = np.array([[1, 1, 1, 0, 1, 1, 0, 1, 1, 1]], dtype=bool)
    second = np.array([[1, 1, 0, 1, 0, 1, 0, 0, 1, 1]], dtype=bool)
    # b = 3 examples only the first gets right, c = 1 only the second; n = 10.
    estimate = paired_difference(first, second)
    assert estimate.value == pytest.approx(0.2)
    assert estimate.error == pytest.approx((3 + 1 - (3 - 1) ** 2 / 10) ** 0.5 / 10)


def test_two_models_that_never_differ_are_known_no_better_than_one_example() -> None:
    same = np.ones((1, 100), dtype=bool)
    assert paired_difference(same, same) == Estimate(0.0, 0.01, 99)


def test_a_difference_over_seeds_agrees_with_a_bootstrap_over_seeds_and_examples() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.stack(alike(rng, level, 12, n=800, spread=0.02)) for level in (0.6, 0.55))
    estimate = paired_difference(first, second)
    gains = first.astype(float) - second
    draws = [gains[np.ix_(rng.integers(12, size=12), rng.integers(800, size=800))].mean() for _ in range(4_000)]
    # The bootstrap sees (s - 1) / s of the variance over seeds, and the noise of single cells once more.
    assert np.mean(draws) == pytest.approx(estimate.value, abs=0.002)
    assert np.std(draws) == pytest.approx(estimate.error, rel=0.12)


def test_seeds_that_agree_by_accident_are_known_no_better_than_the_resolution() -> None:
    assert over_seeds([0.01, 0.01], 0.02) == Estimate(0.01, pytest.approx(0.02 / 2**0.5), 1, 2)
    same = np.arange(100) < [[50], [50]]
    assert paired_difference(same, same).error == pytest.approx((0.01**2 / 2 + 0.01**2) ** 0.5)


def test_test_examples_that_seeds_share_add_to_the_error_of_their_mean() -> None:
    first, second = [0.60, 0.63, 0.61], [0.5, 0.5, 0.5]
    of_seeds = over_seeds([0.10, 0.13, 0.11]).error ** 2
    sampling = unpaired_difference(first, second, 2_000).error ** 2 - of_seeds
    assert unpaired_difference(first, second, 2_000, overlap=0.0).error ** 2 == pytest.approx(of_seeds)
    bounded = unpaired_difference(first, second, 2_000, overlap=0.1).error ** 2
    assert bounded == pytest.approx(of_seeds + min(0.1 * sampling, 3 * of_seeds / 9))


def test_an_overlap_of_test_sets_keeps_a_difference_from_being_too_sure() -> None:
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(120):
        signs = rng.choice([-1, 0, 1], size=1_000, p=[0.1, 0.8, 0.1])
        draws = [rng.choice(1_000, 500, replace=False) for _ in range(3)]
        lines = [
            run(seed=s, right=signs[places] * side >= 0, places=places, weight_decay=decay)
            for s, places in enumerate(draws)
            for side, decay in ((1, 0.0), (-1, 5e-4))
        ]
        found = tables_of(lines)
        helped = found.runs["weight_decay"] > 0
        low, high = difference(found, found.runs.filter(~helped), found.runs.filter(helped)).interval()
        wrong += not low <= 0 <= high
    assert wrong / 120 <= 0.08  # without the covariance it is 13 % at this overlap


def test_numbers_that_are_not_finite_are_named() -> None:
    runs = tables_of([run(), run(seed=1, train_loss=float("nan"))]).runs
    assert unfitted(runs).reason == "The train loss of MLP 1x512 is not a finite number (seed 1)"
    assert not_finite([{"bias2": [0.1, None]}], ("bias2",)).reason == "The bias2 is not a finite number"
    assert not_finite([{"bias2": [0.1]}, {"bias2": None}, {}], ("bias2",)) is None


def test_an_interval_of_few_seeds_uses_the_t_quantile() -> None:
    estimate = over_seeds([0.1, 0.2, 0.3])
    assert estimate == Estimate(pytest.approx(0.2), pytest.approx(0.1 / 3**0.5), 2, 3)
    assert estimate.interval()[1] == pytest.approx(0.2 + 4.302653 * 0.1 / 3**0.5)


def test_intervals_of_differences_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        first, second = (np.stack(alike(rng, 0.6, 3, n=400, spread=0.01)) for _ in range(2))
        low, high = paired_difference(first, second).interval()
        held += low <= 0 <= high
    assert held / 300 >= 0.93


def test_one_seed_is_given_the_assumed_spread_and_several_are_not() -> None:
    one = with_seed_spread(Estimate(0.1, 0.003))
    assert one.error == pytest.approx((0.003**2 + 2 * 0.01**2) ** 0.5)
    several = Estimate(0.1, 0.003, 2, 3)
    assert with_seed_spread(several) == several
    assert over_seeds([0.4]).interval() == (-np.inf, np.inf)


def test_a_share_by_hand_and_at_its_end() -> None:
    assert share(0.1, 900).error == pytest.approx(0.01)
    assert share(1.0, 98).error == pytest.approx((0.99 * 0.01 / 98) ** 0.5)


def test_states_follow_the_interval() -> None:
    clear, unsure = Estimate(0.05, 0.01), Estimate(0.05, 0.04)
    assert [above(clear, 0), above(clear, 0.2), above(unsure, 0)] == ["confirmed", "contradicted", "not shown"]
    assert [below(clear, 0), below(clear, 0.2), below(unsure, 0)] == ["contradicted", "confirmed", "not shown"]


def test_no_gain_is_an_equivalence_test() -> None:
    assert no_gain(Estimate(0.0, 0.005), 0.02) == "confirmed"
    assert no_gain(Estimate(0.0, 0.05), 0.02) == "not shown"  # an absent proof of a gain is no proof of its absence
    assert no_gain(Estimate(0.029, 0.002), 0.02) == "contradicted"


def test_a_difference_of_runs_is_paired_where_the_examples_are_kept_and_wider_where_not() -> None:
    rng = np.random.default_rng(2)
    rights = alike(rng, 0.7, 2, n=500), alike(rng, 0.6, 2, n=500)
    kept = tables_of([run(seed=s, right=rights[i][s], weight_decay=(1 - i) * 5e-4) for i in (0, 1) for s in (0, 1)])
    groups = [kept.runs.filter((kept.runs["weight_decay"] > 0) == first) for first in (True, False)]
    paired = difference(kept, *groups)
    assert paired == paired_difference(np.stack(rights[0]), np.stack(rights[1]))
    unkept = difference(tables_of(), *groups)
    assert unkept.value == pytest.approx(paired.value)
    assert unkept.error > paired.error
    assert unkept == unpaired_difference(*(group["test_accuracy"].to_list() for group in groups), 500)
    assert difference(kept, groups[0], groups[1].filter(groups[1]["seed"] > 5)) is None


def test_chance_is_the_share_of_the_majority_class_or_one_over_k_where_that_is_not_kept() -> None:
    assert chance(tables_of([run(majority=0.7)]).runs) == 0.7
    assert chance(tables_of([run(majority=None, classes=4)]).runs) == 0.25


def test_the_error_of_a_mean_accuracy_holds_the_test_sets_and_the_seeds() -> None:
    one = accuracy(tables_of([run(right=guesses(np.random.default_rng(3), 0.5, 400))]).runs)
    assert one.error == pytest.approx((one.value * (1 - one.value) / 400) ** 0.5)
    several = accuracy(tables_of([run(seed=i, test_accuracy=value) for i, value in enumerate((0.4, 0.5, 0.6))]).runs)
    assert several.error == pytest.approx((0.1**2 / 3 + 0.25 / 10_000) ** 0.5)


def test_a_claim_about_all_is_as_good_as_its_worst_part() -> None:
    yes, no, maybe = Outcome("confirmed", "a"), Outcome("contradicted", "b"), Outcome("not shown", "c")
    cannot = cannot_tell("too small", "scale", "d")
    assert all_of([yes, yes]) == Outcome("confirmed", "a")
    assert all_of([yes, maybe]).state == "not shown"
    assert all_of([yes, maybe, cannot]) == Outcome("cannot tell", "a; c; d", "too small", ("scale",))
    seedless = cannot_tell("one seed", "seeds")
    assert all_of([cannot, seedless]) == Outcome("cannot tell", "d", "too small; one seed", ("scale", "seeds"))
    assert all_of([cannot, no]) == Outcome("contradicted", "d; b")
    assert all_of([]).state == "cannot tell"


def test_numbers_in_words() -> None:
    assert [percent(x) for x in (0.9934, 1.0, 0.0, 0.99996, 0.0004, 1e-9, 1 - 1e-9)] == [
        "99.3 %", "100 %", "0 %", "99.996 %", "0.04 %", "less than 0.0001 %", "over 99.9999 %",
    ]  # fmt: skip
    assert [times(19.0), times(1.34)] == ["19 times", "1.3 times"]
    assert points_of(0.0123) == "+1.23 points"
    assert mean_of([0.5, 0.5], percent) == "50 % (SD 0, 2 seeds)"
    assert mean_of([0.5, 0.5000001], percent) == "50 % (SD under 0.01, 2 seeds)"
    assert percent(-1e-12) == "0 %"
    assert times(0.04) == "0.04 times"
    assert with_error(Estimate(-0.01, 0.004, 2, 3)) == "-1.00 points (SE 0.40, 3 seeds)"
    assert [display(name) for name in ("mlp-1x512", "alexnet", "mine.py:Net")] == [
        "MLP 1x512",
        "AlexNet",
        "mine.py:Net",
    ]
    assert sentence("A is", "1", "2", compared="b", caveat="c") == "A is 1 (b); 2; c."
