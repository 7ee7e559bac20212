"""Which labels are likely wrong, and how many.

An example is suspect if learners that have not seen it give its label a low probability: the mean of that probability
over fits to subsets, which `memorization` makes anyway, or over the folds of a cross-validation where there is no time
for more. A learner with epochs has a ranking for nothing, the sum of an example's loss over the epochs of one training.

**Memorization is not an error detector.** It finds errors only for a learner that fits everything and predicts well.
With 10 % of the labels replaced by random wrong ones its AUC was .995 for a forest and .991 for 1-nearest neighbour on
digits (held-out probability: .999 and .991), but .48 for logistic regression on digits, which memorizes no error
(.998), and .38 on CIFAR-10, where rare but right examples are memorized before errors are (.880, both from
`bench/label_errors.py`).

How many labels are wrong cannot be known from the labels alone: a label that surprises a learner may be wrong, or
right and beyond the learner. `expected_errors` therefore gives two ends. The lower counts only labels that are as
unlikely as labels drawn at random would be; the upper counts every label that the learner contradicts where it is most
certain. With 5, 10 and 20 % of planted errors the interval held their number in 90 of 92 cases; with none its lower
end was 5 of 1,437 for 1-nearest neighbour and 7 of 2,000 on CIFAR-10, whose own labels need not all be right.

It fails for a learner that is always sure and often wrong: 1-nearest neighbour on 2,000 images of MNIST contradicts a
tenth of the right labels as surely as the wrong ones, and the interval held the number of errors in 1 of 15 cases.

Sources: Northcutt, Jiang and Chuang, Confident learning (2021), for the ranking by out-of-fold probability; Blanchard,
Lee and Scott, Semi-supervised novelty detection (2010), for the share of a known distribution in a mixture.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import whole
from .fitting import Fit, generator, length, seed_of, take
from .memorization import SubsetOutcome, observe
from .memorization import do as do_subset
from .memorization import requests as subset_requests

FOLDS = 5
"""A cross-validation has this many folds, as the usual default of confident learning has."""
CERTAIN = 1 / 3
"""Of the examples that are predicted as a class, this share, those with the largest probability, is called certain.

This is our choice: small enough to leave most of a learner's own errors out, large enough to count errors."""
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Labels are compared with random ones below these quantiles of the probabilities that random ones have; our choice."""


@dataclass(frozen=True, eq=False)
class FoldFit:
    """The fit to all examples but those of one fold.

    Args:
        rows: places in the pool of the examples to be fitted, ascending.
        fit_seed: the seed that the fit is given.
    """

    rows: NDArray[np.int64]
    fit_seed: int


@dataclass(frozen=True, eq=False)
class Ranking:
    """How suspect each label is, in the order of the examples in the pool.

    Args:
        scores: (n,) float64, larger is more suspect; nan for an example of which nothing is known.
        method: in words where the scores come from.
    """

    scores: NDArray[np.float64]
    method: str

    @property
    def order(self) -> NDArray[np.int64]:
        """Places of the examples from the most suspect to the least; those without a score come last."""
        return np.argsort(-self.scores, kind="stable")

    def __str__(self) -> str:
        first = ", ".join(str(place) for place in self.order[:5])
        return f"Of {len(self.scores):,} labels those of examples {first} are the most suspect, by {self.method}."


@dataclass(frozen=True)
class ErrorCount:
    """How many labels are wrong, as far as held-out probabilities tell.

    Args:
        expected: the middle of `like_random` and `disputed`, or the nearer end of the interval, in examples.
        low: lower end of the interval, in examples.
        high: upper end of the interval, in examples.
        like_random: estimate of the number of labels that are as unlikely as random ones.
        disputed: estimate of the number of labels that a certain learner contradicts.
        confidence: each end fails with probability (1 - confidence) / 2, if what it assumes holds: for the lower end
            that right labels are hardly ever as unlikely as random ones, for the upper end that labels are not less
            often wrong where the learner is certain.
        n: number of labels that were judged.
    """

    expected: float
    low: float
    high: float
    like_random: float
    disputed: float
    confidence: float
    n: int

    def __str__(self) -> str:
        return (
            f"Between {self.low:,.0f} and {self.high:,.0f} of {self.n:,} labels are wrong ({self.confidence:.0%} "
            f"interval around {self.expected:,.0f}; {self.like_random:,.0f} look random, {self.disputed:,.0f} are "
            "disputed)."
        )


@dataclass(frozen=True)
class LabelErrors:
    """Which labels are suspect and how many are wrong.

    Args:
        ranking: the ranking by the held-out probability of the label.
        count: the expected number of wrong labels.
        fits: number of fits that were made.
    """

    ranking: Ranking
    count: ErrorCount
    fits: int

    def __str__(self) -> str:
        return f"{self.count} {self.ranking}"


def requests(y: NDArray[np.int64], *, folds: int = FOLDS, seed: int = 0) -> list[FoldFit]:
    """The fits of a cross-validation, each class spread evenly over the folds.

    Args:
        y: (n,) class indices.
        folds: number of folds, from 2 to n.
        seed: seed of the folds and of the learner.

    Raises:
        ValueError: there are fewer than 2 folds or more than examples.
    """
    folds, seed = whole("folds", folds, least=2), whole("seed", seed, least=0)
    if folds > len(y):
        raise ValueError(f"folds must be from 2 to the number of examples, {len(y)}, got {folds}.")
    order = generator(seed, "order of folds", 0).permutation(len(y))
    order = order[np.argsort(np.asarray(y)[order], kind="stable")]  # classes one after the other, each in random order
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % folds
    return [FoldFit(np.flatnonzero(fold != index), seed_of(seed, "weights of fold", index)) for index in range(folds)]


def do(request: FoldFit, fit: Fit, X: Any, y: NDArray[np.int64]) -> SubsetOutcome:
    """Fits all examples but those of a fold, and asks about these.

    Args:
        request: which fold.
        fit: the learner.
        X: (n, ...) inputs of the pool.
        y: (n,) class indices of the pool.
    """
    return observe(fit(take(X, request.rows), y[request.rows], request.fit_seed), request.rows, X, y)


def held_out(outcomes: Iterable[SubsetOutcome]) -> NDArray[np.float64]:
    """The mean class probabilities of each example over the fits that have not seen it, (n, K).

    An example that every fit has seen has nan. Outcomes are taken one at a time and not kept.

    Args:
        outcomes: at least one fit to some examples of a pool.
    """
    total: Any = 0.0
    times: Any = 0
    for outcome in outcomes:
        rows = outcome.held_out_rows
        if not np.ndim(total):
            total, times = np.zeros((outcome.n, outcome.held_out.shape[1])), np.zeros((outcome.n, 1))
        total[rows] += outcome.held_out
        times[rows] += 1
    if not np.ndim(total):
        raise ValueError("held-out probabilities need at least one fit, got none.")
    return np.divide(total, times, out=np.full_like(total, np.nan), where=times > 0)


def rank(probabilities: ArrayLike, y: ArrayLike) -> Ranking:
    """Ranks labels by how improbable they are to learners that have not seen them.

    Args:
        probabilities: (n, K) held-out probabilities, as from `held_out`; rows of nan where there are none.
        y: (n,) class indices.
    """
    probabilities, y = np.asarray(probabilities, dtype=np.float64), np.asarray(y)
    return Ranking(1 - probabilities[np.arange(len(y)), y], "the mean held-out probability of the label")


def rank_by_loss(losses: ArrayLike) -> Ranking:
    """Ranks labels by the sum of their loss over the epochs of one training.

    Args:
        losses: (epochs, n), the loss of each example in each epoch; an epoch may lack some, as nan.
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2:
        raise ValueError(f"losses must be (epochs, n), got shape {losses.shape}.")
    return Ranking(losses.sum(axis=0), "the sum of the training loss over the epochs")


