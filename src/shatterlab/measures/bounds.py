"""Upper bounds on the error on new examples: by held-out labels, or by having tried random ones.

**Held-out examples.** The errors on m fresh examples are binomial, and Clopper and Pearson (1934) give the largest
error rate that m examples with so few errors leave possible at level delta. It assumes nothing about the learner. Where
labels are to be had, it is always the tighter.

**Randomly assigned labels** (RATT: Garg, Balakrishnan, Kolter and Lipton, ICML 2021, arXiv 2105.00303). One model f is
trained on n labelled examples and on m inputs of the same distribution with labels uniform over k classes. Training
errors are E_S on the n and E_R on the m. A model that fits the former and cannot fit the latter must have learnt
something:

    E <= E_S + (k-1) (1 - k/(k-1) E_R) + a deviation.

Let m2 of the m points be labelled wrongly, m1 = m - m2 luckily right, with errors E_M and E_C. Let D' be the
distribution of inputs with a uniform wrong label, for which E_D'(f) = 1 - E(f)/(k-1). With L = ln(4/delta):

1. E_M <= E_D'(f) + sqrt(L / (2 m2)), with probability 1 - delta/4, if f is an exact minimizer of the training error:
   see `known_wrong_labels` for the proof.
2. E_C <= E_S + (1 + m1/n) sqrt(L / (2 m1)), with probability 1 - delta/4, because the luckily right points and the n
   are drawn alike and training does not tell them apart.
3. |m2/m - (k-1)/k| <= sqrt(L / (2m)), with probability 1 - delta/2.
4. m E_R = m1 E_C + m2 E_M.

`rigorous` is the largest error that these four leave possible. `published` is the paper's closed form, whose deviation
for step 3 is smaller than Hoeffding's inequality gives.

**Random labels known to be wrong.** Where the true labels of the m points are known after all, m2 and E_M are known
too, step 1 is all that is needed: `known_wrong_labels`.

All of these are about f, the model trained with the random labels among the true ones. A model trained without them is
another model. Of T models or checkpoints that were looked at, each is bounded at delta / T.
"""

from collections.abc import Callable
from math import ceil, floor, inf, log, sqrt

import numpy as np

from ..arguments import fraction, number, whole

MOST_POINTS = 10**9
"""So many points are looked through when it is asked how many would do."""


def held_out(wrong: float, m: int, *, delta: float = 0.05) -> float:
    """The upper end of Clopper and Pearson's one-sided interval for an error rate.

    Args:
        wrong: number of held-out examples predicted wrongly, from 0 to m; need not be whole.
        m: number of held-out examples, which neither training nor any choice has seen.
        delta: the error rate exceeds the bound with at most this probability.

    Returns:
        The p for which at most `wrong` errors of m have probability delta; 1 if all are wrong.

    Raises:
        ValueError: a number is out of its range.

    >>> round(held_out(0, 59), 4)  # the rule of three: about 3/m
    0.0495
    """
    from scipy.stats import beta

    m = whole("m", m)
    wrong, delta = number("wrong", wrong, most=m), fraction("delta", delta)
    return 1.0 if wrong >= m else float(beta.ppf(1 - delta, wrong + 1, m - wrong))


def without_deviation(clean_error: float, random_error: float, k: int) -> float:
    """What RATT would guarantee with infinitely many points: E_S + (k-1) (1 - k/(k-1) E_R).

    Args and errors are those of `published`.
    """
    clean_error, random_error, k = _errors(clean_error, random_error, k)
    return clean_error + (k - 1) - k * random_error


def published(clean_error: float, random_error: float, n: float, m: int, k: int, *, delta: float = 0.05) -> float:
    """RATT's bound as published, from memory of the paper's theorems 1 and 2.

    Two classes: E_S + 1 - 2 E_R + (sqrt(2) E_R + 2 + m/(2n)) sqrt(L/m), L = ln(4/delta); k classes: the deviation is
    c sqrt(L/(2m)) with c = 2k + sqrt(k) + m/(n sqrt(k)), the largest that the theorem allows.

    Args:
        clean_error: training error E_S on the n labelled points.
        random_error: training error E_R on the m randomly labelled points, against their random labels.
        n, m: numbers of points, at least 1.
        k: number of classes, at least 2.
        delta: the bound fails with at most this probability.

    Returns:
        The bound, which may exceed 1.

    Raises:
        ValueError: a number is out of its range.
    """
    clean_error, random_error, k = _errors(clean_error, random_error, k)
    n, m, delta = _points(n, m, delta)
    L = log(4 / delta)
    if k == 2:
        deviation = (sqrt(2) * random_error + 2 + m / (2 * n)) * sqrt(L / m)
    else:
        deviation = (2 * k + sqrt(k) + m / (n * sqrt(k))) * sqrt(L / (2 * m))
    return without_deviation(clean_error, random_error, k) + deviation


