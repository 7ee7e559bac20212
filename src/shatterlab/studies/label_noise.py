"""Figures 1b and 1c, from one set of runs: with label noise, how much longer fitting takes and how test error grows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log
from typing import Any, NamedTuple

import polars as pl

from ..figures.trends import trend
from ..jobs import Training
from ..paper import FIGURE_1B_SLOWDOWN
from ..spec import make_spec
from .outcome import NO_RUNS, Outcome, State, all_of, cannot_tell
from .overfitting import STEPS_SPREAD, Ratio, dead, ratio_of
from .recipes import for_data
from .rules import (
    FITS,
    FROM_CHANCE,
    chance,
    difference,
    diverged,
    mislabelled,
    random_labels_premise,
    small,
    unfitted,
)
from .sentences import count_of, display, mean_of, percent, sentence, setting, with_error
from .statistics import LEVEL, SEED_SPREAD, Estimate, above, below, corrected, with_seed_spread
from .study import OVERFIT_LOSS, Claim, Scale, Study, Tables

AMOUNTS: dict[Scale, tuple[float, ...]] = {
    "demo": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "cpu": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "paper": tuple(i / 10 for i in range(11)),
}
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
        {"model": "alexnet", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
    ],
    "paper": [
        {"model": "inception", "epochs": 100},
        {"model": "alexnet", "epochs": 100},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
    ],
}


def condition(amount: float) -> dict[str, Any]:
    """The dials of an amount of noise; both ends are conditions of the learning curves, whose runs are shared."""
    ends = {0.0: "true-labels", 1.0: "random-labels"}
    return {"corruption": ends[amount]} if amount in ends else {"corruption": "partial-labels", "amount": amount}


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """Each model of the scale at each share of random labels."""
    return [
        Training(make_spec(**for_data(dials, data), data=data, **condition(amount), seed=seed, stop="fit"))
        for dials in RUNS[scale]
        for amount in AMOUNTS[scale]
        for seed in range(seeds)
    ]


SMALL_FACTOR = 10
"""A slowdown counts as a small constant factor below this (an assumption); the paper's largest is about 4."""

LEAST_RISE = 0.05
"""The test error rises by more than this share of the test points from the least to the most noise (an assumption)."""

CLEAR_FALL = 2
"""A fall from one amount of noise to the next that is larger than this many standard errors speaks against growth."""

FEWEST_AMOUNTS = 4
"""Fewer amounts can show no trend: even in perfect order, three have a probability of one in six by chance."""


def with_slowdown(runs: pl.DataFrame) -> pl.DataFrame:
    """Adds `test_error` and `slowdown`, the steps to overfit over those of the same model and seed with true labels."""
    clean = runs.filter(pl.col("amount") == 0).select("model", "seed", pl.col("overfit_step").alias("clean_step"))
    return runs.join(clean, on=["model", "seed"], how="left").with_columns(
        (pl.col("overfit_step") / pl.col("clean_step")).alias("slowdown"),
        (1 - pl.col("test_accuracy")).alias("test_error"),
    )


def draw(tables: Tables) -> Mapping[str, Any]:
    """Figure 1b, slowdown, if anything was fitted, and figure 1c, test error."""
    runs = with_slowdown(tables.runs)
    several = runs["seed"].n_unique() > 1
    shared = setting(runs) + (", means with SD" if several else "")
    charts = {}
    if runs["slowdown"].is_not_null().any():
        charts["slowdown"] = trend(
            runs,
            "slowdown",
            y_title="steps to overfit / steps with true labels",
            title="Time to overfit, relative to true labels",
            subtitle=f"{shared}; overfitted at an online loss of {OVERFIT_LOSS:g}",
            y_format=".2~f",
            base=1,
        )
    charts["test-error"] = trend(
        runs,
        "test_error",
        y_title="test error, true labels, last epoch",
        title="Test error after training on noisy labels",
        subtitle=shared,
        y_format=".0%",
        rule=(1 - chance(runs), "chance"),
    )
    return charts


