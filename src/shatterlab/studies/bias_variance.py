"""The lecture's first figure: as a model grows, bias falls and variance rises; their sum is U-shaped."""

from collections.abc import Mapping
from typing import Any

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
"""Standard errors within which the measured total and the sum of the parts count as equal."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """One sweep over the degrees a seed."""
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
    """A line a degree, the first seed."""
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


def verdict(tables: Tables) -> list[str]:
    """Where is the total least, is it U-shaped, and do the parts add up?"""
    sentences = []
    for seed in sorted({r["seed"] for r in tables.records}):
        sweep = sorted((r for r in tables.records if r["seed"] == seed), key=lambda r: r["degree"])
        best = min(sweep, key=lambda r: r["total"])
        first, last = sweep[0], sweep[-1]
        shape = "U-shaped" if shaped(sweep) else "not U-shaped"
        off = max(abs(_sum(r) - r["total"]) / r["total_error"] for r in sweep)
        adds = "add up to it" if off <= SIGMAS else "do not add up to it"
        sentences.append(
            f"The total error is {shape}: {first['total']:.3f} at degree {first['degree']}, least {best['total']:.3f} "
            f"at degree {best['degree']}, {last['total']:.3f} at degree {last['degree']}; bias² falls from "
            f"{first['bias2']:.3f} to {last['bias2']:.3f}, variance rises from {first['variance']:.3f} to "
            f"{last['variance']:.3f}; bias², variance and noise {adds} (within {off:.1f} standard errors; seed {seed})."
        )
    return sentences


def _u_shaped(tables: Tables) -> Outcome | None:
    confirmed, parts = True, []
    for seed in sorted({r["seed"] for r in tables.records}):
        sweep = sorted((r for r in tables.records if r["seed"] == seed), key=lambda r: r["degree"])
        confirmed &= shaped(sweep)
        confirmed &= sweep[-1]["bias2"] < sweep[0]["bias2"] and sweep[-1]["variance"] > sweep[0]["variance"]
        totals = {r["degree"]: r["total"] for r in sweep}
        best = min(totals, key=totals.__getitem__)
        parts.append(
            f"{totals[min(totals)]:.3f} at degree {min(totals)}, {totals[best]:.3f} at {best}, "
            f"{totals[max(totals)]:.3f} at {max(totals)}"
        )
    return Outcome(confirmed, "; ".join(parts)) if parts else None


def shaped(sweep: list[dict[str, Any]]) -> bool:
    """Whether the total error of a sweep is least inside it, below both ends."""
    best = min(sweep, key=lambda r: r["total"])
    return bool(best["total"] < min(sweep[0]["total"], sweep[-1]["total"]) and best not in (sweep[0], sweep[-1]))


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
