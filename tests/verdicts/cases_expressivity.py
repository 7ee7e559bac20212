"""Tables for the claims of expressivity."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables


def fit(n: int, d: int = 50, what: str = "Gaussian points, random labels", **changes: Any) -> dict[str, Any]:
    """A record of the theorem's construction that fits; errors grow as those of NOTEBOOK.md."""
    return {
        "what": what, "n": n, "d": d, "seed": 0, "distinct": n, "weights": 2 * n + d, "network_error": 1e-15 * n,
        "torch_error": 1e-15 * n**2, "sampled": 1_000, "test_accuracy": None, "fit_seconds": 1.0,
    } | changes  # fmt: skip


def images(n: int, what: str = "random labels", **changes: Any) -> dict[str, Any]:
    wrong = 0.9 if what == "random labels" else 0.0
    known = {"data": "digits", "classes": 10, "wrong_labels": wrong, "test_accuracy": 0.1, "repeats": 0}
    return fit(n, 64, what) | known | changes


def looked_up(n: int) -> dict[str, Any]:
    """A record of the first version, which looked targets up at the knots."""
    return {k: v for k, v in fit(n).items() if k not in ("network_error", "torch_error", "sampled")} | {
        "max_error": 0.0
    }


SIZES = (250, 1_000, 4_000)
DEPTHS = (2, 3, 5, 10, 30)


def deep(
    n: int, depth: int, width: float | None = None, weights: float | None = None, **changes: Any
) -> dict[str, Any]:
    """A record of a network of some depth, by default as narrow as the construction's."""
    return {
        "what": "depth", "n": n, "d": n // 10, "seed": 0, "depth": depth, "max_error": 1e-11,
        "width": n // (depth - 1) + 3 * (depth > 2) if width is None else width,
        "weights": (2 + 2 * (depth > 2)) * n + n // 10 + 9 * depth if weights is None else weights,
    } | changes  # fmt: skip


def all_deep(**changes: Any) -> list[dict[str, Any]]:
    return [deep(n, depth, **changes) for n in SIZES for depth in DEPTHS]


def _null_theorem(rng: np.random.Generator) -> Tables:
    """One fit of several misses a label by more than is allowed, has another number of weights, or labels not random."""
    records = [fit(n, network_error=10 ** rng.uniform(-12, -6)) for n in (100, 1_000, 10_000)]
    wrong = rng.binomial(1_000, rng.uniform(0, 0.8)) / 1_000
    fault = [
        {"network_error": 10 ** rng.uniform(-5.99, 0)},
        {"weights": records[0]["weights"] + int(rng.integers(1, 50)) * int(rng.choice([-1, 1]))},
        images(1_000, wrong_labels=wrong),
    ][rng.integers(3)]
    which = int(rng.integers(3))
    records[which] = (records[which] | fault) if "what" not in fault else fault
    return tables_of(records=records)


def _null_corollary(rng: np.random.Generator) -> Tables:
    """Width or weights grow with an exponent at the edge of the band or beyond, but for noise."""
    beyond = 1 + rng.choice([-1, 1]) * (0.15 + rng.exponential(0.1))
    noise = rng.uniform(0.005, 0.1)
    records = []
    for n in SIZES:
        for depth in DEPTHS:
            factor = float(np.exp(noise * rng.standard_normal()))
            records.append(
                deep(n, depth, width=2 * (n / depth) ** beyond * factor)
                if beyond > 1
                else deep(n, depth, weights=3 * (1.1 * n) ** beyond * factor)
            )
    return tables_of(records=records)


CASES = [
    Cases(
        confirmed={
            "random labels at two sizes": tables_of(records=[fit(1_000), fit(1_000_000)]),
            "images as well, some of which were equal": tables_of(
                records=[
                    images(100),
                    images(1_437, distinct=1_430, weights=2 * 1_430 + 64),
                    images(1_000, "true labels"),
                ]
            ),
            "exact ones": tables_of(records=[fit(100, network_error=0.0, torch_error=0.0), fit(1_000)]),
        },
        contradicted={
            "the network misses a label": tables_of(records=[fit(1_000), fit(1_000_000, network_error=1e-2)]),
            "a value that is no number": tables_of(records=[fit(1_000), fit(10_000, network_error=float("nan"))]),
            "one weight too many": tables_of(records=[fit(1_000), fit(10_000, weights=20_051)]),
        },
        cannot_tell={
            "targets that were looked up": tables_of(records=[looked_up(1_000), looked_up(100_000)]),
            "one size": tables_of(records=[fit(1_000), fit(1_000, seed=1)]),
            "two sizes of a few points": tables_of(records=[fit(1), fit(2)]),
            "true labels only": tables_of(records=[images(100, "true labels"), images(1_000, "true labels")]),
            "labels that are not random": tables_of(records=[images(100), images(1_000, wrong_labels=0.45)]),
        },
        null=_null_theorem,
    ),
    Cases(
        confirmed={
            "the construction": tables_of(records=all_deep()),
            "in two seeds": tables_of(records=all_deep() + all_deep(seed=1)),
            "with constants of their own": tables_of(records=[r | {"width": 5 * r["width"]} for r in all_deep()]),
        },
        contradicted={
            "a label is missed at one depth": tables_of(records=[*all_deep(), deep(1_000, 7, max_error=1e-3)]),
            "a value that is no number": tables_of(records=[*all_deep(), deep(1_000, 7, max_error=float("nan"))]),
            "weights grow as n^1.5": tables_of(records=[r | {"weights": r["n"] ** 1.5} for r in all_deep()]),
            "the width grows as (n/k)^2": tables_of(
                records=[r | {"width": (r["n"] / r["depth"]) ** 2} for r in all_deep()]
            ),
        },
        not_shown={
            "as wide at every depth": tables_of(records=[r | {"width": r["n"]} for r in all_deep()]),
            "one width for all": tables_of(records=all_deep(width=10_000)),
        },
        cannot_tell={
            "one n": tables_of(records=[deep(1_000, depth) for depth in DEPTHS]),
            "one depth": tables_of(records=[deep(n, 3) for n in SIZES]),
            "two sizes": tables_of(records=[r for r in all_deep() if r["n"] < 4_000]),
        },
        null=_null_corollary,
    ),
]