class Slowdown(NamedTuple):
    """How many times the steps with true labels a network takes to overfit random ones."""

    finished: Ratio | None
    """Of the seeds that have overfitted random labels, too."""
    bounds: dict[int, float]
    """For each seed that has not: how many times the steps with true labels it was given, which are not enough."""

    def __str__(self) -> str:
        """The mean of the finished seeds, with their spread; then the others, one by one."""
        parts = [f"more than {_digits(bound)} times in seed {seed}" for seed, bound in self.bounds.items()]
        if self.finished:
            factor, *spread = mean_of(self.finished.factors, _digits).partition(" (")
            parts.insert(0, f"{factor} times{''.join(spread)}")
        first, *rest = parts
        return ", ".join([first.replace(" times", " times the steps with true labels", 1), *rest])


def _digits(factor: float) -> str:
    return f"{factor:.{2 if factor < 1 else 1 if factor < 10 else 0}f}".removesuffix(".0")


def slowdown(of_model: pl.DataFrame) -> Slowdown | None:
    """The slowdown of one network; None where no seed has overfitted true labels and been trained on random ones."""
    clean, random = (of_model.filter(pl.col("amount") == amount) for amount in (0, 1))
    clean = clean.filter(pl.col("overfit_step") > 0)
    short = clean.join(random.filter(pl.col("overfit_step").is_null()), on="seed", suffix="_random").sort("seed")
    bounds = dict(short.select("seed", pl.col("steps_random") / pl.col("overfit_step")).iter_rows())
    finished = ratio_of(clean, random)
    return Slowdown(finished, bounds) if finished or bounds else None


class Growth(NamedTuple):
    """How the test error of a network grows with the amount of noise."""

    amounts: list[float]
    errors: list[list[float]]
    """The test errors of the seeds at each amount."""
    rise: Estimate
    """The test error at the largest amount less that at the smallest, paired by seed and test example."""
    steps: list[Estimate]
    """The same from each amount to the next."""
    tau: float
    """Kendall's rank correlation of amount and mean test error, in [-1, 1]."""
    p: float
    """The probability of at least this correlation if the order is random."""

    @property
    def state(self) -> State:
        """Whether the test error grows, beyond its error."""
        level = corrected(len(self.steps))
        if below(self.rise, 0) == "confirmed" or any(below(step, 0, level) == "confirmed" for step in self.steps):
            return "contradicted"
        grows = above(self.rise, LEAST_RISE) == "confirmed"
        falls = any(step.value < -CLEAR_FALL * step.error for step in self.steps)
        return "confirmed" if grows and not falls and self.p < 1 - LEVEL else "not shown"


def growth(tables: Tables, of_model: pl.DataFrame) -> Growth | None:
    """The growth of one network's test error; None where there are fewer than two amounts that share a seed."""
    from scipy.stats import kendalltau

    amounts = sorted(of_model["amount"].unique().to_list())
    runs = [of_model.filter(pl.col("amount") == amount) for amount in amounts]
    # An accuracy falls by as much as the error rises.
    rises = [difference(tables, less, more) for less, more in [*pairwise(runs), (runs[0], runs[-1])]]
    known = [with_seed_spread(rise) for rise in rises if rise is not None]
    if len(known) < len(rises) or len(amounts) < 2:
        return None
    errors = [(1 - part["test_accuracy"]).to_list() for part in runs]
    tau, p = kendalltau(amounts, [sum(values) / len(values) for values in errors], alternative="greater")
    if p != p:  # all means are equal
        tau, p = 0.0, 1.0
    return Growth(amounts, errors, known[-1], known[:-1], float(tau), float(p))


def by_network(tables: Tables) -> list[tuple[str, pl.DataFrame]]:
    """The runs of each network, under its name for people."""
    if tables.runs.is_empty():
        return []
    return [(display(str(key[0])), runs) for key, runs in tables.runs.group_by("model", maintain_order=True)]


def verdict(tables: Tables) -> list[str]:
    """For each network: the growth of the test error, and the slowdown."""
    return [_of_network(tables, name, runs) for name, runs in by_network(tables)] or ["No run is finished yet."]


