"""Nonconvex problems that plain gradient descent solves: phase retrieval, matrix completion, blind deconvolution."""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, isfinite
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from ..measures.convergence import falling
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import not_finite
from .sentences import count_of, seeds_of, sentence
from .statistics import above, below, over_seeds
from .study import Cells, Claim, Scale, Study, Tables

GOAL = 1e-8
"""Descent has solved a problem at this relative error (an assumption: the theorems promise any)."""
ITERATIONS = 500
LINEAR = 0.99
"""Convergence counts as linear if a straight line through the log error has at least this R² (an assumption)."""
INCOHERENT = 4.0
"""Incoherence, in the problem's own measure, counts as bounded up to this small constant, whereas an iterate that lines
up with one measurement has sqrt(n) and more. The theorems promise some constant and do not say which."""
SEEDS = 3
"""The claim needs this many draws of each problem: one on which descent succeeds in a third of the draws passes three
of them in 4 % of cases."""
STEPS = {"phase retrieval": 0.1, "matrix completion": 0.2, "blind deconvolution": 0.25}
"""The step sizes are small constants, as in the theorems: for each problem the largest that converged at every size."""

SIZES: dict[Scale, dict[str, list[dict[str, Any]]]] = {
    "demo": {"phase retrieval": [{"n": 100}], "matrix completion": [{"n": 300}], "blind deconvolution": [{"k": 50}]},
    "cpu": {
        "phase retrieval": [{"n": 100}, {"n": 200}, {"n": 400}],
        "matrix completion": [{"n": 300}, {"n": 600}],
        "blind deconvolution": [{"k": 50}, {"k": 100}, {"k": 200}],
    },
    "paper": {
        "phase retrieval": [{"n": 100}, {"n": 1_000}],
        "matrix completion": [{"n": 300}, {"n": 1_000}],
        "blind deconvolution": [{"k": 50}, {"k": 200}],
    },
}


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """One computation for each problem, size and seed."""
    return [
        Computation("gradient-descent", f"{problem}, {', '.join(f'{k} = {v:,}' for k, v in size.items())}",
             {"problem": problem, "size": size, "iterations": ITERATIONS, "step": STEPS[problem], "seed": seed}, solve)
        for seed in range(seeds)
        for problem, sizes in SIZES[scale].items()
        for size in sizes
    ]  # fmt: skip


def solve(problem: str, size: dict[str, int], iterations: int, step: float, seed: int) -> list[dict[str, Any]]:
    """Records every fifth iteration of a path down to rounding, each with the summary of the path."""
    from ..theory.nonconvex import PROBLEMS

    path = PROBLEMS[problem](**size, iterations=iterations, step=step, seed=seed)
    slope, fit = path.linearity()
    summary = {
        "reached": path.iterations_to(GOAL),
        "rate": slope,
        "r2": fit,
        "worst_incoherence": float(path.incoherence.max()),
        "last_error": float(path.error[-1]),
    }
    return [
        summary | {"iteration": i, "error": max(float(path.error[i]), 1e-16), "incoherence": float(path.incoherence[i])}
        for i in range(0, iterations + 1, 5)
    ]


def _runs(tables: Tables) -> list[dict[str, Any]]:
    return [r for r in tables.records if r["iteration"] == 0]


def _size(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value:,}" for name, value in record["size"].items())


