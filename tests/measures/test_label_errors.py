"""Label errors: planted ones come first, their number lies in the interval, leave-one-out equals leaving out."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from shatterlab.measures import label_errors, memorization
from shatterlab.measures.fitting import from_sklearn
from shatterlab.measures.label_errors import (
    expected_errors,
    held_out,
    measure,
    rank,
    rank_by_kernel,
    rank_by_loss,
    requests,
)


def digits(n: int, wrong: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images in [0, 1], labels, and which of these are wrong."""
    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(labels))[:n]
    y = labels[kept]
    flipped = rng.choice(n, wrong, replace=False)
    y[flipped] = (y[flipped] + rng.integers(1, 10, size=wrong)) % 10
    return images[kept] / 16, y, y != labels[kept]


def probabilities(n: int, wrong: float, skill: float, seed: int, k: int = 10) -> tuple[np.ndarray, ...]:
    """What a learner might say of labels, of which a share is wrong, if its logit for the true class is `skill`."""
    rng = np.random.default_rng(seed)
    true = rng.integers(k, size=n)
    y = np.where(rng.random(n) < wrong, (true + rng.integers(1, k, size=n)) % k, true)
    logits = rng.standard_normal((n, k))
    logits[np.arange(n), true] += skill
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), y, y != true


def test_every_example_is_in_one_fold_and_classes_are_spread_evenly() -> None:
    y = np.repeat([0, 1, 2], [5, 12, 33])
    plan = requests(y, folds=5, seed=1)
    out = [np.setdiff1d(np.arange(50), fold.rows) for fold in plan]
    assert sorted(np.concatenate(out)) == list(range(50))
    for c, size in enumerate([5, 12, 33]):
        assert all(size // 5 <= (y[places] == c).sum() <= -(-size // 5) for places in out)
    assert len({fold.fit_seed for fold in plan}) == 5
    assert any((a.rows != b.rows).any() for a, b in zip(plan, requests(y, seed=2), strict=True))


@pytest.mark.parametrize(
    ("folds", "message"), [(1, "a whole number of at least 2"), (11, "from 2 to the number of examples, 10")]
)
def test_folds_that_cannot_be_made_are_refused(folds: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"folds must be {message}"):
        requests(np.zeros(10, int), folds=folds)


def test_out_of_fold_probabilities_are_those_of_scikit_learn_on_the_same_folds() -> None:
    X, y, _ = digits(150, 15)
    plan = requests(y)
    ours = held_out(label_errors.do(fold, from_sklearn(LogisticRegression(), 10), X, y) for fold in plan)
    folds = [(fold.rows, np.setdiff1d(np.arange(150), fold.rows)) for fold in plan]
    theirs = cross_val_predict(LogisticRegression(), X, y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(rank(ours, y).scores, 1 - theirs[np.arange(150), y], atol=1e-5)


def test_held_out_probabilities_are_means_over_the_fits_without_the_example() -> None:
    def outcome(inside: list[int], p: list) -> memorization.SubsetOutcome:
        packed = np.packbits(inside)
        return memorization.SubsetOutcome(3, packed, packed, packed[:0], 0, np.array(p, np.float32))

    one = outcome([1, 0, 0], [[0.25, 0.75], [1, 0]])
    other = outcome([1, 0, 1], [[0.75, 0.25]])
    np.testing.assert_array_equal(held_out([one, other]), [[np.nan, np.nan], [0.5, 0.5], [1, 0]])
    found = rank(held_out(iter([one, other])), [0, 0, 1])
    np.testing.assert_array_equal(found.scores, [np.nan, 0.5, 1])
    assert found.order.tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="at least one fit"):
        held_out([])


@pytest.mark.parametrize("options", [{"draws": 12}, {"folds": 5}])
def test_planted_errors_come_first(options: dict) -> None:
    X, y, wrong = digits(300, 30)
    found = measure(from_sklearn(LogisticRegression(), 10), X, y, **options)
    assert roc_auc_score(wrong, np.nan_to_num(found.ranking.scores)) > 0.95
    assert wrong[found.ranking.order[:20]].mean() > 0.8
    assert found.count.low <= 30 <= found.count.high
    assert found.fits in (12, 5)


def test_memorization_finds_no_errors_of_a_learner_that_does_not_interpolate() -> None:
    X, y, wrong = digits(300, 30)
    fit = from_sklearn(LogisticRegression(C=0.01), 10)
    outcomes = [memorization.do(request, fit, X, y) for request in memorization.requests(300, draws=15)]
    assert roc_auc_score(wrong, np.nan_to_num(memorization.estimate(outcomes).scores)) < 0.6
    assert roc_auc_score(wrong, np.nan_to_num(rank(held_out(outcomes), y).scores)) > 0.9


def test_a_learner_without_probabilities_is_ranked_by_votes() -> None:
    X, y, wrong = digits(300, 30)
    model = from_sklearn(KNeighborsClassifier(1), 10)
    found = measure(lambda X, y, seed: model(X, y, seed).__call__, X, y, draws=20)
    assert roc_auc_score(wrong, np.nan_to_num(found.ranking.scores)) > 0.95


def test_loss_is_summed_over_epochs() -> None:
    found = rank_by_loss([[1.0, 0.5, 2.0], [1.0, 2.0, 0.0]])
    assert found.scores.tolist() == [2.0, 2.5, 2.0]
    assert str(found).startswith("Of 3 labels those of examples 1, 0, 2 are the most suspect, by the sum of the ")
    with pytest.raises(ValueError, match=r"losses must be \(epochs, n\)"):
        rank_by_loss([1.0, 2.0])


def test_leave_one_out_of_a_kernel_equals_leaving_out() -> None:
    X, y, _ = digits(60, 6)
    gram = X @ X.T + 1
    found = rank_by_kernel(gram, y, ridge=0.3)
    targets = np.eye(10)[y]
    for i in range(60):
        rest = np.arange(60) != i
        weights = np.linalg.solve(gram[np.ix_(rest, rest)] + 0.3 * np.eye(59), targets[rest])
        p = gram[i, rest] @ weights
        assert found.scores[i] == pytest.approx(np.delete(p, y[i]).max() - p[y[i]], abs=1e-8)


def test_the_kernel_finds_planted_errors_and_is_named_as_not_the_users_learner() -> None:
    X, y, wrong = digits(300, 30)
    found = rank_by_kernel(np.exp(-0.2 * ((X[:, None] - X) ** 2).sum(axis=2)), y)
    assert roc_auc_score(wrong, found.scores) > 0.95
    assert "not your learner" in str(found)


@pytest.mark.parametrize(
    ("gram", "ridge", "message"),
    [(np.eye(3), None, r"gram must be \(n, n\)"), (np.eye(4), 0.0, "a tiny one interpolates")],
)
def test_a_gram_matrix_of_others_and_no_ridge_are_refused(gram: np.ndarray, ridge, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_by_kernel(gram, np.array([0, 1, 0, 1]), ridge=ridge)


@pytest.mark.parametrize("skill", [2.0, 5.0, 9.0])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
def test_the_interval_covers_the_number_of_wrong_labels(share: float, skill: float) -> None:
    covered = 0
    for seed in range(20):
        p, y, wrong = probabilities(800, share, skill, seed)
        count = expected_errors(p, y, bootstraps=100)
        covered += count.low <= wrong.sum() <= count.high
    assert covered >= 16  # 18 are expected at least, and 16 lies 1.5 standard deviations below


def test_a_good_learner_narrows_the_interval_and_a_poor_one_says_how_little_it_knows() -> None:
    p, y, wrong = probabilities(2_000, 0.1, 9.0, 0)
    good = expected_errors(p, y)
    assert good.expected == pytest.approx(wrong.sum(), rel=0.15)
    assert good.high - good.low < 0.1 * 2_000
    p, y, _ = probabilities(2_000, 0.1, 1.0, 0)
    poor = expected_errors(p, y)
    assert poor.high - poor.low > 0.3 * 2_000


def test_right_labels_are_expected_to_be_right_and_random_ones_to_be_wrong() -> None:
    p, y, _ = probabilities(1_000, 0.0, 9.0, 0)
    assert expected_errors(p, y).expected < 5
    random = expected_errors(p, np.random.default_rng(1).integers(10, size=1_000))
    assert random.disputed == pytest.approx(900, rel=0.05)
    assert random.high > 900


def test_the_order_of_examples_plays_no_part_in_the_count_even_where_all_are_equally_certain() -> None:
    p, y, _ = probabilities(500, 0.1, 4.0, 0)
    votes = np.eye(10)[p.argmax(axis=1)]
    order = np.random.default_rng(0).permutation(500)
    one, other = expected_errors(votes, y), expected_errors(votes[order], y[order])
    assert (one.disputed, one.like_random, one.high) == (other.disputed, other.like_random, other.high)


def test_examples_without_probabilities_are_not_counted() -> None:
    p, y, _ = probabilities(400, 0.1, 5.0, 0)
    p[300:] = np.nan
    assert expected_errors(p, y) == expected_errors(p[:300], y[:300])
    with pytest.raises(ValueError, match="got 0 examples"):
        expected_errors(np.full((4, 2), np.nan), np.array([0, 1, 0, 1]))


def test_the_count_is_a_sentence() -> None:
    p, y, _ = probabilities(1_000, 0.1, 9.0, 3)
    count = expected_errors(p, y)
    assert str(count) == (
        "Between 58 and 161 of 1,000 labels are wrong (90% interval around 118; 109 look random, 127 are disputed)."
    )


def test_folds_have_the_sizes_of_scikit_learns_stratified_ones() -> None:
    y = np.repeat([0, 1, 2], [7, 22, 41])
    theirs = StratifiedKFold(5).split(np.zeros((70, 1)), y)
    assert {70 - len(fold.rows) for fold in requests(y)} == {len(test) for _, test in theirs}
