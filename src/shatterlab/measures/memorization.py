"""Which labels a learner knows only because it was shown them, and which examples decide which predictions.

Many subsets I_k of m of the n examples are drawn without replacement, and a learner h_k is trained on each. With q1
the share of the fits k with i in I_k for which h_k(x_i) = y_i, and q0 the same share of the other fits,

    mem(i) = q1 - q0,    Var mem(i) = q1 (1 - q1) / t1 + q0 (1 - q0) / t0

where t1 and t0 are the numbers of fits with and without i. The influence of i on a test point j is the same difference
for h_k(x_j) = y_j. What is estimated is the quantity for subsets of m examples, not for all n.

With 70 % of the examples in a subset the standard error is at most .2 for 30 subsets, .11 for 100 and .024 for 2,000.
Many examples are told by few fits, so that a mean over examples is known far better than a single one, but its error
comes from the fits that all examples share: it is found by resampling fits, never examples.

Source: Feldman and Zhang, What neural networks memorize and why (2020), sections 1 and 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import fraction, whole
from .fitting import Fit, Predict, generator, length, predicted, probabilities_of, seed_of, take

SHARE = 0.7
"""A subset has this share of the examples (Feldman and Zhang, 2020, section 3)."""
MEMORIZED = 0.25
"""An example whose score is at least this is called memorized (Feldman and Zhang, 2020, section 3)."""
INFLUENTIAL = 0.15
"""A pair whose influence is smaller than this is not reported (Feldman and Zhang, 2020, section 3)."""
BLOCK = 2**22
"""At most about this many numbers of a table of examples by fits, or by test points, are held at a time."""


@dataclass(frozen=True)
class SubsetFit:
    """A fit to subset `index`, which does not depend on how many subsets there are.

    Args:
        n: number of examples in the pool.
        size: number of examples in the subset.
        index: which subset, from 0.
        seed: seed of all subsets.
    """

    n: int
    size: int
    index: int
    seed: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places of the examples in the pool, (size,), ascending."""
        return np.sort(generator(self.seed, "subset", self.index).permutation(self.n)[: self.size])

    @property
    def fit_seed(self) -> int:
        """The seed that the fit is given."""
        return seed_of(self.seed, "weights of subset", self.index)


@dataclass(frozen=True, eq=False)
class SubsetOutcome:
    """What a fit to some of the examples says about all of them; the shares of eight examples are packed into a byte.

    Args:
        n: number of examples in the pool.
        inside: (ceil(n / 8),) uint8, packed bits: which examples the fit has seen.
        correct: (ceil(n / 8),) uint8, packed bits: which examples are predicted as labelled.
        correct_test: (ceil(n_test / 8),) uint8, packed bits: the same for the test points.
        n_test: number of test points.
        held_out: (examples not seen, K) float32, their class probabilities in the order of the pool; of a learner
            without probabilities 1 for the predicted class and 0 for the others.
    """

    n: int
    inside: NDArray[np.uint8]
    correct: NDArray[np.uint8]
    correct_test: NDArray[np.uint8]
    n_test: int
    held_out: NDArray[np.float32]

    @property
    def held_out_rows(self) -> NDArray[np.int64]:
        """Places of the examples that the fit has not seen, ascending, as the rows of `held_out`."""
        return np.flatnonzero(np.unpackbits(self.inside, count=self.n) == 0)


