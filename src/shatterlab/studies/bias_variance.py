"""The lecture's first figure: as a model grows, bias falls and variance rises; their sum is U-shaped."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from .sentences import seeds_of
from .study import Cells, Claim, Outcome, Scale, Study, Tables

DEGREES = range(15)
SETTINGS: dict[Scale, dict[str, Any]] = {
    "demo": {"n": 60, "noise": 0.5, "repeats": 500},
    "cpu": {"n": 60, "noise": 0.5, "repeats": 10_000},
    "paper": {"n": 60, "noise": 0.5, "repeats": 10_000},
}
PARTS = {"bias2": "bias²", "variance": "variance", "noise": "noise", "total": "total, measured"}
SIGMAS = 4
"""The measured total and the sum of the parts count as equal if they differ by at most this many standard errors."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """One sweep over the degrees for each seed."""
    return [
        Computation("bias-variance", "polynomials of degree 0 to 14",
             SETTINGS[scale] | {"degrees": list(DEGREES), "seed": seed}, sweep)
        for seed in range(seeds)
    ]  # fmt: skip


def sweep(degrees: list[int], n: int, noise: float, repeats: int, seed: int) -> list[dict[str, Any]]:
    """The decomposition at each degree."""
    from dataclasses import asdict

    from ..theory import decompose

    return [
        {"degree": degree} | asdict(decompose(degree, n=n, noise=noise, repeats=repeats, seed=seed)) | {"sigma": noise}
        for degree in degrees
    ]


def table(tables: Tables) -> list[Cells]:
    """A line for each degree, from the first seed."""
    return [
        {"degree": r["degree"]}
        | {name: f"{round(r[part], 4) + 0.0:.4f}" for part, name in PARTS.items()}  # + 0.0 turns -0.0 into 0.0
        | {"sum of the parts": f"{_sum(r):.4f}"}
        for r in tables.records
        if r["seed"] == 0
    ]


def _sum(record: Mapping[str, Any]) -> float:
    return record["bias2"] + record["variance"] + record["noise"]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Bias², variance, noise and total against the degree."""
    first = tables.records[0]
    records = [
        {"degree": r["degree"], "part": name, "error": max(r[part], 0.0)}
        for r in tables.records
        for part, name in PARTS.items()
    ]
    return {
        "decomposition": lines(
            records, "degree", "error", "part", x_format="d",
            title="Expected squared error and its parts",
            subtitle=f"polynomials through n = {first['n']} noisy points of a sine, {first['repeats']:,} training "
            f"sets; {seeds_of(tables.records)}",
            x_title="degree of the polynomial", y_title="squared error",
        )
    }  # fmt: skip


class Sweep(NamedTuple):
    """A sweep over the degrees in one seed: its records at both ends and at the least total error."""

    seed: int
    first: Mapping[str, Any]
    best: Mapping[str, Any]
    last: Mapping[str, Any]
    u_shaped: bool
    """Whether the total error is least inside the sweep, below both ends."""
    off: float
    """The largest difference between the total and the sum of its parts, in standard errors."""


def sweeps(tables: Tables) -> list[Sweep]:
    """The sweep of each seed."""
    sweeps = []
    for seed in sorted({r["seed"] for r in tables.records}):
        records = sorted((r for r in tables.records if r["seed"] == seed), key=lambda r: r["degree"])
        first, best, last = records[0], min(records, key=lambda r: r["total"]), records[-1]
        inside = best["total"] < min(first["total"], last["total"])
        off = max(abs(_sum(r) - r["total"]) / r["total_error"] for r in records)
        sweeps.append(Sweep(seed, first, best, last, inside, off))
    return sweeps


def verdict(tables: Tables) -> list[str]:
    """Where is the total least, is it U-shaped, and do the parts add up?"""
    return [
        f"The total error is {'U-shaped' if s.u_shaped else 'not U-shaped'}: {s.first['total']:.3f} at degree "
        f"{s.first['degree']}, least {s.best['total']:.3f} at degree {s.best['degree']}, {s.last['total']:.3f} at "
        f"degree {s.last['degree']}; bias² falls from {s.first['bias2']:.3f} to {s.last['bias2']:.3f}, variance rises "
        f"from {s.first['variance']:.3f} to {s.last['variance']:.3f}; bias², variance and noise "
        f"{'add up to it' if s.off <= SIGMAS else 'do not add up to it'} (within {s.off:.1f} standard errors; seed "
        f"{s.seed})."
        for s in sweeps(tables)
    ]


def _u_shaped(tables: Tables) -> Outcome | None:
    seeds = sweeps(tables)
    parts = [
        f"{s.first['total']:.3f} at degree {s.first['degree']}, {s.best['total']:.3f} at {s.best['degree']}, "
        f"{s.last['total']:.3f} at {s.last['degree']}"
        for s in seeds
    ]
    confirmed = all(
        s.u_shaped and s.last["bias2"] < s.first["bias2"] and s.last["variance"] > s.first["variance"] for s in seeds
    )
    return Outcome(confirmed, "; ".join(parts)) if parts else None


STUDY = Study(
    question="Must a model that is too large for its data overfit, as the classical picture says?",
    source="the lecture's first figure, the bias-variance trade-off",
    chapter="The question",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "In the classical picture the total error is U-shaped: as a model grows, bias falls and variance rises.",
            "the total error is least at a degree inside the sweep, below both ends, in every seed",
            _u_shaped,
        ),
    ),
)
