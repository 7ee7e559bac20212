"""Guarantees: the formulas by hand, and whether they hold in a population whose error is known."""

from math import log, sqrt

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from shatterlab.measures.bounds import (
    held_out,
    known_wrong_labels,
    points_needed,
    published,
    rigorous,
    without_deviation,
)
from shatterlab.measures.certificate import (
    by_held_out,
    by_known_wrong_labels,
    by_random_labels,
    check_assumption,
    estimate,
    measure,
    request,
)
from shatterlab.measures.fitting import from_sklearn

TABLE = [
    # n, m, k, E_S, E_R: without deviation, published, rigorous
    ((1_000, 200, 2, 0.02, 0.45), (0.120, 0.525, 0.518)),
    ((40_000, 10_000, 2, 0.02, 0.45), (0.120, 0.1778, 0.1878)),
    ((40_000, 10_000, 10, 0.02, 0.88), (0.220, 0.564, 0.542)),
    ((1_000, 200, 2, 0.0, 0.0), (1, 1.311, 1.393)),
]


@pytest.mark.parametrize(("given", "expected"), TABLE)
def test_the_bounds_by_random_labels_have_their_tabulated_values(given, expected) -> None:
    n, m, k, clean, random = given
    values = without_deviation(clean, random, k), published(clean, random, n, m, k), rigorous(clean, random, n, m, k)
    for value, tabulated in zip(values, expected, strict=True):
        digits = 4 if tabulated in (0.1778, 0.1878) else 3
        assert round(value, digits) == tabulated


def test_the_first_row_by_hand() -> None:
    assert sqrt(log(80) / 200) == pytest.approx(0.1480, abs=5e-5)
    assert published(0.02, 0.45, 1_000, 200, 2) == pytest.approx(0.12 + (0.6364 + 2.1) * 0.1480, abs=5e-4)


def test_the_rigorous_bound_is_the_largest_error_that_its_steps_allow() -> None:
    n, m, k, clean, random, delta = 300, 400, 3, 0.05, 0.6, 0.1
    L, worst = log(4 / delta), -np.inf
    for wrong in range(1, m):
        if abs(wrong / m - 2 / 3) <= sqrt(L / (2 * m)):
            right = m - wrong
            right_error = min(1.0, clean + (1 + right / n) * sqrt(L / (2 * right)))
            wrong_error = (random - right / m * right_error) / (wrong / m)
            worst = max(worst, 2 * (1 - wrong_error + sqrt(L / (2 * wrong))))
    assert rigorous(clean, random, n, m, k, delta=delta) == pytest.approx(worst)


@pytest.mark.parametrize(("wrong", "m", "delta"), [(0, 30, 0.05), (3, 40, 0.05), (77, 200, 0.1), (199, 200, 0.01)])
def test_the_held_out_bound_is_the_rate_at_which_so_few_errors_have_probability_delta(wrong, m, delta) -> None:
    bound = held_out(wrong, m, delta=delta)
    assert binom.cdf(wrong, m, bound) == pytest.approx(delta)
    assert held_out(0, m, delta=delta) == pytest.approx(1 - delta ** (1 / m))
    assert held_out(m, m, delta=delta) == 1


@pytest.mark.parametrize(("wrong", "m"), [(0, 20), (5, 50), (60, 400), (100, 200)])
def test_held_out_labels_are_always_tighter_than_as_many_known_wrong_ones(wrong: int, m: int) -> None:
    # With two classes an error E shows as a share E of wrong labels that are predicted.
    assert held_out(wrong, m) < known_wrong_labels(wrong, m, 2)


def test_the_bound_by_known_wrong_labels_by_hand() -> None:
    # 9 (.02 + sqrt(ln 20 / 2,000)) = 9 (.02 + .038703) = .52832
    assert known_wrong_labels(20, 1_000, 10) == pytest.approx(0.52832, abs=1e-5)


def test_ten_classes_and_four_hundred_points_are_always_vacuous() -> None:
    for n in (1_000, 10**6):
        certificates = by_random_labels(0.0, 0.9, n, 400, 10)
        assert [one.verdict for one in certificates] == ["vacuous", "vacuous"]


def test_a_deviation_below_three_tenths_needs_eleven_thousand_points_for_ten_classes() -> None:
    def deviation(m: int) -> float:
        return published(0.0, 0.9, 10**9, m, 10, delta=0.1)

    assert points_needed(deviation, 0.3) == pytest.approx(11_000, rel=0.01)