def rank_by_kernel(gram: ArrayLike, y: ArrayLike, *, ridge: float | None = None) -> Ranking:
    """Ranks labels by the exact leave-one-out predictions of kernel ridge regression, which is not the user's learner.

    With targets Y of 0 and 1 and A = (G + ridge I)^-1, the prediction for i of the fit without i is
    Y_i - (A Y)_i / A_ii, so that one factorization serves all n fits. A label is as suspect as the largest prediction
    for another class exceeds that for its own.

    Args:
        gram: (n, n) symmetric Gram matrix G of the inputs, for example of random filters, with a constant added.
        y: (n,) class indices.
        ridge: what is added to the diagonal, above 0; if None, the one of a grid that predicts the labels best, by the
            sum of squared leave-one-out residuals.

    Raises:
        ValueError: shapes do not fit, or the ridge is not above 0.

    Source: Hastie, Tibshirani and Friedman, The elements of statistical learning (2009), 7.10.
    """
    gram, y = np.asarray(gram, dtype=np.float64), np.asarray(y)
    if gram.shape != (len(y), len(y)):
        raise ValueError(f"gram must be (n, n) for n = {len(y)} labels, got shape {gram.shape}.")
    if ridge is not None and not ridge > 0:
        raise ValueError(f"ridge must be above 0, got {ridge}; a tiny one interpolates.")
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0)
    targets = np.eye(int(y.max()) + 1)[y]
    projected, squares = vectors.T @ targets, vectors**2

    def residuals(ridge: float) -> NDArray[np.float64]:
        inverse = 1 / (values + ridge)
        return (vectors @ (projected * inverse[:, None])) / (squares @ inverse)[:, None]

    scale = float(values.mean())
    grid = [scale * 10.0**power for power in range(-6, 4)] if ridge is None else [ridge]
    left = min((residuals(one) for one in grid), key=lambda one: float((one**2).sum()))
    predictions = targets - left
    own = predictions[np.arange(len(y)), y].copy()
    predictions[np.arange(len(y)), y] = -np.inf
    return Ranking(predictions.max(axis=1) - own, "exact leave-one-out of a kernel, which is not your learner")


