"""Three routes to one solution: a kernel machine, the least norm, and where SGD ends."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .linear_fits import TEST, signs, standardized
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import not_finite
from .sentences import display, mean_of, percent, sentence
from .study import Cells, Claim, Scale, Study, Tables

SETTINGS: dict[Scale, dict[str, int]] = {
    "demo": {"n": 30, "n_test": 300, "steps": 30_000},
    "cpu": {"n": 100, "n_test": 1_000, "steps": 300_000},
    "paper": {"n": 100, "n_test": TEST, "steps": 300_000},
}
KERNELS = ("linear", "gaussian")
SNAPSHOTS = 40
LITTLE = 1e-4
"""Differences below this share are written as powers of ten."""
SMALLEST = 1e-12
"""Directions whose share of the largest eigenvalue is smaller than this are rounding, and not features."""

KERNEL, LEAST, SGD = "kernel machine", "least norm", "SGD from zero"
ROUTES = (KERNEL, LEAST, SGD)
RANDOM = "SGD from a random start"

ONE = 0.01
"""Two routes have ended at one solution if their outputs for test points differ by at most this share (a choice)."""
OTHER = 0.1
"""They have ended at different ones if their outputs differ by more than this (a choice)."""
NEARER = 0.99
"""SGD stands still if over the last half of its steps its difference has not fallen below this share of what it was."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """All routes with each kernel on images of the data set."""
    return [
        Computation(
            "three-routes",
            f"three routes with the {kernel} kernel",
            {"data": data, "kernel": kernel, **SETTINGS[scale], "seed": seed},
            compare,
        )
        for kernel in KERNELS
        for seed in range(seeds)
    ]


def compare(
    data: Any, kernel: Literal["linear", "gaussian"], n: int, n_test: int, steps: int, seed: int
) -> list[dict[str, Any]]:
    """Goes all routes and compares their outputs for test points.

    The kernel machine solves K a = y and never sees a feature. The other two never see the kernel: they work on
    features whose inner products are the kernel's values, for the linear kernel the pixels themselves, and for others
    the scaled eigenvectors of the kernel matrix of all training and test points.
    """
    import numpy as np

    from ..theory import KernelInterpolator, descend

    X, X_test, subset = standardized(data, n, n_test, seed)
    y, y_test = (signs(part.labels, data.train.classes) for part in (subset.train, subset.test))
    machine = KernelInterpolator(kernel=kernel).fit(X, y)
    outputs = {KERNEL: machine.predict(X_test)}
    features, others = (X, X_test) if kernel == "linear" else _features(np.concatenate([X, X_test]), len(X), machine)
    least = np.linalg.lstsq(features, y, rcond=None)[0]  # of all solutions the one of least norm, by singular values
    outputs[LEAST] = others @ least
    size = float(np.sqrt((outputs[KERNEL] ** 2).mean()))

    def apart(one: str, other: str) -> float:
        return float(np.sqrt(((outputs[one] - outputs[other]) ** 2).mean())) / size

    start = stream(seed, "three-routes", "start").standard_normal(features.shape[1])
    start *= np.linalg.norm(least) / np.linalg.norm(start)
    marks = set(np.unique(np.geomspace(1, steps, SNAPSHOTS).round().astype(int)).tolist())
    records = []
    for name, first in ((SGD, None), (RANDOM, start)):
        path = descend(features, y, first, steps=steps, batch_size=1, random_state=seed)
        for step, w in enumerate(path, 1):
            if step in marks:
                outputs[name] = others @ w
                records.append({"what": "path", "route": name, "step": step, "apart": apart(name, KERNEL)})
    ends = [
        {
            "what": "pair",
            "routes": f"{one}, {other}",
            "apart": apart(one, other),
            "largest": float(np.abs(outputs[one] - outputs[other]).max()) / size,
        }
        for one, other in combinations((*ROUTES, RANDOM), 2)
    ]
    scores = [
        {
            "what": "score",
            "route": name,
            "test_accuracy": float((np.sign(values) == y_test).mean()),
        }
        for name, values in outputs.items()
    ]
    shape = {"n": len(X), "d": features.shape[1], "tested": len(X_test)}
    return [record | shape for record in (*records, *ends, *scores)]


def _features(points: Any, n: int, machine: Any) -> tuple[Any, Any]:
    """Features of n training points and of the test points after them, with the kernel's values as inner products."""
    import numpy as np

    from ..theory.kernels import gaussian

    values, vectors = np.linalg.eigh(gaussian(points, points, machine.gamma_))
    kept = values > SMALLEST * values[-1]
    features = vectors[:, kept] * np.sqrt(values[kept])
    return features[:n], features[n:]


def _share(apart: float) -> str:
    """A difference in percent, or as a power of ten where it is next to nothing."""
    return percent(apart) if apart >= LITTLE else f"{apart:.0e}"


def _of(tables: Tables, what: str) -> list[dict[str, Any]]:
    return [r for r in tables.records if r["what"] == what]


