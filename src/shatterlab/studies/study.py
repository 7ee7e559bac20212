"""What a study is: a question, the jobs that answer it, a way to draw them, a sentence that says what came out."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import polars as pl

from ..jobs import Job, Kept
from ..results import Asked, Measurement, Result, Store
from ..results.table import epoch_table, run_table
from ..row import Row

Scale = Literal["demo", "cpu", "paper"]
Jobs = Sequence[Job] | Generator[Sequence[Job], Any, None]
"""What a study asks for: a list of jobs, or a generator that yields lists and is sent what came out of each."""

PAPER_DATA = "cifar10"
"""The data set that the paper experiments on."""

OVERFIT_LOSS = 0.1
"""A run has overfitted when the online loss of an epoch first falls to this (an assumption, see `ASSUMPTIONS`)."""


Cells = dict[str, str | int]
"""A line of a table: column heading to cell; every line of a table has the same headings."""


@dataclass(frozen=True)
class Tables:
    """The finished runs of a study: one line a run, one line an epoch; and what it computed beside training."""

    runs: pl.DataFrame
    epochs: pl.DataFrame
    records: Sequence[dict[str, Any]] = ()


CHAPTERS = {
    "The question": "The classical picture says that a model too large for its data overfits. What does it predict?",
    "Overparameterization": "Successful networks are larger than that picture allows. How much larger?",
    "Randomization tests": "Take the pattern out of the data, label by label and pixel by pixel: what can a network "
    "still fit?",
    "The theorem": "How large must a network be to fit anything at all?",
    "Regularization": "Weight decay, crops, dropout, early stopping, batch normalization: is it they that make "
    "networks generalize?",
    "Linear models and what descent prefers": "Of all solutions that fit, which does descent find, and what sets it "
    "apart?",
    "Further studies": "What else has been asked here?",
}
"""Of the report, in the lecture's order: heading to question. One without studies is left out."""

TAKEAWAYS = {
    "The effective capacity of successful networks is large enough to memorize their training data.": (
        "overparameterization",
        "learning-curves",
        "expressivity",
    ),
    "Optimization stays easy when there is nothing to learn, so its ease does not explain generalization.": (
        "label-noise",
    ),
    "Explicit regularizers help, but are neither needed for generalization nor enough to prevent memorization.": (
        "table1",
        "random-labels-regularized",
    ),
    "Nor do early stopping and batch normalization explain it.": ("implicit",),
    "Linear models pose the same question: SGD finds the least norm, and the least norm does not predict which "
    "solution generalizes.": ("minimum-norm", "kernels"),
}
"""What the lecture concludes: sentence to the studies whose claims bear it out."""


@dataclass(frozen=True)
class Outcome:
    """What some runs say of a claim.

    Args:
        confirmed: whether the claim's rule holds.
        numbers: the numbers that decided it, for people.
    """

    confirmed: bool
    numbers: str


@dataclass(frozen=True)
class Claim:
    """Something the paper, the lecture or a work it cites says, that runs can confirm or not.

    Args:
        statement: in one sentence.
        rule: when runs confirm it, in words; the very rule that `check` applies.
        check: takes the finished runs of a study; None where these cannot say.
    """

    statement: str
    rule: str
    check: Callable[[Tables], Outcome | None] = field(repr=False)


@dataclass(frozen=True)
class Study:
    """An entry of `STUDIES`.

    Args:
        question: in one sentence.
        source: where the paper asks it.
        draw: named charts of the finished runs.
        verdict: sentences computed from the finished runs, the first one the answer.
        jobs: what it trains and computes, from a scale, a data set and a number of seeds. A generator yields a list of
            jobs, is sent their results and measurements in the same order, and may yield again; as it is run anew to
            learn what to do next, it may depend on nothing else.
        table: lines to be read beside the charts, cells ready to print; None where charts say it all.
        claims: what the finished runs confirm or not.
        assumptions: keys of `ASSUMPTIONS` that its runs rest on.
        chapter: of the report, a key of `CHAPTERS`.
    """

    question: str
    source: str
    draw: Callable[[Tables], Mapping[str, Any]] = field(repr=False)
    verdict: Callable[[Tables], list[str]] = field(repr=False)
    jobs: Callable[[Scale, str, int], Jobs] = field(repr=False)
    table: Callable[[Tables], list[Cells]] | None = field(default=None, repr=False)
    claims: tuple[Claim, ...] = ()
    assumptions: tuple[str, ...] = ()
    chapter: str = "Further studies"

    def _repr_html_(self) -> str:
        from ..faces import study_face

        return study_face(self, {scale: len(jobs_so_far(self, scale, "cifar10", 1)) for scale in get_args(Scale)})


