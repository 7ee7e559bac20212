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
        losses = [2.3 * (1 + 0.05 * seed) * 0.9**epoch for epoch in range(max(epochs, half_epochs))]
        shared = {"model": model, "corruption": "random-labels", "seed": seed, "test_accuracy": 0.1}
        shared |= {"wrong_labels": 0.9} | changes
        lines += [
            run(**shared, losses=losses[:epochs], epochs=epochs),
            run(**shared, precision="bf16", losses=[ratio * loss for loss in losses[:half_epochs]], epochs=half_epochs),
        ]
    return lines


def _null(rng: np.random.Generator) -> Tables:
    """Networks whose loss differs by exactly the cost that counts, or by nothing, beside one that pays twice as much.

    Some are fitted on labels that are not random, or on hardly any, where a cost does not count.
    """
    seeds = int(rng.choice([2, 3, 4]))
    if rng.random() < 0.2:
        ratios = list(2 * np.exp(0.05 * rng.standard_normal(seeds)))
        wrong: list[dict[str, Any]] = [{"wrong_labels": 0.0}, {"test_accuracy": 0.5}, {"n": 5}]
        return tables_of(twins(ratios, **wrong[rng.integers(3)]))
    level = log(COST) if rng.random() < 0.7 else 0.0
    lines = twins(list(np.exp(level + 0.05 * rng.standard_normal(seeds))))
    if rng.random() < 0.5:
        lines += twins(list(2 * np.exp(0.05 * rng.standard_normal(seeds))), "alexnet")
    return tables_of(lines)


def _diverging(seeds: int) -> list[dict[str, Any]]:
    """Three seeds, of which some have no finite loss under bfloat16 from the eleventh epoch on."""
    lines = twins([1.0, 1.01, 0.99])
    for line in lines[1 : 2 * seeds : 2]:
        line |= {"losses": [*line["losses"][:10], *[float("nan")] * 20], "train_accuracy": 0.1}
    return lines


def _tiny(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same runs with losses that are a billion times smaller."""
    return [line | {"losses": [1e-9 * loss for loss in line["losses"]]} for line in lines]


MEASURED = tables_of(twins([0.0882 / 0.0891, 0.0845 / 0.0843, 0.0845 / 0.0864], train_accuracy=0.994))

CASES = [
    Cases(
        confirmed={
            "twice the loss": tables_of(twins([2.0, 2.1, 1.9])),
            "in two networks that end at 100 %": tables_of(twins([2.0, 2.1, 1.9]) + twins([1.5, 1.45, 1.6], "alexnet")),
            "the float32 run fits and ends earlier": tables_of(twins([2.0, 2.1, 1.9], epochs=20)),
            "bfloat16 diverges in every seed": tables_of(_diverging(3)),
        },
        contradicted={
            "losses of 1e-9 and 2e-9": tables_of(_tiny(twins([2.0, 2.1, 1.9]))),
            "the same losses": tables_of(twins([1.0, 1.01, 0.99])),
            "what scale cpu gave for the perceptron": MEASURED,
            "one of two networks pays nothing": tables_of(twins([2.0, 2.1, 1.9]) + twins([1.0, 1.01, 0.99], "alexnet")),
            "fewer epochs of the same curve": tables_of(twins([1.0, 1.01, 0.99], half_epochs=20)),
        },
        not_shown={
            "three seeds that scatter": tables_of(twins([1.1, 1.3, 1.6])),
            "one of three seeds collapsed": tables_of(twins([20.0, 1.0, 1.0])),
            "bfloat16 diverges in one of three seeds": tables_of(_diverging(1)),
        },
        cannot_tell={
            "one seed": tables_of(twins([2.0])),
            "two seeds of the same ratio": tables_of(twins([1.2, 1.2])),
            "labels that are not random": tables_of(twins([2.0, 2.1, 1.9], wrong_labels=0.0)),
            "labels that tell of the test set": tables_of(twins([2.0, 2.1, 1.9], test_accuracy=0.5)),
            "five examples": tables_of(twins([2.0, 2.1, 1.9], n=5)),
            "float32 diverges": tables_of(twins([2.0, 2.1, 1.9], train_loss=float("nan"))),
            "float32 does not fit": tables_of(twins([1.0, 1.0, 1.0], train_accuracy=0.4)),
            "one precision": tables_of(twins([1.0, 1.0])[::2]),
        },
        null=_null,
    )
]
