"""Tables for the claim of gradient-descent."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.gradient_descent import INCOHERENT, ITERATIONS, LINEAR

SIZES = {"phase retrieval": {"n": 100}, "matrix completion": {"n": 300}, "blind deconvolution": {"k": 50}}
ITERATION = np.arange(0, ITERATIONS + 1, 5)


def solved(problem: str = "phase retrieval", seed: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """The records of a path that converges; an `error` of its own makes one that does not."""
    error = np.maximum(0.5 * np.exp(-0.08 * ITERATION), 1e-16)
    run = {"problem": problem, "size": SIZES[problem], "seed": seed, "reached": 222, "r2": 0.9985, "rate": -0.08}
    run |= {"worst_incoherence": 1.2, "incoherence": 0.5, "error": error} | changes
    path = run.pop("error")
    return [run | {"iteration": int(i), "error": float(e)} for i, e in zip(ITERATION, path, strict=True)]


def all_solved(seeds: int = 3, without: str = "") -> list[dict[str, Any]]:
    return [
        record
        for problem in SIZES
        if problem != without
        for seed in range(seeds)
        for record in solved(problem, seed, r2=0.9985 + 0.0003 * seed, worst_incoherence=1.2 + 0.1 * seed)
    ]


def unsolved(error: np.ndarray, seed: int = 3) -> list[dict[str, Any]]:
    return solved("matrix completion", seed=seed, reached=None, error=error, r2=0.9)


SLOW = 0.5 * np.exp(-0.01 * ITERATION)
STUCK = 0.3 + 0.2 * np.exp(-0.2 * ITERATION)


def _null(rng: np.random.Generator) -> Tables:
    """On one problem descent succeeds in a third of the draws, bends as much as is allowed, or lines up as much."""
    broken, how = rng.integers(3), rng.integers(3)
    records: list[dict[str, Any]] = []
    for number, problem in enumerate(SIZES):
        for seed in range(3):
            dials: dict[str, Any] = {
                "r2": 0.9985 + 0.0003 * rng.normal(),
                "worst_incoherence": 1.3 + 0.2 * rng.normal(),
            }
            if number == broken and how == 0 and rng.random() > 1 / 3:
                dials |= {"reached": None, "error": [STUCK, SLOW, np.full(len(ITERATION), np.nan)][rng.integers(3)]}
            if number == broken and how == 1:
                dials["r2"] = LINEAR + 0.003 * rng.normal()
            if number == broken and how == 2:
                dials["worst_incoherence"] = INCOHERENT + 0.5 * rng.normal()
            records += solved(problem, seed, **dials)
    return tables_of(records=records)


CASES = [
    Cases(
        confirmed={"three seeds of each problem": tables_of(records=all_solved())},
        contradicted={
            "runs of one problem are stuck": tables_of(
                records=all_solved(without="matrix completion")
                + [r for seed in range(3) for r in unsolved(STUCK, seed=seed)]
            ),
            "iterates line up with a measurement": tables_of(
                records=all_solved(without="phase retrieval")
                + [r for seed in range(3) for r in solved(seed=seed, worst_incoherence=9.0 + 0.2 * seed)]
            ),
        },
        not_shown={
            "one run of ten is stuck": tables_of(records=all_solved() + unsolved(STUCK)),
            "one of 91": tables_of(records=all_solved(30) + unsolved(STUCK, seed=30)),
            "a mean incoherence at the bound": tables_of(
                records=all_solved(without="phase retrieval")
                + [r for seed in range(3) for r in solved(seed=seed, worst_incoherence=3.8 + 0.3 * (seed - 1))]
            ),
        },
        cannot_tell={
            "one run is still falling": tables_of(records=all_solved() + unsolved(SLOW)),
            "one run has diverged": tables_of(records=all_solved() + unsolved(np.full(len(ITERATION), np.nan))),
            "an incoherence that is no number": tables_of(
                records=[
                    r | ({"worst_incoherence": float("nan")} if r["problem"] == "phase retrieval" else {})
                    for r in all_solved()
                ]
            ),
            "one seed": tables_of(records=all_solved(1)),
            "two seeds": tables_of(records=all_solved(2)),
            "one problem is missing": tables_of(records=all_solved(without="blind deconvolution")),
            "too few iterations for a line": tables_of(
                records=all_solved() + solved("matrix completion", seed=3, r2=float("nan"))
            ),
        },
        null=_null,
    )
]
