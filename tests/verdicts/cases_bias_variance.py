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


BEST = 7
WAVE = 0.5


def measured(rng: np.random.Generator, parts: tuple[Any, Any], seeds: int) -> Tables:
    """The records of sweeps with this bias² and variance, in each seed with the errors of a measurement."""
    bias2, variance = parts
    records = []
    for seed in range(seeds):
        noise = ERROR * rng.standard_normal((3, len(DEGREES)))
        found, varied = bias2 + noise[0] / 4, variance + noise[1] / 4
        records += sweep(found, varied, seed=seed, off=bias2 + variance + noise[2] - found - varied)
    return tables_of(records=records)


def _null(rng: np.random.Generator) -> Tables:
    """A total that stays flat from the start or from some degree on, and waves of just the size that counts."""
    seeds = int(rng.integers(1, 4))
    flat = 0.12 + 0.05 * np.maximum(rng.integers(0, 8) - DEGREES, 0)
    up, down = np.maximum(DEGREES - BEST, 0), np.maximum(BEST - DEGREES, 0)
    bias2, variance = 0.04 * down + 0.0, 0.04 * up + 0.0  # a U with arms of 0.28
    wave = WAVE * 0.28
    at = int(rng.integers(2, 6))
    left, right = ((wave + 0.04) * (place == DEGREES) for place in (at, BEST + at))
    worlds = (
        (flat - VARIANCE, VARIANCE),
        # The total rises by a wave up to a degree on the left arm, or falls by one from a degree on the right one.
        (bias2, variance + left),
        (bias2, variance + right),
        # Bias rises once all is over, and variance falls where it does no harm.
        (bias2 + wave * (DEGREES == 13), variance),
        (bias2, variance + wave * (DEGREES == 0)),
    )
    return measured(rng, worlds[rng.integers(len(worlds))], seeds)


TWO_DIPS = np.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.3, 0.6, 0.6, 0.3, 0.05, 0.04, 0.2, 0.3, 0.4, 0.5])
STAIRS = np.array([0.42, 0.33, 0.33, 0.33, 0.33, 0.05, 0.05, 0, 0, 0, 0, 0, 0, 0, 0])
"""The squared bias of polynomials through a sine, which an even degree does not lower."""

CASES = [
    Cases(
        confirmed={
            "a dip far beyond the errors": tables_of(records=sweep()),
            "in two seeds": tables_of(records=sweep() + sweep(seed=1)),
            "records of an earlier version": tables_of(records=sweep(old=True)),
            "a total that rises a little on the way down": tables_of(records=sweep(STAIRS, 0.0115 * (DEGREES + 1))),
        },
        contradicted={
            "the total only falls": tables_of(records=sweep(0.43 - 0.03 * DEGREES, 0.001)),
            "the total only rises": tables_of(records=sweep(0.0, 0.03 * (DEGREES + 1))),
            "a W with a hump as high as its ends": tables_of(
                records=sweep(TWO_DIPS / 2 + 0.2 * (DEGREES == 0), TWO_DIPS / 2)
            ),
            "a variance that falls from 0.9 to 0.2": tables_of(
                records=sweep(variance=np.where(DEGREES < 3, 0.9, np.where(DEGREES < 8, 0.01, 0.2)))
            ),
            "a bias that rises again beyond the dip": tables_of(
                records=sweep(np.where(DEGREES < 7, 0.5, np.where(DEGREES == 7, 0.4, 0.9)), 0.01 + 0.04 * (DEGREES > 7))
            ),
        },
        not_shown={
            "a flat total with noise, least somewhere inside": tables_of(
                records=sweep(0.1 - VARIANCE, VARIANCE, off=ERROR * np.array([0, 1, -1] * 5))
            ),
            "a total that falls and stays": tables_of(records=sweep(variance=np.where(DEGREES < 8, 0.01, 0.0101))),
            "errors as large as the dip": tables_of(records=sweep(error=0.1)),
            "a wave of half of the right arm": tables_of(
                records=sweep(variance=np.where(DEGREES == 14, 0.11, np.where(DEGREES == 13, 0.137, VARIANCE)))
            ),
        },
        cannot_tell={
            "parts that do not add up to the total": tables_of(records=sweep(off=0.1)),
            "two degrees": tables_of(records=sweep()[:2]),
            "no number at an inner degree": tables_of(records=sweep(variance=np.where(DEGREES == 5, np.nan, VARIANCE))),
            "an infinite variance at the last degree": tables_of(
                records=sweep(variance=np.where(DEGREES == 14, np.inf, VARIANCE))
            ),
            "a total without an error": tables_of(records=[r | {"total_error": 0.0} for r in sweep()]),
        },
        null=_null,
    )
]
