"""What is guaranteed about a learner's error on new examples, from one fit.

The formulas and what they assume are in `bounds`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import fraction, number, whole
from .bounds import held_out, known_wrong_labels, points_needed, published, rigorous, without_deviation
from .fitting import Fit, finished, generator, predicted, seed_of, take


@dataclass(frozen=True)
class Certificate:
    """One guarantee: with probability 1 - delta the error on new examples is at most `bound`.

    Args:
        kind: what guarantees it: "held-out examples", "random labels, as published", "random labels, rigorous" or
            "labels known to be wrong".
        bound: the guaranteed error, which may exceed 1 or be infinite.
        delta: probability that this one guarantee fails, already divided by the number of models looked at.
        k: number of classes.
        points: number of held-out or randomly labelled points that it rests on.
        enough: least number of points from which, at the same shares of errors (and the same proportion of labelled to
            random points), it would be better than guessing; None if no number would.
    """

    kind: str
    bound: float
    delta: float
    k: int
    points: int
    enough: int | None

    @property
    def verdict(self) -> str:
        """`"vacuous"` from 1 on, `"no better than guessing"` from 1 - 1/k on, else `"better than guessing"`."""
        if self.bound >= 1:
            return "vacuous"
        return "no better than guessing" if self.bound >= 1 - 1 / self.k else "better than guessing"

    def __str__(self) -> str:
        text = f"Error <= {self.bound:.3f} with probability {1 - self.delta:.4g} ({self.kind}, n = {self.points:,})"
        if self.verdict == "better than guessing":
            return f"{text}."
        if self.enough is None:
            return f"{text}: {self.verdict}; more points would not help."
        return f"{text}: {self.verdict}; {self.enough:,} points with the same shares of errors would be useful."


def by_held_out(wrong: int, m: int, k: int, *, delta: float = 0.05) -> Certificate:
    """The certificate of `held_out`, whose arguments and errors it has, with k the number of classes, at least 2."""
    m, k = whole("m", m), whole("k", k, least=2)
    wrong, delta = number("wrong", wrong, most=m), fraction("delta", delta)
    share = wrong / m
    return _certificate(
        "held-out examples", lambda points: held_out(share * points, points, delta=delta), share, m, k, delta
    )


def by_random_labels(
    clean_error: float, random_error: float, n: int, m: int, k: int, *, delta: float = 0.05
) -> tuple[Certificate, Certificate]:
    """The certificates of `published` and of `rigorous`, whose arguments and errors it has."""
    limit = without_deviation(clean_error, random_error, k)
    n, m = whole("n", n), whole("m", m)

    def certificate(name: str, formula: Callable[..., float]) -> Certificate:
        def bound_at(points: int) -> float:
            return formula(clean_error, random_error, n * points / m, points, k, delta=delta)

        return _certificate(f"random labels, {name}", bound_at, limit, m, k, delta)

    return certificate("as published", published), certificate("rigorous", rigorous)


def by_known_wrong_labels(fitted: int, m_wrong: int, k: int, *, delta: float = 0.05) -> Certificate:
    """The certificate of `known_wrong_labels`, whose arguments and errors it has."""
    m_wrong, k = whole("m_wrong", m_wrong), whole("k", k, least=2)
    fitted, delta = number("fitted", fitted, most=m_wrong), fraction("delta", delta)
    share = fitted / m_wrong
    return _certificate(
        "labels known to be wrong",
        lambda points: known_wrong_labels(share * points, points, k, delta=delta),
        (k - 1) * share,
        m_wrong,
        k,
        delta,
    )


def _certificate(
    kind: str, bound_at: Callable[[int], float], limit: float, points: int, k: int, delta: float
) -> Certificate:
    """The certificate from a bound as a function of the number of points, and from its limit for many."""
    guessing = 1 - 1 / k
    enough = points_needed(bound_at, guessing) if limit < guessing else None
    return Certificate(kind, bound_at(points), delta, k, points, enough)


@dataclass(frozen=True)
class Assumption:
    """A test of what random labels assume: that wrong labels are fitted in training no worse than fresh ones.

    Args:
        excess: E_M - E_D'(f), the training error on wrongly labelled points less the error on fresh inputs with wrong
            labels, which is 1 - E/(k-1) for an error E on held-out examples. An exact minimizer keeps it below
            `allowed`.
        error: standard error of the excess over the held-out and the wrongly labelled points.
        allowed: sqrt(ln(1/delta) / (2 m_wrong)), what the bound allows for.
        m_held_out, m_wrong: numbers of points.
    """

    excess: float
    error: float
    allowed: float
    m_held_out: int
    m_wrong: int

    @property
    def holds(self) -> bool:
        """Whether the excess, as measured, is within what is allowed."""
        return self.excess <= self.allowed

    def __str__(self) -> str:
        return (
            f"Wrong labels are missed {self.excess:+.3f} ± {self.error:.3f} (standard error) more often in training "
            f"than fresh ones would be; at most {self.allowed:.3f} is allowed (n = {self.m_held_out:,} held out, "
            f"{self.m_wrong:,} wrong): the assumption {'holds here' if self.holds else 'fails, and the bound with it'}."
        )


def check_assumption(
    held_out_wrong: int, m_held_out: int, fitted: int, m_wrong: int, k: int, *, delta: float = 0.05
) -> Assumption:
    """Compares the wrong labels that were trained on with fresh ones.

    Args:
        held_out_wrong, m_held_out: number of held-out examples predicted wrongly, and of all of them.
        fitted, m_wrong: number of wrongly labelled training points that are predicted as labelled, and of all of them.
        k: number of classes.
        delta: the level of the bound whose assumption it is.
    """
    error, share = held_out_wrong / m_held_out, fitted / m_wrong
    spread = sqrt(error * (1 - error) / m_held_out / (k - 1) ** 2 + share * (1 - share) / m_wrong)
    excess = error / (k - 1) - share
    return Assumption(excess, spread, sqrt(log(1 / delta) / (2 * m_wrong)), m_held_out, m_wrong)


@dataclass(frozen=True, eq=False)
class Relabelling:
    """The one fit that all certificates come from: some examples as they are, some with random labels, some held out.

    Args:
        kept: places of the examples that keep their labels, (n,).
        relabelled: places of the examples with random labels, (m,).
        held: places of the examples that are held out, with their labels known, (h,).
        labels: the class indices to be fitted, (n + m,): of the kept, then of the relabelled.
        wrong: which of the relabelled are known to carry a wrong label, (m,); None where their true labels are unknown.
        truth: the true classes of the kept and of the held-out examples, (n + h,).
        k: number of classes.
        fit_seed: the seed that the fit is given.
    """

    kept: NDArray[np.int64]
    relabelled: NDArray[np.int64]
    held: NDArray[np.int64]
    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_] | None
    truth: NDArray[np.int64]
    k: int
    fit_seed: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places of the training examples, (n + m,): the kept, then the relabelled."""
        return np.concatenate([self.kept, self.relabelled])


