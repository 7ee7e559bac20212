"""Tables for the claims of capacity."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.capacity import PLANE

N, D = 500, 20


def network(
    whole: int = 6,
    unfinished: int = 0,
    model: str = "mlp-1x128",
    parameters: int = 8_578,
    seed: int = 0,
    draws: int = 6,
) -> dict[str, Any]:
    """A network that fits all labels of some draws; of the others it fits about half."""
    failed = [None] * whole + [N // 2] * (draws - whole)
    return {
        "data": "digits", "seed": seed, "model": model, "parameters": parameters, "n": N, "tried": N, "draws": draws,
        "steps": 2_500, "batch": 32, "fitted": [N if high is None else high - 1 for high in failed], "failed": failed,
        "whole": whole, "unfinished": unfinished, "capacity": 400.0, "capacity_error": 20.0, "near": 450.0,
        "probes": [{"n": N, "error": 0.0 if whole == draws else 0.1, "finished": not unfinished}],
    }  # fmt: skip


def networks(*records: dict[str, Any]) -> Tables:
    small = network(0, 0, "mlp-1x2", 136)
    return tables_of(records=[small, *records])


def planes(points: Sequence[int], tried: int = 84, seed: int = 0, whole: int = 0) -> dict[str, Any]:
    """Planes whose separation points are given."""
    return {
        "data": "digits", "seed": seed, "model": PLANE, "d": D, "expected": 2.0 * (D + 1), "n": tried, "tried": tried,
        "draws": len(points), "fitted": list(points), "failed": [point + 1 for point in points], "whole": whole,
        "unfinished": 0, "capacity": float(np.mean(points)), "capacity_error": 1.0, "near": None,
    }  # fmt: skip


def separation_points(rng: np.random.Generator, factor: float = 1.0, draws: int = 30) -> list[int]:
    """Separation points of planes as theory has them, tosses of a coin up to the (d + 1)-th head, times a factor."""
    return [round(factor * (D + 1 + tails)) for tails in rng.negative_binomial(D + 1, 0.5, draws)]


def _null_networks(rng: np.random.Generator) -> Tables:
    """Two networks that fit all labels in half of the draws."""
    return networks(*(network(int(rng.binomial(6, 0.5)), model=model) for model in ("mlp-1x32", "mlp-1x128")))


def _null_planes(rng: np.random.Generator) -> Tables:
    """Planes that fit a fifth more or fewer than in theory."""
    return tables_of(records=[planes(separation_points(rng, float(rng.choice([0.8, 1.2]))))])


THEORY = separation_points(np.random.default_rng(0))

CASES = [
    Cases(
        confirmed={
            "two networks fit all": networks(network(), network(model="mlp-1x512", parameters=34_314)),
            "three seeds": networks(*(network(seed=seed) for seed in range(3))),
            "three seeds with one failure": networks(network(5), network(seed=1), network(seed=2)),
            "a network with twice as many parameters fails": networks(network(), network(0, 0, "mlp-1x16", 1_074)),
        },
        contradicted={
            "a large network fits no draw": networks(network(0)),
            "one of two networks": networks(network(), network(0, model="mlp-1x512", parameters=34_314, draws=10)),
        },
        not_shown={
            "half of the draws": networks(network(3)),
            "five of six draws": networks(network(5)),
        },
        cannot_tell={
            "fits that were still improving": networks(network(2, unfinished=4)),
            "small networks alone": networks(),
            "planes alone": tables_of(records=[planes(THEORY)]),
        },
        null=_null_networks,
    ),
    Cases(
        confirmed={
            "planes as in theory": tables_of(records=[planes(THEORY)]),
            "two seeds": tables_of(
                records=[planes(separation_points(np.random.default_rng(seed)), seed=seed) for seed in (1, 2)]
            ),
        },
        contradicted={
            "d + 1, as least squares fits": tables_of(records=[planes([D + 1] * 15 + [D + 2] * 15)]),
            "half as many again": tables_of(records=[planes(separation_points(np.random.default_rng(3), 1.6))]),
        },
        not_shown={
            "a fifth more": tables_of(records=[planes([round(1.2 * point) for point in THEORY])]),
            "three draws": tables_of(records=[planes([30, 42, 54])]),
        },
        cannot_tell={
            "too few examples": tables_of(records=[planes([84] * 30, whole=30)]),
            "networks alone": networks(network()),
            "one draw": tables_of(records=[planes([42])]),
        },
        null=_null_planes,
    ),
]