def jobs_so_far(
    study: Study,
    scale: Scale,
    data: str,
    seeds: int,
    kept: Callable[[Job], Kept | None] = lambda job: None,
    adapted: Callable[[Sequence[Job]], Sequence[Job]] = lambda jobs: jobs,
) -> list[Job]:
    """The jobs that a study asks for, as far as what came out of them can tell: the rounds of a generator up to the
    first one that has an unfinished job.

    Args:
        study: the study.
        scale: as for `Study.jobs`.
        data: as for `Study.jobs`.
        seeds: as for `Study.jobs`.
        kept: what came out of a job, None where it is unfinished.
        adapted: turns the jobs of a round into those that are done in their place, one for each.

    Returns:
        Each job once, in the order in which the study first asks for it.
    """
    asked = study.jobs(scale, data, seeds)
    if not isinstance(asked, Generator):
        return list({job.id: job for job in adapted(asked)}.values())
    different: dict[str, Job] = {}
    outcomes: list[Kept] | None = None  # which starts the generator
    while True:
        try:
            jobs = adapted(asked.send(outcomes))
        except StopIteration:
            break
        different |= {job.id: job for job in jobs}
        outcomes = [outcome for job in jobs if (outcome := kept(job))]
        if len(outcomes) < len(jobs):
            break
    return list(different.values())


def asked_of(store: Store) -> list[Asked]:
    """What has been asked of studies, the largest scale first, and of one scale the paper's data first."""
    order: dict[str, int] = {"paper": 0, "cpu": 1, "demo": 2}
    every = sorted(
        store.asked(), key=lambda a: (a.study, order.get(a.scale, 3), a.data != PAPER_DATA, a.data, a.model or "")
    )
    # What is the same at every scale is there once.
    return list({(a.study, a.data, *a.run_ids, *a.measurement_ids): a for a in reversed(every)}.values())[::-1]


def at_full_size(study: Study, asked: Asked) -> bool:
    """Whether all that the study asks for at the paper's scale has been asked of it, at whatever scale."""
    full = jobs_so_far(study, "paper", asked.data, asked.seeds)
    return {job.id for job in full} <= {*asked.run_ids, *asked.measurement_ids}


def tables(store: Store, results: Sequence[Result], measured: Sequence[Measurement] = ()) -> Tables:
    """The tables of some runs; the table of runs gains `overfit_step`, None where the loss never fell that far."""
    rows = [store.rows(result.spec) for result in results]
    overfit = pl.Series("overfit_step", [overfit_step(epochs) for epochs in rows], pl.Int64)
    lines = [line for measurement in measured for line in measurement.lines()]
    return Tables(run_table(results).with_columns(overfit), epoch_table(store, results, rows), lines)


def found_of(store: Store, asked: Asked, results: Sequence[Result]) -> tuple[list[Result], list[Measurement]]:
    """What there is of what has been asked of a study: runs among `results`, and measurements in the store."""
    by_id = {result.id: result for result in results}
    runs = [by_id[id] for id in asked.run_ids if id in by_id]
    return runs, [found for id in asked.measurement_ids if (found := store.measured(id))]


def overfit_step(rows: Sequence[Row]) -> int | None:
    """The step at the end of the first epoch with an online loss of at most `OVERFIT_LOSS`, or None."""
    return next((row.step for row in rows if row.online_loss <= OVERFIT_LOSS), None)
