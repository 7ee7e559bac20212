"""Figure 2b: what early stopping and batch normalization, the implicit regularizers, add to Inception."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

import polars as pl

from ..figures.curves import best_so_far
from ..jobs import Training
from ..paper import FIGURE_2B_BN_GAIN
from ..spec import PAPER_TRAINING_SIZE, make_spec
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FITS, LEAD, common_share, difference, few_seeds, generalizes, keeps, mean, not_finite, unfitted
from .sentences import display, mean_of, percent, points, points_of, sentence, setting, unlike, with_error
from .statistics import (
    EQUIVALENCE_LEVEL,
    LEVEL,
    Estimate,
    above,
    below,
    no_gain,
    unpaired_difference,
    with_seed_spread,
)
from .study import PAPER_DATA, Cells, Claim, Scale, Study, Tables

MODELS = ("inception", "inception-no-bn")

# The validation split chooses the epoch without a look at the test set. At the paper's size it comes out of the 50,000
# training images, so that the paper's own runs are made without a split, too.
SETTINGS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"n": 200, "n_test": 250, "n_validation": 100, "epochs": 24, "batch_size": 16, "evaluate_every": 3}],
    "cpu": [
        {"n": 2_000, "n_test": 2_000, "n_validation": 1_000, "epochs": 45, "batch_size": 64, "decay_every": 10_000,
         "evaluate_every": 2},
    ],
    "paper": [{"epochs": 100, "evaluate_every": 1}, {"epochs": 100, "evaluate_every": 1, "n_validation": 5_000}],
}  # fmt: skip

SCALED_RATES = {"inception-no-bn": {"learning_rate": 0.004}}
"""These dials are for sets far smaller than the paper's, where a rate of 0.1 kills this network (NOTEBOOK.md)."""

DIGITS = {"n": 500, "n_test": None, "n_validation": 200}


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """Inception with and without batch normalization, no explicit regularizer."""
    specs = (
        make_spec(
            **dials
            | (DIGITS if data == "digits" else {})
            | ({} if scale == "paper" else SCALED_RATES.get(model, {}))
            | {"model": model, "data": data, "seed": seed}
        )
        for dials in SETTINGS[scale]
        for model in MODELS
        for seed in range(seeds)
    )
    return [Training(spec) for spec in dict.fromkeys(specs)]  # cut to the digits, two settings are one


def groups(runs: pl.DataFrame) -> list[pl.DataFrame]:
    """The runs of each model and size, those with a validation split apart."""
    return list(
        runs.sort("n", "model", "seed", descending=[True, False, False])
        .partition_by("model", "n", "n_validation", maintain_order=True)
    )  # fmt: skip