def _of_network(tables: Tables, name: str, runs: pl.DataFrame) -> str:
    if broken := diverged(runs):
        return f"{broken.reason}."
    grown, slowed, short = growth(tables, runs), slowdown(runs), unfitted(runs)
    if grown is None:
        return f"{name} has not been trained with several amounts of noise yet."
    return sentence(
        f"With {_noise(grown.amounts[-1])}, the test error of {name} (n = {min(runs['n']):,}) is",
        f"{mean_of(grown.errors[-1], percent)}, with {_noise(grown.amounts[0])} {mean_of(grown.errors[0], percent)}",
        f"fitting takes {slowed}, in the paper, on all of CIFAR-10, up to about {FIGURE_1B_SLOWDOWN:g}"
        if slowed
        else "",
        caveat=short.reason if short else "every training set is fitted",
    )


def _noise(amount: float) -> str:
    return {0.0: "true labels", 1.0: "all labels random"}.get(amount, f"{percent(amount)} of the labels random")


def _slows_little(tables: Tables) -> Outcome:
    return all_of(_slowed(tables, name, runs) for name, runs in by_network(tables))


def _slowed(tables: Tables, name: str, runs: pl.DataFrame) -> Outcome:
    ends = runs.filter(pl.col("amount").is_in([0.0, 1.0]))
    clean, random = (runs.filter(pl.col("amount") == amount) for amount in (0, 1))
    found = slowdown(runs)
    numbers = (
        f"{name}, all labels random: {found} (the rule: less than {SMALL_FACTOR}), n = {min(runs['n']):,}"
        if found
        else ""
    )
    failed = (
        _missing(name, ends, (0.0, 1.0))
        or small(ends)
        or random_labels_premise(random)
        or diverged(clean)
        or mislabelled(clean)
        or _not_overfitted(name, clean)
    )
    if failed or found is None:
        return replace(failed or NO_RUNS, numbers=numbers)
    outcome = _of_bounds(tables, name, random, found) if found.bounds else None
    if found.finished:
        logarithm = found.finished.logarithm
        if below(logarithm, 0) == "confirmed":
            return cannot_tell(
                f"{name} overfits random labels in fewer steps than true ones, which is a sign of labels that are not "
                "random or of other dials",
                numbers=numbers,
            )
        state = below(logarithm, log(SMALL_FACTOR))
        if state == "contradicted" or outcome is None:
            return Outcome(state, numbers)
        # One seed that is too slow says little beside others that are not.
        outcome = Outcome("not shown", "") if outcome.state == "contradicted" else outcome
    return replace(outcome or NO_RUNS, numbers=numbers)


def _of_bounds(tables: Tables, name: str, random: pl.DataFrame, found: Slowdown) -> Outcome:
    """What the seeds say that have not overfitted random labels, each with its factor's lower bound."""
    for run in random.filter(pl.col("seed").is_in(list(found.bounds))).iter_rows(named=True):
        losses = tables.epochs.filter(pl.col("run_id") == run["run_id"])["online_loss"].to_list()
        if dead(losses, run["classes"]):
            return cannot_tell(
                f"{name} with all labels random did not get away from the loss of guessing (seed {run['seed']})",
                "seeds",
            )
    lower = (Estimate(log(bound), STEPS_SPREAD) for bound in found.bounds.values())
    if all(above(bound, log(SMALL_FACTOR)) == "confirmed" for bound in lower):
        return Outcome("contradicted", "")
    return _not_overfitted(name, random) or NO_RUNS


