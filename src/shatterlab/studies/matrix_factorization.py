"""Implicit bias on a factored matrix: the start decides which of many exact solutions gradient descent finds."""

from collections.abc import Mapping
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from .sentences import mean_of, percent, seeds_of
from .study import Cells, Claim, Outcome, Scale, Study, Tables

STARTS = (1e-3, 1e-2, 1e-1, 1.0, 5.0)
PROBLEMS: dict[Scale, dict[str, int]] = {
    "demo": {"n": 50, "rank": 2, "measurements": 300},
    "cpu": {"n": 50, "rank": 2, "measurements": 300},
    "paper": {"n": 50, "rank": 2, "measurements": 300},
}
FITTED = 2e-3
"""Measurements count as fitted up to this residual relative to them."""
FOUND, MISSED = 0.01, 0.5
"""The truth counts as found below the first reconstruction error and as missed above the second."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """Gradient descent from each size of start, and the convex programme."""
    return [
        Computation(
            "matrix-factorization",
            f"a factored matrix from a start of {start:g}" if start else "the matrix of least nuclear norm",
            PROBLEMS[scale] | {"start": start, "seed": seed},
            reconstruct,
        )
        for seed in range(seeds)
        for start in (*STARTS, 0.0)
    ]


def reconstruct(n: int, rank: int, measurements: int, start: float, seed: int) -> list[dict[str, Any]]:
    """Reconstructs the matrix from a start of this Frobenius norm; 0 stands for the convex programme."""
    import numpy as np

    from ..theory import descend_factored, minimum_nuclear_norm, sensing_problem
    from ..theory.matrix_factorization import nuclear_norm

    problem = sensing_problem(n, rank, measurements, seed)
    if start == 0:
        X, steps = minimum_nuclear_norm(problem), None
        residual = float(np.linalg.norm(problem.operator @ X.ravel() - problem.y) / np.linalg.norm(problem.y))
    else:
        descent = descend_factored(problem, start, seed=seed)
        X, residual, steps = descent.X, descent.residual, descent.steps
    return [
        {
            "method": "gradient descent" if start else "least nuclear norm, convex programme",
            "error": float(np.linalg.norm(X - problem.truth) / np.linalg.norm(problem.truth)),
            "nuclear_norm": nuclear_norm(X),
            "true_nuclear_norm": nuclear_norm(problem.truth),
            "residual": residual,
            "steps": steps,
        }
    ]


def table(tables: Tables) -> list[Cells]:
    """A line for each start."""
    return [
        {
            "method": r["method"],
            "start |U|": f"{r['start']:g}" if r["start"] else "—",
            "seed": r["seed"],
            "steps": "—" if r["steps"] is None else r["steps"],
            "residual": f"{r['residual']:.1e}",
            "error": percent(r["error"]) if r["error"] >= 0.1 else f"{100 * r['error']:.2g} %",
            "nuclear norm": f"{r['nuclear_norm']:.3f}",
            "of the truth": f"{r['true_nuclear_norm']:.3f}",
        }
        for r in tables.records
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Reconstruction error and nuclear norm against the size of the start."""
    records = [r | {"what": "gradient descent"} for r in tables.records if r["start"]]
    if not records:
        return {}
    first = records[0]
    size = f"n = {first['n']}, rank {first['rank']}, {first['measurements']} Gaussian measurements, all fitted"
    subtitle = f"{size}; {seeds_of(records)}"
    return {
        "error": lines(
            records, "start", "error", "what", log_x=True, log_y=True, x_format="~g", y_format="~%",
            title="Reconstruction error against the size of the start", subtitle=subtitle,
            x_title="Frobenius norm of U at the start", y_title="relative error of U U'",
        )
    }  # fmt: skip


def ends(tables: Tables) -> tuple[list[Any], list[Any], float | None]:
    """The descents from the smallest and the largest start, and the largest share by which the nuclear norms of the
    former differ from the least possible one; None where that is not known.
    """
    tiny, large = ([r for r in tables.records if r["start"] == size] for size in (min(STARTS), max(STARTS)))
    convex = {r["seed"]: r["nuclear_norm"] for r in tables.records if not r["start"]}
    excess = [abs(r["nuclear_norm"] / convex[r["seed"]] - 1) for r in tiny if r["seed"] in convex]
    return tiny, large, max(excess, default=None)


def verdict(tables: Tables) -> list[str]:
    """Is the truth found from a tiny start and missed from a large one, and is what is found of least nuclear norm?"""
    tiny, large, excess = ends(tables)
    sentences = []
    for runs in filter(None, (tiny, large)):
        errors = [r["error"] for r in runs]
        fits = "fits" if all(r["residual"] <= FITTED for r in runs) else "does not fit"
        outcome = (
            "finds the matrix"
            if max(errors) < FOUND
            else "misses the matrix"
            if min(errors) > MISSED
            else "comes near to the matrix"
        )
        norms = mean_of([r["nuclear_norm"] / r["true_nuclear_norm"] for r in runs], "{:.3f}".format)
        error = mean_of(errors, lambda share: f"{100 * share:.3g} %")
        sentences.append(
            f"From |U| = {runs[0]['start']:g} gradient descent {fits} the measurements and {outcome}: error {error}, "
            f"nuclear norm {norms} times that of the truth."
        )
    if excess is not None:
        agrees = "consistent with" if excess < FOUND else "not consistent with"
        sentences.append(
            f"The nuclear norm from the tiny start is within {100 * excess:.2g} % of the least possible, which is "
            f"{agrees} Gunasekar's conjecture and no proof of it: in special cases it is refuted."
        )
    return sentences or ["Neither the smallest nor the largest start has been run yet."]


def _start_decides(tables: Tables) -> Outcome | None:
    tiny, large, excess = ends(tables)
    if excess is None or not large:
        return None
    found, missed = max(r["error"] for r in tiny), min(r["error"] for r in large)
    return Outcome(
        found < FOUND and missed > MISSED and excess < FOUND,
        f"from |U| = {min(STARTS):g} error {100 * found:.2g} %, nuclear norm within {100 * excess:.2g} % of the least; "
        f"from |U| = {max(STARTS):g} error {100 * missed:.3g} %",
    )


STUDY = Study(
    question="Does gradient descent itself prefer matrices of low nuclear norm?",
    source="Gunasekar et al. (2017), cited by the lecture",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Gradient descent on a factorization finds the matrix of least nuclear norm from a tiny start, not from a "
            "large one (Gunasekar et al., 2017; consistent with their conjecture, no proof of it).",
            f"from the tiniest start the error is below {percent(FOUND)} and the nuclear norm within {percent(FOUND)} "
            f"of the least possible, from the largest the error is above {percent(MISSED)}",
            _start_decides,
        ),
    ),
)
