"""Implicit bias of gradient descent on a factored matrix (Gunasekar et al., 2017).

Of all positive semidefinite X that agree with m linear measurements y, gradient descent on |A(U U') - y|² finds one;
which one depends on where it starts. From a tiny U it is, in these experiments, that of least nuclear norm. That it
always is was a conjecture, and has been refuted in special cases.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arguments import number, whole

RATE = 0.4
"""This learning rate from a small start is stable for a truth of Frobenius norm 1."""


@dataclass(frozen=True)
class Sensing:
    """A low-rank matrix and random linear measurements of it.

    Args:
        truth: (n, n) positive semidefinite, Frobenius norm 1.
        operator: (m, n²), each row a symmetric Gaussian matrix of unit expected squared norm / m.
        y: (m,), the measurements: operator times truth.
    """

    truth: NDArray[np.float64]
    operator: NDArray[np.float64]
    y: NDArray[np.float64]


def sensing_problem(n: int = 50, rank: int = 2, measurements: int = 300, seed: int = 0) -> Sensing:
    """Draws a random truth U U' with Gaussian U (n, rank), and symmetric Gaussian measurements of it.

    Raises:
        ValueError: n, rank or measurements is no whole number of at least 1.
    """
    n, rank, measurements = whole("n", n), whole("rank", rank), whole("measurements", measurements)
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((n, rank))
    truth = factor @ factor.T
    truth /= np.linalg.norm(truth)
    gaussian = rng.standard_normal((measurements, n, n))
    operator = ((gaussian + gaussian.transpose(0, 2, 1)) / np.sqrt(4 * measurements)).reshape(measurements, -1)
    return Sensing(truth, operator, operator @ truth.ravel())


@dataclass(frozen=True)
class Descent:
    """The point at which gradient descent ended.

    Args:
        X: U U', (n, n).
        residual: |A(X) - y| / |y|.
        steps: number of steps taken.
    """

    X: NDArray[np.float64]
    residual: float
    steps: int


def descend_factored(
    problem: Sensing,
    start: float,
    *,
    learning_rate: float | None = None,
    tolerance: float = 1e-3,
    max_steps: int = 20_000,
    seed: int = 0,
) -> Descent:
    """Descends |A(U U') - y|² / 2 over U (n, n) by gradients, from a multiple of a random orthogonal matrix.

    Args:
        problem: the measurements.
        start: Frobenius norm of U at the start.
        learning_rate: by default `RATE`, or less where a large start makes the loss steeper.
        tolerance: descent stops at this |A(X) - y| / |y|; a tiny start needs tens of thousands of steps for the last
            digits.
        max_steps: descent stops after this number of steps at the latest.
        seed: seed of the orthogonal matrix.

    Raises:
        FloatingPointError: the descent diverged; a smaller learning rate helps.
        ValueError: a number is not finite or out of its range.
    """
    start, tolerance = number("start", start, above=True), number("tolerance", tolerance)
    max_steps = whole("max_steps", max_steps)
    n = len(problem.truth)
    rng = np.random.default_rng(seed)
    factor = np.linalg.qr(rng.standard_normal((n, n)))[0] * (start / np.sqrt(n))
    if learning_rate is None:
        # U starts with squared singular values start² / n; the loss is steepest along the operator's own directions.
        steep = 2 * float(np.linalg.norm(problem.operator, 2)) ** 2 * start**2 / n
        learning_rate = RATE / max(1.0, steep)
    else:
        learning_rate = number("learning_rate", learning_rate, above=True)
    size = np.linalg.norm(problem.y)
    steps = 0
    while True:
        wrong = problem.operator @ (factor @ factor.T).ravel() - problem.y
        residual = np.linalg.norm(wrong) / size
        if residual <= tolerance or steps == max_steps or not np.isfinite(residual):
            break
        factor = factor - learning_rate * 2 * (wrong @ problem.operator).reshape(n, n) @ factor
        steps += 1
    if not np.isfinite(residual):
        raise FloatingPointError(f"gradient descent diverged at learning rate {learning_rate:g}; try a tenth of it.")
    return Descent(factor @ factor.T, float(residual), steps)


def minimum_nuclear_norm(problem: Sensing, *, tolerance: float = 1e-9, max_steps: int = 20_000) -> NDArray[np.float64]:
    """The positive semidefinite X of least nuclear norm with A(X) = y, by Douglas-Rachford splitting.

    This solves a convex programme and descends no factors: it is a second route to the matrix that gradient descent is
    said to find. For positive semidefinite matrices the nuclear norm is the trace.

    Args:
        problem: the measurements.
        tolerance: iterations stop when a step moves the matrix by less than this, relative to the truth's norm of 1.
        max_steps: iterations stop after this number at the latest.

    Returns:
        X, (n, n) positive semidefinite, which agrees with the measurements to about the tolerance.

    Raises:
        ValueError: the measurements are linearly dependent, or a number is not finite or out of its range.
    """
    tolerance, max_steps = number("tolerance", tolerance), whole("max_steps", max_steps)
    n = len(problem.truth)
    try:
        gram = scipy.linalg.cho_factor(problem.operator @ problem.operator.T)
    except np.linalg.LinAlgError:
        raise ValueError("some measurements repeat others; leave those out.") from None

    def agree(X: NDArray) -> NDArray:
        """The nearest matrix that agrees with the measurements."""
        wrong = problem.y - problem.operator @ X.ravel()
        return X + (problem.operator.T @ scipy.linalg.cho_solve(gram, wrong)).reshape(n, n)

    def shrink(X: NDArray, by: float) -> NDArray:
        """The proximal step of the trace over positive semidefinite matrices."""
        values, vectors = scipy.linalg.eigh(X)
        return (vectors * np.maximum(values - by, 0)) @ vectors.T

    state, step_size = np.zeros((n, n)), 0.05
    for _ in range(max_steps):
        near = agree(state)
        shrunk = shrink(2 * near - state, step_size)
        move = shrunk - near
        state = state + move
        if np.linalg.norm(move) < tolerance:
            break
    return shrunk


def nuclear_norm(X: NDArray) -> float:
    """The sum of singular values."""
    return float(np.linalg.norm(X, "nuc"))
