"""Tables for the claim of matrix-factorization."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.matrix_factorization import FOUND, MISSED, STARTS


def record(
    start: float, error: float, seed: int = 0, nuclear_norm: float = 1.866, residual: float = 1e-3
) -> dict[str, Any]:
    return {
        "n": 50, "rank": 2, "measurements": 300, "start": start, "seed": seed, "error": error, "residual": residual,
        "nuclear_norm": nuclear_norm, "true_nuclear_norm": 1.865, "steps": 1_000 if start else None,
        "method": "gradient descent" if start else "least nuclear norm, convex programme",
    }  # fmt: skip


def of_seed(
    seed: int, tiny: float = 0.0022, large: float = 2.89, norm: float = 1.866, **residuals: float
) -> list[dict[str, Any]]:
    return [
        record(min(STARTS), tiny, seed, norm, residuals.get("tiny_residual", 1e-3)),
        record(1.0, 0.5, seed, 2.5),
        record(max(STARTS), large, seed, 9.0, residuals.get("large_residual", 1e-3)),
        record(0.0, 1e-8, seed, 1.865, 1e-9),
    ]


def of_seeds(count: int = 3, **dials: Any) -> list[dict[str, Any]]:
    """Runs whose errors differ a little between seeds."""
    return [r | {"error": r["error"] * (1 + 0.02 * seed)} for seed in range(count) for r in of_seed(seed, **dials)]


def _null(rng: np.random.Generator) -> Tables:
    """The error from the smallest start, that from the largest or the nuclear norm lies on the edge of the rule."""
    edge, records = rng.integers(3), []
    for seed in range(rng.integers(2, 5)):
        tiny = (FOUND if edge == 0 else 0.0025) * (1 + 0.2 * rng.normal())
        large = (MISSED if edge == 1 else 2.9) * (1 + 0.1 * rng.normal())
        excess = (FOUND if edge == 2 else 0.001) * abs(1 + 0.2 * rng.normal())
        records += of_seed(seed, tiny=tiny, large=large, norm=1.865 * (1 + excess))
    return tables_of(records=records)


CASES = [
    Cases(
        confirmed={"as measured": tables_of(records=of_seeds()), "two seeds": tables_of(records=of_seeds(2))},
        contradicted={
            "the largest start finds the matrix, too": tables_of(records=of_seeds(large=0.002)),
            "the smallest start misses it": tables_of(records=of_seeds(tiny=0.9)),
            "another matrix than that of least nuclear norm": tables_of(records=of_seeds(norm=2.2)),
        },
        not_shown={
            "the smallest start comes near": tables_of(records=of_seeds(tiny=0.03)),
            "the largest start comes near": tables_of(records=of_seeds(large=0.2)),
        },
        cannot_tell={
            "the largest start does not fit": tables_of(records=of_seeds(large_residual=0.2)),
            "the smallest start does not fit": tables_of(records=of_seeds(tiny_residual=0.01, tiny=0.9)),
            "a residual that is no number": tables_of(records=of_seeds(tiny_residual=float("nan"))),
            "an error that is no number": tables_of(records=of_seeds(tiny=float("nan"))),
            "the matrix of least nuclear norm is not the truth": tables_of(
                records=[r | ({"error": 0.6} if r["start"] in (0.0, min(STARTS)) else {}) for r in of_seeds(norm=1.866)]
            ),
            "one seed": tables_of(records=of_seeds(1)),
            "no convex programme": tables_of(records=[r for r in of_seeds() if r["start"]]),
            "one start": tables_of(records=[r for r in of_seeds() if r["start"] == min(STARTS)]),
        },
        null=_null,
    )
]