def _not_overfitted(name: str, runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a run has not overfitted, or None."""
    short = runs.filter(pl.col("overfit_step").is_null())
    if short.is_empty():
        return None
    return cannot_tell(
        f"{name} with {_noise(short['amount'][0])} did not reach a training loss of {OVERFIT_LOSS:g} within "
        f"{short['epochs'][0]:,} epochs",
        "scale",
    )


def _missing(name: str, runs: pl.DataFrame, amounts: Sequence[float]) -> Outcome | None:
    """The outcome `cannot tell` where a seed lacks an amount that the rule needs, or None."""
    seeds = set(runs["seed"])
    for amount in amounts:
        lacking = seeds - set(runs.filter(pl.col("amount") == amount)["seed"])
        if lacking or not seeds:
            return cannot_tell(f"{name} has not been trained with {_noise(amount)} in every seed", "finish")
    return None


def _error_grows(tables: Tables) -> Outcome:
    return all_of(_grown(tables, name, runs) for name, runs in by_network(tables))


def _grown(tables: Tables, name: str, runs: pl.DataFrame) -> Outcome:
    if broken := diverged(runs):
        return broken
    found = growth(tables, runs)
    numbers = ""
    if found:
        numbers = (
            f"{name} {mean_of(found.errors[0], percent)} with {_noise(found.amounts[0])}, "
            f"{mean_of(found.errors[-1], percent)} with {_noise(found.amounts[-1])}, which makes "
            f"{with_error(found.rise)}; Kendall's tau {found.tau:.2f} over {len(found.amounts)} amounts, n = "
            f"{min(runs['n']):,}"
        )
        worst = min(found.steps, key=lambda step: step.value)
        if worst.value < 0:
            numbers += f", largest fall {with_error(worst)}"
    amounts = sorted(runs["amount"].unique().to_list())
    if len(amounts) < FEWEST_AMOUNTS:
        return cannot_tell(
            f"{name} has been trained with {count_of(len(amounts), 'amount')} of noise only", "finish", numbers
        )
    random = runs.filter(pl.col("amount") == 1)
    failed = _missing(name, runs, amounts) or small(runs) or mislabelled(runs) or unfitted(runs)
    if not failed and len(random):
        failed = random_labels_premise(random)
    if failed or found is None:
        return replace(failed or NO_RUNS, numbers=numbers)
    return Outcome(found.state, numbers)


STUDY = Study(
    question="As labels turn to noise, how much longer does fitting take, and what becomes of the test error?",
    source="Zhang et al. (2017), section 2.2, figures 1b and 1c",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    claims=(
        Claim(
            "Random labels slow training down only by a small constant factor.",
            "Confirmed if every network reaches "
            f"a training loss of {OVERFIT_LOSS:g} on random labels in less than {SMALL_FACTOR} times the steps of true "
            f"labels (an assumption; the paper's largest factor is about {FIGURE_1B_SLOWDOWN:g}), with the whole "
            f"{percent(LEVEL)} interval over seeds; the logarithm of the factor of a single seed is given an SD of "
            f"{STEPS_SPREAD:g}. Contradicted if a network takes more, beyond that error, or if in every seed it has "
            "been trained for more without getting there, its loss being below that of guessing. A factor under 1, "
            "beyond its error, or a test accuracy after random labels that is not that of guessing, within "
            f"{FROM_CHANCE} standard errors, is a sign of other labels, so that it cannot be told. "
            "Amounts of noise in between are not judged.",
            _slows_little,
        ),
        Claim(
            "The more labels are corrupted, the larger the test error, while the training set is fitted throughout.",
            f"Confirmed if every network has a train accuracy of at least {percent(FITS)} at each of at least "
            f"{FEWEST_AMOUNTS} amounts of noise in every seed, and its test error rises by more than "
            f"{100 * LEAST_RISE:g} points (an assumption) from the least to the most noise, with the whole "
            f"{percent(LEVEL)} interval, with a rank correlation (Kendall) that chance has in less than "
            f"{percent(1 - LEVEL)} of cases and no fall from one amount to the next beyond {CLEAR_FALL} standard "
            f"errors. With all labels random the test accuracy has to be that of guessing, within {FROM_CHANCE} "
            "standard errors. Contradicted if the error falls beyond its own error, over all amounts or from one to "
            "the next. Differences are paired by seed and test example; where there is one seed, accuracies are given "
            f"an SD of {100 * SEED_SPREAD:g} percentage point over seeds.",
            _error_grows,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "partially corrupted labels",
        "spread of seeds",
        "number of epochs",
        "training loss of a curve",
        "time to overfit",
    ),
)
