"""Tables for the claims of precision."""

from math import log
from typing import Any

import numpy as np
from verdicts.made import Cases, run, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.precision import COST


def twins(
    ratios: list[float], model: str = "mlp-1x512", epochs: int = 30, half_epochs: int = 30, **changes: Any
) -> list[dict[str, Any]]:
    """Runs on random labels in both precisions, a seed for each ratio of their losses."""
    lines = []
    for seed, ratio in enumerate(ratios):
        losses = [2.3 * (1 + 0.05 * seed) * 0.8**epoch for epoch in range(max(epochs, half_epochs))]
        shared = {"model": model, "corruption": "random-labels", "seed": seed, "test_accuracy": 0.1} | changes
        lines += [
            run(**shared, losses=losses[:epochs], epochs=epochs),
            run(**shared, precision="bf16", losses=[ratio * loss for loss in losses[:half_epochs]], epochs=half_epochs),
        ]
    return lines


def _null(rng: np.random.Generator) -> Tables:
    """Networks whose loss differs by exactly the cost that counts, or by nothing, beside one that pays twice as much."""
    seeds = int(rng.choice([2, 3]))
    level = log(COST) if rng.random() < 0.7 else 0.0
    lines = twins(list(np.exp(level + 0.05 * rng.standard_normal(seeds))))
    if rng.random() < 0.5:
        lines += twins(list(2 * np.exp(0.05 * rng.standard_normal(seeds))), "alexnet")
    return tables_of(lines)


MEASURED = tables_of(twins([0.0882 / 0.0891, 0.0845 / 0.0843, 0.0845 / 0.0864], train_accuracy=0.994))

CASES = [
    Cases(
        confirmed={
            "twice the loss": tables_of(twins([2.0, 2.1, 1.9])),
            "in two networks that end at 100 %": tables_of(twins([2.0, 2.1, 1.9]) + twins([1.5, 1.45, 1.6], "alexnet")),
            "the float32 run fits and ends earlier": tables_of(twins([2.0, 2.1, 1.9], epochs=20)),
        },
        contradicted={
            "the same losses": tables_of(twins([1.0, 1.01, 0.99])),
            "what scale cpu gave for the perceptron": MEASURED,
            "one of two networks pays nothing": tables_of(twins([2.0, 2.1, 1.9]) + twins([1.0, 1.01, 0.99], "alexnet")),
            "fewer epochs of the same curve": tables_of(twins([1.0, 1.01, 0.99], half_epochs=20)),
        },
        not_shown={
            "two seeds that scatter": tables_of(twins([1.3, 1.6])),
            "one of two seeds collapsed": tables_of(twins([400.0, 1.0])),
        },
        cannot_tell={
            "one seed": tables_of(twins([2.0])),
            "float32 does not fit": tables_of(twins([1.0, 1.0, 1.0], train_accuracy=0.4)),
            "one precision": tables_of(twins([1.0, 1.0])[::2]),
        },
        null=_null,
    )
]