@dataclass(frozen=True)
class Certificates:
    """What is guaranteed about one model, each with probability 1 - delta by itself.

    Args:
        held_out: by held-out examples; None if there are none.
        published, rigorous: by random labels.
        known_wrong: by the labels known to be wrong; None where true labels are unknown or no label is wrong.
        assumption: the test of what random labels assume; None without held-out examples or known labels.
        clean_error, random_error: training errors E_S and E_R on true and on random labels.
        n, m: numbers of training points with true and with random labels.
        test_error: share of the held-out examples predicted wrongly; None if there are none.
        finished: whether the fit ended because it could not improve.
    """

    held_out: Certificate | None
    published: Certificate
    rigorous: Certificate
    known_wrong: Certificate | None
    assumption: Assumption | None
    clean_error: float
    random_error: float
    n: int
    m: int
    test_error: float | None
    finished: bool

    @property
    def main(self) -> Certificate:
        """By held-out examples; without them by labels known to be wrong; without these by random labels, rigorous.

        It is chosen by its kind and not by its value, so that it holds with probability 1 - delta.
        """
        return self.held_out or self.known_wrong or self.rigorous

    def __str__(self) -> str:
        return str(self.main)


def request(
    y: NDArray[np.int64], *, k: int | None = None, relabelled: float = 0.2, held: float = 0.2, seed: int = 0
) -> Relabelling:
    """Draws which examples keep their labels, which get random ones and which are held out.

    Args:
        y: (n,) class indices; -1 for an example whose label is unknown. If there are such examples, all of them
            get random labels and no other does.
        k: number of classes; the largest class and one if None.
        relabelled: share of the labelled examples that get random labels, in (0, 1), if none are unlabelled.
        held: share of the labelled examples that is held out, in [0, 1).
        seed: seed of the split, of the random labels and of the learner.

    Raises:
        ValueError: the shares leave no example in some part, or there are fewer than two classes.
    """
    held, seed = number("held", held, most=1, below=True), whole("seed", seed, least=0)
    y = np.asarray(y, dtype=np.int64)
    known, unknown = np.flatnonzero(y >= 0), np.flatnonzero(y < 0)
    if not len(unknown):
        relabelled = fraction("relabelled", relabelled)
    classes = int(y.max(initial=-1)) + 1 if k is None else whole("k", k, least=2)
    if classes < 2:
        raise ValueError(f"a certificate needs at least two classes, got {classes}.")
    order = generator(seed, "split", 0).permutation(known)
    n_held = round(held * len(known))
    n_random = 0 if len(unknown) else round(relabelled * len(known))
    place, rest = order[:n_held], order[n_held:]
    chosen, kept = (unknown, rest) if len(unknown) else (rest[:n_random], rest[n_random:])
    if not (len(kept) and len(chosen)):
        raise ValueError(
            f"{len(y)} examples with relabelled={relabelled} and held={held} leave nothing to train on or to relabel; "
            "give more examples or other shares."
        )
    drawn = generator(seed, "random labels", 0).integers(classes, size=len(chosen))
    wrong = None if len(unknown) else drawn != y[chosen]
    labels = np.concatenate([y[kept], drawn])
    truth = y[np.concatenate([kept, place])]
    return Relabelling(kept, chosen, place, labels, wrong, truth, classes, seed_of(seed, "weights of certificate", 0))


