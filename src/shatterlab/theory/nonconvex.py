"""Plain gradient descent on three nonconvex problems, from a spectral start (Ma, Wang, Chi and Chen, 2017).

Without projection, truncation or penalty it converges linearly and stays incoherent by itself: the iterates keep away
from directions to which single measurements are most sensitive. Constants follow that paper; its step sizes are
"small constants", and ours stand beside each problem.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arguments import number, whole


@dataclass(frozen=True)
class Path:
    """The path of gradient descent: one entry for each iteration, of which the spectral start is the first.

    Args:
        error: relative error, up to the symmetry that the measurements cannot resolve.
        incoherence: the problem's own measure of incoherence, a small constant for an incoherent iterate.
    """

    error: NDArray[np.float64]
    incoherence: NDArray[np.float64]

    def iterations_to(self, goal: float) -> int | None:
        """The first iteration with at most this error, or None."""
        below = np.flatnonzero(self.error <= goal)
        return int(below[0]) if len(below) else None

    def linearity(self, until: float = 1e-10) -> tuple[float, float]:
        """Slope and R² of a straight line through log error against iterations, down to `until`.

        Below about 1e-12 rounding takes over.
        """
        kept = np.flatnonzero(self.error > until)
        logs = np.log(self.error[: kept[-1] + 1]) if len(kept) else np.zeros(0)
        if len(logs) < 3:
            return float("nan"), float("nan")
        steps = np.arange(len(logs))
        slope, offset = np.polyfit(steps, logs, 1)
        left = logs - (slope * steps + offset)
        return float(slope), float(1 - left.var() / logs.var())


def _path(steps: Iterator[tuple[float, float]]) -> Path:
    error, incoherence = (np.array(values) for values in zip(*steps, strict=True))
    if not (np.isfinite(error).all() and np.isfinite(incoherence).all()):
        raise FloatingPointError("gradient descent diverged; try half the step.")
    return Path(error, incoherence)


def phase_retrieval(
    n: int = 100, m: int | None = None, *, iterations: int = 500, step: float = 0.1, seed: int = 0
) -> Path:
    """Finds x from y_j = (a_j'x)² with Gaussian a_j, up to the sign of x.

    Updates of rate `step` / |x_0|² minimize f(x) = sum_j ((a_j'x)² - y_j)² / (4m). Incoherence is measured as
    max_j |a_j'(x - x*)| / (sqrt(log n) |x*|).

    Args:
        n: number of unknowns.
        m: number of measurements, by default 10n.
        iterations: number of iterations of gradient descent.
        step: step size, see above.
        seed: seed of x and the a_j.
    """
    n, m = whole("n", n, least=2), whole("m", 10 * n if m is None else m)
    iterations, step = whole("iterations", iterations), number("step", step, above=True)
    rng = np.random.default_rng(seed)
    truth, a = rng.standard_normal(n), rng.standard_normal((m, n))
    y = (a @ truth) ** 2

    def steps() -> Iterator[tuple[float, float]]:
        values, vectors = scipy.linalg.eigh((a * y[:, None]).T @ a / m, subset_by_index=[n - 1, n - 1])
        x = np.sqrt(values[0] / 3) * vectors[:, 0]  # E[Y] = |x|² I + 2 x x', largest eigenvalue 3 |x|²
        rate = step / (x @ x)
        size = np.linalg.norm(truth)
        for _ in range(iterations + 1):
            apart = min(x - truth, x + truth, key=np.linalg.norm)
            yield float(np.linalg.norm(apart) / size), float(np.abs(a @ apart).max() / (np.sqrt(np.log(n)) * size))
            seen = a @ x
            x = x - rate / m * (a.T @ ((seen**2 - y) * seen))

    return _path(steps())


def matrix_completion(
    n: int = 300, rank: int = 5, observed: float = 0.3, *, iterations: int = 500, step: float = 0.2, seed: int = 0
) -> Path:
    """Finds X (n, rank) from a part of the entries of M = X X', up to a rotation.

    Updates of rate `step` minimize f(X) = |P(X X' - M)|² / (4p); the nonzero eigenvalues of M are all 1.
    Incoherence is measured as the largest row of X H - X* over the largest row of X*, with the best rotation H.

    Args:
        n: number of rows.
        rank: number of columns.
        observed: probability p that an entry is seen, each independently but for symmetry.
        iterations: number of iterations of gradient descent.
        step: step size, see above.
        seed: seed of X and of the entries that are seen.
    """
    n, rank, observed = whole("n", n), whole("rank", rank), number("observed", observed, above=True)
    if rank > n or observed > 1:
        raise ValueError(f"rank must be at most n and observed at most 1, got {rank}, {n} and {observed:g}.")
    iterations, step = whole("iterations", iterations), number("step", step, above=True)
    rng = np.random.default_rng(seed)
    truth = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    half = np.triu(rng.random((n, n)) < observed)
    seen = (half | half.T) / observed
    measured = seen * (truth @ truth.T)

    def steps() -> Iterator[tuple[float, float]]:
        values, vectors = scipy.linalg.eigh(measured, subset_by_index=[n - rank, n - 1])
        X = vectors * np.sqrt(np.maximum(values, 0))
        size, widest = np.linalg.norm(truth), np.linalg.norm(truth, axis=1).max()
        for _ in range(iterations + 1):
            apart = X @ scipy.linalg.orthogonal_procrustes(X, truth)[0] - truth
            yield float(np.linalg.norm(apart) / size), float(np.linalg.norm(apart, axis=1).max() / widest)
            X = X - step * (seen * (X @ X.T) - measured) @ X

    return _path(steps())


def blind_deconvolution(
    k: int = 50, m: int | None = None, *, iterations: int = 500, step: float = 0.25, seed: int = 0
) -> Path:
    """Finds h and x from y_j = (b_j* h)(x* a_j), up to a complex factor, with Fourier rows b_j and Gaussian a_j.

    Updates of rate `step` / |x|² for h and `step` / |h|² for x minimize f(h, x) = sum_j |b_j* h x* a_j - y_j|². The
    error is that of h x*. At a step of 0.5, which is faster where it works, k = 200 diverges.
    Incoherence is measured as sqrt(m) max_j |b_j* h| / (|h| log m), for h scaled as the truth.

    Args:
        k: number of unknowns in each of h and x.
        m: number of measurements, by default 10k.
        iterations: number of iterations of gradient descent.
        step: step size, see above.
        seed: seed of h, x and the a_j, which are complex.
    """
    k, m = whole("k", k), whole("m", 10 * k if m is None else m, least=2)
    iterations, step = whole("iterations", iterations), number("step", step, above=True)
    rng = np.random.default_rng(seed)

    def gaussian(*shape: int) -> NDArray[np.complex128]:
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)

    true_h, true_x = (vector / np.linalg.norm(vector) for vector in (gaussian(k), gaussian(k)))
    a = gaussian(m, k)
    b = np.exp(-2j * np.pi * np.outer(np.arange(m), np.arange(k)) / m) / np.sqrt(m)  # rows are b_j*
    y = (b @ true_h) * (a @ true_x.conj())  # a @ conj(x) is x* a_j

    def steps() -> Iterator[tuple[float, float]]:
        left, singular, right = scipy.linalg.svd(b.conj().T @ (y[:, None] * a.conj()))
        h, x = np.sqrt(singular[0]) * left[:, 0], np.sqrt(singular[0]) * right[0].conj()
        truth = np.outer(true_h, true_x.conj())
        for _ in range(iterations + 1):
            error = np.linalg.norm(np.outer(h, x.conj()) - truth)
            yield float(error), float(np.sqrt(m) * np.abs(b @ h).max() / (np.linalg.norm(h) * np.log(m)))
            from_h, from_x = b @ h, a @ x.conj()
            wrong = from_h * from_x - y
            along_h = b.conj().T @ (wrong * from_x.conj())
            along_x = a.T @ (wrong.conj() * from_h)
            rates = step / np.linalg.norm(x) ** 2, step / np.linalg.norm(h) ** 2
            h, x = h - rates[0] * along_h, x - rates[1] * along_x

    return _path(steps())


PROBLEMS: dict[str, Callable[..., Path]] = {
    "phase retrieval": phase_retrieval,
    "matrix completion": matrix_completion,
    "blind deconvolution": blind_deconvolution,
}
"""The three problems of the paper, by name."""
