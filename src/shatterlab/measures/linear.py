"""How many random labels linear models fit, in theory.

Sources: Cover, Geometrical and statistical properties of systems of linear inequalities with applications in pattern
recognition, IEEE Transactions on Electronic Computers (1965); for least squares, the derivation below.
"""

from dataclasses import dataclass
from math import sqrt

from ..arguments import number, whole


def dichotomies(n: int, d: int) -> int:
    """Cover's number of ways to split n points in general position by a plane through the origin of d dimensions.

        C(n, d) = 2 sum_{i < d} binom(n - 1, i)

    Raises:
        ValueError: n or d is no whole number of at least 1.

    >>> dichotomies(3, 2), dichotomies(4, 3)  # of 8 and of 16
    (6, 14)
    """
    n, d = whole("n", n), whole("d", d)
    term, total = 1, 0
    for i in range(min(d, n)):
        total += term
        term = term * (n - 1 - i) // (i + 1)
    return 2 * total


def separable_share(n: int, d: int) -> float:
    """The probability C(n, d) / 2^n that random labels of n points can be separated; exactly 1/2 at n = 2 d.

    Raises:
        ValueError: n or d is no whole number of at least 1.
    """
    n = whole("n", n)  # of numpy it might overflow
    return dichotomies(n, d) / 2**n


@dataclass(frozen=True)
class LinearCapacity:
    """How many points with random labels a plane separates: the separation point is a random number.

    Args:
        low, middle, high: the largest n at which labels are separable with probability at least .95, .5 and .05.
        mean: mean separation point, 2 d or with a bias 2 (d + 1); `middle` is the same.
        deviation: standard deviation of one separation point, sqrt(2 d) or sqrt(2 (d + 1)).
    """

    low: int
    middle: int
    high: int
    mean: float
    deviation: float


def linear_capacity(d: int, *, bias: bool = True) -> LinearCapacity:
    """Cover's theory of two classes and points in general position, for a model that finds every separating plane.

    The separation point is the number of tosses of a coin up to the d-th head, so that its mean and variance are 2 d.

    Args:
        d: number of dimensions, at least 1: the rank of the inputs.
        bias: whether the plane need not pass through the origin, which is one dimension more.

    Raises:
        ValueError: d is no whole number of at least 1.

    >>> linear_capacity(20, bias=False)
    LinearCapacity(low=31, middle=40, high=51, mean=40.0, deviation=6.324555320336759)
    """
    free = whole("d", d) + bool(bias)

    def largest(share: float) -> int:
        low, high = free, 4 * free + 16
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if separable_share(middle, free) >= share else (low, middle)
        return low

    return LinearCapacity(largest(0.95), largest(0.5), largest(0.05), 2.0 * free, sqrt(2 * free))


def sign_error(n: int, d: int) -> float:
    """The training error of least squares without bias on random signs, read by sign: Phi(-sqrt(h / (1 - h))), h = d/n.

    With Gaussian inputs the fit of a point is h y + sqrt(h (1 - h)) z with z about standard normal, because the hat
    matrix is a projection of rank d. It has the wrong sign if z < -sqrt(h / (1 - h)) in the direction of y.

    Args:
        n: number of points.
        d: number of dimensions, at least 1; from n on the error is 0.

    Raises:
        ValueError: n or d is no whole number of at least 1.
    """
    from scipy.stats import norm

    n, d = whole("n", n), whole("d", d)
    return 0.0 if d >= n else float(norm.cdf(-sqrt(d / (n - d))))


def sign_capacity(d: int, tolerance: float) -> float:
    """The number of random signs that least squares without bias fits up to a share of errors: d (1 + 1 / z²).

    Args:
        d: number of dimensions.
        tolerance: share of errors, in (0, 1/2); z is the standard normal's quantile of 1 - tolerance.

    Raises:
        ValueError: a number is out of its range.

    >>> [round(sign_capacity(1, share), 2) for share in (0.1, 0.05, 0.01)]
    [1.61, 1.37, 1.18]
    """
    from scipy.stats import norm

    d, tolerance = whole("d", d), number("tolerance", tolerance, most=0.5, above=True, below=True)
    return d * (1 + 1 / float(norm.ppf(1 - tolerance)) ** 2)