def test_the_points_that_would_do_are_the_least_that_do() -> None:
    k, fitted, m = 10, 20, 400
    certificate = by_known_wrong_labels(fitted, m, k)
    assert certificate.verdict == "vacuous"
    # (k-1) (F + sqrt(ln 20 / (2 m))) < 1 - 1/k solved for m, with F = .05
    by_hand = log(20) / (2 * (1 / k - fitted / m) ** 2)
    assert certificate.enough == int(by_hand) + 1
    for one in (certificate, *by_random_labels(0.02, 0.88, 4_000, 1_000, 10), by_held_out(1, 3, 2)):
        assert one.enough > one.points
    clean, random = 0.02, 0.88
    paper, proof = by_random_labels(clean, random, 4_000, 1_000, k)
    for one, formula in ((paper, published), (proof, rigorous)):
        assert formula(clean, random, 4 * one.enough, one.enough, k) < 0.9
        assert formula(clean, random, 4 * (one.enough - 1), one.enough - 1, k) >= 0.9


def test_verdicts_have_their_thresholds() -> None:
    # The bound of 100 wrong labels of two classes of which none is fitted is sqrt(ln(20) / 200) = .122.
    assert by_known_wrong_labels(0, 100, 2).verdict == "better than guessing"
    assert by_known_wrong_labels(40, 100, 2).verdict == "no better than guessing"  # .522
    assert by_known_wrong_labels(90, 100, 2).verdict == "vacuous"  # 1.022
    assert by_known_wrong_labels(90, 100, 2).enough is None
    assert str(by_known_wrong_labels(90, 100, 2)) == (
        "Error <= 1.022 with probability 0.95 (labels known to be wrong, n = 100): vacuous; more points would not help."
    )


def simulate(runs: int, *, k: int, bins: int, n: int, m: int, noise: float, seed: int = 0):
    """Exact minimizers of the training error in a population whose error is known.

    An input is one of `bins` equally likely places. Its label is the place modulo k, or with probability `noise` a
    uniform other one. The model that gives each place the class most frequent there minimizes the training error.

    Returns:
        The true errors, (runs,), and the certificates at delta = .05.
    """
    rng = np.random.default_rng(seed)
    classes = np.arange(bins) % k

    def draw(number: int) -> tuple[np.ndarray, np.ndarray]:
        places = rng.integers(bins, size=number)
        other = (classes[places] + rng.integers(1, k, size=number)) % k
        return places, np.where(rng.random(number) < noise, other, classes[places])

    errors, certificates = [], []
    for _ in range(runs):
        places, truth = draw(n + m + m)
        asked = request(truth, k=k, relabelled=m / len(truth), held=m / len(truth), seed=int(rng.integers(2**31)))
        counts = np.bincount(places[asked.rows] * k + asked.labels, minlength=bins * k).reshape(bins, k)
        predict = counts.argmax(axis=1)
        errors.append(np.where(predict == classes, noise, 1 - noise / (k - 1)).mean())
        certificates.append(estimate(asked, predict[places[asked.rows]], predict[places[asked.held]]))
    return np.array(errors), certificates


POPULATIONS = {
    "two classes, easy": {"k": 2, "bins": 10, "n": 600, "m": 300, "noise": 0.1},
    "two classes, half memorized": {"k": 2, "bins": 300, "n": 400, "m": 200, "noise": 0.2},
    "four classes": {"k": 4, "bins": 40, "n": 600, "m": 300, "noise": 0.1},
    "two classes, one model": {"k": 2, "bins": 2, "n": 60, "m": 60, "noise": 0.3},
}


@pytest.mark.parametrize("population", POPULATIONS.values(), ids=POPULATIONS)
def test_bounds_cover_the_true_error_as_often_as_they_say(population) -> None:
    runs, delta = 250, 0.05
    errors, certificates = simulate(runs, **population)
    for kind in ("published", "rigorous", "known_wrong", "held_out"):
        bounds = np.array([getattr(one, kind).bound for one in certificates])
        # That a bound of exactly 1 - delta fails more often than this has probability .001.
        assert (errors > bounds).sum() <= binom.ppf(0.999, runs, delta), kind


def test_the_deviation_is_needed() -> None:
    population = POPULATIONS["two classes, one model"]
    errors, certificates = simulate(250, **population)
    shares = np.array(
        [one.known_wrong.bound - known_wrong_labels(0, one.known_wrong.points, 2) for one in certificates]
    )
    assert (errors > shares).mean() > 0.2


def test_known_wrong_labels_give_more_than_random_ones_and_held_out_ones_most() -> None:
    _, certificates = simulate(50, **POPULATIONS["two classes, easy"])
    means = {
        kind: np.mean([getattr(one, kind).bound for one in certificates])
        for kind in ("held_out", "known_wrong", "rigorous", "published")
    }
    assert means["held_out"] < means["known_wrong"] < min(means["rigorous"], means["published"])


def test_exact_minimizers_meet_the_assumption() -> None:
    _, certificates = simulate(100, **POPULATIONS["two classes, half memorized"])
    assert np.mean([one.assumption.holds for one in certificates]) >= 0.95


