"""Tables for the claims of expressivity."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.expressivity import BAND


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
    n: int, depth: int, width: float | None = None, weights: float | None = None, thin: int = 10, **changes: Any
) -> dict[str, Any]:
    """A record of a network of some depth in n / thin dimensions, by default as narrow as the construction's."""
    return {
        "what": "depth", "n": n, "d": n // thin, "seed": 0, "depth": depth, "max_error": 1e-11,
        "width": n // (depth - 1) + 3 * (depth > 2) if width is None else width,
        "weights": (2 + 2 * (depth > 2)) * n + n // thin + 9 * depth if weights is None else weights,
    } | changes  # fmt: skip


def all_deep(thins: tuple[int, ...] = (10, 2), **changes: Any) -> list[dict[str, Any]]:
    return [deep(n, depth, thin=thin, **changes) for thin in thins for n in SIZES for depth in DEPTHS]


def _null_theorem(rng: np.random.Generator) -> Tables:
    """One fit of several misses a label, has another number of weights, or labels that are not random."""
    records = [fit(n, network_error=10 ** rng.uniform(-12, -6)) for n in (100, 1_000, 10_000)]
    wrong = rng.binomial(1_000, rng.uniform(0, 0.8)) / 1_000
    fault = [
        {"network_error": 10 ** rng.uniform(-5.99, 0)},
        {"weights": records[0]["weights"] + int(rng.integers(1, 50)) * int(rng.choice([-1, 1]))},
        images(1_000, wrong_labels=wrong),
        {"torch_error": 10 ** rng.uniform(0, 2)},
        {"network_error": float("nan")},
    ][rng.integers(5)]
    which = int(rng.integers(3))
    if "torch_error" in fault:
        which = min(which, 1)  # at 10,000 points and fewer
    records[which] = (records[which] | fault) if "what" not in fault else fault
    return tables_of(records=records)


def _null_corollary(rng: np.random.Generator) -> Tables:
    """Width or weights grow with an exponent at the edge of its bound or beyond, but for noise."""
    beyond = BAND + rng.choice([0.0, rng.exponential(0.1)])
    noise, how = rng.uniform(0.005, 0.1), rng.integers(3)
    records = all_deep()
    for r in records:
        factor = float(np.exp(noise * rng.standard_normal()))
        if how == 2:
            r["weights"] = 3 * (r["n"] + r["d"]) ** (1 + beyond) * factor
        else:
            r["width"] = 2 * r["n"] ** (1 + beyond * (how == 0)) * r["depth"] ** (-1 + beyond * (how == 1)) * factor
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
            "one weight too many": tables_of(records=[fit(1_000), fit(10_000, weights=20_051)]),
        },
        cannot_tell={
            "targets that were looked up": tables_of(records=[looked_up(1_000), looked_up(100_000)]),
            "one size": tables_of(records=[fit(1_000), fit(1_000, seed=1)]),
            "two sizes of a few points": tables_of(records=[fit(1), fit(2)]),
            "true labels only": tables_of(records=[images(100, "true labels"), images(1_000, "true labels")]),
            "labels that are not random": tables_of(records=[images(100), images(1_000, wrong_labels=0.45)]),
            "a value that is no number": tables_of(records=[fit(1_000), fit(10_000, network_error=float("nan"))]),
            "two and three distinct points": tables_of(
                records=[images(1_000, distinct=3, weights=70), images(100, distinct=2, weights=68)]
            ),
            "ramps added up as written miss a label by nine": tables_of(
                records=[fit(1_000, torch_error=9.0), fit(10_000, torch_error=9.0)]
            ),
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
            "weights grow as n^1.5": tables_of(records=[r | {"weights": r["n"] ** 1.5} for r in all_deep()]),
            "the width grows as (n/k)^2": tables_of(
                records=[r | {"width": (r["n"] / r["depth"]) ** 2} for r in all_deep()]
            ),
            "as wide at every depth": tables_of(records=[r | {"width": r["n"]} for r in all_deep()]),
            "one width for all": tables_of(records=all_deep(width=10_000)),
            "weights grow as (n + d)^1.14": tables_of(
                records=[r | {"weights": (r["n"] + r["d"]) ** 1.14} for r in all_deep()]
            ),
            "the width grows as (n/k) log n": tables_of(
                records=[r | {"width": r["n"] / r["depth"] * np.log(r["n"])} for r in all_deep()]
            ),
            "weights grow as n d": tables_of(records=[r | {"weights": r["n"] * r["d"]} for r in all_deep()]),
        },
        not_shown={
            "weights grow as (n + d)^1.05, but for noise": tables_of(
                records=[
                    r | {"weights": (r["n"] + r["d"]) ** 1.05 * (1 + 0.05 * (-1) ** i)}
                    for i, r in enumerate(all_deep())
                ]
            ),
        },
        cannot_tell={
            "one n": tables_of(records=[deep(1_000, depth) for depth in DEPTHS]),
            "one depth": tables_of(records=[deep(n, 3) for n in SIZES]),
            "two sizes": tables_of(records=[r for r in all_deep() if r["n"] < 4_000]),
            "one share of dimensions, as early records have": tables_of(records=all_deep((10,))),
            "a value that is no number": tables_of(records=[*all_deep(), deep(1_000, 7, max_error=float("nan"))]),
        },
        null=_null_corollary,
    ),
]
