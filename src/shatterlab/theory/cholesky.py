"""Cholesky factorization of a matrix as large as memory, in place and in blocks.

LAPACK as scipy ships it counts with 32 bits and crashes above 46,340 rows; a copy of the matrix is what
there is no room for. Here only the lower triangle is written, so the strict upper triangle keeps the matrix itself,
and a solution can be checked and refined without forming the matrix again.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

PANEL = 4_096
"""Columns that receive the products of all columns before them at once; a wide product is a fast one."""
BLOCK = 1_024
"""Columns from which halving a panel hands over to LAPACK."""
ROWS = 4_096
"""Rows updated at a time, which bounds the memory beside the matrix to ROWS * PANEL numbers."""


def factor_in_place(matrix: NDArray, panel: int = PANEL, block: int = BLOCK) -> NDArray:
    """Overwrites the lower triangle of a symmetric positive definite matrix with L, matrix = L L'.

    Left-looking: a panel of columns first receives the products of all columns before it, then is factored by halves,
    so that nearly all work is in large matrix products.

    Args:
        matrix: (n, n) float32 or float64, C-contiguous; both triangles filled in.
        panel: columns at a time.
        block: columns from which the halves are left to LAPACK.

    Returns:
        The diagonal the matrix had, (n,); the strict upper triangle is untouched.

    Raises:
        numpy.linalg.LinAlgError: not positive definite in this precision. The matrix is spoilt then.
    """
    diagonal = np.diagonal(matrix).copy()
    n = len(matrix)
    # One place for all products: fresh memory for each would cost a tenth of the time in page faults.
    spare = np.empty(min(n, ROWS) * min(n, panel), matrix.dtype)
    for start in range(0, n, panel):
        end = min(start + panel, n)
        if start:
            before = matrix[start:end, :start]
            _subtract_square(matrix[start:end, start:end], before, block, spare)
            for row in range(end, n, ROWS):
                below = slice(row, row + ROWS)
                _subtract_product(matrix[below, start:end], matrix[below, :start], before, spare)
        _factor(matrix[start:end, start:end], block, spare)
        for row in range(end, n, ROWS):
            _divide(matrix[row : row + ROWS, start:end], matrix[start:end, start:end], block, spare)
    return diagonal


def _subtract_product(target: NDArray, left: NDArray, right: NDArray, spare: NDArray) -> None:
    """target <- target - left right', in place."""
    target -= np.matmul(left, right.T, out=spare[: target.size].reshape(target.shape))


def _factor(corner: NDArray, block: int, spare: NDArray) -> None:
    """Cholesky of the lower triangle of `corner`, in place."""
    if len(corner) <= block:
        lower = scipy.linalg.cholesky(np.tril(corner), lower=True, overwrite_a=True, check_finite=False)
        keep = np.tril_indices(len(corner))
        corner[keep] = lower[keep]
        return
    half = len(corner) // 2
    _factor(corner[:half, :half], block, spare)
    _divide(corner[half:, :half], corner[:half, :half], block, spare)
    _subtract_square(corner[half:, half:], corner[half:, :half], block, spare)
    _factor(corner[half:, half:], block, spare)


def _divide(rows: NDArray, lower: NDArray, block: int, spare: NDArray) -> None:
    """rows <- rows L'^-1 for L in the lower triangle of `lower`, in place."""
    if len(lower) <= block:
        (solve,) = scipy.linalg.get_blas_funcs(("trsm",), (rows,))
        # BLAS counts by columns: to it these are L' and rows', and only L' 's upper triangle is read.
        right = spare[: rows.size].reshape(rows.shape)
        right[:] = rows
        rows[:] = solve(1.0, lower.T, right.T, lower=0, trans_a=1, overwrite_b=1).T
        return
    half = len(lower) // 2
    _divide(rows[:, :half], lower[:half, :half], block, spare)
    _subtract_product(rows[:, half:], rows[:, :half], lower[half:, :half], spare)
    _divide(rows[:, half:], lower[half:, half:], block, spare)


def _subtract_square(corner: NDArray, rows: NDArray, block: int, spare: NDArray) -> None:
    """Lower triangle of corner - rows rows', in place."""
    if len(corner) <= block:
        keep = np.tril_indices(len(corner))
        corner[keep] -= (rows @ rows.T)[keep]
        return
    half = len(corner) // 2
    _subtract_square(corner[:half, :half], rows[:half], block, spare)
    _subtract_product(corner[half:, :half], rows[half:], rows[:half], spare)
    _subtract_square(corner[half:, half:], rows[half:], block, spare)


def solve_factored(matrix: NDArray, right: NDArray, block: int = PANEL) -> NDArray:
    """L'^-1 L^-1 right for L in the lower triangle of `matrix`.

    Args:
        matrix: as `factor_in_place` leaves it.
        right: (n, outputs).

    Returns:
        (n, outputs), of the dtype of `matrix`.
    """
    solution = np.array(right, dtype=matrix.dtype)
    starts = range(0, len(matrix), block)
    for start in starts:
        rows = slice(start, start + block)
        if start:
            solution[rows] -= matrix[rows, :start] @ solution[:start]
        solution[rows] = scipy.linalg.solve_triangular(
            matrix[rows, rows], solution[rows], lower=True, check_finite=False
        )
    for start in reversed(starts):
        rows, end = slice(start, start + block), start + block
        if end < len(matrix):
            solution[rows] -= matrix[end:, rows].T @ solution[end:]
        solution[rows] = scipy.linalg.solve_triangular(
            matrix[rows, rows], solution[rows], lower=True, trans="T", check_finite=False
        )
    return solution


def multiply_upper(matrix: NDArray, diagonal: NDArray, right: NDArray, block: int = PANEL) -> NDArray[np.float64]:
    """The product of the matrix itself with `right`, read from its diagonal and strict upper triangle.

    Args:
        matrix: as `factor_in_place` leaves it.
        diagonal: what it returned.
        right: (n, outputs).

    Returns:
        (n, outputs) float64; products are taken in the dtype of `matrix` and summed over blocks in float64.
    """
    factor = right.astype(matrix.dtype)
    product = diagonal[:, None].astype(np.float64) * right
    for start in range(0, len(matrix), block):
        rows, end = slice(start, start + block), start + block
        corner = np.triu(matrix[rows, rows], 1)
        product[rows] += corner @ factor[rows] + corner.T @ factor[rows]
        if end < len(matrix):
            product[rows] += matrix[rows, end:] @ factor[end:]
            product[end:] += matrix[rows, end:].T @ factor[rows]
    return product
