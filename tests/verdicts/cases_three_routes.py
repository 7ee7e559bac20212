"""Tables for the claim of three-routes."""

from itertools import combinations
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.three_routes import KERNEL, KERNELS, ONE, OTHER, RANDOM, ROUTES, SGD


def routes(
    closed: float = 1e-12,
    sgd: float = 1e-3,
    control: float = 0.9,
    seed: int = 0,
    kernels: Any = KERNELS,
    **changes: Any,
) -> list[dict[str, Any]]:
    """The ends of all routes with each kernel.

    Args:
        closed: how far the kernel machine and the least norm are apart.
        sgd: how far SGD is from both.
        control: how far SGD from a random start is from all.
        changes: `path`, how far SGD is after steps of which each is half as many again.
    """
    records: list[dict[str, Any]] = []
    for kernel in kernels:
        of_kernel = {"kernel": kernel, "seed": seed, "n": 30, "d": 64, "tested": 100, "data": "digits"}
        for one, other in combinations((*ROUTES, RANDOM), 2):
            apart = control if other == RANDOM else sgd if SGD in (one, other) else closed
            records.append(of_kernel | {"what": "pair", "routes": f"{one}, {other}", "apart": apart, "largest": apart})
        path = changes.get("path", (0.9, 0.3, 2 * sgd, sgd))
        records += [
            of_kernel | {"what": "path", "route": SGD, "step": 1.5**i, "apart": apart} for i, apart in enumerate(path)
        ]
        records.append(of_kernel | {"what": "score", "route": KERNEL, "test_accuracy": 0.7})
    return records


def _null(rng: np.random.Generator) -> Tables:
    """Routes that end elsewhere, are still on their way or diverge, and starts that decide nothing."""
    changes: dict[str, Any] = (
        {"closed": ONE * (1 + rng.exponential())},
        {"sgd": ONE * (1 + rng.exponential())},
        {"control": OTHER * rng.random()},
        {"sgd": float("inf")},
        {"kernels": KERNELS[:1]},
    )[rng.integers(5)]
    return tables_of(records=[r for seed in range(rng.integers(1, 4)) for r in routes(seed=seed, **changes)])


CASES = [
    Cases(
        confirmed={"two seeds": tables_of(records=routes() + routes(seed=1))},
        contradicted={
            "another solution of least norm": tables_of(records=routes(closed=0.5)),
            "SGD stands elsewhere": tables_of(records=routes(sgd=0.5, path=(0.9, 0.5, 0.5, 0.5, 0.5))),
        },
        not_shown={"nearly the same": tables_of(records=routes(closed=0.05))},
        cannot_tell={
            "SGD is on its way": tables_of(records=routes(sgd=0.3)),
            "SGD has diverged": tables_of(records=routes(sgd=float("inf"))),
            "the start decides nothing": tables_of(records=routes(control=0.001)),
            "one kernel": tables_of(records=routes(kernels=("linear",))),
        },
        null=_null,
    )
]
