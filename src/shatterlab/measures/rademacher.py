"""The empirical Rademacher complexity, from below: how well does a learner fit random signs?

    R(H) = E_s sup_h (1/n) sum_i s_i h(x_i),   h(x) in {-1, +1},  s_i = ±1 with probability 1/2 each

and sup_h (1/n) sum_i s_i h(x_i) is 1 - 2 times the least training error on the labels s. With probability 1 - delta,
every h of H has

    error <= training error + R(H) + 3 sqrt(ln(2/delta) / (2n)).

A trained model finds one h, not the best one, so that what is measured is a lower bound on R(H). It can show that the
inequality is vacuous for the learner; a small number proves nothing. All of this is about two classes.

Source: Zhang et al. (2017), equation 1; Mohri, Rostamizadeh and Talwalkar, Foundations of Machine Learning (2018), 3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import fraction, number, whole
from .fitting import Fit, Outcome, do, generator, length, seed_of

NEAR_ONE = 0.9
"""From here on a complexity is called near 1, for which it cannot exceed."""


@dataclass(frozen=True)
class SignDraw:
    """A fit to random signs: draw `index` under `seed`, for all n examples.

    Args:
        n: number of examples.
        index: which draw, from 0.
        seed: seed of all draws.
    """

    n: int
    index: int
    seed: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """All examples in their order, (n,)."""
        return np.arange(self.n)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The signs as classes, (n,): 0 stands for -1 and 1 for +1."""
        return generator(self.seed, "signs", self.index).integers(2, size=self.n)

    @property
    def fit_seed(self) -> int:
        """The seed that the fit is given."""
        return seed_of(self.seed, "weights of signs", self.index)


@dataclass(frozen=True)
class Rademacher:
    """A lower bound on the empirical Rademacher complexity.

    Args:
        value: mean over the draws of 1 - 2 error on random signs, from -1 to 1.
        error: standard error of that mean over the draws, their standard deviation / sqrt(draws); nan for one draw.
        n: number of examples.
        draws: number of draws of signs.
        values: the number of each draw.
        unfinished: number of fits that ended while they would still have improved, so that more could be fitted.
    """

    value: float
    error: float
    n: int
    draws: int
    values: tuple[float, ...]
    unfinished: int = 0

    def least_guarantee(self, training_error: float, delta: float = 0.05) -> float:
        """What the inequality guarantees at best: an error of at most this number; the true bound may be larger.

        Args:
            training_error: share of training examples predicted wrongly, with two classes.
            delta: probability that the inequality fails, over draws of the training examples.
        """
        return training_error + self.value + 3 * sqrt(log(2 / delta) / (2 * self.n))

    @property
    def verdict(self) -> str:
        """What follows from the number, in words."""
        if self.value >= NEAR_ONE:
            return "near 1: a bound on the error that rests on it is vacuous"
        if self.least_guarantee(0.0) - self.value >= 0.5:
            return "but with so few examples a bound that rests on it is no better than guessing, however small it is"
        if self.least_guarantee(0.0) >= 0.5:
            return "so large that a bound on the error that rests on it is no better than guessing"
        return "small, which proves nothing, because a trained model gives only a lower bound"

    def __str__(self) -> str:
        spread = "one draw" if self.draws == 1 else f"± {self.error:.3f} standard error over {self.draws} draws"
        still = f"; {self.unfinished} of the fits still improving" if self.unfinished else ""
        return (
            f"Rademacher complexity of at least {self.value:.3f} ({spread} of random signs, n = {self.n:,}{still}): "
            f"{self.verdict}."
        )


def requests(n: int, *, draws: int = 10, seed: int = 0) -> list[SignDraw]:
    """The fits that are needed; more draws keep those there are.

    Args:
        n: number of examples.
        draws: number of draws of signs, at least 1.
        seed: seed of the draws.

    Raises:
        ValueError: a number is out of its range.
    """
    n, draws, seed = whole("n", n), whole("draws", draws), whole("seed", seed, least=0)
    return [SignDraw(n, index, seed) for index in range(draws)]


def estimate(outcomes: Sequence[Outcome]) -> Rademacher:
    """Turns the fits to random signs, at least one, into the number; all have the same n."""
    values = np.array([1 - 2 * outcome.error for outcome in outcomes])
    draws = len(values)
    error = float(values.std(ddof=1) / sqrt(draws)) if draws > 1 else nan
    unfinished = sum(not outcome.finished for outcome in outcomes)
    return Rademacher(float(values.mean()), error, outcomes[0].n, draws, tuple(values.tolist()), unfinished)


def measure(fit: Fit, X: Any, *, draws: int = 10, seed: int = 0) -> Rademacher:
    """Fits random signs `draws` times; the labels of the data are not needed.

    Args:
        fit: the learner.
        X: (n, ...) inputs: an array, a sparse matrix, a frame or a list.
        draws: number of draws of signs, at least 1.
        seed: seed of the draws and of the learner.

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from shatterlab.measures.fitting import from_sklearn
    >>> print(measure(from_sklearn(KNeighborsClassifier(1)), np.arange(40.0)[:, None], draws=3).verdict)
    near 1: a bound on the error that rests on it is vacuous
    """
    return estimate([do(request, fit, X) for request in requests(length(X), draws=draws, seed=seed)])


def one_draw_spread(n: int, delta: float = 0.05) -> float:
    """How far a draw may lie from R(H) with probability 1 - delta if fits were perfect: sqrt(2 ln(2/delta) / n).

    Changing one sign changes the supremum by at most 2/n, and McDiarmid's inequality does the rest.

    Raises:
        ValueError: n is no whole number of at least 1, or delta not in (0, 1).
    """
    n, delta = whole("n", n), fraction("delta", delta)
    return sqrt(2 * log(2 / delta) / n)


def linear_upper_bound(X: ArrayLike, norm: float) -> float:
    """An upper bound for the linear functions w'x with |w| <= norm: (norm/n) sqrt(sum_i |x_i|²).

    Args:
        X: (n, d) numbers.
        norm: the largest Euclidean norm of w.

    Raises:
        ValueError: X is no table of finite numbers, or norm no finite number of at least 0.

    >>> round(linear_upper_bound([[1, 0], [0, 1]], norm=1), 4)
    0.7071
    """
    X, norm = np.asarray(X, dtype=np.float64), number("norm", norm)
    if X.ndim != 2 or not len(X) or not np.isfinite(X).all():
        raise ValueError(f"X must be a table of finite numbers with at least one row, got one of shape {X.shape}.")
    return float(norm / len(X) * np.linalg.norm(X))
