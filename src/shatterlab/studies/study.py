"""What a study is: a question, the runs that answer it, a way to draw them, a sentence that says what came out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from ..results import Asked, Measurement, Result, Store, Task
from ..results.table import epoch_table, run_table
from ..row import Row
from ..spec import Spec

Scale = Literal["demo", "cpu", "paper"]
SCALES: tuple[Scale, ...] = ("demo", "cpu", "paper")

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
        specs: the runs, from a scale, a data set and a number of seeds.
        table: lines to be read beside the charts, cells ready to print; None where charts say it all.
        tasks: what the study computes beside training, from a scale, a data set and a number of seeds; what comes
            out is kept in the store and handed back as `Tables.records`.
        claims: what the finished runs confirm or not.
        assumptions: keys of `ASSUMPTIONS` that its runs rest on.
        chapter: of the report, a key of `CHAPTERS`.
    """

    question: str
    source: str
    draw: Callable[[Tables], Mapping[str, Any]] = field(repr=False)
    verdict: Callable[[Tables], list[str]] = field(repr=False)
    specs: Callable[[Scale, str, int], list[Spec]] = lambda scale, data, seeds: []
    table: Callable[[Tables], list[Cells]] | None = field(default=None, repr=False)
    tasks: Callable[[Scale, str, int], list[Task]] = field(default=lambda scale, data, seeds: [], repr=False)
    claims: tuple[Claim, ...] = ()
    assumptions: tuple[str, ...] = ()
    chapter: str = "Further studies"

    def _repr_html_(self) -> str:
        from ..faces import study_face

        return study_face(self, {s: len([*self.specs(s, "cifar10", 1), *self.tasks(s, "cifar10", 1)]) for s in SCALES})


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


def percent(share: float) -> str:
    """0.9934 -> 99.3 %."""
    return f"{100 * share:.1f} %"


def mean_of(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The mean over seeds, with the standard deviation and the number of seeds where there are several."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return form(mean)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{form(mean)} ± {form(deviation).removeprefix('+')} ({len(values)} seeds)"


def gain(runs: pl.DataFrame, base: pl.DataFrame, column: str = "test_accuracy") -> str:
    """Percentage points of `column` that `runs` have over `base`, between runs of the same seed.

    With the standard deviation over seeds; of one seed with the standard error that its test sets leave.
    """
    pairs = runs.join(base, on="seed", suffix="_base")
    differences = (100 * (pairs[column] - pairs[f"{column}_base"])).to_list()
    if not differences:
        return "an unknown number of"
    if len(differences) > 1:
        return mean_of(differences, "{:+.2f}".format)
    # One seed has no spread, but a test set of this size has an error of its own; as if the two were independent.
    shares = [pairs[column][0], pairs[f"{column}_base"][0]]
    error = 100 * (sum(share * (1 - share) for share in shares) / pairs["n_test"][0]) ** 0.5
    return f"{differences[0]:+.2f} (1 seed, test set ± {error:.2f})"


TRAINING_DIALS = {
    "learning_rate": "learning rates",
    "decay_every": "images between decays",
    "decay": "decays",
    "batch_size": "batch sizes",
}


def unlike(runs: pl.DataFrame, base: pl.DataFrame) -> str:
    """A reservation where two groups of runs that are compared were not trained alike."""
    pairs = {text: (runs[dial][0], base[dial][0]) for dial, text in TRAINING_DIALS.items()}
    pairs["epochs"] = max(runs["epochs"].to_list()), max(base["epochs"].to_list())
    apart = [f"{text} {ours:,g} and {theirs:,g}" for text, (ours, theirs) in pairs.items() if ours != theirs]
    return f", not trained alike: {', '.join(apart)}" if apart else ""


def points(values: pl.Series) -> str:
    """For a cell beside one that counts the seeds: a mean in percent, with the standard deviation of several."""
    return mean_of(values.to_list(), lambda share: f"{100 * share:.2f}").partition(" (")[0]


def setting(runs: pl.DataFrame) -> str:
    """What the runs share, for a subtitle: data, n, epochs, seeds."""
    seeds = runs.group_by("model").agg(pl.col("seed").n_unique())["seed"]
    parts = [str(runs["data"][0]), f"n = {_range(runs['n'])}", f"up to {max(runs['epochs'].to_list())} epochs"]
    return ", ".join([*parts, f"{_range(seeds)} seed{'s' * (max(seeds) > 1)}"])


def seeds_of(records: Sequence[Mapping[str, Any]]) -> str:
    """`1 seed`, `3 seeds`: how many the records come from, for a subtitle."""
    count = len({record["seed"] for record in records})
    return f"{count} seed{'s' * (count > 1)}"


def _range(values: pl.Series) -> str:
    unique = sorted(values.unique().to_list())
    return f"{unique[0]:,}" if len(unique) == 1 else f"{unique[0]:,} to {unique[-1]:,}"
