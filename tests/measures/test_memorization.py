"""Memorization and influence: examples by hand, learners of which theory says what they memorize, planted pairs."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from shatterlab.measures import memorization
from shatterlab.measures.fitting import from_sklearn
from shatterlab.measures.memorization import SubsetOutcome, estimate, influence, influence_of, measure, requests

NEAREST = from_sklearn(KNeighborsClassifier(1), n_classes=10)


def digits(n: int, wrong: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels of which `wrong` are planted, and the places of these."""
    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(labels))[:n]
    flipped = rng.choice(n, wrong, replace=False)
    labels = labels[kept]
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, size=wrong)) % 10
    return images[kept], labels, flipped


def table(inside: list, correct: list, correct_test: list | None = None) -> list[SubsetOutcome]:
    """Outcomes from rows of 0 and 1, one a fit."""
    tests = correct_test or [[]] * len(inside)
    return [
        SubsetOutcome(len(a), np.packbits(a), np.packbits(b), np.packbits(np.array(c, bool)), len(c), np.zeros((0, 2)))
        for a, b, c in zip(inside, correct, tests, strict=True)
    ]


def constant(X, y, seed):
    return lambda X: np.full(len(X), 3)


def test_the_example_by_hand() -> None:
    inside = np.array([[1] * 7 + [0] * 3]).T
    correct = np.array([[1] * 6 + [0] + [1, 0, 0]]).T
    found = estimate(table(inside.tolist(), correct.tolist()))
    assert found.scores[0] == pytest.approx(6 / 7 - 1 / 3)
    assert found.errors[0] == pytest.approx(0.303, abs=5e-4)
    assert found.errors[0] ** 2 == pytest.approx(0.01749 + 0.07407, abs=5e-5)


def test_an_error_is_never_zero() -> None:
    found = estimate(table([[1], [1], [0], [0]], [[1], [1], [0], [0]]))
    assert found.scores[0] == 1
    assert found.errors[0] == pytest.approx(np.sqrt(2 * 0.75 * 0.25 / 2))  # (2 + 1) / (2 + 2) and (0 + 1) / (2 + 2)


def test_an_example_in_every_subset_has_no_score_and_is_left_out_of_the_mean() -> None:
    found = estimate(table([[1, 1], [1, 0]], [[1, 1], [1, 0]]))
    assert np.isnan(found.scores[0])
    assert found.mean == found.scores[1] == 1
    assert found.order.tolist() == [1, 0]


def test_no_fits_and_subsets_that_are_all_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 fits, got 0"):
        estimate([])
    with pytest.raises(ValueError, match="take more subsets"):
        estimate(table([[1, 0], [1, 0]], [[1, 1], [1, 1]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"draws": 1}, "draws must be"), ({"share": 70}, "share must lie in"), ({"share": 0.01}, "a subset must have")],
)
def test_subsets_that_cannot_be_drawn_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        requests(10, **options)


def test_a_subset_depends_on_its_number_alone() -> None:
    few, many = requests(50, draws=3, seed=5), requests(50, draws=8, seed=5)
    for a, b in zip(few, many, strict=False):
        assert a == b
        np.testing.assert_array_equal(a.rows, b.rows)
    assert len({tuple(one.rows) for one in many} | {tuple(one.rows) for one in requests(50, draws=8, seed=6)}) == 16
    assert len({one.fit_seed for one in many}) == 8
    assert all(len(set(one.rows)) == 35 for one in many)


def test_scores_are_those_of_models_trained_one_by_one() -> None:
    X, y, _ = digits(60, wrong=6)
    found = measure(from_sklearn(DecisionTreeClassifier(max_features=8)), X, y, draws=12, seed=3)
    right, seen = np.zeros((12, 60), bool), np.zeros((12, 60), bool)
    for k, request in enumerate(requests(60, draws=12, seed=3)):
        model = DecisionTreeClassifier(max_features=8, random_state=request.fit_seed)
        classes, places = np.unique(y[request.rows], return_inverse=True)
        right[k] = classes[model.fit(X[request.rows], places).predict(X)] == y
        seen[k, request.rows] = True
    for i in range(60):
        assert found.scores[i] == pytest.approx(right[seen[:, i], i].mean() - right[~seen[:, i], i].mean(), nan_ok=True)


