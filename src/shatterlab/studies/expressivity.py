"""The theorem as a construction: 2n + d weights fit any labels of n points, and say nothing about other points."""

from collections.abc import Mapping
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .sentences import percent, seeds_of
from .study import Cells, Claim, Outcome, Scale, Study, Tables

EXACT = 1e-6
"""A fit counts as exact if its largest error on labels 0..9 is at most this."""

# These are numbers of training points of the data set, with random and with true labels, and of Gaussian points.
SIZES: dict[Scale, dict[str, list[int]]] = {
    "demo": {"data": [100, 1_000, 5_000], "gaussian": [1_000, 100_000]},
    "cpu": {"data": [100, 1_000, 10_000, 50_000], "gaussian": [1_000, 10_000, 100_000, 1_000_000]},
    "paper": {"data": [100, 1_000, 10_000, 50_000], "gaussian": [1_000, 10_000, 100_000, 1_000_000]},
}
DIMENSIONS = 100
TEST = 2_000
DEPTHS = (2, 3, 5, 10, 30)
DEEP_POINTS = 1_000
DEEP_FACTOR = 5
"""A width counts as O(n/k), and a number of weights as O(n + d), with a constant of at most this."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """The construction on images and on Gaussian points, and the corollary's deeper networks."""
    computations = []
    for seed in range(seeds):
        for n in SIZES[scale]["data"]:
            for labels in ("random labels", "true labels"):
                settings: dict[str, Any] = {"data": data, "labels": labels, "n": n, "seed": seed}
                title = f"the construction through {labels}, n = {n:,}"
                computations.append(Computation("expressivity", title, settings, fit_images))
        for n in SIZES[scale]["gaussian"]:
            settings = {"points": "gaussian", "n": n, "d": DIMENSIONS, "seed": seed}
            title, memory = f"the construction through Gaussian points, n = {n:,}", 8 * 3 * n * DIMENSIONS
            computations.append(Computation("expressivity", title, settings, fit_gaussian, memory=memory))
        settings = {"depths": list(DEPTHS), "n": DEEP_POINTS, "d": DIMENSIONS, "seed": seed}
        computations.append(Computation("expressivity", "networks of depth 2 to 30", settings, fit_deep))
    return computations


def fit_images(data: Any, labels: str, n: int, seed: int) -> list[dict[str, Any]]:
    """Fits real images, with pixels in [0, 1]; labels are numbers 0..9 to be fitted exactly."""
    from ..corruption import corrupt
    from ..data import at_most

    subset = at_most(data, n, TEST, seed)
    if labels == "random labels":
        subset = corrupt(subset, "random-labels", 1.0, seed)
    train, test = (part.flat() for part in (subset.train, subset.test))
    return [
        {"what": labels, "classes": subset.train.classes}
        | fitted(train, subset.train.labels, test, subset.test.labels)
        | {"n": len(train), "d": train.shape[1]}
    ]


def fit_gaussian(points: str, n: int, d: int, seed: int) -> list[dict[str, Any]]:
    """Fits Gaussian points with random labels 0..9."""
    rng = stream(seed, "expressivity", points)
    return [{"what": "Gaussian points, random labels"} | fitted(rng.standard_normal((n, d)), rng.integers(10, size=n))]


def fitted(X: Any, y: Any, X_test: Any = None, y_test: Any = None) -> dict[str, Any]:
    """Fits the construction to points; returns its properties and the time that it took."""
    from time import perf_counter

    import numpy as np

    from ..theory import ReLUInterpolator

    start = perf_counter()
    net = ReLUInterpolator().fit(X, y)
    fit_seconds, start = perf_counter() - start, perf_counter()
    error = float(np.abs(net.predict(X) - y).max())
    record = {
        "weights": net.n_weights_,
        "distinct": len(net.weights_.b),
        "max_error": error,
        "smallest_eigenvalue": net.smallest_eigenvalue_,
        "fit_seconds": fit_seconds,
        "predict_seconds": perf_counter() - start,
        "test_accuracy": None,
    }
    if X_test is not None:
        record["test_accuracy"] = float((np.rint(net.predict(X_test)) == y_test).mean())
    return record


def fit_deep(depths: list[int], n: int, d: int, seed: int) -> list[dict[str, Any]]:
    """Fits networks of each depth to the same Gaussian points with random labels 0..9."""
    import numpy as np

    from ..theory import deep_relu_interpolator

    rng = stream(seed, "expressivity", "deep")
    X, y = rng.standard_normal((n, d)), rng.integers(10, size=n)
    records = []
    for depth in depths:
        net = deep_relu_interpolator(X, y, depth)
        error = float(np.abs(net.predict(X) - y).max())
        records.append(
            {"what": "depth", "depth": depth, "width": max(net.widths), "weights": net.n_weights, "max_error": error}
        )
    return records


