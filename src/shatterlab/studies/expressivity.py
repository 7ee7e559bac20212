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
SAMPLE = 1_000
"""The plain sum of ramps is measured at so many training points: at all it would take n² ramps."""
RAMPS = 2**22
"""So many ramps of the plain sum are held at a time, 32 MB."""
DEPTHS = (2, 3, 5, 10, 30)
DEEP_SIZES = ((250, 25), (1_000, 100), (4_000, 400))
"""The points and dimensions of the networks of each depth, both growing, so that n + d is told from n."""
DEEP_FACTOR = 5
"""A width counts as O(n/k), and a number of weights as O(n + d), with a constant of at most this."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """The construction on images and on Gaussian points, and the corollary's deeper networks."""
    computations = []
    for seed in range(seeds):
        for n in SIZES[scale]["data"]:
            for labels in ("random labels", "true labels"):
                settings: dict[str, Any] = {"data": data, "labels": labels, "n": n, "sample": SAMPLE, "seed": seed}
                title = f"the construction through {labels}, n = {n:,}"
                computations.append(Computation("expressivity", title, settings, fit_images))
        for n in SIZES[scale]["gaussian"]:
            settings = {"points": "gaussian", "n": n, "d": DIMENSIONS, "sample": SAMPLE, "seed": seed}
            title, memory = f"the construction through Gaussian points, n = {n:,}", 8 * 3 * n * DIMENSIONS
            computations.append(Computation("expressivity", title, settings, fit_gaussian, memory=memory))
        for n, d in DEEP_SIZES:
            settings = {"depths": list(DEPTHS), "n": n, "d": d, "seed": seed}
            title = f"networks of depth 2 to 30 through {n:,} points"
            computations.append(Computation("expressivity", title, settings, fit_deep))
    return computations


def fit_images(data: Any, labels: str, n: int, sample: int, seed: int) -> list[dict[str, Any]]:
    """Fits real images, with pixels in [0, 1], each image once; labels are numbers 0..9 to be fitted."""
    from ..corruption import corrupt
    from ..data import at_most

    subset = at_most(data, n, TEST, seed)
    if labels == "random labels":
        subset = corrupt(subset, "random-labels", 1.0, seed)
    # No function gives two equal images different labels, so the first of them stands for all.
    first = first_of_equal(subset.train.flat())
    train = subset.train.take(first)
    record = fitted(train.flat(), train.labels, sample, seed, subset.test.flat(), subset.test.labels)
    repeats = len(subset.train) - len(first)
    return [{"what": labels, "classes": train.classes, "repeats": repeats} | record]


def first_of_equal(rows: Any) -> Any:
    """The indices of the rows that equal no row before them, ascending."""
    from hashlib import sha256

    import numpy as np

    # Adding zero turns -0 into 0, which are equal but for their bytes.
    places = {sha256((row + 0.0).tobytes()).digest(): i for i, row in reversed(list(enumerate(rows)))}
    return np.array(sorted(places.values()))


def fit_gaussian(points: str, n: int, d: int, sample: int, seed: int) -> list[dict[str, Any]]:
    """Fits Gaussian points with random labels 0..9."""
    rng = stream(seed, "expressivity", points)
    X, y = rng.standard_normal((n, d)), rng.integers(10, size=n)
    return [{"what": "Gaussian points, random labels"} | fitted(X, y, sample, seed)]


