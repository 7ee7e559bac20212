"""Tables for the claims of timeline."""

from typing import Any

import numpy as np
from verdicts.made import Cases, run, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.timeline import SOONER

WRONG = 0.36
"""Four tenths of the labels are redrawn from ten classes."""


def followed(
    right: float = 0.7, wrong: float = 0.3, before: float = 0.5, end: float = 0.4, seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """A run that has fitted these shares of right and wrong labels in its second of three epochs.

    Args:
        right, wrong: the shares in the second epoch.
        before, end: the test accuracy there and in the end.
    """
    rows = [
        {"corrupted_fitted": 0.1, "train_accuracy": 0.1, "test_accuracy": 0.1},
        {
            "corrupted_fitted": wrong,
            "train_accuracy": WRONG * wrong + (1 - WRONG) * right,
            "test_accuracy": before,
        },
        {"corrupted_fitted": 1.0, "train_accuracy": 1.0, "test_accuracy": end},
    ]
    dials = {"model": "mlp-1x512", "corruption": "partial-labels", "amount": 0.4, "wrong_labels": WRONG}
    return run(**{**dials, "test_accuracy": end, "seed": seed, "seen": rows, **changes})


def seeds(count: int = 2, **changes: Any) -> list[dict[str, Any]]:
    return [followed(seed=seed, **changes) for seed in range(count)]


def _fitted_at_once(**changes: Any) -> dict[str, Any]:
    """A run that has fitted most of its wrong labels by its first evaluation."""
    return followed(**changes) | {
        "seen": [{"corrupted_fitted": 0.8, "train_accuracy": 0.9, "test_accuracy": 0.4}],
    }


PREMISES = {
    "one seed": tables_of(seeds(1)),
    "not fitted": tables_of(seeds(2, train_accuracy=0.9)),
    "scored once, when all was over": tables_of([_fitted_at_once(seed=seed) for seed in range(2)]),
    "labels that are not as wrong as asked for": tables_of(seeds(2, wrong_labels=0.2)),
    "a test accuracy that is no number": tables_of(seeds(2, before=float("nan"))),
    "few examples": tables_of(seeds(2, n=50)),
}


def _null_sooner(rng: np.random.Generator) -> Tables:
    """Shares that differ by just what counts, or by nothing, with a spread over seeds."""
    gap = SOONER * rng.integers(2)
    spread = rng.uniform(0.01, 0.1)
    return tables_of(
        [
            followed(right=0.3 + gap + spread * rng.standard_normal(), seed=seed)
            for seed in range(int(rng.integers(1, 5)))
        ]
    )


def _null_falls(rng: np.random.Generator) -> Tables:
    """Two test accuracies that differ by the luck of seeds and test sets alone."""
    n = 1_000
    lines = []
    for seed in range(int(rng.integers(1, 5))):
        level = 0.4 + 0.01 * rng.standard_normal(2)
        before, end = (float(rng.binomial(n, one) / n) for one in level)
        lines.append(followed(before=before, end=end, seed=seed, n_test=n))
    return tables_of(lines)


CASES = [
    Cases(
        confirmed={
            "two seeds": tables_of(seeds(2)),
            "two networks": tables_of(seeds(2) + seeds(3, model="alexnet", right=0.8)),
        },
        contradicted={"wrong labels sooner": tables_of(seeds(2, right=0.1))},
        not_shown={
            "hardly more of the right ones": tables_of(seeds(2, right=0.35)),
            "seeds that disagree": tables_of([followed(right=0.9), followed(right=0.2, seed=1)]),
        },
        cannot_tell=PREMISES,
        null=_null_sooner,
    ),
    Cases(
        confirmed={"ten points": tables_of(seeds(2))},
        contradicted={
            "it rises": tables_of(seeds(2, before=0.4, end=0.5)),
            "it rises for one network of two": tables_of(seeds(2) + seeds(2, model="alexnet", before=0.4, end=0.5)),
        },
        not_shown={"the same": tables_of(seeds(2, before=0.401, end=0.4))},
        cannot_tell=PREMISES,
        null=_null_falls,
    ),
]
