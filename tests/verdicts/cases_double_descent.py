"""Tables for the claim of double-descent."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables

N = 300
FEATURES = (30, 100, 200, 285, 300, 315, 450, 900, 3_000)
ERRORS = {30: 0.85, 100: 0.80, 200: 0.84, 285: 0.88, 300: 0.89, 315: 0.88, 450: 0.82, 900: 0.79, 3_000: 0.77}
LOSSES = {30: 1.3, 100: 1.5, 200: 4.0, 285: 60.0, 300: 3_000.0, 315: 60.0, 450: 5.0, 900: 1.8, 3_000: 1.3}
RIDGED_ERRORS = dict(zip(FEATURES, np.linspace(0.79, 0.70, len(FEATURES)), strict=True))
RIDGED = dict(zip(FEATURES, np.linspace(0.95, 0.88, len(FEATURES)), strict=True))


def records(
    errors: Mapping[int, float] = {},
    losses: Mapping[int, float] = {},
    ridged: Mapping[int, float] = {},
    ridged_errors: Mapping[int, float] = {},
    draws: int = 5,
    noise: float = 0.01,
    train_error: float = 0.0,
    rng: np.random.Generator | None = None,
) -> list[dict[str, Any]]:
    """The records of some draws; an error has the standard deviation `noise` over them, what is given replaces ours."""
    rng = rng or np.random.default_rng(0)
    made = []
    for seed in range(draws):
        for features in FEATURES:
            shared = {"features": features, "n": N, "n_test": 600, "seed": seed, "data": "cifar10", "noise": 0.15}
            for kind, loss in (("least norm", LOSSES | losses), ("best ridge", RIDGED | ridged)):
                spread = 0.3 if kind == "least norm" else 0.01
                error = (ERRORS | errors if kind == "least norm" else RIDGED_ERRORS | ridged_errors)[features]
                made.append(shared | {
                    "kind": kind, "test_error": error + noise * rng.standard_normal(),
                    "test_loss": loss[features] * np.exp(spread * rng.standard_normal()),
                    "train_error": train_error if features >= N else 0.3,
                })  # fmt: skip
    return made


def _null(rng: np.random.Generator) -> Tables:
    """Draws whose error falls by just the share that counts, or whose loss with the best ridge rises by just as much."""
    draws = int(rng.integers(2, 11))
    edge = (
        {"errors": {3_000: ERRORS[N] - 0.01}},
        {"errors": {100: ERRORS[N] - 0.01, 30: 0.89, 200: 0.89}},
        {"ridged": {3_000: 1.1 * min(RIDGED.values()), 900: min(RIDGED.values())}},
        {"losses": {450: LOSSES[N]}},
        {"ridged_errors": {N: RIDGED_ERRORS[285] + 0.02}},
        {"errors": {450: ERRORS[N] + 0.03}},
    )[rng.integers(6)]
    return tables_of(records=records(draws=draws, rng=rng, **edge))


CASES = [
    Cases(
        confirmed={"a peak at n, a fall beyond it, and no peak with the ridge": tables_of(records=records())},
        contradicted={
            "an error that rises on": tables_of(records=records({3_000: 0.95})),
            "a loss that rises on": tables_of(records=records(losses={900: 1e5, 3_000: 1e6})),
            "a peak that the ridge leaves": tables_of(records=records(ridged={N: 2.0})),
            "a ridge that leaves a peak of the test error": tables_of(records=records(ridged_errors={N: 0.95})),
            "an error that is largest at 1.5 n": tables_of(records=records({450: 0.95, 900: 0.93})),
            "an error that only falls": tables_of(records=records({30: 0.99, 100: 0.97, 200: 0.95, 285: 0.93})),
        },
        not_shown={
            "a fall of 0.05 points within the spread of the draws": tables_of(records=records({3_000: 0.8895})),
            "a fall of 0.05 points in every draw alike": tables_of(records=records({3_000: 0.8895}, noise=0.0)),
            "two draws that differ by half the fall": tables_of(records=records(draws=2, noise=0.06)),
        },
        cannot_tell={
            "one draw": tables_of(records=records(draws=1)),
            "training labels that are not fitted": tables_of(records=records(train_error=0.2)),
            "no fit beyond n": tables_of(records=[r for r in records() if r["features"] <= N]),
            "a draw that lacks a size": tables_of(
                records=[r for r in records() if (r["seed"], r["features"]) != (4, 900)]
            ),
            "no fit with a ridge": tables_of(records=[r for r in records() if r["kind"] == "least norm"]),
            **{
                f"a loss of {loss}": tables_of(
                    records=[r | {"test_loss": loss} if r["features"] == 30 else r for r in records()]
                )
                for loss in (0.0, float("nan"), float("inf"))
            },
        },
        null=_null,
    )
]