@dataclass(frozen=True, eq=False)
class Memorization:
    """How much of each label was memorized. Arrays are in the order of the examples in the pool.

    Args:
        scores: (n,) float64 from -1 to 1, mem(i); nan for an example that was in all subsets or in none.
        errors: (n,) float64, standard error of each score over draws of subsets and fits. Where all fits agree, their
            share of right ones x/t is taken as (x + 1) / (t + 2), so that no error is 0.
        inside: (n,) float64, q1, the share of fits with the example that predict its label.
        outside: (n,) float64, q0, the share of fits without the example that predict its label.
        times_inside: (n,) int64, number of fits with the example.
        draws: number of subsets.
        size: number of examples in a subset.
        mean: mean score of the examples that have one.
        mean_error: standard error of `mean` over fits, by the bootstrap of fits.
        share: share of the examples with a score of at least `MEMORIZED`. Noise moves scores over the threshold, so
            with few subsets this number is not that of infinitely many.
        share_error: standard error of `share` over fits, by the bootstrap of fits.
        share_below: share of the examples with a score of at most -`MEMORIZED`. No example is expected there, so
            this shows how many noise alone moves that far.
    """

    scores: NDArray[np.float64]
    errors: NDArray[np.float64]
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    times_inside: NDArray[np.int64]
    draws: int
    size: int
    mean: float
    mean_error: float
    share: float
    share_error: float
    share_below: float

    @property
    def n(self) -> int:
        """Number of examples in the pool."""
        return len(self.scores)

    @property
    def order(self) -> NDArray[np.int64]:
        """Places of the examples from the most memorized to the least; those without a score come last."""
        return np.argsort(-self.scores, kind="stable")

    def __str__(self) -> str:
        return (
            f"Mean memorization is {self.mean:.3f} ± {self.mean_error:.3f}, and {self.share:.1%} ± "
            f"{self.share_error:.1%} of the labels have a score of {MEMORIZED:g} or more (standard errors over "
            f"{self.draws} fits to {self.size:,} of n = {self.n:,} examples; noise puts {self.share_below:.1%} at "
            f"-{MEMORIZED:g} or less)."
        )


@dataclass(frozen=True)
class Pair:
    """A training example that moves the prediction of a test point.

    Args:
        train: place of the training example in the pool.
        test: place of the test point.
        value: its influence, from -1 to 1: by how much training on the example raises the probability that the test
            point is predicted as labelled.
        error: standard error of `value`.
        p: two-sided p-value of Fisher's exact test, multiplied by the number of pairs that were tested (Bonferroni).
    """

    train: int
    test: int
    value: float
    error: float
    p: float


@dataclass(frozen=True)
class Influence:
    """The pairs of a training example and a test point whose influence is not chance.

    Args:
        pairs: the strongest pairs, largest |value| first.
        found: number of all pairs with p <= alpha and |value| >= `INFLUENTIAL`.
        tested: number of pairs that were tested.
        alpha: probability that there is any pair by chance alone among those found.
        draws: number of subsets.
        possible: whether any pair could have been found: with few subsets even a perfect one looks like chance.
    """

    pairs: tuple[Pair, ...]
    found: int
    tested: int
    alpha: float
    draws: int
    possible: bool

    def __str__(self) -> str:
        if not self.possible:
            return f"{self.draws} fits are too few to tell any of {self.tested:,} pairs from chance; take more subsets."
        return (
            f"{self.found:,} of {self.tested:,} pairs have an influence of at least {INFLUENTIAL:g} that is not chance "
            f"(Fisher's exact test, Bonferroni, alpha = {self.alpha:g}, {self.draws} fits)."
        )


def requests(n: int, *, draws: int = 30, share: float = SHARE, seed: int = 0) -> list[SubsetFit]:
    """The fits that are needed; more draws keep those there are.

    Args:
        n: number of examples in the pool, at least 2.
        draws: number of subsets, at least 2.
        share: share of the examples in a subset, in (0, 1).
        seed: seed of the subsets and of the learner.

    Raises:
        ValueError: a number is out of its range, or a subset would have no or all examples.
    """
    n, draws, seed = whole("n", n, least=2), whole("draws", draws, least=2), whole("seed", seed, least=0)
    share = fraction("share", share)
    if not 0 < round(share * n) < n:
        raise ValueError(
            f"a subset must have some of the examples and not all, got share = {share} of n = {n}; for seventy percent "
            "write share=0.7."
        )
    return [SubsetFit(n, round(share * n), index, seed) for index in range(draws)]


