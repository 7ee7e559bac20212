"""Tables for the claim of critical-samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.critical_samples import RADII

TRUE, RANDOM = (0.02, 0.07, 0.15, 0.35, 0.95), (0.4, 0.7, 0.95, 1.0, 1.0)
"""The ratios at the radii after true and after random labels."""


def trainings(
    condition: str,
    shares: Sequence[float] = TRUE,
    model: str = "mlp-1x512",
    seed: int = 0,
    spread: float = 0.01,
    many: int = 3,
    rng: np.random.Generator | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Some trainings under one condition, whose ratios differ a little."""
    if rng is None:
        rng = np.random.default_rng([seed, *condition.encode()])
    return [
        {
            "data": "digits", "seed": seed, "model": model, "condition": condition, "n": 500, "points": 200,
            "trainings": many, "steps": 4_000, "radii": list(RADII), "batch": 32, "training": training, "trained": 500,
            "searched": 200, "train_accuracy": 1.0, "finished": True, "taken": 1_000,
            "shares": np.clip(np.array(shares) + spread * rng.standard_normal(len(RADII)), 0, 1).tolist(), **changes,
        }
        for training in range(many)
    ]  # fmt: skip


def tables(true: Sequence[float] = TRUE, random: Sequence[float] = RANDOM, **changes: Any) -> Tables:
    return tables_of(records=trainings("true-labels", true, **changes) + trainings("random-labels", random, **changes))


def _null(rng: np.random.Generator) -> Tables:
    """Networks of both conditions have the same ratios; each ratio has the error of its images and of its training."""

    def drawn() -> list[float]:
        common = [float(rng.binomial(200, share)) / 200 for share in TRUE]
        return np.array(common).tolist()

    return tables_of(
        records=trainings("true-labels", drawn(), spread=0.02, rng=rng)
        + trainings("random-labels", drawn(), spread=0.02, rng=rng)
    )


CASES = [
    Cases(
        confirmed={
            "another class is nearer after random labels": tables(),
            "all are critical at the larger radii": tables((0.3, 0.6, 1, 1, 1), (0.8, 0.95, 1, 1, 1), spread=0.0),
            "with Gaussian pixels beside": tables_of(
                records=[*tables().records, *trainings("gaussian-pixels", (0.3, 0.6, 0.8, 0.99, 1.0))]
            ),
            "three seeds": tables_of(records=[record for seed in range(3) for record in tables(seed=seed).records]),
        },
        contradicted={
            "another class is nearer after true labels": tables(RANDOM, TRUE),
            "for one of two networks": tables_of(
                records=[*tables().records, *tables(RANDOM, TRUE, model="alexnet").records]
            ),
        },
        not_shown={
            "both alike": tables(TRUE, TRUE),
            "nearer at some radii and farther at others": tables((0.4, 0.5, 0.6, 0.7, 0.8), (0.1, 0.2, 0.6, 0.9, 1.0)),
            "trainings that differ as much": tables(TRUE, (0.05, 0.1, 0.2, 0.45, 0.97), spread=0.15),
            "no class within any radius": tables((0,) * 5, (0,) * 5, spread=0.0),
        },
        cannot_tell={
            "random labels that were not fitted": tables_of(
                records=trainings("true-labels")
                + trainings("random-labels", RANDOM, train_accuracy=0.6, finished=False)
            ),
            "one condition": tables_of(records=trainings("true-labels")),
            "one training": tables(many=1),
        },
        null=_null,
    ),
]