def table(tables: Tables) -> list[Cells]:
    """Test accuracy in the last epoch, where the validation split stops, and at its best."""
    return [
        {
            "model": display(runs["model"][0]),
            "n": runs["n"][0],
            "validation": runs["n_validation"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            "test % stopped by validation": points(runs["validation_test_accuracy"])
            if _chosen_by_validation(runs)
            else "—",
            "best test % (epoch chosen on the test set)": points(runs["best_test_accuracy"]),
        }
        for runs in groups(tables.runs)
    ]


def _chosen_by_validation(runs: pl.DataFrame) -> bool:
    """Whether each run has the test accuracy of the epoch that a validation split chose."""
    return bool(runs["n_validation"][0]) and not runs["validation_test_accuracy"].null_count()


def draw(tables: Tables) -> Mapping[str, Any]:
    """Figure 2b: test accuracy against steps, the best so far shaded."""
    models = tables.runs["model"].unique(maintain_order=True).to_list()
    named = (
        "Inception, with and without batch normalization"
        if {*models} <= {*MODELS}
        else " and ".join(map(display, models))
    )
    epochs = tables.epochs.with_columns(pl.col("model").map_elements(display, return_dtype=pl.String))
    return {
        f"test-accuracy-{n}": best_so_far(
            epochs.filter(pl.col("n") == n),
            title=f"Test accuracy of {named}",
            subtitle=f"{setting(tables.runs.filter(pl.col('n') == n))}; shaded: up to the best so far on the test set",
        )
        for n in tables.runs["n"].unique(maintain_order=True)
    }


def verdict(tables: Tables) -> list[str]:
    """What early stopping gains each model, honestly and on the test set, and what batch normalization adds."""
    sentences = [_stopping(tables, runs) for runs in groups(tables.runs)]
    for normalized, bare in pairs(tables.runs):
        low, high = (f"{100 * gain:g}" for gain in FIGURE_2B_BN_GAIN)
        sentences.append(
            sentence(
                f"Batch normalization changes the test accuracy of Inception at n = {normalized['n'][0]:,} by",
                gain_of_normalization(tables, normalized, bare),
                f"in the paper +{low} to +{high} points at n = {PAPER_TRAINING_SIZE:,} of CIFAR-10",
                caveat=unlike(normalized, bare),
            )
        )
    return sentences


def pairs(runs: pl.DataFrame) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Inception's runs with and without batch normalization that share n, validation split and at least one seed."""
    found = [] if runs.is_empty() else groups(runs)
    return [
        (ours, theirs)
        for ours in found
        for theirs in found
        if (ours["model"][0], theirs["model"][0]) == MODELS
        and all(ours[dial][0] == theirs[dial][0] for dial in ("n", "n_validation"))
        and {*ours["seed"]} & {*theirs["seed"]}
    ]


def normalization(tables: Tables, normalized: pl.DataFrame, bare: pl.DataFrame) -> Estimate:
    """What batch normalization adds to the test accuracy of the last epoch."""
    found = difference(tables, normalized, bare)
    assert found is not None  # `pairs` share a seed
    return with_seed_spread(found)


def gain_of_normalization(tables: Tables, normalized: pl.DataFrame, bare: pl.DataFrame) -> str:
    """The same in words, in the last epoch and at the best one."""
    both = normalized.join(bare, on="seed", suffix="_bare")
    best = _over_seeds((both["best_test_accuracy"] - both["best_test_accuracy_bare"]).to_list())
    return (
        f"{with_error(normalization(tables, normalized, bare))} in the last epoch, {best} where the test set chooses "
        "the epoch of either network"
    )


def _over_seeds(gains: list[float]) -> str:
    """A mean of gains in words, with its seeds also where there is one: +0.28 points (1 seed)."""
    return mean_of(gains, points_of) if len(gains) > 1 else f"{points_of(gains[0])} (1 seed)"


def gained_by_stopping(tables: Tables, runs: pl.DataFrame) -> Estimate:
    """The test accuracy in the epoch that a validation split chooses less that of the last epoch, over the seeds.

    Which test examples were right in the chosen epoch is not kept. Where every seed is tested on examples of its own,
    the spread over the seeds holds the sampling of the test set; for the examples that seeds share, that of two
    independent test sets is added, which is too much for two epochs of one run, and so errs on the side of `not shown`.
    """
    stopped, last = (runs[column].to_list() for column in ("validation_test_accuracy", "test_accuracy"))
    found = unpaired_difference(stopped, last, int(min(runs["n_test"])), overlap=common_share(tables, runs))
    return found if found.seeds > 1 else found._replace(error=inf)


def _stopping(tables: Tables, runs: pl.DataFrame) -> str:
    on_test = _over_seeds((runs["best_test_accuracy"] - runs["test_accuracy"]).to_list())
    selected = (
        f"{on_test} where the test set itself chooses the epoch, which is never a loss and flatters early stopping, as "
        "the best of many epochs is the best by luck, too"
    )
    network = f"{display(runs['model'][0])}, n = {runs['n'][0]:,}"
    subject = f"{network}: early stopping changes the test accuracy of the last epoch by"
    if not _chosen_by_validation(runs):
        return sentence(subject, selected, IN_THE_PAPER["not shown"])
    gain = gained_by_stopping(tables, runs)
    state = _no_gain_of(tables, runs).state
    if state != "contradicted" and gain.interval()[0] > 0:
        said = "the gain lies above 0, where the paper finds no gain on CIFAR-10"
    else:
        said = IN_THE_PAPER.get(state, IN_THE_PAPER["not shown"])
    return sentence(
        subject,
        with_error(gain),
        f"{runs['n_validation'][0]:,} validation examples choose the epoch",
        said,
        selected,
    )


IN_THE_PAPER = {
    "confirmed": "nor does the paper find a gain on CIFAR-10",
    "contradicted": "unlike the paper, which finds no gain on CIFAR-10",
    "not shown": "the paper finds no gain on CIFAR-10",
}
"""What is said beside a measured gain, by the state of the claim that there is none."""

LEAST_TRAINED = 1_000
"""On fewer training examples the claim about early stopping is not judged: an assumption. The paper has 50,000, and our
scale cpu has 2,000."""

MARGIN = FIGURE_2B_BN_GAIN[1] / 2
"""A gain of early stopping below this is none: an assumption, half of the most that batch normalization adds in the
paper."""


def _about_the_paper(runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where runs are not of the data set that a claim is about, or None."""
    if runs["data"][0] == PAPER_DATA:
        return None
    here = display(runs["data"][0])
    return cannot_tell(f"the claim is about {display(PAPER_DATA)}, and these runs are on {here}", "data")


def _no_gain(tables: Tables) -> Outcome:
    """Judges the runs with a validation split; the others choose on the test set, which flatters early stopping."""
    if tables.runs.is_empty():
        return NO_RUNS
    split = tables.runs.filter(pl.col("n_validation") > 0)
    split = split.filter(pl.col("validation_test_accuracy").is_not_null())
    if split.is_empty():
        return cannot_tell("no run in which a validation split chooses the epoch is finished", "finish")
    return all_of(_no_gain_of(tables, runs) for runs in groups(split))


def _no_gain_of(tables: Tables, runs: pl.DataFrame) -> Outcome:
    """Judges one network: a gain that lies above 0 beyond its error is none that is nothing, however small."""
    if broken := not_finite(runs, ("validation_test_accuracy", "test_accuracy")):
        return broken
    gain = gained_by_stopping(tables, runs)
    low, high = gain.interval(EQUIVALENCE_LEVEL)
    name, n = display(runs["model"][0]), int(min(runs["n"]))
    interval = f", {percent(EQUIVALENCE_LEVEL)} interval {points_of(low)} to {points_of(high)}" if high < inf else ""
    numbers = f"{name} {with_error(gain)}{interval} (n = {n:,})"
    if unready := _about_the_paper(runs) or unfitted(runs) or few_seeds(runs):
        return replace(unready, numbers=numbers)
    if n < LEAST_TRAINED:
        return cannot_tell(f"{name} is trained on {n:,} examples, not at least {LEAST_TRAINED:,}", "scale", numbers)
    if generalizes(runs) != "confirmed":
        return cannot_tell(
            f"{name} does not clearly generalize, with {percent(mean(runs['test_accuracy']))} test accuracy",
            "scale",
            numbers,
        )
    state = no_gain(gain, MARGIN)
    return Outcome("not shown" if state == "confirmed" and gain.interval()[0] > 0 else state, numbers)


KEPT = 0.75
"""Inception generalizes without batch normalization if it keeps more than this share of the accuracy above chance that
it has with it: an assumption. In table 1 it keeps 95 %."""


def _without_normalization(tables: Tables) -> Outcome:
    if unready := _lacks_a_pair(tables):
        return unready
    return all_of(
        keeps(tables, bare, normalized, KEPT, "batch normalization") for normalized, bare in pairs(tables.runs)
    )


def _lacks_a_pair(tables: Tables) -> Outcome | None:
    """The outcome `cannot tell` where no seed has been trained with and without batch normalization, or None."""
    if tables.runs.is_empty():
        return NO_RUNS
    if not {*tables.runs["model"]} <= {*MODELS}:
        return cannot_tell("the claim is about Inception with and without batch normalization, which was not trained")
    if not pairs(tables.runs):
        return cannot_tell("no seed of Inception is finished both with and without batch normalization", "finish")
    return None


LEAST = 0.01
"""A gain from batch normalization of less than this is not a few points: an assumption."""

MOST = 2 * FIGURE_2B_BN_GAIN[1]
"""A gain from batch normalization beyond this is larger than the paper's: an assumption, twice the most that it
gives."""


def _adds_little(tables: Tables) -> Outcome:
    if unready := _lacks_a_pair(tables) or _about_the_paper(tables.runs):
        return unready
    largest = pairs(tables.runs)[0]  # the groups begin with the largest n
    normalized, bare = largest
    numbers = f"{gain_of_normalization(tables, normalized, bare)} (n = {normalized['n'][0]:,})"
    if normalized["n"][0] < PAPER_TRAINING_SIZE:
        reason = f"the paper's gain is for n = {PAPER_TRAINING_SIZE:,}, and these runs have n = {normalized['n'][0]:,}"
        return cannot_tell(reason, "scale", numbers)
    for runs in largest:
        if unready := unfitted(runs) or few_seeds(runs):
            return replace(unready, numbers=numbers)
    gain = normalization(tables, normalized, bare)
    return all_of([Outcome(above(gain, LEAST), numbers), Outcome(below(gain, MOST), numbers)])


STUDY = Study(
    question="Do early stopping and batch normalization, the implicit regularizers, explain generalization?",
    source="Zhang et al. (2017), section 3, figure 2b",
    chapter="Regularization",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Early stopping, an implicit regularizer, gains nothing on CIFAR-10 (figure 2b).",
            f"Confirmed if for every network, trained on at least {LEAST_TRAINED:,} examples until it fits with at "
            f"least two seeds, and covering more than {percent(LEAD)} of the way from chance to 100 % test accuracy, "
            f"stopping where a validation split says so gains less than {100 * MARGIN:g} points of test accuracy over "
            "the last epoch (half of the most that batch normalization adds in the paper): the upper end of the "
            f"{percent(EQUIVALENCE_LEVEL)} interval of the gain lies below, and its {percent(LEVEL)} interval not "
            f"wholly above 0. Contradicted if for a network the whole {percent(LEVEL)} interval lies above "
            f"{100 * MARGIN:g} points.",
            _no_gain,
        ),
        Claim(
            "Inception generalizes without batch normalization.",
            f"Confirmed if without it Inception fits its training set to at least {percent(FITS)} in every seed, "
            f"covers more than {percent(LEAD)} of the way from chance to 100 % test accuracy, and keeps more than "
            f"{percent(KEPT)} of the test accuracy above chance that it has with batch normalization, beyond the "
            "error of the runs. Contradicted if it keeps less than that. Chance is the share of the test set's "
            "majority class.",
            _without_normalization,
        ),
        Claim(
            "Batch normalization adds a few points to Inception's test accuracy on CIFAR-10, in the paper 3 to 4 "
            "(figure 2b).",
            f"Confirmed if at n = {PAPER_TRAINING_SIZE:,}, where both networks fit with at least two seeds, the "
            f"{percent(LEVEL)} interval of the gain in the last epoch lies above {100 * LEAST:g} and below "
            f"{100 * MOST:g} points, twice the most in the paper. Contradicted if it lies below {100 * LEAST:g} or "
            f"above {100 * MOST:g}.",
            _adds_little,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "learning rate",
        "batch normalization",
        "validation split",
        "number of epochs",
        "spread of seeds",
    ),
)
