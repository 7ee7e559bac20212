"""The theorem as a construction: 2n + d weights fit any labels of n points, and say nothing about other points."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FEWEST, not_finite
from .sentences import count_of, display, percent, seeds_of, sentence
from .statistics import Estimate, below, share
from .study import Cells, Claim, Scale, Study, Tables

EXACT = 1e-6
"""A fit counts as exact if its largest error on labels 0..9 is at most this."""
ROUNDING = 1e-12
"""Ramps that are added up as written miss a label by at most this times n², beside `EXACT`: their rounding grows about
so, up to 0.09 at a million points (NOTEBOOK.md), of which this is ten times as much."""

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
DEEP_SIZES = ((250, 25), (1_000, 100), (4_000, 400), (250, 125), (1_000, 500), (4_000, 2_000))
"""The points and dimensions of the networks of each depth: d / n takes two values, so that n + d is told from n."""
BAND = 0.05
"""A number counts as O(x) if the 95 % interval of the exponent of x ends below 1 plus this (an assumption: a factor of
log n would add 0.15 to the exponent over these sizes)."""

FEWEST_SIZES = 3
"""An exponent is fitted to at least so many sizes, and so many depths."""

LABELS_OFF = 4
"""The share of wrong labels among random ones lies within this many standard errors of 1 - 1 / K."""


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
    wrong = float((train.labels != train.true_labels).mean())
    return [{"what": labels, "classes": train.classes, "wrong_labels": wrong, "repeats": repeats} | record]


def first_of_equal(rows: Any) -> Any:
    """The indices of the rows that equal no row before them, ascending."""
    from hashlib import sha256

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
        record["tested"] = len(X_test)
        record["test_accuracy"] = float((np.rint(net.predict(X_test)) == y_test).mean())
    return record


def fit_deep(depths: list[int], n: int, d: int, seed: int) -> list[dict[str, Any]]:
    """Fits networks of each depth to the same Gaussian points with random labels 0..9."""
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
    if error != error:
        return "not a number"
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


def exponent(x: Sequence[float], y: Sequence[float], groups: Sequence[Any] | None = None) -> Estimate:
    """The b of y = c x^b by least squares of the logarithms, with its standard error; c may differ between groups."""
    groups = [0] * len(x) if groups is None else groups
    logs = np.log(np.array([x, y], dtype=float))
    member = np.array([[group == other for other in groups] for group in groups])
    across, up = logs - logs @ member / member.sum(axis=0)
    degrees = len(x) - 1 - len(set(groups))
    value = float(across @ up / (across @ across))
    left = up - value * across
    error = float(left @ left / degrees / (across @ across)) ** 0.5 if degrees > 0 else np.inf
    return Estimate(value, error, max(degrees, 1))


def _growth(flat: list[Any], key: str) -> str:
    """How the largest error over seeds grows with n on Gaussian points, where three sizes or more tell."""
    largest: dict[int, float] = {}
    for r in flat:
        if r["what"].startswith("Gaussian") and (r.get(key) or 0) > 0:
            largest[r["n"]] = max(largest.get(r["n"], 0.0), r[key])
    if len(largest) < FEWEST_SIZES:
        return ""
    return f", growing as n^{_bracket(exponent(list(largest), list(largest.values())), 1)}"


def _accuracy(record: Mapping[str, Any]) -> str:
    """The test accuracy of a fit with its standard error, which needs the number of test points of later records."""
    if "tested" not in record:
        return percent(record["test_accuracy"])
    error = share(record["test_accuracy"], record["tested"]).error
    return f"{percent(record['test_accuracy'])} (SE {100 * error:.1f}, {record['tested']:,} test points)"


def verdict(tables: Tables) -> list[str]:
    """Are all labels fitted, with how many weights, and does the fit say anything about new points?"""
    flat, deep = _flat(tables), _deep(tables)
    sentences = []
    for what in dict.fromkeys(r["what"] for r in flat):
        some = [r for r in flat if r["what"] == what]
        largest = max(some, key=lambda r: (r["n"], r.get("network_error") or 0.0))
        source = f" of {display(largest['data'])}" if "data" in largest else ""
        points = f"{largest['n']:,} points{source} in {largest['d']:,} dimensions ({what})"
        error, plain, accuracy = largest.get("network_error"), largest.get("torch_error"), largest["test_accuracy"]
        grown, written, test = _growth(some, "network_error"), "", ""
        if plain is not None:
            written = f"it is {_small(plain)} with the ramps added up as written{_growth(some, 'torch_error')}"
        if accuracy is not None:
            test = f"test accuracy {_accuracy(largest)}, where guessing has {percent(1 / largest['classes'])}"
        repeats = largest.get("repeats")
        sentences.append(
            sentence(
                f"{largest['weights']:,} weights for {points}: largest error",
                "unknown, as targets were looked up" if error is None else f"{_small(error)}{grown}",
                written,
                test,
                caveat=f"left out as they equal another: {count_of(repeats, 'image')}" if repeats else "",
            )
        )
    if deep:
        most = [r for r in deep if r["n"] == max(r["n"] for r in deep)]
        first, last = min(most, key=lambda r: r["depth"]), max(most, key=lambda r: r["depth"])
        sentences.append(
            sentence(
                f"From depth {first['depth']} to {last['depth']} at n = {first['n']:,}, d = {first['d']:,}: width",
                f"{first['width']:,} to {last['width']:,}",
                f"{first['weights']:,} to {last['weights']:,} weights",
                f"largest error {_small(max(r['max_error'] for r in deep))}",
            )
        )
    return sentences or ["No fit is finished yet."]


def _theorem(tables: Tables) -> Outcome:
    flat = _flat(tables)
    if not flat:
        return NO_RUNS
    judged = [r for r in flat if r.get("network_error") is not None]
    if not judged:
        return cannot_tell("the errors kept are of targets that were looked up, not of the network", "finish")
    if broken := not_finite(judged, ("network_error", "torch_error")):
        return broken
    worst = max(r["network_error"] for r in judged)
    plain = [r["torch_error"] for r in judged if r.get("torch_error") is not None]
    written = f"; it is {_small(max(plain))} with the ramps added up as written" if plain else ""
    right = [r for r in judged if r["weights"] == 2 * r["distinct"] + r["d"]]
    numbers = (
        f"{_fits_in_words(len(right), [r['n'] for r in judged])} 2n + d weights; the largest error is "
        f"{_small(worst)}{_growth(judged, 'network_error')}{written}"
        f"{_growth(judged, 'torch_error') if plain else ''}"
    )
    if len(right) < len(judged) or worst > EXACT:
        return Outcome("contradicted", numbers)
    for r in judged:
        if (error := r.get("torch_error") or 0.0) > max(EXACT, ROUNDING * r["n"] ** 2):
            return cannot_tell(
                f"with the ramps added up as written the network misses a label by {_small(error)} at n = {r['n']:,}, "
                "more than rounding explains",
                numbers=numbers,
            )
    random = [r for r in judged if r["what"].endswith("random labels")]
    for r in random:
        expected = 1 - 1 / r.get("classes", 10)
        if abs(r.get("wrong_labels", expected) - expected) > LABELS_OFF * share(expected, r["n"]).error:
            return cannot_tell(
                f"{percent(r['wrong_labels'])} of the labels are wrong, not the {percent(expected)} of random ones",
                numbers=numbers,
            )
    sizes = {r["distinct"] for r in random if r["distinct"] >= FEWEST}
    if len(sizes) < 2:
        return cannot_tell(
            f"random labels were fitted at {count_of(len(sizes), 'size')} of at least {FEWEST} distinct points, not at "
            "two",
            "scale",
            numbers,
        )
    return Outcome("confirmed", numbers)


def _fits_in_words(right: int, sizes: Sequence[int]) -> str:
    """How many of some fits have something, such as `all 8 fits, n = 100 to 100,000, have`."""
    if len(sizes) == 1:
        return f"{'the' if right else 'not the'} one fit, n = {_range(sizes)}, has"
    which = f"{right} of {len(sizes)}" if right < len(sizes) else "both" if right == 2 else f"all {right}"
    return f"{which} fits, n = {_range(sizes)}, have"


def _corollary(tables: Tables) -> Outcome:
    deep = _deep(tables)
    if not deep:
        return NO_RUNS
    if broken := not_finite(deep, ("max_error", "width", "weights")):
        return broken
    worst = max(r["max_error"] for r in deep)
    # Seeds change the labels and not the layers, so they are no independent evidence: the widest stands for all.
    layers = {key: [r for r in deep if (r["n"], r["d"], r["depth"]) == key] for key in
              dict.fromkeys((r["n"], r["d"], r["depth"]) for r in deep)}  # fmt: skip
    widths, weights = ([max(r[what] for r in same) for same in layers.values()] for what in ("width", "weights"))
    depths, sizes = [k for _, _, k in layers], [n for n, _, _ in layers]
    fits = f"depths {_range(depths)}, n = {_range(sizes)}: the largest error is {_small(worst)}"
    if worst > EXACT:
        return Outcome("contradicted", fits)
    if len(set(sizes)) < FEWEST_SIZES or len(set(depths)) < FEWEST_SIZES:
        return cannot_tell(
            f"{count_of(len(set(sizes)), 'size')} and {count_of(len(set(depths)), 'depth')} give no exponents; "
            f"each takes {FEWEST_SIZES}",
            "finish",
            fits,
        )
    if len({round(d / n, 2) for n, d, _ in layers}) < 2:
        return cannot_tell("d was one share of n throughout, so that n + d is not told from n", "finish", fits)
    of_points = exponent(sizes, widths, depths)
    of_depth = exponent(depths, widths, [(n, d) for n, d, _ in layers])
    of_weights = exponent([n + d for n, d, _ in layers], weights, depths)
    numbers = (
        f"{fits}; the width grows as n^{_bracket(of_points)} at one depth and as k^{_bracket(of_depth)} at one n, the "
        f"weights as (n + d)^{_bracket(of_weights)}"
    )
    states = [below(of_points, 1 + BAND), below(of_depth, -1 + BAND), below(of_weights, 1 + BAND)]
    return replace(all_of(Outcome(state, "") for state in states), numbers=numbers)


def _range(values: Sequence[int]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def _bracket(estimate: Estimate, digits: int = 2) -> str:
    """An exponent with its interval, to so many digits."""
    low, high = (f"{end:.{digits}f}" for end in estimate.interval())
    return f"{estimate.value:.{digits}f} (95 % interval {low} to {high})"


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
            "Confirmed if every fit has 2n + d weights for n distinct points and the network's own values, its ramps "
            f"added up by prefix sums, meet every label 0 to 9 to {EXACT:g}, with random labels at two sizes or more "
            f"of at least {FEWEST} distinct points, where the share of wrong labels lies within {LABELS_OFF} standard "
            "errors of 1 - 1/K. Contradicted if a fit has other weights or a larger error. It cannot be told where the "
            f"ramps, added up as written, miss a label of a sample by more than {ROUNDING:g} n² and {EXACT:g}, which "
            "rounding does not explain.",
            _theorem,
        ),
        Claim(
            "So does a network of depth k with width O(n/k) and O(n + d) weights.",
            f"Confirmed if at every depth every label is met to {EXACT:g}, and the exponents of the width in n and of "
            f"the weights in n + d, each depth with a constant of its own, have 95 % intervals below {1 + BAND:g}, and "
            f"that of the width in k, each n with a constant of its own, below {-1 + BAND:g}; over at least "
            f"{FEWEST_SIZES} sizes, {FEWEST_SIZES} depths and two values of d/n. Contradicted if a label is missed by "
            "more, or the whole interval of an exponent lies above its bound.",
            _corollary,
        ),
    ),
)
