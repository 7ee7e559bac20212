"""Conjugate gradients for many right-hand sides, with the preconditioner of Frangella, Tropp and Udell (2023)."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Operator = Callable[[NDArray], NDArray]


def conjugate_gradients(
    apply: Operator, right: NDArray, precondition: Operator, *, tolerance: float, max_iterations: int
) -> tuple[NDArray[np.float64], int]:
    """Solves A x = right for each column by itself, but with one product for all columns in each step.

    Args:
        apply: multiplies (n, outputs) by A, which is symmetric positive definite.
        right: the right-hand sides, (n, outputs).
        precondition: multiplies by an approximate inverse of A, symmetric positive definite.
        tolerance: iterations stop where every column's residual is this small relative to its right-hand side.
        max_iterations: iterations stop after this number at the latest.

    Returns:
        The x with the least residual of all steps, (n, outputs) float64, and the number of iterations.
    """
    right = np.asarray(right, dtype=np.float64)
    solution, left = np.zeros_like(right), right.copy()
    goal = tolerance * np.linalg.norm(right, axis=0)
    # A matrix that is singular to rounding can drive the iterates away from where they have been.
    best, least = solution.copy(), np.linalg.norm(left)
    search = towards = precondition(left)
    slope = (left * towards).sum(axis=0)
    for iteration in range(max_iterations):
        if (np.linalg.norm(left, axis=0) <= goal).all():
            return best, iteration
        image = apply(search)
        # A column that has converged stays where it is.
        step = _ratio(slope, (search * image).sum(axis=0))
        solution += step * search
        left -= step * image
        if (size := np.linalg.norm(left)) < least:
            best, least = solution.copy(), size
        towards = precondition(left)
        slope, before = (left * towards).sum(axis=0), slope
        search = towards + _ratio(slope, before) * search
    return best, max_iterations


def _ratio(above: NDArray, below: NDArray) -> NDArray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def nystrom(columns: NDArray, landmarks: NDArray, ridge: float) -> Operator:
    """Makes an approximate inverse of K + ridge I out of some columns of K.

    The Nystrom approximation U diag(s) U' of K takes care of the large eigenvalues; all others are treated as
    its smallest one.

    Args:
        columns: the columns K[:, landmarks], (n, m).
        landmarks: the indices of the columns, (m,).
        ridge: at least 0.
    """
    columns = columns.astype(np.float64)
    corner = columns[landmarks]
    shift = np.finfo(np.float32).eps * np.trace(corner)  # keeps Cholesky alive; removed from the eigenvalues below
    corner.flat[:: len(corner) + 1] += shift
    half = scipy.linalg.solve_triangular(scipy.linalg.cholesky(corner, lower=True), columns.T, lower=True).T
    values, vectors = scipy.linalg.eigh(half.T @ half)
    kept = values > values[-1] * 1e-10
    values, vectors = values[kept], vectors[:, kept]
    basis = half @ (vectors / np.sqrt(values))
    values = np.maximum(values - shift, values[-1] * 1e-10) + ridge
    smallest = values[0]

    def precondition(vectors: NDArray) -> NDArray:
        inside = basis.T @ vectors
        return basis @ (inside * (smallest / values - 1)[:, None]) + vectors

    return precondition