def fitted(X: Any, y: Any, sample: int, seed: int, X_test: Any = None, y_test: Any = None) -> dict[str, Any]:
    """Fits the construction to points; returns its properties and the time that it took.

    `network_error` is the largest error of the network's own values at all points, its ramps added up by prefix sums;
    `torch_error` that of the plain sum of ramps, of the torch module, at `sample` points. Records made before both were
    measured have neither, but a `max_error` of targets that had been looked up.
    """
    from time import perf_counter

    import numpy as np
    import torch

    from ..theory import ReLUInterpolator

    start = perf_counter()
    net = ReLUInterpolator().fit(X, y)
    fit_seconds, start = perf_counter() - start, perf_counter()
    error = float(np.abs(net.predict(X) - y).max())
    predict_seconds = perf_counter() - start
    module = net.to_torch()
    some = stream(seed, "expressivity", "sample").permutation(len(X))[:sample]
    step = max(1, RAMPS // len(net.weights_.b))
    torch_error = 0.0
    with torch.no_grad():
        for few in (some[i : i + step] for i in range(0, len(some), step)):
            outputs = module(torch.tensor(np.asarray(X[few], dtype=np.float64)))[:, 0].numpy()
            torch_error = max(torch_error, float(np.abs(outputs - y[few]).max()))
    record = {
        "n": len(X),
        "d": X.shape[1],
        "weights": net.n_weights_,
        "distinct": len(net.weights_.b),
        "network_error": error,
        "torch_error": torch_error,
        "sampled": len(some),
        "smallest_eigenvalue": net.smallest_eigenvalue_,
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
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


def _flat(tables: Tables) -> list[Any]:
    """The fits of the theorem."""
    return [r for r in tables.records if r["what"] != "depth"]


def _deep(tables: Tables) -> list[Any]:
    """The fits of the corollary."""
    return [r for r in tables.records if r["what"] == "depth"]


def table(tables: Tables) -> list[Cells]:
    """A line for each fit."""
    return [
        {
            "what": r["what"] if r["what"] != "depth" else f"depth {r['depth']}, width {r['width']}",
            "n": r["n"],
            "d": r["d"],
            "weights": r["weights"],
            "largest error": _small(r["max_error"] if r["what"] == "depth" else r.get("network_error")),
            "summed as written": _small(r.get("torch_error")),
            "test %": "—" if r.get("test_accuracy") is None else f"{100 * r['test_accuracy']:.1f}",
            "fit s": f"{r['fit_seconds']:.2f}" if "fit_seconds" in r else "—",
        }
        for r in tables.records
    ]


def _small(error: float | None) -> str:
    if error is None:
        return "—"
    return f"{error:.1e}" if error else "0"


def draw(tables: Tables) -> Mapping[str, Any]:
    """Weights and errors against n; width against depth."""
    flat, deep = _flat(tables), _deep(tables)
    judged = [r for r in flat if r["what"].startswith("Gaussian") and r.get("network_error") and r.get("torch_error")]
    charts = {}
    if flat:
        charts["weights"] = lines(
            flat, "n", "weights", "what", log_x=True, log_y=True, y_format="~s",
            title="Weights of a network that fits every label",
            subtitle=f"2n + d for n distinct points; {_sources(flat)}; 1 output; {seeds_of(flat)}",
            x_title="training points n", y_title="weights",
        )  # fmt: skip
    if judged:
        errors = [
            r | {"sum": name, "error": r[key]}
            for r in judged
            for key, name in (("network_error", "prefix sums, all points"), ("torch_error", "as written, a sample"))
        ]
        charts["errors"] = lines(
            errors, "n", "error", "sum", log_x=True, log_y=True, y_format=".0e",
            title="Largest error of the network in float64",
            subtitle=f"Gaussian points, labels 0 to 9 at random, d = {judged[0]['d']}; {seeds_of(judged)}",
            x_title="training points n", y_title="largest error",
        )  # fmt: skip
    if deep:
        sizes = [r | {"points": f"n = {r['n']:,}"} for r in deep]
        charts["width"] = lines(
            sizes, "depth", "width", "points", log_x=True, log_y=True,
            title="Width against depth of a network that fits every label",
            subtitle=f"random labels; {seeds_of(deep)}",
            x_title="layers of weights", y_title="units in the widest layer",
        )  # fmt: skip
    return charts


def _sources(records: list[Any]) -> str:
    names = sorted({str(r.get("data", "Gaussian points")) for r in records})
    return " and ".join(names)


def verdict(tables: Tables) -> list[str]:
    """Are all labels fitted, with how many weights, and does the fit say anything about new points?"""
    flat, deep = _flat(tables), _deep(tables)
    sentences = []
    for what in dict.fromkeys(r["what"] for r in flat):
        largest = max((r for r in flat if r["what"] == what), key=lambda r: (r["n"], -r["seed"]))
        error, plain, accuracy = largest.get("network_error"), largest.get("torch_error"), largest["test_accuracy"]
        fit = "were fitted to" if error is None else "fit" if error <= EXACT else "do not fit"
        source = f" of {largest['data']}" if "data" in largest else ""
        errors = "" if error is None else f", with a largest error of {error:.1e}"
        errors += "" if plain is None else f" ({plain:.1e} where the ramps are added up as written)"
        chance = "" if accuracy is None else f", chance {percent(1 / largest['classes'])}"
        test = "" if accuracy is None else f"; test accuracy {percent(accuracy)}{chance}"
        repeats = largest.get("repeats")
        left_out = f"; {repeats:,} that equal another are left out" if repeats else ""
        sentences.append(
            f"{largest['weights']:,} weights {fit} {largest['n']:,} points{source} in {largest['d']:,} dimensions "
            f"({what}{left_out}){errors}{test}."
        )
    if deep:
        worst = max(deep, key=lambda r: r["max_error"])
        most = [r for r in deep if r["n"] == max(r["n"] for r in deep)]
        first, last = min(most, key=lambda r: r["depth"]), max(most, key=lambda r: r["depth"])
        exact = "fit" if worst["max_error"] <= EXACT else "do not all fit"
        sentences.append(
            f"Networks of depth {first['depth']} to {last['depth']} {exact} {first['n']:,} points with widths "
            f"{first['width']:,} to {last['width']:,} and {first['weights']:,} to {last['weights']:,} weights."
        )
    return sentences


def _theorem(tables: Tables) -> Outcome | None:
    flat = [r for r in _flat(tables) if r.get("network_error") is not None]
    if not flat:
        return None
    exact = all(r["weights"] == 2 * r["distinct"] + r["d"] and r["network_error"] <= EXACT for r in flat)
    largest, worst = max(flat, key=lambda r: r["n"]), max(r["network_error"] for r in flat)
    return Outcome(
        exact,
        f"{len(flat)} fits up to n = {largest['n']:,}, d = {largest['d']:,} with {largest['weights']:,} weights; "
        f"largest error {worst:.1e}",
    )


def _corollary(tables: Tables) -> Outcome | None:
    deep = _deep(tables)
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
