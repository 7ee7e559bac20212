"""Interpolation with kernels: K alpha = y is solved for all points at once, without regularization.

On MNIST and CIFAR-10 this fits every training label and generalizes, although nothing but the norm that it minimizes
holds it back (Zhang et al., 2017, section 5).
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Self

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..arguments import number, whole
from ..machine import free_memory
from .cholesky import factor_in_place, multiply_upper, numbers_beside, solve_factored
from .conjugate_gradients import conjugate_gradients, nystrom
from .scales import exponent_of, times_power
from .targets import AnyTarget, Task, numbers

Kernel = Callable[[NDArray, NDArray], NDArray]
"""A kernel takes two arrays of points, (n, d) and (m, d), and returns (n, m) values."""

BLOCK = 1_024
"""So many rows and columns of the Gram matrix are computed at a time."""
LINE = 16
"""So many rows are transposed at a time, as a line of the cache holds; this is eight times as fast as all at once."""
MEMORY_SHARE = 0.95
"""A solve is refused if it is estimated to take more than this share of the free memory."""
WORTH_SAYING = 2.0
"""A solve that is estimated to take at least these seconds announces itself."""
SMALL = 1_000
"""A singular Gram matrix of at most this many points is solved by its eigenvectors."""
SOLVED = 1e-3
"""A residual that is this small relative to the targets is not refined further."""
UNSOLVED = 1e-2
"""Above this residual, relative to the targets, a factor is taken for that of a singular matrix."""
SYMMETRIC = 1e-5
"""If a given Gram matrix differs from its transpose by at most this share of its largest entry, it is rounding."""
CANCELLED = 1 / 64
"""A squared distance below this share of |x|² + |z|² is computed anew from x - z: a product leaves too few digits."""
MANY = 1 / 16
"""If more than this share of a block's distances are computed anew, all are, as that is faster then."""
REFINEMENTS = 5
"""At most this many refinements are tried; each has to halve the residual."""


def gaussian(X: NDArray, Z: NDArray, gamma: float) -> NDArray:
    """exp(-gamma |x - z|²)."""
    exponents = scaled_distances(X, Z, -gamma)
    return np.exp(exponents, out=exponents)


def laplace(X: NDArray, Z: NDArray, gamma: float) -> NDArray:
    """exp(-gamma |x - z|), the distance not squared."""
    exponents = scaled_distances(X, Z, -(gamma**2))
    np.sqrt(np.negative(exponents, out=exponents), out=exponents)
    return np.exp(np.negative(exponents, out=exponents), out=exponents)


def linear(X: NDArray, Z: NDArray) -> NDArray:
    """x'z."""
    return X @ Z.T


def scaled_distances(X: NDArray, Z: NDArray, scale: float) -> NDArray:
    """scale |x - z|², (n, m), for a negative scale: exactly 0 for equal points, and each with most of its digits.

    |x|² + |z|² - 2 x'z is one matrix product, but leaves few digits of a distance that is small beside the points. Such
    distances are computed anew, so that every entry of a Gaussian or Laplace kernel has an error of about 40
    roundings at most, however far from each other the clusters of points lie.
    """
    sizes, others = (np.einsum("ij,ij->i", points, points) for points in (X, Z))
    largest = float(np.finfo(X.dtype).max) / 16
    if -scale * max(1.0, float(sizes.max(initial=0) + others.max(initial=0))) > largest:
        return _exact_distances(X, Z, scale)
    # One matrix product of [x, |x|², 1] and scale [-2 z, 1, |z|²]: a pass over the result saved is worth the copies.
    distances = (
        np.column_stack([X, sizes, np.ones_like(sizes)])
        @ (np.column_stack([-2 * Z, np.ones_like(others), others]) * Z.dtype.type(scale)).T
    )
    factor = X.dtype.type(scale * CANCELLED)
    near = np.flatnonzero(distances >= np.add.outer(factor * sizes, factor * others))
    if len(near) > MANY * distances.size:
        return _exact_distances(X, Z, scale)
    for start in range(0, len(near), BLOCK):
        rows, columns = np.divmod(near[start : start + BLOCK], len(Z))
        apart = X[rows] - Z[columns]
        distances[rows, columns] = scale * np.einsum("ij,ij->i", apart, apart)
    return distances


