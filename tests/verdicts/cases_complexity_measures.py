"""Tables for the claim of complexity-measures."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.measures.complexity import MEASURES, NORMS
from shatterlab.studies import Tables

WIDTHS, DEPTHS, BATCHES = (8, 16, 32), (2, 3, 4), (32, 64, 128)

Measure = Callable[[Sequence[int], float], float]
"""Takes the place of a network on the grid, as numbers from 0, and its gap."""


def grid(
    measures: dict[str, Measure] | None = None,
    steps: Sequence[float] = (0.05, 0.05, 0.05, 0.05),
    reached: Callable[[Sequence[int]], bool] = lambda place: True,
    tested: int = 10_000,
    seeds: int = 1,
    noise: Callable[[], float] = lambda: 0.0,
) -> list[dict[str, Any]]:
    """54 networks whose gap rises by a step along each axis; a measure that is not named falls along the width."""
    records = []
    for seed in range(seeds):
        for place in product(range(3), range(3), range(3), range(2)):
            gap = 0.3 + float(np.dot(steps, place)) + noise()
            chosen = {name: (measures or {}).get(name, falls_along_the_width) for name in MEASURES}
            there = reached(place)
            records.append(
                {
                    "data": "cifar10", "seed": seed, "width": WIDTHS[place[0]], "depth": DEPTHS[place[1]],
                    "batch_size": BATCHES[place[2]], "learning_rate": 0.02, "batch_norm": bool(place[3]),
                    "trained": 1_000, "tested": tested, "epochs": 80, "epochs_taken": 30, "train_loss": 0.009 if there else None,
                    "reached": there, "train_accuracy": 1.0, "test_accuracy": 1 - gap, "gap": gap,
                    "measures": {name: of(place, gap) for name, of in chosen.items()} if there else {},
                    "errors": {}, "left_out": {},
                }
            )  # fmt: skip
    return records


def falls_along_the_width(place: Sequence[int], gap: float) -> float:
    return gap - 0.2 * place[0]


def is_the_gap(place: Sequence[int], gap: float) -> float:
    return gap


EDGE_STEPS, EDGE_NOISE = (0.05, 0.05, 0.05, 0.0646), 0.0677
"""Where gaps rise by these steps and a measure is the gap with Gaussian noise of this deviation, it orders three of
four pairs rightly along every axis: with x = 0.05 / (sqrt(2) 0.0677), (2 Phi(-x) + Phi(-2 x)) / 3 = 1/4 along an axis
of three values, and Phi(-1.292 x) = 1/4 along one of two."""


def noisy_gap(rng: np.random.Generator) -> Measure:
    return lambda place, gap: gap + EDGE_NOISE * rng.normal()


def _null(rng: np.random.Generator) -> Tables:
    """One norm is at the edge of the rule along every axis, the others fall along the width; gaps have test noise."""
    edge = NORMS[int(rng.integers(len(NORMS)))]
    return tables_of(records=grid({edge: noisy_gap(rng)}, EDGE_STEPS, noise=lambda: 0.005 * rng.normal()))


CASES = [
    Cases(
        confirmed={
            "every norm falls along the width, where the gap rises": tables_of(records=grid()),
            "a measure that is no norm is right everywhere": tables_of(
                records=grid({"sharpness": is_the_gap, "inverse margin": is_the_gap})
            ),
            "three seeds": tables_of(records=grid(seeds=3)),
            "a few networks that did not get there": tables_of(
                records=grid(reached=lambda place: tuple(place[:3]) != (0, 0, 0))
            ),
        },
        contradicted={
            "the path norm is right along every axis": tables_of(records=grid({"path norm": is_the_gap})),
        },
        not_shown={
            "one norm is wrong in about a quarter of the pairs": tables_of(
                records=grid({"path norm": noisy_gap(np.random.default_rng(0))}, EDGE_STEPS)
            ),
        },
        cannot_tell={
            "all gaps are alike": tables_of(records=grid(steps=(0.001, 0.001, 0.001, 0.001))),
            "gaps that differ along one axis alone": tables_of(records=grid(steps=(0.05, 0, 0, 0))),
            "a small test set": tables_of(records=grid(tested=360)),
            "most networks did not get there": tables_of(records=grid(reached=lambda place: place[0] == 0)),
            "one size alone is finished": tables_of(
                records=[record for record in grid() if (record["width"], record["depth"]) == (8, 2)]
            ),
            "one network": tables_of(records=grid()[:1]),
        },
        null=_null,
    ),
]