def rigorous(clean_error: float, random_error: float, n: float, m: int, k: int, *, delta: float = 0.05) -> float:
    """The largest error that steps 1 to 4 at the head of this file leave possible.

    Args, returns and errors are those of `published`. The maximum is over the integers m2 that step 3 allows; the bound
    is infinite where these include 0.
    """
    clean_error, random_error, k = _errors(clean_error, random_error, k)
    n, m, delta = _points(n, m, delta)
    L = log(4 / delta)
    middle, width = m * (k - 1) / k, sqrt(L * m / 2)
    least, most = max(0, ceil(middle - width)), min(m, floor(middle + width))
    if least == 0:
        return inf
    wrong = np.arange(least, most + 1, dtype=np.float64)
    right = m - wrong
    drift = (1 + right / n) * np.sqrt(L / (2 * np.maximum(right, 1)))
    right_error = np.minimum(1, clean_error + drift)
    wrong_error = (m * random_error - right * right_error) / wrong
    return float(((k - 1) * (1 - wrong_error + np.sqrt(L / (2 * wrong)))).max())


def _errors(clean_error: float, random_error: float, k: int) -> tuple[float, float, int]:
    return (
        number("clean_error", clean_error, most=1),
        number("random_error", random_error, most=1),
        whole("k", k, least=2),
    )


def _points(n: float, m: int, delta: float) -> tuple[float, int, float]:
    return number("n", n, above=True), whole("m", m), fraction("delta", delta)


def known_wrong_labels(fitted: float, m_wrong: int, k: int, *, delta: float = 0.05) -> float:
    """The bound from training points known to be labelled wrongly: (k-1) (F + sqrt(ln(1/delta) / (2 m_wrong))).

    F is the share of them that the model fits. **Derivation.** Let C be all other training points and W the m_wrong
    wrongly labelled ones, independent draws from D'. Write e(h, .) for the number of errors of h and let

        f  minimize  e(h, C) + e(h, W),        g  minimize  e(h, C) + m_wrong E_D'(h)    over all models h.

    f does no worse than g at the first, and g no worse than f at the second; the sum of the two inequalities is

        e(f, W) - m_wrong E_D'(f)  <=  e(g, W) - m_wrong E_D'(g).

    g depends on C alone, which is independent of W, so the right side is a sum of m_wrong independent terms of mean 0
    and range 1; by Hoeffding's inequality it exceeds sqrt(m_wrong ln(1/delta) / 2) with at most probability delta.
    Divided by m_wrong, with e(f, W) / m_wrong = 1 - F and E_D'(f) = 1 - E(f)/(k-1), this is the bound. (Where no
    minimum is attained, take f and g within any small number of it.) The inequality is step 1 of RATT, at its full
    delta.

    **What it assumes.** f is an exact minimizer of the number of training errors, possibly plus a penalty that
    depends on the model alone, over models chosen before W was seen. Which points are relabelled is drawn without
    regard to them, and the wrong label is uniform over the k - 1 wrong ones; labels drawn uniformly over all k of which
    the right ones are left out are of this kind. A trained network does not minimize errors exactly; for it the
    assumption is that it fits the wrong labels that it was trained on no worse than fresh ones, up to the deviation,
    which `certificate.Assumption` tests.

    Args:
        fitted: number of wrongly labelled training points that are predicted as labelled; need not be whole.
        m_wrong: number of wrongly labelled training points, at least 1.
        k: number of classes, at least 2.
        delta: the bound fails with at most this probability.

    Returns:
        The bound, which may exceed 1.

    Raises:
        ValueError: a number is out of its range.
    """
    m_wrong, k = whole("m_wrong", m_wrong), whole("k", k, least=2)
    fitted, delta = number("fitted", fitted, most=m_wrong), fraction("delta", delta)
    return (k - 1) * (fitted / m_wrong + sqrt(log(1 / delta) / (2 * m_wrong)))


def points_needed(bound_at: Callable[[int], float], below: float) -> int | None:
    """The least number of points m with bound_at(m) < below, for a bound that falls with m.

    Args:
        bound_at: the bound for a number of points.
        below: what it has to fall below.

    Returns:
        None if a thousand million points would not do.

    Raises:
        ValueError: `below` is no finite number above 0.

    >>> points_needed(lambda m: 0.1 + 1 / m, below=0.3)
    6
    """
    below = number("below", below, above=True)
    enough = 1
    while not bound_at(enough) < below:
        if enough > MOST_POINTS:
            return None
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if bound_at(middle) < below else (middle, enough)
    return enough
