"""What the study of kernels computes: fits of one kind of features, without and with a ridge."""

from collections.abc import Callable, Sequence
from typing import Any

from ..paper import MNIST_GAMMA

GAMMAS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The candidates for gamma, in units of one over the mean squared distance of training points."""
NARROWER = 4
"""A chosen gamma is doubled at most this many times."""
RIDGES = (0.0, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""The candidates for the ridge, for kernels with values near 1 on the diagonal."""
INTERPOLATES = 1e-2
"""A solve without ridge counts as an interpolation if the residual of its one-hot targets is at most this."""
HELD_OUT = 1_000
"""Gamma and ridge are chosen on at most this many training points, after a fit of at most twice as many others."""
TRAIN_SCORED = 5_000
"""The training error is measured on at most this many points."""


def gaussian(data: Any, features: str, n: int, n_test: int, dtype: Any, seed: int) -> list[dict[str, Any]]:
    """Fits a Gaussian kernel on pixels in [0, 1] or on Gabor features, without and with a ridge.

    Gamma is chosen on held-out training points, without a ridge, then the ridge for that gamma. A wide kernel can be
    solved for few points rather than for many: gamma is doubled until it can be solved for all.
    """
    from ..data import at_most
    from ..theory import KernelInterpolator

    subset = at_most(data, n, n_test, seed)
    X, X_test = (features_of(part, features) for part in (subset.train, subset.test))
    y, y_test = subset.train.labels, subset.test.labels
    model = KernelInterpolator("gaussian", dtype=dtype, task="classification")
    gammas = gammas_for(model, features, data, X, y)
    gamma, scored = first_solvable(
        gammas, lambda gamma: _with_and_without_ridge(clone(model, gamma=gamma), X, y, X_test, y_test)
    )
    shared = {"gamma": gamma, "gamma_chosen": len(gammas) > 1, "n": len(X), "d": X.shape[1]}
    return [shared | facts_of_test(y_test, data) | record for record in scored]


def features_of(part: Any, features: str) -> Any:
    """Pixels in [0, 1] or Gabor features, (n, d) float32."""
    from ..theory import gabor_features

    return part.flat() if features == "pixels" else gabor_features(part.as_images())


def gammas_for(model: Any, features: str, data: Any, X: Any, y: Any) -> list[float]:
    """The gamma of the first author's recipe alone, or one chosen on held-out training points and its doubles."""
    import numpy as np

    if features == "pixels" and data.train.shape == (28, 28, 1):
        return [MNIST_GAMMA]
    unit = 1 / (2 * float(X.var(axis=0, dtype=np.float64).sum()))
    chosen = _best([clone(model, gamma=unit * multiple) for multiple in GAMMAS], X, y).gamma
    return [chosen * 2**doubled for doubled in range(NARROWER + 1)]


def first_solvable(gammas: Sequence[float], solve: Callable[[float], Any]) -> tuple[float, Any]:
    """The first gamma with which `solve` succeeds, and what it returns; the error of the last one is raised."""
    for gamma in gammas[:-1]:
        try:
            return gamma, solve(gamma)
        except ValueError:  # the Gram matrix is not positive definite in this precision
            continue
    return gammas[-1], solve(gammas[-1])


def facts_of_test(y_test: Any, data: Any) -> dict[str, Any]:
    """The classes, the share of the largest class among the test examples, and their number."""
    import numpy as np

    counts = np.bincount(y_test)
    return {"classes": data.train.classes, "majority": float(counts.max() / len(y_test)), "tested": len(y_test)}


def filtered(
    data: Any, features: str, n: int, n_test: int, filters: int, dtype: Any, seed: int
) -> list[dict[str, Any]]:
    """Fits a linear kernel on pooled responses of random filters, without and with a ridge chosen on training data.

    There are no records for images smaller than a patch.
    """
    from ..data import at_most, image_shape
    from ..theory import KernelInterpolator, random_filter_grams
    from ..theory.patch_filters import PATCH

    if min(image_shape(data.train.shape)[:2]) < PATCH:
        return []  # no patch fits into such images
    subset = at_most(data, n, n_test, seed)
    gram, against = random_filter_grams(subset.train.as_images(), subset.test.as_images(), filters, seed)
    model = KernelInterpolator("precomputed", dtype=dtype, task="classification")
    shared = {"n": len(gram), "d": 8 * filters} | facts_of_test(subset.test.labels, data)
    scored = _with_and_without_ridge(model, gram, subset.train.labels, against, subset.test.labels)
    return [shared | record for record in scored]


def clone(model: Any, **changes: Any) -> Any:
    """An unfitted copy of a model with some arguments changed."""
    return type(model)(**(model.get_params() | changes))


def _with_and_without_ridge(model: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> list[dict[str, Any]]:
    """Scores of the interpolant, and of the ridge that does best on held-out training points, if it is not 0.

    Beside the scores with the ridge stands on how many test points only the interpolant, and only the fit with the
    ridge is right, from which the error of their difference follows.
    """
    scores, right = _scores(model, X, y, X_test, y_test)
    bare = {"ridge": "none", "ridge_used": 0.0} | scores
    best = _best([clone(model, ridge=ridge) for ridge in RIDGES], X, y)
    if best.ridge == 0:
        return [bare, bare | {"ridge": "chosen", "only_bare_right": 0, "only_ridge_right": 0}]
    scores, right_too = _scores(best, X, y, X_test, y_test)
    discordant = {
        "only_bare_right": int((right & ~right_too).sum()),
        "only_ridge_right": int((right_too & ~right).sum()),
    }
    return [bare, {"ridge": "chosen", "ridge_used": best.ridge} | scores | discordant]


def _best(models: Sequence[Any], X: Any, y: Any) -> Any:
    """The model with the least error on held-out training points, the first of equals; subsets are in random order."""
    held = max(1, min(HELD_OUT, len(y) // 3))
    fit, held_out = slice(0, min(2 * held, len(y) - held)), slice(len(y) - held, len(y))

    def error(model: Any) -> float:
        pairwise = model.kernel == "precomputed"
        try:
            model.fit(X[fit, fit] if pairwise else X[fit], y[fit])
        except ValueError:  # the Gram matrix is not positive definite in this precision
            return float("inf")
        if model.ridge == 0 and model.residual_ > INTERPOLATES:
            return float("inf")
        return float((model.predict(X[held_out, fit] if pairwise else X[held_out]) != y[held_out]).mean())

    return min(models, key=error)


def _scores(model: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> tuple[dict[str, Any], Any]:
    """Fits a model; returns its scores, and which test points it gets right, bool (m,)."""
    from time import perf_counter

    from ..machine import peak_memory

    with peak_memory() as peak:
        start = perf_counter()
        model.fit(X, y)
        seconds = perf_counter() - start
        memory = peak()
    scored = slice(0, TRAIN_SCORED)
    right = model.predict(X_test) == y_test
    return {
        "test_error": float((~right).mean()),
        "train_error": float((model.predict(X[scored]) != y[scored]).mean()),
        "norm": model.norm_,
        "residual": model.residual_,
        "solve_seconds": seconds,
        "peak_memory": memory,
    }, right