def expected_errors(
    probabilities: ArrayLike, y: ArrayLike, *, confidence: float = 0.9, bootstraps: int = 200, seed: int = 0
) -> ErrorCount:
    """Says how many labels are wrong, between two ends that need different assumptions.

    Lower end: with F(s) the share of labels that have a held-out probability of at most s, and G(s) the share of the
    wrong classes, one drawn for each example, that have, min_s F(s) / G(s) is the share of labels that behave as if
    drawn at random; no distribution of the right labels allows more. Errors that are easily mistaken for right labels
    are not among them. Its quantile over a bootstrap of the examples is the end, times 1 less the share of disputed
    labels: a learner that repeats the labels of neighbours contradicts a right label wherever theirs is wrong.

    Upper end: of the third of each predicted class that is predicted with the largest probability, the share with
    another label; a part of these may be the learner's error. Clopper and Pearson's bound on it is the end.

    Args:
        probabilities: (n, K) held-out probabilities, as from `held_out`; rows of nan are left out.
        y: (n,) class indices.
        confidence: each end fails with probability (1 - confidence) / 2 if what it assumes holds; in (0, 1).
        bootstraps: number of resamplings of the examples.
        seed: seed of the resamplings.

    Raises:
        ValueError: no example has probabilities, or there is one class only.
    """
    from scipy.stats import beta

    probabilities, y = np.asarray(probabilities, dtype=np.float64), np.asarray(y)
    known = np.isfinite(probabilities).all(axis=1)
    probabilities, y = probabilities[known], y[known]
    n, k = probabilities.shape
    if n == 0 or k < 2:
        raise ValueError(f"wrong labels can be counted among at least 2 classes with probabilities, got {n} examples "
                         f"and {k} classes.")  # fmt: skip
    own = probabilities[np.arange(n), y]
    others = np.sort(probabilities[np.arange(k)[None, :] != y[:, None]].reshape(n, k - 1), axis=1)
    steps = np.quantile(others, LEVELS)
    below = (own[:, None] <= steps).astype(np.float64)
    random_below = np.stack([(others <= step).mean(axis=1) for step in steps], axis=1)
    weights = generator(seed, "bootstrap of labels", 0).multinomial(n, np.full(n, 1 / n), size=bootstraps)
    like_random = _least_ratio(below.sum(axis=0), random_below.sum(axis=0))
    resampled = _least_ratio(weights @ below, weights @ random_below)
    tail = (1 - confidence) / 2

    predicted, certainty = probabilities.argmax(axis=1), probabilities.max(axis=1)
    certain = np.zeros(n, dtype=bool)
    for c in np.unique(predicted):
        of_class = predicted == c
        # All that are as certain as the last of the third belong to it, so that the order of examples plays no part.
        certain |= of_class & (certainty >= np.quantile(certainty[of_class], 1 - CERTAIN, method="higher"))
    disputes, judged = int((predicted != y)[certain].sum()), int(certain.sum())
    high = 1.0 if disputes == judged else float(beta.ppf(1 - tail, disputes + 1, judged - disputes))
    disputed = disputes / judged
    low = min(float(np.quantile(resampled, tail)) * (1 - disputed), high)
    return ErrorCount(
        expected=n * min(max((float(like_random) + disputed) / 2, low), high),
        low=n * low,
        high=n * high,
        like_random=n * float(like_random),
        disputed=n * disputed,
        confidence=confidence,
        n=n,
    )


def measure(
    fit: Fit, X: Any, y: NDArray[np.int64], *, draws: int | None = None, folds: int = FOLDS, seed: int = 0
) -> LabelErrors:
    """Ranks labels by their held-out probability and says how many are wrong.

    Args:
        fit: the learner.
        X: (n, ...) inputs: an array, a sparse matrix, a frame or a list.
        y: (n,) class indices.
        draws: number of subsets with 70 % of the examples to be fitted; if None, there is a cross-validation instead.
            Below about 15 take the cross-validation: 7 subsets leave 8 % of the examples without a held-out fit.
        folds: number of folds of the cross-validation.
        seed: seed of subsets or folds and of the learner.

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from shatterlab.measures.fitting import from_sklearn
    >>> y = np.arange(60) // 20  # three classes on a line, and an error
    >>> y[7] = 2
    >>> int(measure(from_sklearn(KNeighborsClassifier(3)), np.arange(60.0)[:, None], y).ranking.order[0])
    7
    """
    y = np.asarray(y)
    if draws is None:
        plan = requests(y, folds=folds, seed=seed)
        probabilities = held_out(do(request, fit, X, y) for request in plan)
        fits = folds
    else:
        subsets = subset_requests(length(X), draws=draws, seed=seed)
        probabilities = held_out(do_subset(subset, fit, X, y) for subset in subsets)
        fits = draws
    return LabelErrors(rank(probabilities, y), expected_errors(probabilities, y, seed=seed), fits)


def _least_ratio(labels: NDArray, random: NDArray) -> NDArray:
    """The least of labels/random over the last axis, at most 1."""
    return np.minimum(1, np.divide(labels, random, out=np.ones_like(labels), where=random > 0).min(axis=-1))
