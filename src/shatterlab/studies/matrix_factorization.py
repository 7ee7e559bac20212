"""Implicit bias on a factored matrix: the start decides which of many exact solutions gradient descent finds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from .outcome import NO_RUNS, Outcome, State, all_of, cannot_tell
from .rules import not_finite
from .sentences import mean_of, percent, seeds_of, sentence
from .statistics import above, below, over_seeds
from .study import Cells, Claim, Scale, Study, Tables

STARTS = (1e-3, 1e-2, 1e-1, 1.0, 5.0)
PROBLEMS: dict[Scale, dict[str, int]] = {
    "demo": {"n": 50, "rank": 2, "measurements": 300},
    "cpu": {"n": 50, "rank": 2, "measurements": 300},
    "paper": {"n": 50, "rank": 2, "measurements": 300},
}
FITTED = 2e-3
"""Measurements count as fitted up to this residual relative to them: twice the residual at which descent stops."""
FOUND, MISSED = 0.01, 0.5
"""The truth counts as found below the first reconstruction error and as missed above the second; a nuclear norm counts
as the least up to the first, relative to it (assumptions: the paper shows curves). The convex programme has to find the
truth, too: elsewhere a distance from the truth does not tell that from the matrix of least nuclear norm."""


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
            "error": percent(r["error"]),
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
    size = f"n = {first['n']}, rank {first['rank']}, {first['measurements']} Gaussian measurements"
    worst = max(r["residual"] for r in records)
    subtitle = f"{size}, fitted to a residual of {percent(worst)} or less; {seeds_of(records)}, mean and SD"
    return {
        "error": lines(
            records, "start", "error", "what", log_x=True, log_y=True, x_format="~g", y_format="~%",
            title="Reconstruction error against the size of the start", subtitle=subtitle,
            x_title="Frobenius norm of U at the start", y_title="relative error of U U'",
        )
    }  # fmt: skip


class Ends(NamedTuple):
    """The descents from the smallest and the largest start, and the convex programme, one record for each seed."""

    tiny: list[dict[str, Any]]
    large: list[dict[str, Any]]
    convex: list[dict[str, Any]]

    def excess(self) -> list[float]:
        """The shares by which the nuclear norms from the smallest start differ from the least possible ones."""
        least = {r["seed"]: r["nuclear_norm"] for r in self.convex}
        return [abs(r["nuclear_norm"] / least[r["seed"]] - 1) for r in self.tiny if r["seed"] in least]

    def in_words(self) -> list[str]:
        """The error from each start, and how near the nuclear norm from the smallest is to the least."""
        parts = [
            f"from |U| = {runs[0]['start']:g} the error is {mean_of([r['error'] for r in runs], percent)}"
            for runs in (self.tiny, self.large)
            if runs
        ]
        if excess := self.excess():
            least = f"within {percent(max(excess))} of the least possible"
            parts.append(f"the nuclear norm from the smallest start is {least}")
        return parts


def ends(tables: Tables) -> Ends:
    """The records at both ends of the range of starts, and of the convex programme."""
    starts = min(STARTS), max(STARTS), 0.0
    return Ends(*([r for r in tables.records if r["start"] == start] for start in starts))


def verdict(tables: Tables) -> list[str]:
    """Is the truth found from a tiny start and missed from a large one, and is what is found of least nuclear norm?"""
    found = ends(tables)
    if not (found.tiny or found.large):
        return ["Neither the smallest nor the largest start has been run yet."]
    if broken := _not_finite(found):
        return [f"{broken.reason}."]
    caveat = "this is consistent with Gunasekar's conjecture and proves nothing: in special cases it is refuted"
    consistent = _start_decides(tables).state == "confirmed"
    answer = sentence("Gradient descent on a factored matrix:", *found.in_words(), caveat=caveat if consistent else "")
    return [answer, *(f"{run.reason[0].upper()}{run.reason[1:]}." for run in _unfitted(found))]


def _not_finite(found: Ends) -> Outcome | None:
    """The outcome of descents of which one has diverged, or None."""
    used = ("error", "residual", "nuclear_norm", "true_nuclear_norm")
    return not_finite([r for runs in found for r in runs], used)


def _unfitted(found: Ends) -> list[Outcome]:
    """The outcome of each method and start that has not fitted the measurements, by its worst seed."""
    worst = (max(runs, key=lambda r: r["residual"]) for runs in found if runs)
    return [
        cannot_tell(
            f"{r['method']}{f' from |U| = {start:g}' if (start := r['start']) else ''} does not fit the measurements: "
            f"a residual of {percent(r['residual'])} is left, more than {percent(FITTED)} (seed {r['seed']})"
        )
        for r in worst
        if not r["residual"] <= FITTED
    ]


def _start_decides(tables: Tables) -> Outcome:
    found = ends(tables)
    if not any(found):
        return NO_RUNS
    if broken := _not_finite(found):
        return broken
    numbers = "; ".join(found.in_words())
    seeds = set.intersection(*({r["seed"] for r in runs} for runs in found))
    if not seeds:
        return cannot_tell("one of both starts or the convex programme is missing", "finish", numbers)
    if unfitted := _unfitted(found):
        return replace(all_of(unfitted), numbers=numbers)
    if (missed := max(r["error"] for r in found.convex)) > FOUND:
        return cannot_tell(
            f"the matrix of least nuclear norm is not the truth but {percent(missed)} away from it, so that errors do "
            "not tell which of the two descent finds",
            numbers=numbers,
        )
    if len(seeds) < 2:
        return cannot_tell("one seed has no spread", "seeds", numbers)
    tiny, large = (over_seeds([r["error"] for r in runs]) for runs in (found.tiny, found.large))
    excess = below(over_seeds(found.excess()), FOUND)
    states: list[State] = [
        _either(below(tiny, FOUND), above(tiny, MISSED)),
        _either(above(large, MISSED), below(large, FOUND)),
        excess,
    ]
    return replace(all_of(Outcome(state, "") for state in states), numbers=numbers)


def _either(claimed: State, opposite: State) -> State:
    """The state of a claim with a gap between what confirms and what contradicts it."""
    return "confirmed" if claimed == "confirmed" else "contradicted" if opposite == "confirmed" else "not shown"


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
            f"Confirmed if both starts fit the measurements to a residual of {percent(FITTED)}, the convex programme "
            f"finds the truth to {percent(FOUND)}, the error from the smallest lies below {percent(FOUND)} and its "
            f"nuclear norm within {percent(FOUND)} of the least possible, and the error from the largest lies above "
            f"{percent(MISSED)}, all but the first two by the 95 % t interval over seeds. "
            f"Contradicted if both fit and the smallest start misses by more than {percent(MISSED)}, the largest finds "
            f"the matrix to {percent(FOUND)}, or the nuclear norm from the smallest is not the least.",
            _start_decides,
        ),
    ),
)
