"""The lecture's first figure: as a model grows, bias falls and variance rises; their sum is U-shaped."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from .outcome import NO_RUNS, Outcome, State, cannot_tell
from .rules import not_finite
from .sentences import percent, seeds_of, sentence
from .statistics import LEVEL, Estimate, above, corrected, plus
from .study import Cells, Claim, Scale, Study, Tables

DEGREES = range(15)
SETTINGS: dict[Scale, dict[str, Any]] = {
    "demo": {"n": 60, "noise": 0.5, "repeats": 500},
    "cpu": {"n": 60, "noise": 0.5, "repeats": 10_000},
    "paper": {"n": 60, "noise": 0.5, "repeats": 10_000},
}
PARTS = {"bias2": "bias²", "variance": "variance", "noise": "noise", "total": "total, measured"}
SIGMAS = 4
"""The measured total and the sum of the parts count as equal if they differ by at most this many standard errors.

The largest difference of all degrees is judged; by chance alone one of 15 exceeds 4 in a thousandth of all sweeps.
"""
WAVE = 0.5
"""A step in the wrong direction makes a wave of a curve if it is larger than this share of the arm that it interrupts.

It is an assumption. A sine has no even powers, so that an even degree adds variance and takes no bias away: the total
rises from degree 1 to 4, by 10 % of its fall from degree 0 to 7. From degree 4 to 5, where bias goes, variance falls by
21 % of its rise from degree 7 to 14 (n = 60, 500 training sets, seed 0).
"""


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


def pooled(tables: Tables) -> list[dict[str, Any]]:
    """The parts and the total at each degree, means over seeds, each with the standard error of its mean.

    The training sets of each degree and seed are drawn anew, so that all of them are independent. Records of earlier
    versions lack the errors of the parts; the total's stands for them, which is larger.
    """
    records = []
    for degree in sorted({r["degree"] for r in tables.records}):
        seeds = [r for r in tables.records if r["degree"] == degree]
        record: dict[str, Any] = {"degree": degree}
        for part in PARTS:
            record[part] = sum(r[part] for r in seeds) / len(seeds)
        for part in ("bias2", "variance", "total"):
            errors = [r.get(f"{part}_error", r["total_error"]) for r in seeds]
            record[f"{part}_error"] = sum(error**2 for error in errors) ** 0.5 / len(seeds)
        records.append(record)
    return records


def table(tables: Tables) -> list[Cells]:
    """A line for each degree, means over seeds."""
    return [
        {"degree": r["degree"]}
        | {name: f"{round(r[part], 4) + 0.0:.4f}" for part, name in PARTS.items()}  # + 0.0 turns -0.0 into 0.0
        | {"SE of the total": f"{r['total_error']:.4f}", "sum of the parts": f"{_sum(r):.4f}"}
        for r in pooled(tables)
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
            f"sets; {_seeds(tables)}",
            x_title="degree of the polynomial", y_title="squared error",
        )
    }  # fmt: skip


def _seeds(tables: Tables) -> str:
    several = len({r["seed"] for r in tables.records}) > 1
    return seeds_of(tables.records) + (", means with SD" if several else "")


class Shape(NamedTuple):
    """The shape of the total error over the degrees, from means over seeds."""

    records: Sequence[Mapping[str, Any]]
    best: Mapping[str, Any]
    """The record with the least total error between both ends."""
    off: float
    """The largest difference between the total and the sum of its parts, in standard errors."""

    @property
    def first(self) -> Mapping[str, Any]:
        """The record of the least degree."""
        return self.records[0]

    @property
    def last(self) -> Mapping[str, Any]:
        """The record of the largest degree."""
        return self.records[-1]

    @property
    def arms(self) -> list[Estimate]:
        """What has to be above zero.

        How far the total lies above the least at the first and at the last degree, how far bias² falls from the first
        degree to the best, and how far variance rises from there to the last.
        """
        return [
            _difference(self.first, self.best, "total"),
            _difference(self.last, self.best, "total"),
            _difference(self.first, self.best, "bias2"),
            _difference(self.last, self.best, "variance"),
        ]

    @property
    def waves(self) -> list[tuple[Estimate, Estimate]]:
        """The change between each two degrees in the direction that each arm excludes, with the arm.

        The total may not rise up to the best degree nor fall from there on; over all degrees bias² may not rise nor
        variance fall.
        """
        best = self.records.index(self.best)
        up_to, from_on = self.records[: best + 1], self.records[best:]
        parts = (
            ("total", up_to, 1),
            ("total", from_on, -1),
            ("bias2", self.records, 1),
            ("variance", self.records, -1),
        )
        return [
            (_difference(*((more, less) if sign > 0 else (less, more)), part), arm)
            for (part, records, sign), arm in zip(parts, self.arms, strict=True)
            for less, more in combinations(records, 2)
        ]

    @property
    def state(self) -> State:
        """Whether the total is U-shaped since bias falls and variance rises, beyond the errors."""
        arms = [above(arm, 0, corrected(len(self.records) - 2)) for arm in self.arms]
        beyond = [(wave, plus(wave, arm, -WAVE)) for wave, arm in self.waves]
        if "contradicted" in arms or any(above(more, 0, corrected(len(beyond))) == "confirmed" for _, more in beyond):
            return "contradicted"
        doubtful = any(above(wave, 0) == "confirmed" and above(more, 0) != "contradicted" for wave, more in beyond)
        return "confirmed" if arms == ["confirmed"] * len(arms) and not doubtful else "not shown"


def _difference(first: Mapping[str, Any], second: Mapping[str, Any], part: str) -> Estimate:
    errors = (r[f"{part}_error"] for r in (first, second))
    return Estimate(first[part] - second[part], sum(error**2 for error in errors) ** 0.5)


def unready(tables: Tables) -> Outcome | None:
    """The outcome `cannot tell` where the records have no shape or no error to judge it by, or None."""
    if not tables.records:
        return NO_RUNS
    if broken := not_finite(tables.records, [*PARTS, "bias2_error", "variance_error", "total_error"]):
        return broken
    if any(r["total_error"] <= 0 for r in tables.records):
        return cannot_tell("The total error has no standard error to judge it by")
    if len({r["degree"] for r in tables.records}) < 3:
        return cannot_tell("Fewer than three degrees have no shape", "finish")
    return None


def shape(tables: Tables) -> Shape:
    """The shape that the means over seeds show, where nothing is `unready`."""
    records = pooled(tables)
    off = max(abs(_sum(r) - r["total"]) / r["total_error"] for r in records)
    return Shape(records, min(records[1:-1], key=lambda r: r["total"]), off)


WORDS: dict[State, str] = {
    "confirmed": "is U-shaped",
    "contradicted": "is not U-shaped",
    "not shown": "is not shown to be U-shaped",
}


def verdict(tables: Tables) -> list[str]:
    """Where is the total least, is it U-shaped, and do the parts add up?"""
    if short := unready(tables):
        return [f"{short.reason}."] if tables.records else ["No run is finished yet."]
    found = shape(tables)
    first, best, last = found.first, found.best, found.last
    return [
        sentence(
            f"The total error {WORDS[found.state]}: at degree {best['degree']} it is",
            _total(best),
            f"at degree {first['degree']} it is {_total(first)}, at degree {last['degree']} {_total(last)}",
            f"up to there bias² goes from {first['bias2']:.3f} to {best['bias2']:.3f}, from there on variance from "
            f"{best['variance']:.3f} to {last['variance']:.3f}",
            caveat=f"bias², variance and noise {_add_up(found)}; {seeds_of(tables.records)}",
        )
    ]


def _total(record: Mapping[str, Any]) -> str:
    return f"{record['total']:.3f} (SE {record['total_error']:.2g})"


def _add_up(found: Shape) -> str:
    words = "add up to it" if found.off <= SIGMAS else "do not add up to it"
    return f"{words} (largest difference {found.off:.1f} standard errors)"


def _u_shaped(tables: Tables) -> Outcome:
    if short := unready(tables):
        return short
    found = shape(tables)
    totals = ", ".join(f"{_total(r)} at degree {r['degree']}" for r in (found.first, found.best, found.last))
    first = tables.records[0]
    numbers = f"{totals}; n = {first['n']}, {first['repeats']:,} training sets, {seeds_of(tables.records)}"
    if found.off > SIGMAS:
        return cannot_tell(f"Bias², variance and noise {_add_up(found)}", numbers=numbers)
    return Outcome(found.state, numbers)


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
            "Confirmed if at the degree with the least total error between both ends of the sweep the total lies below "
            "that at both ends, while bias² falls from the first degree to this one and variance rises from it to the "
            f"last, each by more than its error ({percent(LEVEL)} intervals over training sets, widened for the choice "
            "of the least by Bonferroni), and if nothing interrupts this: no rise of the total up to this degree and "
            "no fall beyond it, no rise of bias² and no fall of variance between any two degrees that is beyond its "
            f"error, unless it is less than {percent(WAVE)} of the arm that it interrupts, beyond its error (an "
            "assumption). Contradicted if one of the four is the other way round, or an interruption is larger than "
            "that share, beyond its error (for all pairs of degrees by Bonferroni). "
            f"The parts have to add up to the measured total within {SIGMAS} standard errors.",
            _u_shaped,
        ),
    ),
)