def observe(
    predict: Predict,
    rows: NDArray[np.int64],
    X: Any,
    y: NDArray[np.int64],
    X_test: Any = None,
    y_test: NDArray[np.int64] | None = None,
) -> SubsetOutcome:
    """Asks a fitted learner about the examples that it has seen, those that it has not, and test points.

    Args:
        predict: what the fit gave back.
        rows: places in the pool of the examples that it was fitted to.
        X: (n, ...) inputs of the pool.
        y: (n,) class indices of the pool.
        X_test: inputs of the test points; None for none.
        y_test: class indices of the test points; None for none.

    Raises:
        ValueError: predictions or probabilities have the wrong shape, or probabilities are not finite.
    """
    seen = np.zeros(len(y), dtype=bool)
    seen[rows] = True
    classes = predicted(predict, X)
    tested = np.zeros(0, dtype=bool) if y_test is None else predicted(predict, X_test) == y_test
    return SubsetOutcome(
        n=len(y),
        inside=np.packbits(seen),
        correct=np.packbits(classes == y),
        correct_test=np.packbits(tested),
        n_test=len(tested),
        held_out=_probabilities(predict, take(X, np.flatnonzero(~seen)), classes[~seen], int(y.max()) + 1),
    )


def do(
    request: SubsetFit,
    fit: Fit,
    X: Any,
    y: NDArray[np.int64],
    X_test: Any = None,
    y_test: NDArray[np.int64] | None = None,
) -> SubsetOutcome:
    """Fits a subset and observes; only its own examples are copied, and only while it is fitted.

    Args:
        request: which subset.
        fit: the learner.
        X: (n, ...) inputs of the pool.
        y: (n,) class indices of the pool.
        X_test: inputs of the test points; None for none.
        y_test: class indices of the test points; None for none.
    """
    rows = request.rows
    return observe(fit(take(X, rows), y[rows], request.fit_seed), rows, X, y, X_test, y_test)


def estimate(outcomes: Sequence[SubsetOutcome], *, bootstraps: int = 200, seed: int = 0) -> Memorization:
    """Turns the fits into scores, one an example, and into what they say together.

    Args:
        outcomes: at least two fits to subsets of one pool, all of one size.
        bootstraps: number of resamplings of the fits.
        seed: seed of the resamplings.

    Raises:
        ValueError: there are fewer than two fits.
    """
    draws, n = len(outcomes), outcomes[0].n if outcomes else 0
    if draws < 2:
        raise ValueError(f"memorization needs at least 2 fits, got {draws}.")
    scores, errors, q1, q0 = np.empty((4, n))
    times = np.empty(n, dtype=np.int64)
    weights = generator(seed, "bootstrap of fits", 0).multinomial(draws, np.full(draws, 1 / draws), size=bootstraps)
    total, above, known = np.zeros((3, bootstraps))
    for block in _blocks(n, max(draws, bootstraps)):
        inside, correct = _bits(outcomes, "inside", block), _bits(outcomes, "correct", block)
        right, t1 = (inside * correct).sum(axis=0, dtype=np.float64), inside.sum(axis=0, dtype=np.float64)
        of_all = correct.sum(axis=0, dtype=np.float64)
        times[block] = t1
        scores[block], errors[block] = _difference(right, t1, of_all, draws)
        with np.errstate(invalid="ignore", divide="ignore"):
            q1[block], q0[block] = right / t1, (of_all - right) / (draws - t1)
            # The same for every resampling of the fits, which counts each of them a number of times: (bootstraps, b).
            w = weights.astype(np.float32)
            right, t1 = w @ (inside * correct), w @ inside
            resampled = right / t1 - (w @ correct - right) / (draws - t1)
        total += np.nansum(resampled, axis=1)
        above += (resampled >= MEMORIZED).sum(axis=1)
        known += np.isfinite(resampled).sum(axis=1)
    has = np.isfinite(scores)
    if not has.any():
        raise ValueError("no example is both in one of the subsets and outside another; take more subsets.")
    return Memorization(
        scores=scores,
        errors=errors,
        inside=q1,
        outside=q0,
        times_inside=times,
        draws=draws,
        size=int(np.unpackbits(outcomes[0].inside).sum()),
        mean=float(scores[has].mean()),
        mean_error=_deviation(total, known),
        share=float((scores[has] >= MEMORIZED).mean()),
        share_error=_deviation(above, known),
        share_below=float((scores[has] <= -MEMORIZED).mean()),
    )


