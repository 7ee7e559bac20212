"""The studies that put networks through the measures: what they compute on small data and on arrays made by hand."""

import numpy as np
import pytest

from shatterlab.data import load
from shatterlab.measures.linear import linear_capacity
from shatterlab.measures.memorization import SubsetOutcome
from shatterlab.studies.capacity import measure_network, measure_planes, separate
from shatterlab.studies.certificate import KINDS, LATE, certify
from shatterlab.studies.critical_samples import search
from shatterlab.studies.memorization import COMPARED, compare, weighted_auc

DIGITS = load("digits")


def test_a_plane_separates_what_can_be_separated_and_nothing_else() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    both, either = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])
    assert (separate(corners, both, 0)(corners) == both).all()
    assert (separate(corners, either, 0)(corners) != either).any()


def test_planes_on_real_images_fit_as_many_random_labels_as_theory_says() -> None:
    (found,) = measure_planes(DIGITS, d=6, n=28, draws=30, seed=1)
    theory = linear_capacity(6)
    assert found["expected"] == theory.mean == 14
    assert abs(found["capacity"] - theory.mean) < 4 * theory.deviation / 30**0.5


def test_the_capacity_of_a_wide_network_is_every_example_and_equal_seeds_agree() -> None:
    dials = {"model": "mlp-1x64", "n": 16, "draws": 2, "steps": 400, "batch": 8, "rate": 0.03, "resolution": 0.2}
    once, again = (measure_network(DIGITS, **dials, seed=0) for _ in range(2))
    assert once == again
    assert once[0]["parameters"] == 64 * 64 + 64 + 2 * 64 + 2
    assert (once[0]["whole"], once[0]["capacity"]) == (2, 16)


def test_certificates_rest_on_as_many_held_out_examples_as_random_labels() -> None:
    (found,) = certify(DIGITS, "mlp-1x64", 200, 0.2, LATE, 2_000, 16, 0.03, 0.05, 0)
    assert (found["labelled"], found["held_out"]["points"], found["rigorous"]["points"]) == (120, 40, 40)
    assert found["random_error"] == 0  # it memorizes
    assert found["fitted"] == found["wrong"] == found["known_wrong"]["points"]
    assert all(found[kind]["bound"] > 1 for kind in KINDS if kind != "held_out")
    assert found["missed"] / 40 == found["test_error"] < found["held_out"]["bound"] < 0.5


def test_an_area_under_the_curve_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(5, size=40).astype(float), rng.random(40) < 0.3
    weights = rng.integers(1, 4, size=40)
    repeated, kinds = np.repeat(scores, weights), np.repeat(positive, weights)
    pairs = np.sign(repeated[kinds][:, None] - repeated[~kinds]) / 2 + 0.5
    assert weighted_auc(scores, positive, weights.astype(float)) == pytest.approx(pairs.mean())


def outcomes_by_hand(n: int, draws: int, wrong: np.ndarray) -> list[SubsetOutcome]:
    """Fits that know every right label, and a wrong one only if they were shown it."""
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(draws):
        inside = np.zeros(n, dtype=bool)
        inside[rng.permutation(n)[: round(0.7 * n)]] = True
        own = np.where(wrong, 0.1, 0.9)[~inside]
        probabilities = np.stack([own, 1 - own], axis=1).astype(np.float32)
        packed = (np.packbits(inside), np.packbits(inside | ~wrong), np.packbits(np.zeros(0, dtype=bool)))
        outcomes.append(SubsetOutcome(n, *packed, 0, probabilities))
    return outcomes


def test_wrong_labels_that_only_their_own_fits_know_are_memorized_and_found() -> None:
    wrong = np.arange(50) < 10
    found = compare(outcomes_by_hand(50, 20, wrong), np.zeros(50, dtype=np.int64), wrong, 0)
    assert found.keys() == {*COMPARED, *(f"{name}_error" for name in COMPARED)}
    assert (found["memorized_wrong"], found["memorized_right"], found["gap"]) == pytest.approx((1, 0, 1))
    assert (found["auc_held_out"], found["auc_memorized"], found["auc_gap"]) == pytest.approx((1, 1, 0))


def test_two_fits_to_the_same_subset_compare_nothing() -> None:
    wrong = np.arange(50) < 10
    one = outcomes_by_hand(50, 1, wrong)
    assert compare(one * 2, np.zeros(50, dtype=np.int64), wrong, 0) == {}


def test_critical_samples_only_grow_with_the_radius_and_are_searched_around_the_same_images() -> None:
    dials = {"n": 40, "points": 15, "trainings": 2, "steps": 400, "radii": [0.003, 0.03, 0.3], "batch": 8, "rate": 0.03}
    of = {name: search(DIGITS, "mlp-1x64", name, **dials, seed=0) for name in ("true-labels", "random-labels")}
    for records in of.values():
        assert [record["training"] for record in records] == [0, 1]
        assert records[0] != records[1] | {"training": 0}
        for record in records:
            assert record["searched"] == 15
            assert record["train_accuracy"] == 1
            assert record["shares"] == sorted(record["shares"])