def table(tables: Tables) -> list[Cells]:
    """A line for each kernel and pair of routes; of the control its pair with the kernel machine."""
    pairs = [r for r in _of(tables, "pair") if RANDOM not in r["routes"] or KERNEL in r["routes"]]
    return [
        {
            "kernel": kernel,
            "n": some[0]["n"],
            "features": some[0]["d"],
            "seeds": len(some),
            "routes": routes,
            "outputs apart (root mean square)": mean_of([r["apart"] for r in some], _share),
            "largest": mean_of([r["largest"] for r in some], _share),
        }
        for kernel in dict.fromkeys(r["kernel"] for r in pairs)
        for routes in dict.fromkeys(r["routes"] for r in pairs)
        if (some := [r for r in pairs if (r["kernel"], r["routes"]) == (kernel, routes)])
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """How far SGD's outputs are from the kernel machine's, step by step."""
    paths = [r | {"path": f"{r['kernel']}: {r['route'].removeprefix('SGD ')}"} for r in _of(tables, "path")]
    if not paths:
        return {}
    n = paths[0]["n"]
    return {
        "paths": lines(
            paths, "step", "apart", "path", log_x=True, log_y=True, dots=False, y_format=".0e",
            title="SGD on the way to the kernel machine",
            subtitle=f"{paths[0]['data']}, n = {n:,}, outputs for {paths[0]['tested']:,} test points; batches of one",
            x_title="steps of SGD", y_title="outputs apart, share of their size",
        )
    }  # fmt: skip


def verdict(tables: Tables) -> list[str]:
    """How far apart the ends of the three routes are, with each kernel."""
    pairs, scores = _of(tables, "pair"), _of(tables, "score")
    sentences = []
    for kernel in dict.fromkeys(r["kernel"] for r in pairs):
        some = [r for r in pairs if r["kernel"] == kernel]
        ours = [r for r in scores if r["kernel"] == kernel and r["route"] == KERNEL]
        sentences.append(
            sentence(
                f"With the {kernel} kernel the outputs of two routes for new points differ by at most",
                _share(_most(some)),
                f"from a random start SGD ends {_apart(some, KERNEL, RANDOM)} away from the kernel machine",
                f"test accuracy {mean_of([r['test_accuracy'] for r in ours], percent)}",
                caveat=f"{display(some[0]['data'])}, n = {some[0]['n']:,}, two classes of labels, "
                f"{some[0]['tested']:,} test points",
            )
        )
    return sentences or ["No computation is finished yet."]


def _most(pairs: Sequence[Mapping[str, Any]]) -> float:
    """The largest difference of two of the three routes."""
    return max(float(r["apart"]) for r in pairs if RANDOM not in r["routes"])


def _apart(pairs: Sequence[Mapping[str, Any]], one: str, other: str) -> str:
    return mean_of([r["apart"] for r in pairs if r["routes"] == f"{one}, {other}"], _share)


def _one_solution(tables: Tables) -> Outcome:
    pairs = _of(tables, "pair")
    if not pairs:
        return NO_RUNS
    if broken := not_finite(tables.records, ("apart",)):
        return broken
    numbers = "; ".join(
        f"{kernel} kernel: at most {_share(_most(some))} apart, from a random start {_apart(some, KERNEL, RANDOM)}"
        for kernel in dict.fromkeys(r["kernel"] for r in pairs)
        if (some := [r for r in pairs if r["kernel"] == kernel])
    )
    parts = [_pair(r, tables, numbers) for r in pairs]
    if missing := [kernel for kernel in KERNELS if kernel not in {r["kernel"] for r in pairs}]:
        parts.append(cannot_tell(f"the {' and '.join(missing)} kernel has not been tried", "finish", numbers))
    return all_of(parts)


def _pair(pair: Mapping[str, Any], tables: Tables, numbers: str) -> Outcome:
    """What the ends of two routes say; the random start is the control, which has to end elsewhere."""
    name = f"{pair['routes'].replace(',', ' and')} ({pair['kernel']} kernel, seed {pair['seed']})"
    if RANDOM in pair["routes"]:
        if pair["apart"] > OTHER:
            return Outcome("confirmed", numbers)
        return cannot_tell(f"the start decides nothing here: {name} end at one solution as well", None, numbers)
    if pair["apart"] <= ONE:
        return Outcome("confirmed", numbers)
    if SGD not in pair["routes"]:
        return Outcome("contradicted" if pair["apart"] > OTHER else "not shown", numbers)
    if pair["apart"] > OTHER and _stands(pair, tables):
        return Outcome("contradicted", numbers)
    return cannot_tell(f"SGD is still on its way: {name} differ by {percent(pair['apart'])}", "scale", numbers)


def _stands(pair: Mapping[str, Any], tables: Tables) -> bool:
    """Whether SGD from zero has come no nearer to the kernel machine over the last half of its steps."""
    path = [r for r in _of(tables, "path") if all(r[k] == pair[k] for k in ("kernel", "seed")) and r["route"] == SGD]
    last = max(r["step"] for r in path)
    half = [r["apart"] for r in path if 2 * r["step"] >= last]
    return len(half) > 1 and min(half) >= NEARER * half[0]


STUDY = Study(
    question="A kernel machine, the least norm, the end of SGD: are these three solutions or one?",
    source="Zhang et al. (2017), section 5",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "A kernel machine without regularization, the solution of least norm and the end of SGD from zero are one.",
            f"Confirmed if with the {' and the '.join(KERNELS)} kernel, on features whose inner products are the "
            f"kernel's values, the outputs of any two of the three for new points differ by at most {percent(ONE)} of "
            f"their size, while those of SGD from a random start, the control, differ from all by more than "
            f"{percent(OTHER)}. Contradicted if the kernel machine and the least norm differ by more than that, or SGD "
            "does and has come no nearer over the last half of its steps. As this is a theorem, nothing but rounding "
            "is random.",
            _one_solution,
        ),
    ),
)
