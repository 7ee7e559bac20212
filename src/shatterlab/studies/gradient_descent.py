"""Nonconvex problems that plain gradient descent solves: phase retrieval, matrix completion, blind deconvolution."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from .study import Cells, Claim, Outcome, Scale, Study, Tables

GOAL = 1e-8
ITERATIONS = 500
LINEAR = 0.99
"""Convergence counts as linear if a straight line through the log error has at least this R²."""
INCOHERENT = 4.0
"""Incoherence, in the problem's own measure, counts as bounded up to this small constant, whereas an iterate that lines
up with one measurement has sqrt(n) and more. The theorems promise some constant and do not say which."""
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
            "error an iteration": f"x {2.718281828459045 ** r['rate']:.3f}",
            "R² of the line": f"{r['r2']:.4f}",
            "largest incoherence": f"{r['worst_incoherence']:.2f}",
        }
        for r in _runs(tables)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Relative error against iterations."""
    records = [r | {"what": f"{r['problem']}, {_size(r)}"} for r in tables.records]
    seeds = len({r["seed"] for r in records})
    shared: dict[str, Any] = {
        "dots": False,
        "x_title": "iterations",
        "subtitle": f"spectral start, no regularization; {seeds} seed{'s' * (seeds > 1)}",
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


class Convergence(NamedTuple):
    """The convergence of several paths of descent: the worst of them in each respect."""

    runs: int
    reached: list[int]
    """The iterations to the goal, for each run that reaches it."""
    linearity: float
    """The R² of a straight line through the log error."""
    incoherence: float


def convergence(runs: list[dict[str, Any]]) -> Convergence:
    """The convergence of some runs."""
    reached = [r["reached"] for r in runs if r["reached"] is not None]
    return Convergence(len(runs), reached, min(r["r2"] for r in runs), max(r["worst_incoherence"] for r in runs))


def verdict(tables: Tables) -> list[str]:
    """Does each converge to 1e-8, linearly, and stay incoherent?"""
    sentences = []
    for problem in dict.fromkeys(r["problem"] for r in _runs(tables)):
        runs = [r for r in _runs(tables) if r["problem"] == problem]
        c, name = convergence(runs), f"{problem[0].upper()}{problem[1:]}"
        if len(c.reached) < c.runs:
            sentences.append(
                f"{name}: {len(c.reached)} of {c.runs} runs reach an error of {GOAL:g} within {ITERATIONS} iterations."
            )
            continue
        sizes = len({_size(r) for r in runs})
        sentences.append(
            f"{name}: error {GOAL:g} after {_iterations(c.reached)} iterations"
            f"{f' over {sizes} sizes' if sizes > 1 else ''}, "
            f"{'linearly' if c.linearity >= LINEAR else 'not linearly'} (R² {c.linearity:.4f}), iterates "
            f"{'stay' if c.incoherence <= INCOHERENT else 'do not stay'} incoherent (at most {c.incoherence:.2f})."
        )
    return sentences


def _iterations(reached: list[int]) -> str:
    return str(reached[0]) if len(reached) == 1 else f"{min(reached)} to {max(reached)}"


def _needs_none(tables: Tables) -> Outcome | None:
    if not (runs := _runs(tables)):
        return None
    c = convergence(runs)
    return Outcome(
        len(c.reached) == c.runs and c.linearity >= LINEAR and c.incoherence <= INCOHERENT,
        f"{len(c.reached)} of {c.runs} runs reach {GOAL:g}, after at most {max(c.reached, default='—')} iterations; "
        f"R² at least {c.linearity:.4f}, incoherence at most {c.incoherence:.2f}",
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
            f"every run reaches a relative error of {GOAL:g} within {ITERATIONS} iterations, linearly (R² at least "
            f"{LINEAR:g}), with an incoherence of at most {INCOHERENT:g}",
            _needs_none,
        ),
    ),
)