def test_a_constant_predictor_memorizes_nothing() -> None:
    X, y, _ = digits(80)
    found = measure(constant, X, y, draws=20)
    assert (found.scores == 0).all()
    assert found.mean == found.share == found.mean_error == 0
    assert (found.errors > 0).all()


def nearest_neighbour_scores(X: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """What infinitely many subsets give for 1-nearest neighbour: 1 less the chance that the nearest one agrees."""
    n = len(y)
    scores = np.ones(n)
    for i in range(n):
        nearest = np.argsort(((X - X[i]) ** 2).sum(axis=1), kind="stable")
        chance, none_before = 0.0, 1.0
        for r, j in enumerate(nearest[nearest != i]):
            first = none_before * (size / (n - 1 - r) if n - 1 - r > size else 1)
            chance += first * (y[j] == y[i])
            none_before -= first
        scores[i] -= chance
    return scores


def test_nearest_neighbour_memorizes_what_theory_says() -> None:
    X, y, flipped = digits(120, wrong=12)
    found = measure(NEAREST, X, y, draws=200)
    expected = nearest_neighbour_scores(X, y, 84)
    assert (found.inside == 1).all()
    assert expected[flipped].min() > 0.6
    z = (found.scores - expected) / found.errors
    assert np.abs(z).max() < 4.5
    assert np.abs(found.mean - expected.mean()) < 4 * found.mean_error
    assert found.share_below == 0
    alone = np.flatnonzero(expected > 0.999)  # all that could be nearest have another label
    assert len(alone) > 3
    assert (found.scores[alone] == 1).all()


def test_the_bootstrap_of_fits_gives_the_spread_of_repeated_measurements() -> None:
    rng = np.random.default_rng(0)
    q1, q0 = rng.beta(5, 1, size=150), rng.beta(1, 1, size=150)
    means, shares, claimed = [], [], []
    for _ in range(60):
        inside = rng.random((20, 150)) < 0.7
        # Some fits are better than others, which moves all examples together.
        right = rng.random((20, 150)) < np.where(inside, q1, q0) + rng.normal(0, 0.1, size=(20, 1))
        found = estimate(table(inside.astype(int).tolist(), right.astype(int).tolist()))
        means.append(found.mean)
        shares.append(found.share)
        claimed.append((found.mean_error, found.share_error))
    mean_error, share_error = np.mean(claimed, axis=0)
    assert np.std(means) == pytest.approx(mean_error, rel=0.35)
    assert np.std(shares) == pytest.approx(share_error, rel=0.35)


def test_blocks_change_nothing(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    outcomes = table(*(rng.integers(2, size=(9, size)).tolist() for size in (37, 37, 11)))
    whole, pairs = estimate(outcomes), influence(outcomes, alpha=0.99)
    monkeypatch.setattr(memorization, "BLOCK", 16)
    parts = estimate(outcomes)
    np.testing.assert_array_equal(whole.scores, parts.scores)
    assert whole.share_error == parts.share_error
    assert whole.mean_error == pytest.approx(parts.mean_error)
    assert pairs == influence(outcomes, alpha=0.99)
    np.testing.assert_array_equal(influence_of(outcomes, 0, 37)[0][13:30], influence_of(outcomes, 13, 30)[0])


def test_influence_is_the_difference_of_the_two_shares() -> None:
    outcomes = table([[1], [1], [1], [0], [0]], [[1]] * 5, [[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]])
    values, errors = influence_of(outcomes, 0, 1)
    np.testing.assert_allclose(values, [[2 / 3, 1 / 3 - 1 / 2]], rtol=1e-6)
    # 2 of 3 and 0 of 2, which is taken as 1 of 4
    assert errors[0, 0] == pytest.approx(np.sqrt(2 / 9 / 3 + 3 / 16 / 2), rel=1e-6)


def test_the_p_value_is_fishers() -> None:
    from scipy.stats import fisher_exact

    inside = [[1]] * 14 + [[0]] * 6
    right = [[1]] * 13 + [[0]] + [[0]] * 6
    (pair,) = influence(table(inside, inside, right), alpha=0.05).pairs
    assert pair.value == pytest.approx(13 / 14)
    assert pair.p == pytest.approx(2 * fisher_exact([[13, 1], [0, 6]], alternative="greater").pvalue)
    (other,) = influence(table(inside, inside, (1 - np.array(right)).tolist()), alpha=0.05).pairs
    assert other.value == -pair.value
    assert other.p == pytest.approx(pair.p)


@pytest.mark.parametrize(("draws", "level"), [(5, 0.05), (40, 0.05), (40, 1e-6)])
def test_the_critical_number_is_the_least_that_chance_hardly_reaches(draws: int, level: float) -> None:
    from scipy.stats import hypergeom

    right, times = np.meshgrid(np.arange(draws + 1), np.arange(draws + 1))
    x = memorization._critical(draws, right, times, level)
    assert (hypergeom.sf(x - 1, draws, right, times) <= level).all()
    above = x > 0
    assert (hypergeom.sf(x - 2, draws, right, times)[above] > level).all()


def test_planted_near_duplicates_are_the_pairs_that_are_found() -> None:
    X, y, _ = digits(100, seed=2)
    rng = np.random.default_rng(0)
    kept = np.array([np.flatnonzero(y == c)[0] for c in range(5)])
    # Each test point is nearly a training example, of which the label is one that no neighbour has.
    y[kept] = (y[kept] + 5) % 10
    X_test = np.concatenate([X[kept] + 0.01 * rng.standard_normal((5, 64)), digits(400, seed=2)[0][300:310]])
    y_test = np.concatenate([y[kept], digits(400, seed=2)[1][300:310]])
    outcomes = [memorization.do(request, NEAREST, X, y, X_test, y_test) for request in requests(100, draws=60)]
    found = influence(outcomes)
    strongest = {}
    for pair in found.pairs:
        strongest.setdefault(pair.test, pair)
    for test, train in enumerate(kept):
        assert strongest[test].train == train
        assert strongest[test].value > 0.8
        assert strongest[test].p < 1e-4
    assert found.found == len(found.pairs) < 25
    assert found.tested == 1500
    assert "60 fits" in str(found)


def test_pairs_by_chance_are_hardly_ever_found() -> None:
    rng = np.random.default_rng(0)
    any_found = 0
    for _ in range(40):
        inside = (rng.random((30, 40)) < 0.7).astype(int).tolist()
        right = (rng.random((30, 20)) < rng.random(20)).astype(int).tolist()
        any_found += influence(table(inside, inside, right), alpha=0.2).found > 0
    assert any_found <= 14  # at most 8 expected, 14 lies 2.4 standard deviations above


def test_too_few_fits_to_find_a_pair_are_said_to_be_too_few() -> None:
    outcomes = table([[1, 0], [0, 1], [1, 1]], [[1, 1]] * 3, [[1], [0], [1]])
    found = influence(outcomes)
    assert not found.possible
    assert str(found) == "3 fits are too few to tell any of 2 pairs from chance; take more subsets."
    with pytest.raises(ValueError, match="give X_test and y_test"):
        influence(table([[1, 0], [0, 1]], [[1, 1]] * 2))


def test_held_out_probabilities_are_those_of_the_examples_not_seen() -> None:
    X, y, _ = digits(40)
    (request, _) = requests(40, draws=2)
    predict = NEAREST(X[request.rows], y[request.rows], request.fit_seed)
    outcome = memorization.observe(predict, request.rows, X, y)
    assert sorted([*request.rows, *outcome.held_out_rows]) == list(range(40))
    np.testing.assert_array_equal(outcome.held_out, predict.probabilities(X[outcome.held_out_rows])[:, : y.max() + 1])
    votes = memorization.observe(predict.__call__, request.rows, X, y)  # without probabilities
    np.testing.assert_array_equal(votes.held_out, outcome.held_out)


@pytest.mark.parametrize(
    ("probabilities", "message"), [(np.full((12, 10), np.nan), "finite"), (np.ones(12), r"got shape \(12,\)")]
)
def test_probabilities_that_are_none_are_refused(probabilities: np.ndarray, message: str) -> None:
    X, y, _ = digits(40)

    def predict(X):
        return np.zeros(len(X), int)

    predict.probabilities = lambda X: probabilities
    with pytest.raises(ValueError, match=message):
        memorization.observe(predict, np.arange(28), X, y)


def test_the_result_is_a_sentence() -> None:
    inside = [[1] * 10, [0] * 10]
    assert str(estimate(table(inside, inside))) == (
        "Mean memorization is 1.000 ± 0.000, and 100.0% ± 0.0% of the labels have a score of 0.25 or more (standard "
        "errors over 2 fits to 10 of n = 10 examples; noise puts 0.0% at -0.25 or less)."
    )
