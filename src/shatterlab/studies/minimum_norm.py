"""Linear models: descent from zero finds the solution of least norm, and curvature cannot tell optima apart."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from .linear_fits import DIRECTIONS, LEAST, LOSSES, OPTIMUM, TEST, compare_curvatures, compare_optima, follow, solve
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import not_finite
from .sentences import display, mean_of, percent, seeds_of, sentence
from .statistics import share
from .study import Cells, Claim, Scale, Study, Tables

ARRIVED = 0.01
"""Descent counts as arrived if its distance to the limit of theory is at most this share of the start's distance (an
assumption: theory says that it arrives, not when)."""
AWAY = 0.5
"""Descent that has come to rest ends elsewhere if more than this share of the start's distance is left (an assumption:
nearer to the limit it may still creep)."""
INSIDE = 1e-6
"""Descent counts as inside the span of the data up to this angle in radians, which rounding makes."""
OUTSIDE = 1e-3
"""Descent counts as outside the span from this angle in radians on (an assumption: between both it may be rounding)."""
SAME = 1e-6
"""Two curvatures count as the same up to this relative difference; rounding leaves about 1e-9 between two optima."""
DIFFERENT = 0.01
"""Curvature can be told apart if it differs by this share at least at a point that is no optimum (an assumption)."""
APART = 0.1
"""Two optima count as different points if their distance is this share of the least norm at least (an assumption)."""
AT_OPTIMUM = 1e-12
"""A point is an optimum if its loss lies above the least possible one by at most this."""

SGD = "SGD from zero"
"""The path that the claim is about."""

# Each scale has the n and the steps of a path of descent, and the sizes whose minimum-norm solutions are scored.
SIZES: dict[Scale, tuple[int, int, list[int]]] = {
    "demo": (30, 10_000, [30, 100, 300, 1_000]),
    "cpu": (100, 200_000, [30, 100, 300, 1_000, 1_500]),
    "paper": (100, 1_000_000, [30, 100, 300, 1_000, 1_500]),
}


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
                "minimum-norm", f"curvature of the {loss} loss", shared | {"n": n, "loss": loss}, compare_curvatures
            )
            for loss in LOSSES
        ]
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


def _paths(tables: Tables) -> list[dict[str, Any]]:
    return [r for r in tables.records if "step" in r]


def table(tables: Tables) -> list[Cells]:
    """The optima, and the solutions at each n; on small data several sizes are cut to the same n."""
    lines = [
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
        if r["what"] in ("optimum", "solution")
    ]
    return [line for place, line in enumerate(lines) if line not in lines[:place]]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Distance to the minimum-norm solution along each path; test accuracy and norm against n."""
    charts = {}
    paths = _paths(tables)
    if paths:
        where = f"{paths[0]['data']}, {_where(paths[0])}"
        charts["paths"] = lines(
            paths, "step", "to_least_norm", "what", log_x=True, log_y=True, dots=False,
            title="Distance to the solution of least norm along descent",
            subtitle=f"{where}; default learning rates; {seeds_of(paths)}, mean and SD",
            x_title="steps", y_title="|w - w*| / |w*|, w* of least norm",
        )  # fmt: skip
    solutions = [r | {"score": "test accuracy"} for r in tables.records if r["what"] == "solution"]
    if solutions:
        fitted = percent(min(r["train_accuracy"] for r in solutions))
        where = f"{solutions[0]['data']}, d = {solutions[0]['d']:,}, one-hot targets, train accuracy {fitted}"
        where += f"; {seeds_of(solutions)}, mean and SD"
        charts["accuracy"] = lines(
            solutions, "n", "test_accuracy", "score", log_x=True, y_format="%",
            title="Test accuracy of the linear model of least norm", subtitle=where, x_title="training points n",
            y_title="test accuracy",
        )  # fmt: skip
    return charts


def _where(record: Mapping[str, Any]) -> str:
    return f"n = {record['n']:,}, d = {record['d']:,}"