def test_a_learner_that_sees_through_wrong_labels_breaks_the_assumption_and_is_found_out() -> None:
    rng = np.random.default_rng(0)
    X, y = np.arange(2_000), rng.integers(2, size=2_000)

    def cheats(inputs, labels, seed):
        seen = set(inputs.tolist())
        return lambda points: np.array([y[x] if x in seen else 0 for x in points.tolist()])

    result = measure(cheats, X, y)
    assert result.known_wrong.bound < result.test_error  # the bound is wrong
    assert not result.assumption.holds
    assert "fails, and the bound with it" in str(result.assumption)


def test_excess_and_its_error_by_hand() -> None:
    # k = 3: 30 of 100 held-out wrong, 10 of 50 wrong labels fitted: excess .15 - .2 = -.05.
    assumption = check_assumption(30, 100, 10, 50, 3)
    assert assumption.excess == pytest.approx(-0.05)
    assert assumption.error == pytest.approx(sqrt(0.21 / 100 / 4 + 0.16 / 50))
    assert assumption.allowed == pytest.approx(sqrt(log(20) / 100))


def test_many_looks_share_delta() -> None:
    y = np.arange(500) % 2
    asked = request(y)
    trained, held = asked.labels, asked.truth[len(asked.kept) :]
    one, ten = (estimate(asked, trained, held, looks=looks, delta=0.1) for looks in (1, 10))
    assert ten.held_out.bound == held_out(0, len(asked.held), delta=0.01)
    assert ten.rigorous.bound == rigorous(0, 0, ten.n, ten.m, 2, delta=0.01)
    assert ten.known_wrong.bound == known_wrong_labels(int(asked.wrong.sum()), int(asked.wrong.sum()), 2, delta=0.01)
    assert ten.published.bound > one.published.bound


def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.data / 16, data.target


def test_random_labels_say_nothing_about_a_memorizer_however_well_it_generalizes() -> None:
    result = measure(from_sklearn(KNeighborsClassifier(1)), *digits())
    assert (result.clean_error, result.random_error) == (0, 0)
    for one in (result.published, result.rigorous, result.known_wrong):
        assert (one.verdict, one.enough) == ("vacuous", None)
    assert result.main is result.held_out
    assert result.held_out.verdict == "better than guessing"
    assert result.test_error < result.held_out.bound < 1


def test_a_learner_that_cannot_memorize_gets_a_bound_that_holds_on_digits() -> None:
    X, y = digits()
    even = y % 2
    result = measure(from_sklearn(LogisticRegression(C=0.05)), X, even, held=0.4)
    assert result.known_wrong.verdict == "better than guessing"
    assert result.test_error < result.known_wrong.bound
    assert result.assumption.holds


def test_the_split_is_disjoint_and_whole_and_labels_are_random_only_where_said() -> None:
    y = np.arange(1_000) % 5
    asked = request(y, relabelled=0.3, held=0.1, seed=4)
    np.testing.assert_array_equal(np.sort(np.concatenate([asked.rows, asked.held])), np.arange(1_000))
    assert (len(asked.kept), len(asked.relabelled), len(asked.held)) == (600, 300, 100)
    np.testing.assert_array_equal(asked.labels[:600], y[asked.kept])
    np.testing.assert_array_equal(asked.wrong, asked.labels[600:] != y[asked.relabelled])
    np.testing.assert_array_equal(asked.truth, y[np.concatenate([asked.kept, asked.held])])
    assert abs(asked.wrong.mean() - 0.8) < 4 * sqrt(0.16 / 300)


def test_unlabelled_examples_get_the_random_labels_and_no_bound_that_needs_their_truth() -> None:
    y = np.where(np.arange(1_000) < 300, -1, np.arange(1_000) % 2)
    asked = request(y)
    assert set(asked.relabelled) == set(range(300))
    assert min(asked.kept.min(), asked.held.min()) >= 300
    result = estimate(asked, asked.labels, asked.truth[len(asked.kept) :])
    assert (result.known_wrong, result.assumption) == (None, None)
    assert result.main is result.held_out
    nothing_held = request(y, held=0)
    result = estimate(nothing_held, nothing_held.labels, nothing_held.held)
    assert (result.held_out, result.test_error) == (None, None)
    assert result.main is result.rigorous


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.zeros(100, dtype=int), {}, "at least two classes, got 1"),
        (np.arange(100) % 2, {"relabelled": 0.0}, r"relabelled must lie in \(0, 1\)"),
        (np.arange(100) % 2, {"relabelled": 0.001}, "nothing to train on or to relabel"),
        (np.arange(3) % 2, {"relabelled": 0.5, "held": 0.5}, "nothing to train on or to relabel"),
    ],
)
def test_too_little_is_refused(y, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        request(y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": 0.0}, r"delta must lie in \(0, 1\)"),
        ({"delta": 5}, r"delta must lie in \(0, 1\)"),
        ({"looks": 0}, "looks must be a whole number of at least 1"),
    ],
)
def test_a_delta_out_of_range_is_refused(options, message: str) -> None:
    asked = request(np.arange(50) % 2)
    with pytest.raises(ValueError, match=message):
        estimate(asked, asked.labels, asked.truth[len(asked.kept) :], **options)