def _exact_distances(X: NDArray, Z: NDArray, scale: float) -> NDArray:
    """scale |x - z|² from the differences themselves, in float64."""
    from scipy.spatial.distance import cdist

    with np.errstate(over="ignore"):
        return (scale * cdist(X, Z, "sqeuclidean")).astype(X.dtype)


KERNELS: dict[str, tuple[Callable[..., NDArray], bool]] = {
    "gaussian": (gaussian, True),
    "laplace": (laplace, True),
    "linear": (linear, False),
}
"""The kernels by name, each with whether it depends on distances alone, and so on gamma."""


@dataclass(frozen=True)
class Cost:
    """The most memory and time that a solve will take.

    Args:
        memory: bytes beside the data.
        seconds: seconds, estimated from the speed of a small matrix product on this machine.
    """

    memory: float
    seconds: float


class KernelInterpolator(AnyTarget):
    """f(x) = sum_i alpha_i k(x, x_i) with (K + ridge I) alpha = y; without ridge, f goes through every point.

    Of all functions in the kernel's space that go through every point, f is the one of least norm.

    Args:
        kernel: "gaussian" exp(-gamma |x - z|²), "laplace" exp(-gamma |x - z|), "linear" x'z, "precomputed" (X is the
            Gram matrix, at predict (m, n)), or a function of two arrays (n, d), (m, d) that returns (n, m).
        gamma: inverse squared width (gaussian) or inverse width (laplace); by default 1 / (d times the variance of X),
            for laplace its square root, so that scaling X changes nothing.
        ridge: number added to the diagonal of K, at least 0; not scaled by n.
        dtype: type of the Gram matrix and its factor, "float32" or "float64".
        solver: "direct" factors the Gram matrix in place, with n² numbers of memory and n³/3 operations; "cg" never
            stores it: conjugate gradients take O(n) memory beside the preconditioner and n² operations a step.
        task: "auto" fits numbers as numbers and strings as classes; "classification" fits one-hot targets and
            predicts the class of the largest output.
        tolerance: "cg" stops at this residual relative to |y|.
        max_iterations: the most iterations of "cg".

    Attributes:
        dual_coef_: alpha, (n,) or (n, outputs); infinite or zero where float64 holds no such number.
        norm_: sqrt(sum alpha * K alpha), the norm of f in the kernel's space; several outputs are summed under the
            root. Where f fits exactly this is sqrt(sum alpha * y).
        residual_: the error of the solve, the largest |f(x_i) + ridge alpha_i - y_i|.
        route_: "cholesky", "eigenvectors" (for a singular Gram matrix, where f is the least-squares solution of least
            norm) or "cg".
        iterations_: number of steps of "cg", or of refinements of "direct".
        gamma_: the gamma that was used; infinite or zero where float64 holds no such number.
        classes_: sorted classes; not there where numbers were fitted.
        X_fit_: the training points.

    Raises:
        MemoryError: at fit, before anything is computed, if the solve is estimated not to fit into the free memory.
        ValueError: at fit, if the Gram matrix is not positive definite in this precision and too large for the
            route by eigenvectors, or the kernel is not positive semidefinite; the message says what helps.

    Where f does not go through every point after all (equal points with different targets, conjugate gradients that
    did not arrive) a ConvergenceWarning says so.

    A solve that is estimated to take more than two seconds says so on standard error, with its memory.

    Source: Zhang et al. (2017), section 5.

    >>> KernelInterpolator(gamma=1.0).fit([[0.0], [1.0], [3.0]], [5.0, -1.0, 2.0]).predict([[1.0]]).round(9)
    array([-1.])
    """

    def __init__(
        self,
        kernel: Literal["gaussian", "laplace", "linear", "precomputed"] | Kernel = "gaussian",
        gamma: float | None = None,
        ridge: float = 0.0,
        dtype: Literal["float32", "float64"] = "float64",
        *,
        solver: Literal["direct", "cg"] = "direct",
        task: Task = "auto",
        tolerance: float = 1e-6,
        max_iterations: int = 1_000,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.ridge = ridge
        self.dtype = dtype
        self.solver = solver
        self.task = task
        self.tolerance = tolerance
        self.max_iterations = max_iterations

    def __sklearn_tags__(self) -> Tags:
        """Tells scikit-learn whether X is a Gram matrix, so that cross-validation cuts rows and columns."""
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = isinstance(self.kernel, str) and self.kernel == "precomputed"
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Solves for alpha.

        Args:
            X: (n, d) finite numbers, or the Gram matrix (n, n) if precomputed. It is not written to.
            y: (n,) or (n, outputs) numbers, or (n,) class labels.
        """
        self._check()
        dtype = np.dtype(self.dtype).type
        X, y = self._read(X, y, dtype)
        n = len(X)
        if self.kernel == "precomputed":
            _check_symmetric(X)
        self._classes = self._classes_of(y)
        targets = numbers(y) if self._classes is None else (y.reshape(-1, 1) == self._classes).astype(np.float64)
        self.X_fit_ = X
        self._place(X)
        self._announce(n, X.shape[1], targets.shape[1])
        # Targets near one keep alpha inside the range of the dtype.
        size = exponent_of(targets)
        targets = times_power(targets, -size)
        solve = self._direct if self.solver == "direct" else self._iterative
        alpha, fitted = solve(targets)
        if np.abs(targets - fitted - self._ridge * alpha).max() > UNSOLVED * np.abs(targets).max():
            warnings.warn(self._unsolved(), ConvergenceWarning, stacklevel=2)
        self.residual_ = float(times_power(np.abs(targets - fitted - self._ridge * alpha).max(), size))
        norm = np.sqrt(max(0.0, float((alpha * fitted).sum())))
        self.norm_ = float(times_power(norm, size - self._products))
        # Predictions use these, as float64 may not hold alpha itself.
        self._alpha, self._size = alpha.astype(self.dtype), size
        alpha = times_power(alpha, size - 2 * self._products)
        self._one_output = y.ndim == 1 and self._classes is None
        self.dual_coef_ = alpha[:, 0] if self._one_output else alpha
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """f(x), (n,) or (n, outputs), or the class of the largest output."""
        values = self._evaluate(X)
        if self._classes is not None:
            return self._classes[values.argmax(axis=1)]
        return values[:, 0] if self._one_output else values

    def _decisions(self, X: ArrayLike) -> NDArray[np.float64]:
        """The output of each class; for two classes that of the second less that of the first."""
        values = self._evaluate(X)
        if len(self.classes_) == 2:
            return values[:, 1] - values[:, 0]
        return values if len(self.classes_) > 2 else values[:, 0]

    def _evaluate(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.dtype(self.dtype).type, reset=False)
        values = np.zeros((len(X), self._alpha.shape[1]))
        for rows in blocks(len(X)):
            for columns in blocks(len(self.X_fit_)):
                values[rows] += self._k(X[rows], columns) @ self._alpha[columns]
        return times_power(values, self._size)

    def _check(self) -> None:
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}.")
        if self.solver not in ("direct", "cg"):
            raise ValueError(f"solver must be 'direct' or 'cg', got {self.solver!r}.")
        number("ridge", self.ridge)
        if not number("tolerance", self.tolerance) < 1:
            raise ValueError(f"tolerance must be a number in [0, 1), got {self.tolerance!r}.")
        whole("max_iterations", self.max_iterations)
        if self.gamma is not None:
            number("gamma", self.gamma, above=True)
        if not callable(self.kernel) and self.kernel not in (*KERNELS, "precomputed"):
            raise ValueError(f"kernel must be a function or one of {[*KERNELS, 'precomputed']}, got {self.kernel!r}.")

    @property
    def _of_distances(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel in KERNELS and KERNELS[self.kernel][1]

    def _place(self, X: NDArray) -> None:
        """Chooses the power of two and the centre by which points are scaled and shifted, gamma and the ridge.

        A kernel of distances is computed on (x / 2^e - centre) with gamma 4^e, a linear one on x / 2^e, which divides
        it by 4^e; the ridge and alpha follow. Distances between centred points are the same, and lose fewer digits as
        the points lie near zero.
        """
        exponent = exponent_of(X) if isinstance(self.kernel, str) and self.kernel in KERNELS else 0
        if self.ridge and exponent and not self._of_distances:
            exponent = max(exponent, (int(np.frexp(self.ridge)[1]) + 1) // 2)
        widest = np.finfo(X.dtype).maxexp - 2  # the type may hold 2^e, but not 2^-e
        exponent = min(max(exponent, -widest), widest)
        self._scale = X.dtype.type(2.0**-exponent)
        self._products = 0 if self._of_distances else exponent  # products of points are divided by 4 to this power
        self._ridge = float(times_power(np.array(self.ridge), -2 * self._products))
        self._centre, self.gamma_, self._gamma = np.zeros(X.shape[1], X.dtype), 1.0, 1.0
        if not self._of_distances:
            return
        sums = [(X[rows] * self._scale).sum(axis=0, dtype=np.float64) for rows in blocks(len(X))]
        mean = np.sum(sums, axis=0) / len(X)
        self._centre = mean.astype(X.dtype)
        middle = mean.mean()
        variance = sum(float(((X[rows] * self._scale - middle) ** 2).sum()) for rows in blocks(len(X))) / X.size
        power = 2 if self.kernel == "gaussian" else 1
        if self.gamma is not None:
            self.gamma_ = float(self.gamma)
            largest = float(np.finfo(np.float64).max) ** (power / 2)  # as the Laplace kernel squares it
            self._gamma = min(float(times_power(np.array(self.gamma), power * exponent)), largest)
        elif variance > 0:
            self._gamma = (X.shape[1] * variance) ** (-power / 2)
            self.gamma_ = float(times_power(np.array(self._gamma), -power * exponent))

    def _k(self, X: NDArray, columns: slice) -> NDArray:
        """The kernel between the points X and some of the training points."""
        if self.kernel == "precomputed":
            return X[:, columns]
        if callable(self.kernel):
            values = np.asarray(self.kernel(X, self.X_fit_[columns]), dtype=self.dtype)
            if values.shape != (len(X), len(self.X_fit_[columns])) or not np.isfinite(values).all():
                raise ValueError(
                    f"the kernel must return finite numbers of shape (n, m) for arrays (n, d) and (m, d); it returned "
                    f"shape {values.shape}{'' if np.isfinite(values).all() else ' with values that are not finite'}."
                )
            return values
        kernel, distances = KERNELS[self.kernel]
        # Block by block, as a scaled copy of all points would take as much memory as the points.
        X, Z = X * self._scale, self.X_fit_[columns] * self._scale
        return kernel(X - self._centre, Z - self._centre, self._gamma) if distances else kernel(X, Z)

    def cost(self, n: int, d: int, outputs: int = 1) -> Cost:
        """The most memory and time that fitting n points of d features will take."""
        size = np.dtype(self.dtype).itemsize
        rate, block = matrix_rate(self.dtype), min(n, BLOCK)
        if self.solver == "cg":
            kept = min(n, preconditioner_size(n))
            # The preconditioner is made in float64, four arrays of its size at a time.
            memory = size * (n * kept + 5 * block**2) + 8 * (4 * n * kept + 8 * n * outputs)
            return Cost(memory, (2 * n**2 * d * self.max_iterations + 4 * n * kept**2) / rate)
        beside = 6 * block**2 + numbers_beside(n) + (n**2 if n <= SMALL else 0)
        memory = size * (n**2 + beside) + 8 * 6 * n * outputs
        return Cost(memory, (n**3 / 3 + n**2 * d) / rate)

    def _announce(self, n: int, d: int, outputs: int) -> None:
        cost, free = self.cost(n, d, outputs), free_memory()
        if cost.memory > MEMORY_SHARE * free:
            half = " dtype='float32' takes half of it;" if self.dtype == "float64" else ""
            most = int(np.sqrt(MEMORY_SHARE * free / np.dtype(self.dtype).itemsize))
            other = "" if self.solver == "cg" else f" about n={most:,} would fit; solver='cg' needs no Gram matrix."
            raise MemoryError(
                f"solving for n={n:,} in {self.dtype} takes about {cost.memory / 1e9:.1f} GB and {free / 1e9:.1f} GB "
                f"are free:{half}{other}"
            )
        if cost.seconds > WORTH_SAYING:
            most_of = " at most" if self.solver == "cg" else ""
            print(
                f"kernel solve, n={n:,}, d={d:,}, {self.dtype}: about {cost.memory / 1e9:.1f} GB,"
                f"{most_of} about {cost.seconds:.0f} s",
                file=sys.stderr,
            )

    def _direct(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """alpha and K alpha by Cholesky, refined; by eigenvectors where the matrix is singular and small."""
        gram = self._gram()
        small = gram.copy() if len(gram) <= SMALL else None
        gram.flat[:: len(gram) + 1] += self._ridge
        try:
            diagonal = factor_in_place(gram)
        except np.linalg.LinAlgError:
            if small is None:
                raise ValueError(self._singular(len(gram))) from None
            self.route_, self.iterations_ = "eigenvectors", 0
            return _by_eigenvectors(small, targets, self._ridge)
        alpha = solve_factored(gram, targets).astype(np.float64)
        left = targets - multiply_upper(gram, diagonal, alpha)
        self.route_, self.iterations_ = "cholesky", 0
        for _ in range(REFINEMENTS):
            if np.abs(left).max() <= SOLVED * np.abs(targets).max():
                break
            refined = alpha + solve_factored(gram, left)
            left_then = targets - multiply_upper(gram, diagonal, refined)
            if not np.abs(left_then).max() < np.abs(left).max() / 2:
                break
            alpha, left = refined, left_then
            self.iterations_ += 1
        if not np.abs(left).max() <= UNSOLVED * np.abs(targets).max():
            if small is None:  # rounding has hidden from Cholesky that the matrix is singular
                raise ValueError(self._singular(len(gram)))
            self.route_ = "eigenvectors"
            return _by_eigenvectors(small, targets, self._ridge)
        return alpha, targets - left - self._ridge * alpha

    def _unsolved(self) -> str:
        """The warning for equations that are solved only in part."""
        if self.route_ == "cg":
            return (
                f"conjugate gradients stopped after {self.iterations_} steps with a residual above {UNSOLVED:.0%} of "
                "the targets: raise max_iterations or ridge, use dtype='float64', or solver='direct'."
            )
        return (
            "the Gram matrix is singular in this precision and the targets do not lie in its range, so f is the "
            "least-squares fit of least norm and does not go through every point: drop duplicates, raise gamma, or use "
            "dtype='float64'."
        )

    def _singular(self, n: int) -> str:
        """The advice about a Gram matrix that is not positive definite in this precision."""
        precise = "use dtype='float64' " if self.dtype == "float32" else ""
        ridge = max(10 * self.ridge, 1e-6)
        if self.kernel == "linear":
            return (
                f"the Gram matrix of these {n:,} points is not positive definite in {self.dtype}: a linear kernel of "
                f"{self.X_fit_.shape[1]:,} features has no larger rank; MinimumNormRegressor takes such data, or "
                f"{precise and precise + 'or '}give a ridge such as {ridge:g}."
            )
        wider = "raise gamma, " if self._of_distances else ""
        return (
            f"the Gram matrix of these {n:,} points is not positive definite in {self.dtype}: some points are equal or "
            f"too near for this kernel; drop duplicates, {wider}{precise}or give a ridge such as {ridge:g}."
        )

    def _gram(self) -> NDArray:
        """The whole Gram matrix, of which only one triangle is computed."""
        n = len(self.X_fit_)
        if self.kernel == "precomputed":
            return np.array(self.X_fit_)
        gram = np.empty((n, n), dtype=self.dtype)
        for rows in blocks(n):
            for columns in blocks(n, first=rows.start):
                part = self._k(self.X_fit_[rows], columns)
                gram[rows, columns] = part
                if columns.start > rows.start:
                    for row in range(0, len(part), LINE):
                        line = slice(rows.start + row, rows.start + row + LINE)
                        gram[columns, line] = part[row : row + LINE].T
        return gram

    def _iterative(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """alpha and K alpha by conjugate gradients."""
        n = len(self.X_fit_)
        rng = np.random.default_rng(0)  # draws the preconditioner, which decides the speed and not the solution
        landmarks = np.sort(rng.choice(n, preconditioner_size(n), replace=False))

        def apply(vectors: NDArray) -> NDArray[np.float64]:
            product = np.zeros(vectors.shape)
            factor = vectors.astype(self.dtype)
            for rows in blocks(n):
                for columns in blocks(n, first=rows.start):
                    part = self._k(self.X_fit_[rows], columns)
                    product[rows] += part @ factor[columns]
                    if columns.start > rows.start:
                        product[columns] += part.T @ factor[rows]
            return product

        columns = self._k(self.X_fit_[landmarks], slice(None)).T
        try:
            precondition = nystrom(columns, landmarks, self._ridge)
        except np.linalg.LinAlgError:
            raise ValueError(self._singular(n)) from None
        alpha, self.iterations_ = conjugate_gradients(
            lambda vectors: apply(vectors) + self._ridge * vectors,
            targets,
            precondition,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
        self.route_ = "cg"
        return alpha, apply(alpha)


def _check_symmetric(gram: NDArray) -> None:
    """Refuses a matrix that is not square or not symmetric, checking it block by block."""
    n = len(gram)
    if gram.shape != (n, n):
        raise ValueError(f"a precomputed Gram matrix must be square, got shape {gram.shape}.")
    size = max((float(np.abs(gram[rows]).max()) for rows in blocks(n)), default=0.0)
    for rows in blocks(n):
        for columns in blocks(n, first=rows.start):
            if np.abs(gram[rows, columns] - gram[columns, rows].T).max() > SYMMETRIC * size:
                raise ValueError("a precomputed Gram matrix must be symmetric; give (K + K.T) / 2 if it nearly is.")


def _by_eigenvectors(gram: NDArray, targets: NDArray, ridge: float) -> tuple[NDArray, NDArray]:
    """The least-squares solution of least norm, from the eigenvectors whose eigenvalues are above rounding."""
    values, vectors = scipy.linalg.eigh(gram.astype(np.float64))
    rounding = np.abs(values).max(initial=0) * len(gram) * np.finfo(gram.dtype).eps
    # Eigenvalues are exact to half the digits only, since the root in a distance enlarges its rounding error.
    if values.min(initial=0) < -np.sqrt(np.finfo(gram.dtype).eps) * np.abs(values).max(initial=0):
        raise ValueError(
            f"the kernel is not positive semidefinite: its Gram matrix has the eigenvalue {values.min():.3g} beside "
            f"{values.max():.3g}; only a positive semidefinite kernel has a space in which norms exist."
        )
    kept = values > rounding
    values, vectors = values[kept], vectors[:, kept]
    coordinates = vectors.T @ targets
    alpha = vectors @ (coordinates / (values + ridge)[:, None])
    return alpha, vectors @ (coordinates * (values / (values + ridge))[:, None])


def blocks(n: int, first: int = 0, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most `size` indices that cover `first`..n-1."""
    return (slice(start, min(start + size, n)) for start in range(first, n, size))


def preconditioner_size(n: int) -> int:
    """The number of landmarks of the preconditioner: enough for the large eigenvalues, and cheap beside n²."""
    return int(min(n, 2_000, max(10, n // 4)))


def matrix_rate(dtype: str) -> float:
    """The operations that a matrix product makes in a second, measured in a few milliseconds; a solve comes near."""
    a = np.ones((1_024, 1_024), dtype=dtype)
    a @ a
    start = monotonic()
    a @ a
    return 0.6 * 2 * len(a) ** 3 / max(monotonic() - start, 1e-4)