def influence(
    outcomes: Sequence[SubsetOutcome], *, most: int = 100, alpha: float = 0.05, least: float = INFLUENTIAL
) -> Influence:
    """Finds the pairs of a training example and a test point whose influence is not chance.

    If an example has no influence on a test point, it is as likely to be in the subset of a fit that is right as in
    that of one that is wrong; this is what Fisher's exact test tests, whatever the other examples do.

    Args:
        outcomes: fits to subsets of one pool that were asked about test points.
        most: how many pairs to return at most.
        alpha: probability, in (0, 1), that any pair is found by chance alone.
        least: pairs with a smaller |influence| are not counted.

    Raises:
        ValueError: there are no fits, no test points, or alpha is out of its range.
    """
    if not outcomes or not outcomes[0].n_test:
        raise ValueError("influence needs fits that were asked about test points; give X_test and y_test.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie in (0, 1), got {alpha}; for five percent write 0.05.")
    draws, n, n_test = len(outcomes), outcomes[0].n, outcomes[0].n_test
    tested = n * n_test
    times = np.zeros(n, dtype=np.int64)
    for one in outcomes:
        times += np.unpackbits(one.inside, count=n)
    ts, which_t = np.unique(times, return_inverse=True)
    correct = _test_bits(outcomes)
    cs, which_c = np.unique(correct.sum(axis=0).astype(np.int64), return_inverse=True)
    # By t1 and the number of fits that are right: from how many right ones with i on, and up to how many, because so
    # many are right without i, it is not chance.
    level = alpha / (2 * tested)
    t1, right = np.broadcast_arrays(ts[:, None], cs)
    enough_with = _critical(draws, right, t1, level).astype(np.float32)
    few_with = (right - _critical(draws, right, draws - t1, level)).astype(np.float32)
    possible = bool(
        (enough_with <= np.minimum(t1, right)).any() or (few_with >= np.maximum(0, right - draws + t1)).any()
    )
    found, kept = 0, np.zeros((4, 0))
    for block in _blocks(n, n_test) if possible else ():
        right = _bits(outcomes, "inside", block).T @ correct
        row = which_t[block]
        i, j = np.nonzero((right >= enough_with[row][:, which_c]) | (right <= few_with[row][:, which_c]))
        values, errors = _difference(right[i, j], ts[row[i]], cs[which_c[j]], draws)
        strong = np.abs(values) >= least
        found += int(strong.sum())
        kept = np.concatenate([kept, np.stack([i + block.start, j, values, errors])[:, strong]], axis=1)
        kept = kept[:, np.lexsort((kept[1], kept[0], -np.abs(kept[2])))[:most]]
    pairs = []
    for i, j, value, error in kept.T:
        p = _two_sided(draws, int(cs[which_c[int(j)]]), int(times[int(i)]), value)
        pairs.append(Pair(int(i), int(j), float(value), float(error), min(1.0, p * tested)))
    return Influence(tuple(pairs), found, tested, alpha, draws, possible)


