"""Capacity: known separation points are found, censored ones are called so, and theory comes out."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from shatterlab.measures.capacity import Probe, grid, measure, requests
from shatterlab.measures.fitting import Outcome, from_sklearn
from shatterlab.measures.linear import linear_capacity, sign_capacity
from shatterlab.theory import MinimumNormRegressor


def gaussian(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def drive(answer, total: int, **options):
    """Answers requests by a rule instead of a fit; returns the result and every probe that was asked for."""
    search, outcomes, asked = requests(total, **options), None, []
    while True:
        try:
            probes = search.send(outcomes)
        except StopIteration as end:
            return end.value, asked
        asked += probes
        outcomes = [answer(probe) for probe in probes]


def up_to(limit: int):
    """Fits up to `limit` examples, and half of more."""
    return lambda probe: Outcome(0 if probe.n <= limit else probe.n // 2, probe.n)


@pytest.mark.parametrize("limit", [16, 17, 50, 99])
def test_the_separation_point_is_found_to_one_example(limit: int) -> None:
    result, _ = drive(up_to(limit), 100, resolution=0, draws=4)
    assert (result.exact.fitted, result.exact.failed) == ((limit,) * 4, (limit + 1,) * 4)
    assert (result.exact.value, result.exact.error) == (limit, 0)
    assert result.exact.bracket == (limit, limit + 1)


@pytest.mark.parametrize("resolution", [0.02, 0.1, 0.5])
def test_a_coarser_search_brackets_the_point_within_its_resolution(resolution: float) -> None:
    result, asked = drive(up_to(700), 2_000, resolution=resolution, draws=1, fresh=0, curve_draws=0)
    (low,), (high,) = result.exact.fitted, result.exact.failed
    assert low <= 700 < high <= low * (1 + resolution) + 1
    assert result.exact.value == (low + high - 1) / 2
    assert len(asked) < len(drive(up_to(700), 2_000, resolution=0, draws=1, fresh=0, curve_draws=0)[1])


def test_nothing_is_asked_twice_and_what_does_not_wait_is_asked_together() -> None:
    result, asked = drive(up_to(30), 500, draws=6)
    assert len(set(asked)) == len(asked) == result.fits
    first = next(requests(500, draws=6))
    assert [probe.draw for probe in first] == [f"search {index}" for index in range(6)]


def test_more_draws_keep_those_there_are() -> None:
    few, many = (drive(up_to(30), 200, draws=draws, curve_draws=0, fresh=0)[1] for draws in (2, 5))
    assert set(few) < set(many)
    for probe in few:
        np.testing.assert_array_equal(probe.rows, Probe(probe.n, probe.draw, 200, 2, 0).rows)


def test_probes_of_a_draw_are_nested_and_draws_are_not_alike() -> None:
    small, large = Probe(10, "search 0", 100, 3, 0), Probe(40, "search 0", 100, 3, 0)
    np.testing.assert_array_equal(small.rows, large.rows[:10])
    np.testing.assert_array_equal(small.labels, large.labels[:10])
    assert small.fit_seed == large.fit_seed
    assert len(set(large.rows)) == 40
    assert set(large.labels) == {0, 1, 2}
    others = [Probe(40, "search 1", 100, 3, 0), Probe(40, "fresh 0", 100, 3, 0), Probe(40, "search 0", 100, 3, 1)]
    assert len({probe.rows.tobytes() for probe in [large, *others]}) == 4
    assert len({probe.labels.tobytes() for probe in [large, *others]}) == 4
    assert len({probe.fit_seed for probe in [large, *others]}) == 4


def test_errors_within_the_tolerance_count_as_fitted_in_the_second_capacity_only() -> None:
    # From 21 examples on, one in twenty is missed, and from 61 on a half.
    def answer(probe):
        return Outcome(0 if probe.n <= 20 else probe.n // 20 if probe.n <= 60 else probe.n // 2, probe.n)

    result, _ = drive(answer, 200, resolution=0, draws=3)
    assert result.exact.fitted == (20, 20, 20)
    assert result.near.fitted == (60, 60, 60)
    assert "60.0 random labels up to 10 % errors" in str(result.near)


def test_a_fit_that_did_not_finish_is_not_one_that_cannot() -> None:
    def answer(probe):
        return Outcome(0 if probe.n <= 40 else probe.n // 2, probe.n, finished=probe.n < 80)

    whole, _ = drive(answer, 200, resolution=0, draws=3)
    assert (whole.exact.unfinished, whole.exact.at_least) == (0, False)  # 41 finished and did not fit

    def short_of_steps(probe):
        return Outcome(0 if probe.n <= 40 else probe.n // 2, probe.n, finished=probe.n <= 40)

    short, _ = drive(short_of_steps, 200, resolution=0, draws=3)
    assert (short.exact.unfinished, short.exact.at_least) == (3, True)
    assert "at least 40.0" in str(short.exact)
    assert "3 searches ended at a fit that was still improving" in str(short.exact)
    assert [point.unfinished for point in short.curve] == [0] * 5 + [3] * 3


def test_all_fitted_is_called_so_and_is_a_lower_bound() -> None:
    result, _ = drive(up_to(10**6), 100, draws=3)
    assert (result.exact.fitted, result.exact.failed) == ((100,) * 3, (None,) * 3)
    assert result.exact.at_least
    assert str(result.exact) == "Fits all 100 random labels that were tried exactly (3 draws, 2 classes)."

    def half_of_the_draws(probe):
        return up_to(100 if probe.draw.endswith(("0", "1")) else 50)(probe)

    result, _ = drive(half_of_the_draws, 100, draws=4, resolution=0)
    assert (result.exact.value, result.exact.all_fitted) == (75, 2)
    assert "at least 75.0" in str(result.exact)
    assert "2 draws were fitted whole" in str(result.exact)


def test_value_and_error_are_mean_and_standard_error_over_draws() -> None:
    limits = {"0": 10, "1": 20, "2": 30}
    result, _ = drive(lambda probe: up_to(limits[probe.draw[-1]])(probe), 100, draws=3, resolution=0)
    assert result.exact.value == 20
    assert result.exact.error == pytest.approx(10 / np.sqrt(3))
    assert result.exact.bracket == (10, 31)


def test_both_ends_of_the_bracket_are_tried_again_with_fresh_draws() -> None:
    def lucky(probe):  # draws that are searched fit more than fresh ones do
        return up_to(20 if probe.draw.startswith("fresh") else 50)(probe)

    honest, asked = drive(up_to(50), 100, draws=2, fresh=4)
    assert (honest.exact.fresh, honest.exact.fresh_fitted) == (4, (4, 0))
    ends = {*honest.exact.bracket, *honest.near.bracket}
    assert {probe.n for probe in asked if probe.draw.startswith("fresh")} == ends
    assert drive(lucky, 100, draws=2, fresh=4)[0].exact.fresh_fitted == (0, 0)
    assert drive(up_to(10**6), 100, draws=2, fresh=4)[0].exact.fresh_fitted == (4, 4)


def test_the_curve_has_every_draw_at_every_number_so_that_none_is_chosen_for_its_luck() -> None:
    result, _ = drive(up_to(30), 100, draws=5, curve_draws=3)
    assert [point.n for point in result.curve] == grid(100) == [2, 4, 8, 16, 32, 64, 100]
    assert [point.draws for point in result.curve] == [3] * 7
    assert [point.error for point in result.curve] == [0, 0, 0, 0, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    "options",
    [{"total": 1}, {"k": 1}, {"draws": 0}, {"curve_draws": -1}, {"fresh": -1}, {"tolerance": 10}, {"resolution": -1}],
)
def test_numbers_out_of_range_are_refused(options) -> None:
    with pytest.raises(ValueError, match="must"):
        next(requests(**{"total": 100, **options}))


@pytest.mark.parametrize("k", [2, 10])
def test_one_nearest_neighbour_fits_all_that_is_tried(k: int) -> None:
    result = measure(from_sklearn(KNeighborsClassifier(1)), gaussian(200, 3), k=k, draws=2)
    assert result.exact.fitted == result.near.fitted == (200, 200)
    assert {point.error for point in result.curve} == {0.0}


@pytest.mark.parametrize("learner", [DummyClassifier(), DummyClassifier(strategy="constant", constant=1)])
@pytest.mark.parametrize("seed", range(5))
def test_a_constant_has_capacity_zero(learner, seed: int) -> None:
    result = measure(from_sklearn(learner), gaussian(100, 3), seed=seed)
    assert (result.exact.value, result.exact.fitted) == (0, (0,) * 10)
    assert str(result.exact) == "Fits no random labels of two classes exactly (10 draws, n up to 100)."


def test_a_stump_stays_low() -> None:
    result = measure(from_sklearn(DecisionTreeClassifier(max_depth=1)), gaussian(200, 3))
    assert 2 <= result.exact.value <= 6
    assert result.exact.value <= result.near.value <= 12


def exactly(X, y, seed):
    """Minimum-norm least squares on ±1, which predicts a class only where it reaches its target."""
    model = MinimumNormRegressor().fit(X, 2.0 * y - 1)

    def predict(points):
        values = model.predict(points)
        return np.where(np.abs(values - 1) < 1e-6, 1, np.where(np.abs(values + 1) < 1e-6, 0, -1))

    return predict


@pytest.mark.parametrize(("d", "rank"), [(3, 3), (20, 20), (30, 12)])
def test_minimum_norm_reaches_its_rank_in_every_draw(d: int, rank: int) -> None:
    X = gaussian(100, rank) @ gaussian(rank, d, seed=1)
    result = measure(exactly, X, resolution=0)
    if rank > 3:  # three random labels of three points may be of one class
        assert result.exact.fitted == (rank,) * 10
    assert max(result.exact.fitted) == rank


def by_sign(X, y, seed):
    """Least squares on ±1 read by its sign."""
    weights = np.linalg.lstsq(X, 2.0 * y - 1, rcond=None)[0]
    return lambda points: (points @ weights > 0).astype(np.int64)


def test_least_squares_by_sign_reaches_its_ratio_at_a_tenth_of_errors() -> None:
    d = 60
    result = measure(by_sign, gaussian(200, d), draws=10, curve_draws=0, fresh=0, resolution=0.02)
    assert result.near.value == pytest.approx(sign_capacity(d, 0.1), rel=0.05)


def separate(X, y, seed):
    """A plane with every point on its side of it, found by linear programming, if there is one."""
    signs, inputs = 2.0 * y - 1, np.column_stack([X, np.ones(len(X))])
    found = linprog(
        np.zeros(inputs.shape[1]),
        A_ub=-signs[:, None] * inputs,
        b_ub=-np.ones(len(y)),
        bounds=(None, None),
        method="highs",
    )
    weights = found.x if found.status == 0 else np.zeros(inputs.shape[1])
    return lambda points: (np.column_stack([points, np.ones(len(points))]) @ weights > 0).astype(np.int64)


@pytest.mark.parametrize("d", [3, 10])
def test_a_separating_plane_reaches_covers_capacity(d: int) -> None:
    result = measure(separate, gaussian(100, d), draws=10, resolution=0, curve_draws=0, fresh=0).exact
    theory = linear_capacity(d)
    assert theory.low <= result.value <= theory.high
    assert abs(result.value - theory.mean) < 4 * theory.deviation / np.sqrt(10)
    assert not result.at_least


def test_almost_unregularized_logistic_regression_reaches_covers_range() -> None:
    learner = LogisticRegression(C=1e8, max_iter=3_000)
    result = measure(from_sklearn(learner), gaussian(60, 4), draws=5, curve_draws=0, fresh=0).exact
    theory = linear_capacity(4)
    assert theory.low <= result.value <= theory.high


def test_the_usual_regularization_keeps_logistic_regression_below_theory() -> None:
    result = measure(from_sklearn(LogisticRegression()), gaussian(100, 10), draws=5, curve_draws=0, fresh=0).exact
    assert result.value < linear_capacity(10).low
    assert not result.unfinished


def test_logistic_regression_without_its_steps_is_called_unfinished() -> None:
    learner = LogisticRegression(C=1e8, max_iter=2)
    result = measure(from_sklearn(learner), gaussian(60, 4), draws=3, curve_draws=0, fresh=0).exact
    assert result.unfinished == 3
