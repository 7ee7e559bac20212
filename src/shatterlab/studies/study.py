"""The definition of a study: a question, the jobs that answer it, its charts, and sentences about the outcome."""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any, Literal, get_args

import polars as pl

from ..errors import ShatterlabError
from ..jobs import Job, Kept
from ..results import Asked, Examples, Measurement, Result, Store
from ..results.table import epoch_table, run_table
from ..row import Part, Row
from .outcome import Outcome

Scale = Literal["demo", "cpu", "paper"]
Jobs = Sequence[Job] | Generator[Sequence[Job], Any, None]
"""A study asks for a list of jobs, or is a generator that yields lists of jobs and is sent the outcomes of each."""

PAPER_DATA = "cifar10"
"""The paper experiments on this data set."""

OVERFIT_LOSS = 0.1
"""A run has overfitted when its online loss first falls to this (an assumption, see "time to overfit")."""

OVERFIT_WINDOW = 1_000
"""The online loss that decides is a mean over at least this many images, or over an epoch where it has fewer."""


Cells = dict[str, str | int | float | None]
"""A line of a table maps column headings to cells; every line of a table has the same headings."""


@dataclass(frozen=True)
class Tables:
    """The evidence of a study.

    Args:
        runs: a line for each finished run.
        epochs: a line for each epoch of each of them.
        records: the records of its finished computations.
        examples: takes a run's id and returns what became of its examples by the name of the set, or None where the
            run has not kept them.
    """

    runs: pl.DataFrame
    epochs: pl.DataFrame
    records: Sequence[dict[str, Any]] = ()
    examples: Callable[[str], Mapping[str, Examples] | None] = field(default=lambda id: None, repr=False)


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
    "The closing questions": "The paper ends by asking what measure distinguishes networks that generalize: what do "
    "the candidates say here?",
    "Further studies": "What else has been asked here?",
}
"""The chapters of the report, in the lecture's order, each with its question; chapters without studies are left out."""

TAKEAWAYS = {
    "The effective capacity of successful networks is large enough to memorize their training data.": (
        "overparameterization",
        "learning-curves",
        "expressivity",
        "lemma",
    ),
    "Optimization stays easy when there is nothing to learn, so its ease does not explain generalization.": (
        "label-noise",
    ),
    "Explicit regularizers help, but are neither needed for generalization nor enough to prevent memorization.": (
        "table1",
        "random-labels-regularized",
        "regularizers",
    ),
    "Nor do early stopping and batch normalization explain it.": ("implicit",),
    "Linear models pose the same question: SGD finds the least norm, and the least norm does not predict which "
    "solution generalizes.": ("minimum-norm", "three-routes", "kernels"),
}
"""The conclusions of the lecture, each with the studies whose claims bear it out."""


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, the lecture or a work that it cites, which runs can confirm or contradict.

    Args:
        statement: the statement in one sentence.
        rule: what confirms the statement, what contradicts it, and its premises, in words; the rule that `check`
            applies.
        check: takes the evidence of a study, which may be empty, and returns the outcome.
    """

    statement: str
    rule: str
    check: Callable[[Tables], Outcome] = field(repr=False)


@dataclass(frozen=True)
class Study:
    """An entry of `STUDIES`.

    Args:
        question: the question in one sentence.
        source: the place where the paper asks the question.
        draw: makes named charts of the finished runs.
        verdict: computes sentences from the finished runs, of which the first is the answer.
        jobs: makes the jobs from a scale, a data set and a number of seeds. A generator yields a list of jobs, is sent
            their results and measurements in the same order, and may yield again; as it is run anew to learn what to
            do next, it may depend on nothing else.
        table: makes lines to be read beside the charts, with cells ready to print; None where charts suffice.
        claims: the claims that the finished runs confirm or contradict.
        assumptions: keys of `ASSUMPTIONS` on which its runs rest.
        chapter: the chapter of the report, a key of `CHAPTERS`.
        data: the data set on which it runs where none is named, in place of the paper's CIFAR-10; such a study is no
            part of `shatterlab run all`, whose studies share their data.
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
    data: str | None = None

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
    """The jobs that a study asks for, as far as they are known: the rounds of a generator up to the first one that has
    an unfinished job.

    Args:
        study: the study.
        scale, data, seeds: the arguments of `Study.jobs`.
        kept: returns the outcome of a job, or None where it is unfinished.
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
    """What studies have asked for, the largest scale first, and within one scale the paper's data first."""
    order: dict[str, int] = {"paper": 0, "cpu": 1, "demo": 2}
    every = sorted(
        store.asked(), key=lambda a: (a.study, order.get(a.scale, 3), a.data != PAPER_DATA, a.data, a.model or "")
    )
    # Requests that are the same at every scale are kept once.
    return list({(a.study, a.data, *a.run_ids, *a.measurement_ids): a for a in reversed(every)}.values())[::-1]


def at_full_size(study: Study, asked: Asked) -> bool:
    """Whether a request holds all jobs of the study at the paper's scale, whatever the scale of the request is."""
    full = jobs_so_far(study, "paper", asked.data, asked.seeds)
    return {job.id for job in full} <= {*asked.run_ids, *asked.measurement_ids}


def tables(store: Store, results: Sequence[Result], measured: Sequence[Measurement] = ()) -> Tables:
    """The tables of some runs; the table of runs gains two columns, None where the loss never fell that far.

    These are `overfit_step`, the step at which a run has overfitted, and `overfit_resolution`, the number of steps
    since the loss was looked up before.
    """
    rows = [store.rows(result.spec) for result in results]
    parts = [overfit(epochs, result.spec.batch_size) for result, epochs in zip(results, rows, strict=True)]
    columns = [
        pl.Series("overfit_step", [part and part.end for part in parts], pl.Int64),
        pl.Series("overfit_resolution", [part and part.steps for part in parts], pl.Int64),
    ]
    lines = [line for measurement in measured for line in measurement.lines()]
    by_id = {result.id: result for result in results}

    def examples(id: str) -> Mapping[str, Examples] | None:
        try:
            return store.readable(store.examples, by_id[id])
        except (KeyError, ShatterlabError):  # runs of earlier versions have not kept them
            return None

    return Tables(run_table(results).with_columns(columns), epoch_table(store, results, rows), lines, examples)


def found_of(store: Store, asked: Asked, results: Sequence[Result]) -> tuple[list[Result], list[Measurement]]:
    """The finished part of what a study asked for: runs among `results`, and measurements in the store."""
    by_id = {result.id: result for result in results}
    runs = [by_id[id] for id in asked.run_ids if id in by_id]
    return runs, store.measurements(asked.measurement_ids)


def overfit(rows: Sequence[Row], batch_size: int) -> Part | None:
    """The first recorded part of a training at whose end the run has overfitted, or None.

    The mean online loss over the last `OVERFIT_WINDOW` images, in whole parts, has fallen to `OVERFIT_LOSS` there. A
    window never begins before the training; where the parts of an epoch were not recorded, it is an epoch.
    """
    if not rows:
        return None
    least = min(rows[0].step // rows[0].epoch, -(-OVERFIT_WINDOW // batch_size))
    window: deque[Part] = deque()
    for part in (part for row in rows for part in row.parts):
        window.append(part)
        while part.end - window[0].end >= least:
            window.popleft()
        steps = part.end - window[0].end + window[0].steps
        if steps >= least and fsum(p.loss * p.steps for p in window) / steps <= OVERFIT_LOSS:
            return part
    return None