def estimate(
    request: Relabelling,
    trained: NDArray[np.int64],
    held: NDArray[np.int64],
    *,
    delta: float = 0.05,
    looks: int = 1,
    finished: bool = True,
) -> Certificates:
    """Turns the predictions of one model into certificates.

    Args:
        request: the fit that was asked for.
        trained: predicted classes of the training examples, (n + m,), in the order of `request.rows`.
        held: predicted classes of the held-out examples, (h,), in the order of `request.held`.
        delta: probability with which each certificate may fail.
        looks: number T of models or checkpoints of which this one was chosen; each is bounded at delta / T.
        finished: whether the fit ended because it could not improve.

    Raises:
        ValueError: delta is not in (0, 1) or looks is below 1.
    """
    delta = fraction("delta", delta)
    looks = whole("looks", looks)
    delta, k, n = delta / looks, request.k, len(request.kept)
    m, m_held = len(request.relabelled), len(request.held)
    missed = trained != request.labels
    clean_error, random_error = float(missed[:n].mean()), float(missed[n:].mean())
    by_paper, by_proof = by_random_labels(clean_error, random_error, n, m, k, delta=delta)
    held_wrong = int((held != request.truth[n:]).sum())
    by_test = by_held_out(held_wrong, m_held, k, delta=delta) if m_held else None
    by_wrong = assumption = None
    if request.wrong is not None and request.wrong.any():
        fitted, m_wrong = int((~missed[n:])[request.wrong].sum()), int(request.wrong.sum())
        by_wrong = by_known_wrong_labels(fitted, m_wrong, k, delta=delta)
        if m_held:
            assumption = check_assumption(held_wrong, m_held, fitted, m_wrong, k, delta=delta)
    return Certificates(
        held_out=by_test,
        published=by_paper,
        rigorous=by_proof,
        known_wrong=by_wrong,
        assumption=assumption,
        clean_error=clean_error,
        random_error=random_error,
        n=n,
        m=m,
        test_error=held_wrong / m_held if m_held else None,
        finished=finished,
    )


def measure(
    fit: Fit,
    X: Any,
    y: NDArray[np.int64],
    *,
    k: int | None = None,
    relabelled: float = 0.2,
    held: float = 0.2,
    delta: float = 0.05,
    looks: int = 1,
    seed: int = 0,
) -> Certificates:
    """Fits once, with random labels among the true ones, and says what is guaranteed about the outcome.

    Args:
        fit: the learner.
        X: (n, ...) inputs: an array, a sparse matrix, a frame or a list.
        y, k, relabelled, held, seed: see `request`.
        delta, looks: see `estimate`.
    """
    asked = request(y, k=k, relabelled=relabelled, held=held, seed=seed)
    inputs = take(X, asked.rows)
    predict = fit(inputs, asked.labels, asked.fit_seed)
    held_classes = predicted(predict, take(X, asked.held)) if len(asked.held) else asked.held
    return estimate(
        asked, predicted(predict, inputs), held_classes, delta=delta, looks=looks, finished=finished(predict)
    )