def table(tables: Tables) -> list[Cells]:
    """A line for each fit."""
    return [
        {
            "what": r["what"] if r["what"] != "depth" else f"depth {r['depth']}, width {r['width']}",
            "n": r["n"],
            "d": r["d"],
            "weights": r["weights"],
            "largest error": f"{r['max_error']:.1e}" if r["max_error"] else "0",
            "test %": "—" if r.get("test_accuracy") is None else f"{100 * r['test_accuracy']:.1f}",
            "fit s": f"{r['fit_seconds']:.2f}" if "fit_seconds" in r else "—",
        }
        for r in tables.records
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Weights against n, with the smallest network of table 1 to compare; width against depth."""
    flat = [r for r in tables.records if r["what"] != "depth"]
    deep = [r for r in tables.records if r["what"] == "depth"]
    charts = {}
    if flat:
        charts["weights"] = lines(
            flat, "n", "weights", "what", log_x=True, log_y=True, y_format="~s",
            title="Weights of a network that fits every label",
            subtitle=f"2n + d for n distinct points; {_sources(flat)}; 1 output; {seeds_of(flat)}",
            x_title="training points n", y_title="weights",
        )  # fmt: skip
    if deep:
        charts["width"] = lines(
            deep, "depth", "width", "what", log_x=True, log_y=True,
            title="Width against depth of a network that fits every label",
            subtitle=f"n = {deep[0]['n']:,}, d = {deep[0]['d']}; random labels; {seeds_of(deep)}",
            x_title="layers of weights", y_title="units in the widest layer",
        )  # fmt: skip
    return charts


def _sources(records: list[Any]) -> str:
    names = sorted({str(r.get("data", "Gaussian points")) for r in records})
    return " and ".join(names)


def verdict(tables: Tables) -> list[str]:
    """Are all labels fitted, with how many weights, and does the fit say anything about new points?"""
    flat = [r for r in tables.records if r["what"] != "depth"]
    deep = [r for r in tables.records if r["what"] == "depth"]
    sentences = []
    for what in dict.fromkeys(r["what"] for r in flat):
        largest = max((r for r in flat if r["what"] == what), key=lambda r: (r["n"], -r["seed"]))
        exact = "fit" if largest["max_error"] <= EXACT else "do not fit"
        source = f" of {largest['data']}" if "data" in largest else ""
        accuracy = largest["test_accuracy"]
        chance = "" if accuracy is None else f", chance {percent(1 / largest['classes'])}"
        test = "" if accuracy is None else f"; test accuracy {percent(accuracy)}{chance}"
        sentences.append(
            f"{largest['weights']:,} weights {exact} {largest['n']:,} points{source} in {largest['d']:,} dimensions "
            f"({what}), largest error {largest['max_error']:.1e}{test}."
        )
    if deep:
        worst = max(deep, key=lambda r: r["max_error"])
        first, last = deep[0], max(deep, key=lambda r: r["depth"])
        exact = "fit" if worst["max_error"] <= EXACT else "do not all fit"
        sentences.append(
            f"Networks of depth {first['depth']} to {last['depth']} {exact} {first['n']:,} points with widths "
            f"{first['width']:,} to {last['width']:,} and {first['weights']:,} to {last['weights']:,} weights."
        )
    return sentences


def _theorem(tables: Tables) -> Outcome | None:
    flat = [r for r in tables.records if r["what"] != "depth"]
    if not flat:
        return None
    exact = all(r["weights"] == 2 * r["distinct"] + r["d"] and r["max_error"] <= EXACT for r in flat)
    largest, worst = max(flat, key=lambda r: r["n"]), max(r["max_error"] for r in flat)
    return Outcome(
        exact,
        f"{len(flat)} fits up to n = {largest['n']:,}, d = {largest['d']:,} with {largest['weights']:,} weights; "
        f"largest error {worst:.1e}",
    )


def _corollary(tables: Tables) -> Outcome | None:
    deep = [r for r in tables.records if r["what"] == "depth"]
    if not deep:
        return None
    widest = max(r["width"] * r["depth"] / r["n"] for r in deep)
    most = max(r["weights"] / (r["n"] + r["d"]) for r in deep)
    worst = max(r["max_error"] for r in deep)
    return Outcome(
        worst <= EXACT and widest <= DEEP_FACTOR and most <= DEEP_FACTOR,
        f"depths {min(r['depth'] for r in deep)} to {max(r['depth'] for r in deep)}, n = {deep[0]['n']:,}: width at "
        f"most {widest:.2g} n / depth, weights at most {most:.2g} (n + d), largest error {worst:.1e}",
    )


STUDY = Study(
    question="How small can a network be that fits any labels of n points?",
    source="Zhang et al. (2017), section 4, theorem 1, lemma 1 and corollary 1",
    chapter="The theorem",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "A two-layer ReLU network with 2n + d weights represents any function on n points in d dimensions.",
            f"every fit has 2n + d weights for n distinct points and a largest error of at most {EXACT:g} on labels "
            "0..9",
            _theorem,
        ),
        Claim(
            "So does a network of depth k with width O(n/k) and O(n + d) weights.",
            f"at every depth the largest error is at most {EXACT:g}, the width at most {DEEP_FACTOR} n/k and the "
            f"weights at most {DEEP_FACTOR} (n + d)",
            _corollary,
        ),
    ),
)
