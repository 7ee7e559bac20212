"""Bias, variance and noise by repeated sampling: the decomposition of the expected squared error.

    E (y - f_D(x))² = (E_D f_D(x) - f(x))² + Var_D f_D(x) + sigma²

for y = f(x) + noise and a fit f_D to a random training set D.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arguments import number, whole


@dataclass(frozen=True)
class Decomposition:
    """The parts of the expected squared error, each a mean over x in squared units of y.

    Args:
        bias2: squared bias, without the part that the finite number of repeats adds.
        variance: variance of the fits over training sets.
        noise: sigma², the variance of the noise on y.
        total: the expected squared error, measured on noisy test points of its own and not summed from the parts.
        total_error: standard error of `total` over the repeats.
        bias2_error: standard error of `bias2`, by the delta method.
        variance_error: standard error of `variance`, by the delta method.
    """

    bias2: float
    variance: float
    noise: float
    total: float
    total_error: float
    bias2_error: float
    variance_error: float


def sine(x: NDArray) -> NDArray:
    """The function to be learned, sin(2 pi x) on [-1, 1]."""
    return np.sin(2 * np.pi * x)


def polynomial_fits(degree: int, x: NDArray, y: NDArray, at: NDArray) -> NDArray:
    """Fits least-squares polynomials in Legendre's basis; where n points do not determine one, it has least norm.

    Args:
        degree: degree of the polynomials, 0 or more.
        x, y: (repeats, n) training sets.
        at: points in [-1, 1] at which the fits are evaluated, (points,) or (repeats, points).

    Returns:
        The values of the fits, (repeats, points).
    """
    basis = np.polynomial.legendre.legvander
    coefficients = np.linalg.pinv(basis(x, degree)) @ y[..., None]
    return (basis(at, degree) @ coefficients)[..., 0]


def decompose(
    degree: int,
    *,
    n: int = 60,
    noise: float = 0.5,
    repeats: int = 1_000,
    points: int = 200,
    seed: int = 0,
    truth: Callable[[NDArray], NDArray] = sine,
) -> Decomposition:
    """Fits a polynomial to `repeats` training sets and takes the error apart.

    Args:
        degree: degree of the polynomial, its complexity.
        n: number of points of a training set, drawn as cos(pi u) with uniform u, as are the test points: they are
            denser towards the ends of [-1, 1], where a polynomial of high degree would otherwise be free to explode.
        noise: standard deviation sigma of the Gaussian noise on y.
        repeats: number of training sets, at least 2.
        points: number of test points.
        seed: seed of all random numbers.
        truth: the function f, which takes arrays.

    Raises:
        ValueError: there are fewer than two repeats, which tell variance from bias, or no points; the degree or the
            noise is negative or no number.
    """
    n, points, degree = whole("n", n), whole("points", points), whole("degree", degree, least=0)
    repeats, noise = whole("repeats", repeats, least=2), number("noise", noise)
    rng = np.random.default_rng([seed, degree])
    x = np.cos(np.pi * rng.random((repeats, n)))
    y = truth(x) + noise * rng.standard_normal((repeats, n))
    grid = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    fits = polynomial_fits(degree, x, y, np.broadcast_to(grid, (repeats, points)))
    off = fits.mean(axis=0) - truth(grid)
    from_mean = fits - fits.mean(axis=0)
    variance = fits.var(axis=0, ddof=1).mean()
    bias2 = (off**2).mean() - variance / repeats

    def error(values: NDArray) -> float:
        return float(values.std(ddof=1) / np.sqrt(repeats))

    fresh = np.cos(np.pi * rng.random((repeats, points)))
    seen = truth(fresh) + noise * rng.standard_normal((repeats, points))
    errors = ((seen - polynomial_fits(degree, x, y, fresh)) ** 2).mean(axis=1)
    return Decomposition(
        bias2=float(bias2),
        variance=float(variance),
        noise=noise**2,
        total=float(errors.mean()),
        total_error=error(errors),
        # What a fit adds to the bias is of first order in its distance from the mean; where there is no bias, the
        # second order is left, which is of the size of the part subtracted above.
        bias2_error=float(np.hypot(error(2 * (off * from_mean).mean(axis=1)), variance / repeats)),
        variance_error=error((from_mean**2).mean(axis=1)),
    )
