"""Cholesky factorization of a matrix as large as memory, in place and in blocks.

LAPACK as scipy ships it counts with 32 bits and crashes above 46,340 rows, and there is no room for a copy of the
matrix. Here only the lower triangle is written, so the strict upper triangle keeps the matrix itself,
and a solution can be checked and refined without forming the matrix again.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

BLOCK = 2_560
"""So many columns are factored at once: enough for fast products, few enough to be little beside the matrix."""
TALL = 4
"""So many blocks of rows are updated at once."""


def factor_in_place(matrix: NDArray, block: int = BLOCK) -> NDArray:
    """Overwrites the lower triangle of a symmetric positive definite matrix with L, matrix = L L'.

    The algorithm is left-looking: a block of columns first receives the products of all columns before it, so that
    nearly all work is in large matrix products, and then is factored.

    Args:
        matrix: (n, n) float32 or float64, C-contiguous, with both triangles filled in.
        block: number of columns that are factored at once.

    Returns:
        The original diagonal of the matrix, (n,); the strict upper triangle is untouched.

    Raises:
        numpy.linalg.LinAlgError: the matrix is not positive definite in this precision, and is spoilt then.
    """
    diagonal = np.diagonal(matrix).copy()
    n = len(matrix)
    # All products share one buffer: fresh memory for each would cost a tenth of the time in page faults.
    tall = TALL * block
    spare = np.empty(min(n, tall) * min(n, block), matrix.dtype)
    # BLAS stores matrices by columns, so that it sees L' in place of L. Its arguments are contiguous, or f2py would
    # copy them element by element.
    (divide,) = scipy.linalg.get_blas_funcs(("trsm",), (matrix,))
    for start in range(0, n, block):
        end = min(start + block, n)
        before = matrix[start:end, :start]
        corner = matrix[start:end, start:end] - before @ before.T
        upper = scipy.linalg.cholesky(corner.T, overwrite_a=True, check_finite=False)
        np.copyto(matrix[start:end, start:end], upper.T, where=np.tri(end - start, dtype=bool))
        for row in range(end, n, tall):
            target = matrix[row : row + tall, start:end]
            rows = spare[: target.size].reshape(target.shape)
            np.matmul(matrix[row : row + tall, :start], before.T, out=rows)
            np.subtract(target, rows, out=rows)
            target[:] = divide(1.0, upper, rows.T, trans_a=1, overwrite_b=1).T
    return diagonal


def numbers_beside(n: int) -> int:
    """The most numbers that factoring n rows and solving with them holds beside the matrix."""
    return min(n, BLOCK) * (min(n, TALL * BLOCK) + 3 * min(n, BLOCK))


def solve_factored(matrix: NDArray, right: NDArray, block: int = BLOCK) -> NDArray:
    """Returns L'^-1 L^-1 right for the L in the lower triangle of `matrix`.

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


def multiply_upper(matrix: NDArray, diagonal: NDArray, right: NDArray, block: int = BLOCK) -> NDArray[np.float64]:
    """The product of the matrix itself with `right`, read from its diagonal and strict upper triangle.

    Args:
        matrix: as `factor_in_place` leaves it.
        diagonal: the original diagonal, which `factor_in_place` returned.
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