def path_ends(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """The last record of each path, one for each seed, by kind of descent.

    Each has gained `halfway`, the distance to the limit after half of the steps.
    """
    paths: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for r in sorted(_paths(tables), key=lambda r: r["step"]):
        paths.setdefault((r["what"], r["seed"]), []).append(r)
    ends: dict[str, list[dict[str, Any]]] = {what: [] for what, _ in paths}
    for what, seed in sorted(paths):
        path = paths[what, seed]
        early = [r["to_limit"] for r in path if 2 * r["step"] <= path[-1]["step"]]
        ends[what].append(path[-1] | {"halfway": early[-1] if early else 1.0})
    return ends


def _diverged(end: Mapping[str, Any]) -> bool:
    """Whether a path has left for infinity: it ends farther from its limit than it began."""
    return not end["to_limit"] <= 1 or not isfinite(end["span_angle"])


def _stands(end: Mapping[str, Any]) -> bool:
    """Whether a path has come no nearer to its limit over the last half of its steps."""
    return bool(end["to_limit"] >= end["halfway"])


def _path(ends: list[dict[str, Any]]) -> tuple[str, str, str]:
    """How far the paths of one kind of descent have come: subject, number and angle, in words."""
    what, steps = ends[0]["what"], f"{ends[0]['step']:,} steps"
    goal = "the solution of least norm" if "zero" in what else "the solution nearest to its start"
    if any(map(_diverged, ends)):
        many = f" in {sum(map(_diverged, ends))} of {len(ends)} seeds" if len(ends) > 1 else ""
        return f"{what} has diverged{many}", f"within {steps}", ""
    left = mean_of([r["to_limit"] for r in ends], percent)
    verb = (
        "arrives at" if all(r["to_limit"] <= ARRIVED for r in ends)
        else "has come to rest before" if all(map(_stands, ends))
        else "is still on its way to"
    )  # fmt: skip
    subject = f"{what} {verb} {goal}:"
    angle = max(r["span_angle"] for r in ends)
    inside = "in the span of the data" if angle < INSIDE else f"{angle:.2g} rad outside the span of the data"
    return subject, f"{left} of the distance is left after {steps}", inside


def _least_norm(tables: Tables) -> Outcome:
    """Judges where the paths from zero end, with those from a random start as a control."""
    ends = path_ends(tables)
    from_zero = [runs for what, runs in ends.items() if what.endswith("zero")]
    control = [r for what, runs in ends.items() if not what.endswith("zero") for r in runs]
    if not from_zero:
        return NO_RUNS
    numbers = "; ".join(
        f"{runs[0]['what']}: {', '.join(_path(runs)[1:])}" for runs in from_zero if not any(map(_diverged, runs))
    )
    numbers += f"{'; ' if numbers else ''}{_where(from_zero[0][0])}"
    if control and not any(map(_diverged, control)):
        far = mean_of([r["to_least_norm"] for r in control], "{:.2f}".format)
        numbers += f"; from a random start {far} times the least norm away from that solution"
    outcomes = [_end(r, numbers) for runs in from_zero for r in runs]
    if SGD not in ends:
        outcomes.append(cannot_tell("SGD from zero, which the claim is about, has not been run", "finish", numbers))
    if not control:
        outcomes.append(cannot_tell("descent from a random start, the control, has not been run", "finish", numbers))
    outcomes += [_control(r, numbers) for r in control]
    return all_of(outcomes)


def _end(end: Mapping[str, Any], numbers: str) -> Outcome:
    """What the end of one path from zero shows."""
    if _diverged(end):
        return _on_its_way(end, numbers)
    if end["span_angle"] > OUTSIDE or (_stands(end) and end["to_limit"] > AWAY):
        return Outcome("contradicted", numbers)
    if end["to_limit"] > ARRIVED:
        return _on_its_way(end, numbers)
    return Outcome("confirmed" if end["span_angle"] < INSIDE else "not shown", numbers)


def _control(end: Mapping[str, Any], numbers: str) -> Outcome:
    """Whether one path from a random start shows that the start decides: it has to end elsewhere."""
    if not _diverged(end) and end["to_least_norm"] <= ARRIVED:
        return cannot_tell("descent from a random start arrives at the least norm as well", None, numbers)
    return Outcome("confirmed", numbers) if end["to_limit"] <= ARRIVED else _on_its_way(end, numbers)


def _on_its_way(end: Mapping[str, Any], numbers: str) -> Outcome:
    """The outcome of a path that has not arrived, or not yet."""
    seed = f"seed {end['seed']}"
    if _diverged(end):
        return cannot_tell(f"{end['what']} has diverged within {end['step']:,} steps ({seed})", numbers=numbers)
    if _stands(end):
        return cannot_tell(
            f"{end['what']} has come no nearer over the last half of its {end['step']:,} steps, with "
            f"{percent(end['to_limit'])} of the distance left ({seed})",
            "scale",
            numbers,
        )
    return cannot_tell(
        f"{end['what']} is still on its way ({percent(end['to_limit'])} left after {end['step']:,} steps, {seed})",
        "scale",
        numbers,
    )


def curvature_differences(tables: Tables) -> dict[str, dict[str, float]]:
    """For each general loss the largest relative difference of curvature from that at the least norm, by point.

    The largest is taken over directions and seeds for an optimum, and over directions, then the least over seeds, for
    a point that is none.
    """
    records = [r for r in tables.records if r["what"] == "curvature" and all(map(isfinite, r["curvatures"]))]
    found: dict[str, dict[str, list[float]]] = {}
    for r in records:
        least = (r["loss"], r["seed"], LEAST)
        reference = next((o for o in records if (o["loss"], o["seed"], o["point"]) == least), None)
        if reference is None or r is reference:
            continue
        apart = max(abs(c / c0 - 1) for c, c0 in zip(r["curvatures"], reference["curvatures"], strict=True))
        found.setdefault(r["loss"], {}).setdefault(r["point"], []).append(apart)
    return {
        loss: {point: (max if point in OPTIMUM else min)(apart) for point, apart in points.items()}
        for loss, points in found.items()
    }


def _curvatures(tables: Tables) -> list[str]:
    """How far curvatures differ between optima and from them to other points, for each loss, in words."""
    parts = []
    if optima := [r for r in tables.records if r["what"] == "optimum"]:
        most = max(r["curvature_difference"] for r in optima)
        parts.append(f"squared loss, which has one Hessian everywhere: optima differ from X'X/n by {percent(most)}")
    for loss, points in curvature_differences(tables).items():
        between = max((points[point] for point in OPTIMUM if point in points), default=None)
        elsewhere = min((apart for point, apart in points.items() if point not in OPTIMUM), default=None)
        if between is not None and elsewhere is not None:
            parts.append(
                f"{loss} loss: two optima differ by {percent(between)}, points that are no optima by at least "
                f"{percent(elsewhere)}"
            )
    return parts


def _same_curvature(tables: Tables) -> Outcome:
    """Judges the general losses; the squared one has the same curvature everywhere and decides nothing."""
    records = [r for r in tables.records if r["what"] == "curvature"]
    squared = [r for r in tables.records if r["what"] == "optimum"]
    if not (records or squared):
        return NO_RUNS
    named = [r | {"curvature": r["curvatures"]} for r in records]
    if broken := not_finite([*named, *squared], ("curvature", "excess_loss", "curvature_difference", "norm")):
        return broken
    numbers = "; ".join(_curvatures(tables))
    differences = curvature_differences(tables)
    points = {"another optimum", "zero weights", "random weights"}
    if missing := [loss for loss in LOSSES if not points <= differences.get(loss, {}).keys()]:
        return cannot_tell(f"curvatures of the {' and '.join(missing)} loss are missing", "finish", numbers)
    for r in records:
        if r["point"] in OPTIMUM and not r["excess_loss"] <= AT_OPTIMUM:
            return cannot_tell(
                f"the {r['loss']} loss of the point {r['point']!r} lies {r['excess_loss']:.0e} above the least "
                f"possible, so that it is no optimum (seed {r['seed']})",
                None,
                numbers,
            )
    for r in records:
        if r["point"] in OPTIMUM and r["point"] != LEAST and _distance(r, records) < APART:
            return cannot_tell(
                f"the two optima of the {r['loss']} loss lie nearer to each other than {percent(APART)} of the least "
                f"norm, and may be one point (seed {r['seed']})",
                numbers=numbers,
            )
    alike = [
        f"{point} ({loss} loss)"
        for loss, by_point in differences.items()
        for point, apart in by_point.items()
        if point not in OPTIMUM and not apart >= DIFFERENT
    ]
    if alike:
        return cannot_tell(f"points that are no optima have the same curvature: {', '.join(alike)}", None, numbers)
    most = max(by_point["another optimum"] for by_point in differences.values())
    return Outcome("confirmed" if most <= SAME else "contradicted" if most >= DIFFERENT else "not shown", numbers)


def _distance(optimum: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> float:
    """The distance of another optimum from that of least norm, relative to this norm.

    Early records have the norms alone. No two points are nearer to each other than their norms are.
    """
    if "distance" in optimum:
        return float(optimum["distance"])
    seed, loss = optimum["seed"], optimum["loss"]
    least = next(r["norm"] for r in records if (r["point"], r["seed"], r["loss"]) == (LEAST, seed, loss))
    return abs(float(optimum["norm"] / least) - 1)


def _accuracy(runs: Sequence[Mapping[str, Any]]) -> str:
    """The mean test accuracy of some fits over seeds; that of one seed with the standard error of its test points."""
    values = [r["test_accuracy"] for r in runs]
    known = runs[0].get("tested")
    if len(runs) > 1 or not known:
        return mean_of(values, percent)
    return f"{percent(values[0])} (SE {100 * share(values[0], known).error:.1f})"


def _tested(runs: Sequence[Mapping[str, Any]]) -> str:
    """The number of test points, which early records lack."""
    return f"; {runs[0]['tested']:,} test points" if "tested" in runs[0] else ""


def verdict(tables: Tables) -> list[str]:
    """Where does each path end, are optima of one curvature, and does the norm tell which generalizes?"""
    sentences = []
    for ends in path_ends(tables).values():
        subject, left, inside = _path(ends)
        sentences.append(sentence(f"{subject[0].upper()}{subject[1:]}", left, inside))
    return [*sentences, *_optima(tables), *_norms(tables)] or ["No computation is finished yet."]


def _optima(tables: Tables) -> list[str]:
    """Curvatures, and the test accuracies of the optima that they do not tell apart."""
    sentences = []
    if parts := _curvatures(tables):
        sentences.append(sentence("Curvature along random directions:", *parts))
    optima = [r for r in tables.records if r["what"] == "optimum"]
    groups = [[r for r in optima if (r["optimum"] == LEAST) == least] for least in (True, False)]
    if all(groups):
        norms = [mean_of([r["norm"] for r in runs], "{:.3g}".format) for runs in groups]
        sentences.append(
            sentence(
                "The optimum of least norm has a test accuracy of",
                _accuracy(groups[0]),
                f"another one has {_accuracy(groups[1])}",
                f"their norms are {norms[0]} and {norms[1]}",
                caveat=f"{_where(optima[0])}{_tested(optima)}",
            )
        )
    return sentences


def _norms(tables: Tables) -> list[str]:
    """The least-norm fits of the fewest and the most labels."""
    # On a small set several sizes are cut to the same n.
    solutions = list({(r["n"], r["seed"]): r for r in tables.records if r["what"] == "solution"}.values())
    sizes = sorted({r["n"] for r in solutions})
    in_words = []
    for n in sizes[-1:] + sizes[:-1][:1]:
        runs = [r for r in solutions if r["n"] == n]
        in_words.append((n, _accuracy(runs), mean_of([r["norm"] for r in runs], "{:.3g}".format)))
    if not in_words:
        return []
    (n, accuracy, norm), *fewer = in_words
    return [
        sentence(
            f"On {display(solutions[0]['data'])} the least-norm fit of {n:,} labels has a test accuracy of",
            accuracy,
            f"its norm is {norm}",
            *(
                f"that of {few:,} labels has a test accuracy of {low} and a norm of {small}"
                for few, low, small in fewer
            ),
            caveat=_tested(solutions).removeprefix("; "),
        )
    ]


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
            f"Confirmed if at most {percent(ARRIVED)} of the distance to it is left at the end of every path from "
            f"zero, SGD among them, whose angle to the span is below {INSIDE:g} rad, while descent from a random "
            "start, the control, ends elsewhere, at the solution nearest to its start. Contradicted if a path from "
            f"zero leaves the span by more than {OUTSIDE:g} rad, or has more than {percent(AWAY)} left and has come no "
            "nearer over the last half of its steps. Paths that diverge decide nothing. As this is a theorem, nothing "
            "but rounding is random.",
            _least_norm,
        ),
        Claim(
            "The curvature of the loss is the same at every optimum of a linear model, so it cannot tell them apart.",
            f"Confirmed if curvatures of {' and '.join(LOSSES)} loss, measured by second differences, agree within "
            f"{SAME:g} along {DIRECTIONS} random directions at two optima at least {percent(APART)} of the least norm "
            "apart, while at two points that are no optima, the control, they differ by at least "
            f"{percent(DIFFERENT)}. Contradicted if those of two optima differ by as much. The squared loss has one "
            "Hessian everywhere and decides nothing.",
            _same_curvature,
        ),
    ),
)