def influence_of(
    outcomes: Sequence[SubsetOutcome], start: int, stop: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The influence of the examples from `start` to `stop` on every test point, and its standard errors.

    Args:
        outcomes: fits to subsets of one pool that were asked about test points.
        start: place of the first example.
        stop: place after the last example.

    Returns:
        Two arrays (stop - start, n_test); nan for an example that was in all subsets or in none.
    """
    inside, correct = _bits(outcomes, "inside", slice(start, stop)), _test_bits(outcomes)
    times = inside.sum(axis=0)[:, None]
    return _difference(inside.T @ correct, times, correct.sum(axis=0), len(outcomes))


def measure(
    fit: Fit,
    X: Any,
    y: NDArray[np.int64],
    *,
    draws: int = 30,
    share: float = SHARE,
    seed: int = 0,
) -> Memorization:
    """Fits subsets and says how much of each label was memorized.

    For influence, or to find label errors from the same fits, use `requests`, `do`, `estimate` and `influence`.

    Args:
        fit: the learner.
        X: (n, ...) inputs: an array, a sparse matrix, a frame or a list.
        y: (n,) class indices.
        draws: number of subsets, at least 2.
        share: share of the examples in a subset, in (0, 1).
        seed: seed of the subsets and of the learner.

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from shatterlab.measures.fitting import from_sklearn
    >>> odd = np.arange(40) % 2  # each example lies between two of the other class
    >>> found = measure(from_sklearn(KNeighborsClassifier(1)), np.arange(40.0)[:, None], odd)
    >>> bool(found.mean > 0.5)
    True
    """
    y = np.asarray(y)
    plan = requests(length(X), draws=draws, share=share, seed=seed)
    return estimate([do(request, fit, X, y) for request in plan], seed=seed)


def _probabilities(predict: Predict, X: Any, classes: NDArray[np.int64], n_classes: int) -> NDArray[np.float32]:
    """The probabilities (n, n_classes); a class that is the label of no example has no column."""
    function = probabilities_of(predict)
    full = np.zeros((len(classes), n_classes), dtype=np.float32)
    if function is None:
        known = classes < n_classes
        full[np.flatnonzero(known), classes[known]] = 1
        return full
    given = np.asarray(function(X))
    if given.ndim != 2 or len(given) != len(classes):
        raise ValueError(f"probabilities must be (n, classes) for n = {len(classes)} inputs, got shape {given.shape}.")
    if not np.isfinite(given).all():
        raise ValueError("probabilities must be finite numbers, got nan or infinity: the fit may have diverged.")
    full[:, : given.shape[1]] = given[:, :n_classes]
    return full


def _blocks(n: int, beside: int) -> Iterator[slice]:
    """Cuts n examples, for each of which `beside` numbers are held; a block begins with a byte of eight examples."""
    step = max(8, BLOCK // beside // 8 * 8)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _bits(outcomes: Sequence[SubsetOutcome], name: str, block: slice) -> NDArray[np.float32]:
    """0 or 1 for each fit and each example of a block, (draws, b); the block may begin anywhere."""
    first = block.start // 8
    packed = np.stack([getattr(one, name)[first : -(-block.stop // 8)] for one in outcomes])
    bits = np.unpackbits(packed, axis=1)[:, block.start - 8 * first : block.stop - 8 * first]
    return bits.astype(np.float32)


def _test_bits(outcomes: Sequence[SubsetOutcome]) -> NDArray[np.float32]:
    return _bits(outcomes, "correct_test", slice(0, outcomes[0].n_test))


def _difference(right: NDArray, times: NDArray, right_of_all: NDArray, draws: int) -> tuple[NDArray, NDArray]:
    """The share of right fits among `times` less that among the other draws, and its standard error."""
    right0, t0 = right_of_all - right, draws - times
    with np.errstate(invalid="ignore", divide="ignore"):  # nan for an example that was in no subset, or in all
        return right / times - right0 / t0, np.sqrt(_variance(right, times) + _variance(right0, t0))


def _variance(right: NDArray, times: NDArray) -> NDArray:
    """The variance of a share right/times; 0 and 1 are moved inwards by Laplace's rule, so that it is never 0."""
    share = right / times
    share = np.where((right == 0) | (right == times), (right + 1) / (times + 2), share)
    return share * (1 - share) / times


def _deviation(total: NDArray, known: NDArray) -> float:
    """The standard deviation of total/known over the resamplings that have a number."""
    return float(np.std(total[known > 0] / known[known > 0], ddof=1))


def _critical(draws: int, right: NDArray, times: NDArray, level: float) -> NDArray[np.int64]:
    """The least x with P(X >= x) <= level, X being the number of right fits among `times` of all draws.

    Of the draws, `right` are right, and X is hypergeometric if the choice of the others has nothing to do with it.
    Where no x has so small a probability, the result lies above all values of X.
    """
    from scipy.stats import hypergeom

    right, times = np.broadcast_arrays(right, times)
    low, high = np.zeros_like(right), np.minimum(right, times) + 1  # P(X >= high) is 0
    while (low < high).any():
        middle = (low + high) // 2
        enough = hypergeom.sf(middle - 1, draws, right, times) <= level
        low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
    return high


def _two_sided(draws: int, right: int, times: int, value: float) -> float:
    """Twice the smaller tail of the hypergeometric distribution, at most 1."""
    from scipy.stats import hypergeom

    # value = x / times - (right - x) / (draws - times), solved for x
    x = round((value + right / (draws - times)) / (1 / times + 1 / (draws - times)))
    tail = min(hypergeom.sf(x - 1, draws, right, times), hypergeom.cdf(x, draws, right, times))
    return min(1.0, 2 * float(tail))
