"""Tables for the claim of bias-variance."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables

DEGREES = np.arange(15)
BIAS2 = 0.43 * np.exp(-((DEGREES / 4) ** 2))
VARIANCE = 0.006 * (DEGREES + 1.0)
NOISE = 0.25
ERROR = 0.004


def sweep(
    bias2: Any = BIAS2, variance: Any = VARIANCE, error: float = ERROR, seed: int = 0, off: Any = 0.0, old: bool = False
) -> list[dict[str, Any]]:
    """The records of a sweep; `off` is what the measured total has beyond its parts."""
    errors = {} if old else {"bias2_error": error, "variance_error": error}
    parts = np.broadcast_arrays(DEGREES, bias2, variance, off)
    return [
        {"degree": int(d), "bias2": float(b), "variance": float(v), "noise": NOISE, "total": float(b + v + NOISE + o),
         "total_error": error, "seed": seed, "n": 60, "repeats": 500, "sigma": 0.5, **errors}
        for d, b, v, o in zip(*parts, strict=True)
    ]  # fmt: skip


def _null(rng: np.random.Generator) -> Tables:
    """Bias falls by what variance rises, from the start or from some degree on, where the total thus stays flat."""
    parts = 0.12 + 0.05 * np.maximum(rng.integers(0, 8) - DEGREES, 0)
    records = []
    for seed in range(rng.integers(1, 4)):
        noise = ERROR * rng.standard_normal((3, len(DEGREES)))
        bias2, variance = parts - VARIANCE + noise[0] / 4, VARIANCE + noise[1] / 4
        records += sweep(bias2, variance, seed=seed, off=parts + noise[2] - bias2 - variance)
    return tables_of(records=records)


CASES = [
    Cases(
        confirmed={
            "a dip far beyond the errors": tables_of(records=sweep()),
            "in two seeds": tables_of(records=sweep() + sweep(seed=1)),
            "records of an earlier version": tables_of(records=sweep(old=True)),
        },
        contradicted={
            "the total only falls": tables_of(records=sweep(0.43 - 0.03 * DEGREES, 0.001)),
            "the total only rises": tables_of(records=sweep(0.0, 0.03 * (DEGREES + 1))),
        },
        not_shown={
            "a flat total with noise, least somewhere inside": tables_of(
                records=sweep(0.1 - VARIANCE, VARIANCE, off=ERROR * np.array([0, 1, -1] * 5))
            ),
            "a total that falls and stays": tables_of(records=sweep(variance=np.where(DEGREES < 8, 0.01, 0.0101))),
            "errors as large as the dip": tables_of(records=sweep(error=0.1)),
        },
        cannot_tell={
            "parts that do not add up to the total": tables_of(records=sweep(off=0.1)),
            "two degrees": tables_of(records=sweep()[:2]),
        },
        null=_null,
    )
]
