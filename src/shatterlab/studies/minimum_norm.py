"""Linear models: descent from zero finds the solution of least norm, and curvature cannot tell optima apart."""

from collections.abc import Mapping
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .sentences import mean_of, percent, seeds_of
from .study import Cells, Claim, Outcome, Scale, Study, Tables

ARRIVED = 0.01
"""Descent counts as arrived if its distance to the limit of theory is at most this share of the start's distance."""
SAME = 1e-6
"""Two curvatures count as the same up to this relative difference."""

# Each scale has the n and the steps of a path of descent, and the sizes whose minimum-norm solutions are scored.
SIZES: dict[Scale, tuple[int, int, list[int]]] = {
    "demo": (30, 10_000, [30, 100, 300, 1_000]),
    "cpu": (100, 200_000, [30, 100, 300, 1_000, 1_500]),
    "paper": (100, 1_000_000, [30, 100, 300, 1_000, 1_500]),
}
TEST = 2_000
OPTIMA = 1.0
"""The step from the minimum-norm solution to another optimum has this size, relative to the solution's norm."""
DIRECTIONS = 5
"""Curvature is measured along this many random directions."""
SNAPSHOTS = 40


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """Paths of descent, curvature at several optima, and the minimum-norm solution at several n."""
    n, steps, sizes = SIZES[scale]
    computations = []
    for seed in range(seeds):
        shared = {"data": data, "seed": seed}
        for batch, start in ((None, "zero"), (1, "zero"), (None, "random")):
            name = f"{'gradient descent' if batch is None else 'SGD'} of a linear model from {start}"
            settings = shared | {"n": n, "steps": steps, "batch_size": batch, "start": start}
            computations.append(Computation("minimum-norm", name, settings, follow))
        computations.append(
            Computation("minimum-norm", "curvature at two optima", shared | {"n": n, "optima": 2}, compare_optima)
        )
        computations += [
            Computation(
                "minimum-norm",
                f"the linear model of least norm, n = {size:,}",
                shared | {"n": size, "n_test": TEST},
                solve,
            )
            for size in sizes
        ]
    return computations


def _linear(data: Any, n: int, n_test: int, seed: int) -> tuple[Any, Any, Any]:
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


def _signs(labels: Any, classes: int) -> Any:
    """Targets of a regression: +1 for the upper half of the classes, -1 for the others."""
    return (labels >= classes / 2) * 2.0 - 1.0


def follow(data: Any, n: int, steps: int, batch_size: int | None, start: str, seed: int) -> list[dict[str, Any]]:
    """Records distances along a path of descent, at steps that lie evenly on a logarithmic scale."""
    import numpy as np

    from ..theory import MinimumNormRegressor, descend, span_angle

    X, _, subset = _linear(data, n, 1, seed)
    y = _signs(subset.train.labels, data.train.classes)
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

    X, X_test, subset = _linear(data, n, TEST, seed)
    y, y_test = (_signs(part.labels, data.train.classes) for part in (subset.train, subset.test))
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
                "curvature_difference": float(np.abs(seen / expected - 1).max()),
                "largest_curvature": float(curvature(X)[-1]),
                "flat_directions": X.shape[1] - len(X),
                "n": len(X),
                "d": X.shape[1],
            }
        )
    return records


def solve(data: Any, n: int, n_test: int, seed: int) -> list[dict[str, Any]]:
    """Scores of the minimum-norm solution of one-hot targets."""
    import numpy as np

    from ..theory import MinimumNormRegressor

    X, X_test, subset = _linear(data, n, n_test, seed)
    model = MinimumNormRegressor().fit(X, np.eye(data.train.classes)[subset.train.labels])
    return [
        {
            "what": "solution",
            "train_accuracy": float((model.predict(X).argmax(axis=1) == subset.train.labels).mean()),
            "test_accuracy": float((model.predict(X_test).argmax(axis=1) == subset.test.labels).mean()),
            "norm": model.norm_,
            "route": model.route_,
            "n": len(X),
            "d": X.shape[1],
        }
    ]


def _paths(tables: Tables) -> list[dict[str, Any]]:
    return [r for r in tables.records if "step" in r]