def table(tables: Tables) -> list[Cells]:
    """A line for each run."""
    return [
        {
            "problem": r["problem"],
            "size": _size(r),
            "seed": r["seed"],
            f"iterations to {GOAL:g}": r["reached"] if r["reached"] is not None else "not reached",
            "error an iteration": f"x {exp(r['rate']):.3f}",
            "R² of the line": f"{r['r2']:.4f}",
            "largest incoherence": f"{r['worst_incoherence']:.2f}",
        }
        for r in _runs(tables)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Relative error against iterations."""
    records = [r | {"what": f"{r['problem']}, {_size(r)}"} for r in tables.records]
    shared: dict[str, Any] = {
        "dots": False,
        "x_title": "iterations",
        "subtitle": f"spectral start, no regularization; {seeds_of(records)}, mean and SD",
    }
    return {
        "error": lines(
            records, "iteration", "error", "what", log_y=True, y_format=".0e", y_title="relative error",
            title="Relative error of plain gradient descent", **shared,
        ),
        "incoherence": lines(
            records, "iteration", "incoherence", "what", y_title="incoherence, each problem's own measure",
            title="Incoherence of the iterates", **shared,
        ),
    }  # fmt: skip


def _groups(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """The runs of each problem and size, one for each seed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for r in _runs(tables):
        groups.setdefault(f"{r['problem']}, {_size(r)}", []).append(r)
    return groups


def _in_words(runs: list[dict[str, Any]]) -> list[str]:
    """How many of some runs reach the goal and when, how straight the log error falls, and the largest incoherence."""
    reached = [r["reached"] for r in runs if r["reached"] is not None]
    one = len(runs) == 1
    many = "" if one else f"in {f'{len(reached)} of' if len(reached) < len(runs) else 'all'} {len(runs)} runs "
    parts = [f"{many}within {ITERATIONS} iterations"]
    if reached:
        parts.append(f"{min(reached)} to {max(reached)} iterations are needed" if len(set(reached)) > 1 else
                     f"{reached[0]} iterations are needed")  # fmt: skip
    least, most = ("", "") if one else ("at least ", "at most ")
    if lines := [r["r2"] for r in runs if isfinite(r["r2"])]:
        parts.append(f"a line through the log error has an R² of {least}{min(lines):.4f}")
    if incoherences := [r["worst_incoherence"] for r in runs if isfinite(r["worst_incoherence"])]:
        parts.append(f"incoherence is {most}{max(incoherences):.2f}")
    return parts


def verdict(tables: Tables) -> list[str]:
    """How soon does each converge to 1e-8, how linearly, and does it stay incoherent?"""
    sentences = []
    for name, runs in _groups(tables).items():
        first, *rest = _in_words(runs)
        reaches = "reaches" if len(runs) > 1 or runs[0]["reached"] is not None else "does not reach"
        subject = f"{name[0].upper()}{name[1:]}: plain gradient descent {reaches} a relative error of {GOAL:g}"
        sentences.append(sentence(subject, first, *rest))
    return sentences or ["No problem has been run yet."]


def _needs_none(tables: Tables) -> Outcome:
    groups = _groups(tables)
    if not groups:
        return NO_RUNS
    runs = _runs(tables)
    first, *rest = _in_words(runs)
    is_reached = "is reached" if len(runs) > 1 or runs[0]["reached"] is not None else "is not reached"
    numbers = "; ".join([f"a relative error of {GOAL:g} {is_reached} {first}", *rest, seeds_of(runs)])
    outcomes = [_of_group(tables, name, of_group) for name, of_group in groups.items()]
    if missing := STEPS.keys() - {r["problem"] for r in runs}:
        outcomes.append(cannot_tell(f"{' and '.join(sorted(missing))} has not been run", "finish"))
    return replace(all_of(outcomes), numbers=numbers)


def _of_group(tables: Tables, name: str, runs: list[dict[str, Any]]) -> Outcome:
    """What the runs of one problem and size show."""
    parts = [_not_reached(tables, name, r) for r in runs if r["reached"] is None]
    stuck = [part for part in parts if part.state == "contradicted"]
    if len(runs) < SEEDS or 2 * len(stuck) < len(runs):
        parts = [Outcome("not shown", "") if part in stuck else part for part in parts]
    if not parts and (broken := not_finite(runs, ("worst_incoherence",))):
        parts = [replace(broken, reason=f"{broken.reason}: {name}")]
    if not parts and not all(isfinite(r["r2"]) for r in runs):
        parts = [cannot_tell(f"{name} starts so near to the solution that no line can be fitted")]
    if not parts and len(runs) < SEEDS:
        parts = [cannot_tell(f"{count_of(len(runs), 'seed')} of each problem where the rule asks for {SEEDS}", "seeds")]
    if not parts:
        linear = above(over_seeds([r["r2"] for r in runs]), LINEAR)
        incoherent = below(over_seeds([r["worst_incoherence"] for r in runs]), INCOHERENT)
        parts = [Outcome(linear, ""), Outcome(incoherent, "")]
    return all_of(parts)


def _not_reached(tables: Tables, name: str, run: Mapping[str, Any]) -> Outcome:
    """The outcome of a run that has not reached the goal: it may be on its way, stuck, or have diverged."""
    keys = ("problem", "size", "seed")
    path = sorted((r["iteration"], r["error"]) for r in tables.records if all(r[key] == run[key] for key in keys))
    if not all(isfinite(error) for _, error in path):
        return cannot_tell(f"{name} has diverged (seed {run['seed']})")
    if falling([error for _, error in path]) is False:
        return Outcome("contradicted", "")
    return cannot_tell(
        f"{name} was at an error of {path[-1][1]:.1g} after {path[-1][0]:,} iterations (seed {run['seed']}) and had "
        "not stopped falling"
    )


STUDY = Study(
    question="Does gradient descent need regularization to solve nonconvex problems?",
    source="Ma, Wang, Chi and Chen (2017), cited by the lecture",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Plain gradient descent from a spectral start solves nonconvex problems without regularization and stays "
            "incoherent (Ma et al., 2017).",
            f"Confirmed if every run of each of the three problems, in at least {SEEDS} seeds, reaches a relative "
            f"error of {GOAL:g} within {ITERATIONS} iterations, and the R² of a straight line through the log error "
            f"lies above {LINEAR:g} and the largest incoherence below {INCOHERENT:g}, both by the 95 % t interval over "
            "seeds. Contradicted if an interval lies on the other side, or if half of the runs of a problem at one "
            f"size, in at least {SEEDS} seeds, have errors that stopped falling above the goal. As the theorems hold "
            "with high probability, fewer such runs leave the claim not shown.",
            _needs_none,
        ),
    ),
)
