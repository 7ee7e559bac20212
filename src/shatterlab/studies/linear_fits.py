"""What the study of linear models computes: paths of descent, curvatures at optima and elsewhere, least-norm fits."""

from math import log
from typing import Any

from ..seeds import stream

TEST = 2_000
"""Test accuracies are measured on at most this many points."""
OPTIMA = 1.0
"""The step from the minimum-norm solution to another optimum has this size, relative to the solution's norm."""
DIRECTIONS = 5
"""Curvature is measured along this many random directions."""
STEP = 1e-3
"""Second differences of a loss are taken over steps that change outputs by about this much."""
SOFT = 0.9
"""The logistic loss has this probability of the right class as its target, as with 0 and 1 there is no optimum."""
SNAPSHOTS = 40

LEAST = "least norm"
OPTIMUM = (LEAST, "another optimum")
"""The points of `compare_curvatures` that are optima."""


def standardized(data: Any, n: int, n_test: int, seed: int) -> tuple[Any, Any, Any]:
    """Returns the pixels of train and test, standardized by one mean and deviation of the training set, and the subset.

    The n is cut to half the number of pixels: with as many points as pixels there is one optimum, and the least
    eigenvalue of X'X is so small that descent does not arrive.
    """
    from ..data import at_most

    d = data.train.flat().shape[1]
    subset = at_most(data, max(1, min(n, d // 2)), n_test, seed)
    X, X_test = subset.train.flat().astype(float), subset.test.flat().astype(float)
    mean, deviation = X.mean(), X.std()
    return (X - mean) / deviation, (X_test - mean) / deviation, subset


def signs(labels: Any, classes: int) -> Any:
    """Targets of a regression: +1 for the upper half of the classes, -1 for the others."""
    return (labels >= classes / 2) * 2.0 - 1.0


def follow(data: Any, n: int, steps: int, batch_size: int | None, start: str, seed: int) -> list[dict[str, Any]]:
    """Records distances along a path of descent, at steps that lie evenly on a logarithmic scale."""
    import numpy as np

    from ..theory import MinimumNormRegressor, descend, span_angle

    X, _, subset = standardized(data, n, 1, seed)
    y = signs(subset.train.labels, data.train.classes)
    least = MinimumNormRegressor().fit(X, y).coef_
    first = np.zeros(X.shape[1])
    if start == "random":
        first = stream(seed, "minimum-norm", "start").standard_normal(X.shape[1])
        first *= np.linalg.norm(least) / np.linalg.norm(first)
    # The limit is the projection of the start onto all solutions; from zero it is the solution of least norm.
    limit = first + MinimumNormRegressor().fit(X, y - X @ first).coef_
    marks = set(np.unique(np.geomspace(1, steps, SNAPSHOTS).round().astype(int)).tolist())
    records = []
    for step, w in enumerate(descend(X, y, first, steps=steps, batch_size=batch_size, random_state=seed), 1):
        if step in marks:
            records.append(
                {
                    "what": f"{'gradient descent' if batch_size is None else 'SGD'} from {start}",
                    "step": step,
                    "to_limit": float(np.linalg.norm(w - limit) / np.linalg.norm(first - limit)),
                    "to_least_norm": float(np.linalg.norm(w - least) / np.linalg.norm(least)),
                    "norm": float(np.linalg.norm(w)),
                    "least_norm": float(np.linalg.norm(least)),
                    "span_angle": span_angle(X, w),
                    "n": len(X),
                    "d": X.shape[1],
                }
            )
    return records


def compare_optima(data: Any, n: int, optima: int, seed: int) -> list[dict[str, Any]]:
    """Loss, norm and measured curvature at the minimum-norm solution and at other points that fit as well."""
    import numpy as np

    from ..theory import MinimumNormRegressor, curvature

    X, X_test, subset = standardized(data, n, TEST, seed)
    y, y_test = (signs(part.labels, data.train.classes) for part in (subset.train, subset.test))
    least = MinimumNormRegressor().fit(X, y).coef_
    rng = stream(seed, "minimum-norm", "optima")
    directions = rng.standard_normal((DIRECTIONS, X.shape[1]))
    expected = ((X @ directions.T) ** 2).mean(axis=0)  # v' X'X v / n

    def loss(w: Any) -> float:
        return float(((X @ w - y) ** 2).mean() / 2)

    records = []
    for number in range(optima):
        off = rng.standard_normal(X.shape[1]) if number else np.zeros(X.shape[1])
        off -= MinimumNormRegressor().fit(X, X @ off).coef_  # what the data cannot see
        w = least + OPTIMA * number * np.linalg.norm(least) * off / max(np.linalg.norm(off), 1e-300)
        # The loss is quadratic, so second differences are exact but for rounding at any step.
        seen = np.array([loss(w + v) + loss(w - v) - 2 * loss(w) for v in directions])
        records.append(
            {
                "what": "optimum",
                "optimum": "least norm" if number == 0 else "another",
                "norm": float(np.linalg.norm(w)),
                "train_loss": loss(w),
                "test_accuracy": float((np.sign(X_test @ w) == y_test).mean()),
                "tested": len(y_test),
                "curvature_difference": float(np.abs(seen / expected - 1).max()),
                "largest_curvature": float(curvature(X)[-1]),
                "flat_directions": X.shape[1] - len(X),
                "n": len(X),
                "d": X.shape[1],
            }
        )
    return records


def _log_cosh(outputs: Any, targets: Any) -> Any:
    """log cosh(z - y), which grows as a square near 0 and as |z - y| far from it."""
    import numpy as np

    return np.logaddexp(outputs - targets, targets - outputs) - np.log(2)


def _logistic(outputs: Any, targets: Any) -> Any:
    """The cross-entropy of the probability 1 / (1 + exp(-z)) with that of the target, less its least possible value."""
    import numpy as np

    wanted, best = 0.5 + (SOFT - 0.5) * targets, np.log(SOFT / (1 - SOFT)) * targets
    return np.logaddexp(0, outputs) - np.logaddexp(0, best) - wanted * (outputs - best)


LOSSES: dict[str, tuple[Any, float]] = {
    "log-cosh": (_log_cosh, 1.0),
    "logistic": (_logistic, log(SOFT / (1 - SOFT))),
}
"""Losses of an output and a target of -1 or 1, whose second derivative depends on the output, by name: each with the
output that minimizes it at the target 1; the least possible loss is 0."""


def compare_curvatures(data: Any, n: int, loss: str, seed: int) -> list[dict[str, Any]]:
    """Curvature of a general loss along random directions, at two optima and at two points that are none.

    Its Hessian is X' diag(beta) X / n with beta the second derivative at each output. The outputs of all optima are
    the same, and so is beta; elsewhere it is another. Curvature is measured by second differences of the loss, which do
    not know of this formula. Beside it stands the distance of each point from the optimum of least norm, relative to
    that norm.
    """
    import numpy as np

    from ..theory import MinimumNormRegressor

    X, _, subset = standardized(data, n, 1, seed)
    y = signs(subset.train.labels, data.train.classes)
    of_outputs, best = LOSSES[loss]
    rng = stream(seed, "minimum-norm", "curvatures")
    directions = rng.standard_normal((DIRECTIONS, X.shape[1]))
    directions /= np.sqrt(((X @ directions.T) ** 2).mean(axis=0))[:, None]  # outputs change by about 1
    least = MinimumNormRegressor().fit(X, best * y).coef_
    size = np.linalg.norm(least)
    apart = rng.standard_normal((2, X.shape[1]))
    apart[0] -= MinimumNormRegressor().fit(X, X @ apart[0]).coef_  # what the data cannot see
    apart *= size / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-300)
    points = {
        "least norm": least,
        "another optimum": least + OPTIMA * apart[0],
        "zero weights": np.zeros_like(least),
        "random weights": apart[1],
    }

    def mean(w: Any) -> float:
        return float(of_outputs(X @ w, y).mean())

    return [
        {
            "what": "curvature",
            "point": name,
            "excess_loss": mean(w),
            "norm": float(np.linalg.norm(w)),
            "distance": float(np.linalg.norm(w - least) / size),
            "curvatures": [(mean(w + STEP * v) + mean(w - STEP * v) - 2 * mean(w)) / STEP**2 for v in directions],
            "n": len(X),
            "d": X.shape[1],
        }
        for name, w in points.items()
    ]


def solve(data: Any, n: int, n_test: int, seed: int) -> list[dict[str, Any]]:
    """Scores of the minimum-norm solution of one-hot targets."""
    import numpy as np

    from ..theory import MinimumNormRegressor

    X, X_test, subset = standardized(data, n, n_test, seed)
    model = MinimumNormRegressor().fit(X, np.eye(data.train.classes)[subset.train.labels])
    return [
        {
            "what": "solution",
            "train_accuracy": float((model.predict(X).argmax(axis=1) == subset.train.labels).mean()),
            "test_accuracy": float((model.predict(X_test).argmax(axis=1) == subset.test.labels).mean()),
            "tested": len(X_test),
            "norm": model.norm_,
            "route": model.route_,
            "n": len(X),
            "d": X.shape[1],
        }
    ]