def table(tables: Tables) -> list[Cells]:
    """The optima, and the solutions at each n."""
    return [
        {
            "what": r.get("optimum", "least norm, one-hot"),
            "n": r["n"],
            "d": r["d"],
            "seed": r["seed"],
            "norm": f"{r['norm']:.3g}",
            "train": percent(r["train_accuracy"]) if "train_accuracy" in r else f"loss {r['train_loss']:.1e}",
            "test": percent(r["test_accuracy"]),
        }
        for r in tables.records
        if "step" not in r
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Distance to the minimum-norm solution along each path; test accuracy and norm against n."""
    charts = {}
    paths = _paths(tables)
    if paths:
        where = f"{paths[0]['data']}, n = {paths[0]['n']:,}, d = {paths[0]['d']:,}"
        charts["paths"] = lines(
            paths, "step", "to_least_norm", "what", log_x=True, log_y=True, dots=False,
            title="Distance to the solution of least norm along descent",
            subtitle=f"{where}; default learning rates; {seeds_of(paths)}",
            x_title="steps", y_title="|w - w*| / |w*|, w* of least norm",
        )  # fmt: skip
    solutions = [r | {"score": "test accuracy"} for r in tables.records if r["what"] == "solution"]
    if solutions:
        fitted = percent(min(r["train_accuracy"] for r in solutions))
        where = f"{solutions[0]['data']}, d = {solutions[0]['d']:,}, one-hot targets, train accuracy {fitted}"
        where += f"; {seeds_of(solutions)}"
        charts["accuracy"] = lines(
            solutions, "n", "test_accuracy", "score", log_x=True, y_format="%",
            title="Test accuracy of the linear model of least norm", subtitle=where, x_title="training points n",
            y_title="test accuracy",
        )  # fmt: skip
    return charts


def path_ends(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """The last record of each path, one for each seed, by kind of descent."""
    last = {(r["what"], r["seed"]): r for r in sorted(_paths(tables), key=lambda r: r["step"])}
    ends: dict[str, list[dict[str, Any]]] = {r["what"]: [] for r in _paths(tables)}
    for what, seed in sorted(last):
        ends[what].append(last[what, seed])
    return ends


def largest_difference(optima: list[dict[str, Any]]) -> float:
    """The largest share by which a curvature measured at some optima differs from that of X'X/n."""
    return max(r["curvature_difference"] for r in optima)


def verdict(tables: Tables) -> list[str]:
    """Where does each path end, are optima of one curvature, and does the norm tell which generalizes?"""
    return [*map(_path, path_ends(tables).values()), *_optima(tables), *_norms(tables)]


def _path(ends: list[dict[str, Any]]) -> str:
    what = ends[0]["what"]
    arrived = "arrives at" if all(r["to_limit"] <= ARRIVED for r in ends) else "is still on its way to"
    goal = "the solution of least norm" if "zero" in what else "the solution nearest to its start"
    gap = mean_of([r["to_limit"] for r in ends], lambda share: f"{100 * share:.2g} %")
    angle = max(r["span_angle"] for r in ends)
    outside = "in" if angle < SAME else f"{angle:.2g} rad from"
    return (
        f"{what[0].upper()}{what[1:]} {arrived} {goal}: {gap} of the way is left after {ends[0]['step']:,} steps, "
        f"{outside} the span of the data."
    )


def _optima(tables: Tables) -> list[str]:
    optima = [r for r in tables.records if r["what"] == "optimum"]
    least = [r for r in optima if r["optimum"] == "least norm"]
    others = [r for r in optima if r["optimum"] != "least norm"]
    if not (least and others):
        return []
    most = largest_difference(optima)
    if most > SAME:
        return [f"Two optima have curvatures that differ by {most:.0e}, which contradicts theory."]
    accuracies = " and ".join(mean_of([r["test_accuracy"] for r in each], percent) for each in (least, others))
    return [
        f"Two optima with norms {least[0]['norm']:.3g} and {others[0]['norm']:.3g} have the same curvature (largest "
        f"relative difference {most:.0e}), test accuracy {accuracies}: curvature cannot tell them apart."
    ]


def _norms(tables: Tables) -> list[str]:
    solutions = sorted((r for r in tables.records if r["what"] == "solution"), key=lambda r: (r["n"], r["seed"]))
    if not solutions:
        return []
    first, last = solutions[0], solutions[-1]
    sentence = (
        f"The least-norm fit of {last['n']:,} labels has test accuracy {percent(last['test_accuracy'])} and norm "
        f"{last['norm']:.3g}"
    )
    if first["n"] < last["n"]:
        better = last["norm"] > first["norm"] and last["test_accuracy"] > first["test_accuracy"]
        sentence += (
            f", that of {first['n']:,} labels {percent(first['test_accuracy'])} and norm {first['norm']:.3g}: "
        ) + (
            "the larger norm generalizes better here, so norms alone do not predict it"
            if better
            else "in this comparison norm and test accuracy do not contradict each other"
        )
    return [f"{sentence}."]


def _least_norm(tables: Tables) -> Outcome | None:
    """Judges the ends of the paths from zero."""
    ends = [r for what, runs in path_ends(tables).items() if what.endswith("zero") for r in runs]
    if not ends:
        return None
    parts = [f"{r['what']} {100 * r['to_limit']:.2g} % of the way left" for r in ends]
    return Outcome(
        all(r["to_limit"] <= ARRIVED and r["span_angle"] < SAME for r in ends),
        f"{', '.join(parts)} after {ends[0]['step']:,} steps, n = {ends[0]['n']:,}, d = {ends[0]['d']:,}",
    )


def _same_curvature(tables: Tables) -> Outcome | None:
    optima = [r for r in tables.records if r["what"] == "optimum"]
    if not optima:
        return None
    most = largest_difference(optima)
    return Outcome(
        most <= SAME,
        f"largest relative difference {most:.0e} from X'X/n along {DIRECTIONS} directions, n = {optima[0]['n']:,}, "
        f"d = {optima[0]['d']:,}",
    )


STUDY = Study(
    question="Which of the many solutions of a linear model does descent find, and is it the norm that matters?",
    source="Zhang et al. (2017), section 5",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "SGD from zero ends at the solution of least norm, in the span of the data.",
            f"at most {percent(ARRIVED)} of the distance to it is left at the end of every path from zero, whose angle "
            f"to the span is below {SAME:g}",
            _least_norm,
        ),
        Claim(
            "The curvature of the loss is the same at every optimum of a linear model, so it cannot tell them apart.",
            f"measured curvatures at different optima equal those of X'X/n within {SAME:g}",
            _same_curvature,
        ),
    ),
)
