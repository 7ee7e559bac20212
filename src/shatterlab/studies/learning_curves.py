"""Figure 1a: the loss on the training set falls to zero whatever the labels and the pixels are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, pairwise
from math import isfinite
from typing import Any

import polars as pl

from ..figures.curves import loss_curves
from ..figures.pictures import picture_strip, png
from ..jobs import Computation, Job, Training
from ..measures.convergence import falling
from ..paper import FIGURE_1A_ORDER, FIGURE_1A_STEPS
from ..spec import PAPER_TRAINING_SIZE, make_spec
from .outcome import Outcome, State, all_of, cannot_tell
from .overfitting import DEAD, STEPS_SPREAD, dead, ratio_of
from .recipes import for_data
from .rules import FEWEST, FITS, FROM_CHANCE, LABELS_OFF, chance, diverged, mean, random_labels_premise, small
from .sentences import class_names, display, mean_of, percent, points, sentence, setting
from .statistics import above, corrected, share
from .study import OVERFIT_LOSS, Cells, Claim, Scale, Study, Tables

CONDITIONS = ("true-labels", "partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian-pixels")

LABEL_CONDITIONS = ("true-labels", "partial-labels", "random-labels")
"""These conditions share the images; they stand in the paper's order, fastest to fit first."""

# The epochs suffice for random labels to be fitted; see "number of epochs" in ASSUMPTIONS.
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
    ],
    "paper": [{"model": "inception", "epochs": 100}],
}


def jobs(scale: Scale, data: str, seeds: int) -> list[Job]:
    """Each model of the scale under each condition, and the pictures of what the networks are asked to learn."""
    n = for_data(RUNS[scale][0], data).get("n")
    settings = {"data": data, "n": n, "pictures": PICTURES, "seed": 0}
    return [
        *(
            Training(make_spec(**for_data(dials, data), data=data, corruption=condition, seed=seed, stop="fit"))
            for dials in RUNS[scale]
            for condition in CONDITIONS
            for seed in range(seeds)
        ),
        Computation("learning-curves", "pictures of the training images", settings, pictures),
    ]


PICTURES = 10
"""This many training images are shown under each condition."""


def pictures(data: Any, n: int | None, pictures: int, seed: int) -> list[dict[str, Any]]:
    """The first training images under each condition, as PNG, with the labels they are trained on."""
    from ..corruption import corrupt
    from ..data import at_most

    records = []
    subset = at_most(data, n or len(data.train), 1, seed)
    for condition in CONDITIONS:
        train = corrupt(subset, condition, seed=seed).train
        for index in range(min(pictures, len(train))):
            records.append(
                {
                    "condition": condition,
                    "index": index,
                    "label": int(train.labels[index]),
                    "true_label": int(train.true_labels[index]),
                    "png": png(train.as_images()[index]),
                }
            )
    return records


def draw(tables: Tables) -> Mapping[str, Any]:
    """The pictures, then a chart of loss curves for each model."""
    charts = {}
    if tables.records:
        first = tables.records[0]
        charts["images"] = picture_strip(
            tables.records,
            names=class_names(first["data"]),
            title="What the network is asked to learn",
            subtitle=f"the same training images of {first['data']} under each condition, with the labels trained on; "
            f"seed {first['seed']}",
        )
    models = [] if tables.runs.is_empty() else tables.runs["model"].unique(maintain_order=True).to_list()
    return charts | {
        model: loss_curves(
            tables.epochs.filter(pl.col("model") == model),
            title=f"Training loss of {display(model)} under each condition",
            subtitle=setting(tables.runs.filter(pl.col("model") == model)),
        )
        for model in models
    }


def table(tables: Tables) -> list[Cells]:
    """A line for each network and condition; at the paper's size beside the steps of a reproduction of figure 1a."""
    if tables.runs.is_empty():
        return []
    return [
        {
            "network": display(str(model)),
            "condition": _in_words(str(condition)),
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            f"steps to a loss of {OVERFIT_LOSS:g}": mean_of(runs["overfit_step"].to_list(), "{:,.0f}".format)
            if runs["overfit_step"].is_not_null().all()
            else "not reached",
            "steps, reproduction of figure 1a": f"{FIGURE_1A_STEPS[str(condition)]:,}"
            if condition in FIGURE_1A_STEPS and _as_in_figure_1a(runs.row(0, named=True))
            else "—",
        }
        for (model, condition), runs in tables.runs.group_by("model", "corruption", maintain_order=True)
    ]


def _as_in_figure_1a(run: Mapping[str, Any]) -> bool:
    return (run["model"], run["data"], run["n"], run["batch_size"]) == (
        "inception",
        "cifar10",
        PAPER_TRAINING_SIZE,
        128,
    )


def verdict(tables: Tables) -> list[str]:
    """For each model: does it fit random labels, and in which order do the conditions end?"""
    if tables.runs.is_empty():
        return ["No run is finished yet."]
    sentences = []
    for model, runs in tables.runs.group_by("model", maintain_order=True):
        if broken := diverged(runs):
            sentences.append(f"{broken.reason}.")
            continue
        random = runs.filter(pl.col("corruption") == "random-labels")
        sentences += [fits_random_labels(random)] if len(random) else []
        sentences.append(order_of_conditions(str(model[0]), runs))
    return sentences


def fits_random_labels(random: pl.DataFrame) -> str:
    """The paper's central finding in one sentence, from one model's runs on random labels."""
    line = random.row(0, named=True)
    fits = min(random["train_accuracy"]) >= FITS
    budget = "" if fits else f" within {max(random['epochs'].to_list()):,} epochs"
    return sentence(
        f"{display(line['model'])} {'fits' if fits else 'does not fit'} random labels at n = {line['n']:,}{budget}:",
        f"train accuracy {mean_of(random['train_accuracy'].to_list(), percent)}",
        f"test accuracy {mean_of(random['test_accuracy'].to_list(), percent)}, where labels without a pattern "
        f"give {percent(1 / line['classes'])}",
    )


def order_of_conditions(model: str, runs: pl.DataFrame) -> str:
    """The steps until each condition is overfitted, fastest first, compared with the order in figure 1a."""
    groups = {str(key[0]): group for key, group in runs.group_by("corruption", maintain_order=True)}
    ended = {name: group for name, group in groups.items() if group["overfit_step"].null_count() == 0}
    unfinished = sorted(groups.keys() - ended.keys())
    name = display(model)
    if not ended:
        return f"{name}: no condition reached a training loss of {OVERFIT_LOSS:g} within the epochs given."
    fastest_first = sorted(ended, key=lambda name: (mean(ended[name]["overfit_step"]), name))
    listed = ", ".join(f"{_in_words(condition)} {_steps(ended[condition])}" for condition in fastest_first)
    seeds = runs["seed"].n_unique()
    return sentence(
        f"{name} at n = {runs['n'][0]:,} reaches a training loss of {OVERFIT_LOSS:g} after these steps"
        f"{f', means with SD over {seeds} seeds' if seeds > 1 else ''}:",
        listed,
        f"not yet: {', '.join(map(_in_words, unfinished))}" if unfinished else "",
        *_against_the_paper(ended),
        caveat=f"one seed, whose logarithm of steps is taken to have an SD of {STEPS_SPREAD:g}" if seeds == 1 else "",
    )


def _in_words(condition: str) -> str:
    return condition.replace("-", " ").replace("gaussian", "Gaussian")


def _steps(runs: pl.DataFrame) -> str:
    steps = runs["overfit_step"].to_list()
    return mean_of(steps, "{:,.0f}".format).replace(f", {len(steps)} seeds", "")


def _against_the_paper(ended: Mapping[str, pl.DataFrame]) -> list[str]:
    """Whether the order agrees with the paper beyond the errors, as far as the overfitted conditions can tell."""
    claims = []
    if set(LABEL_CONDITIONS) <= ended.keys():
        state, ties = _in_order([ended[name] for name in LABEL_CONDITIONS])
        claims.append(
            {
                "confirmed": "of those that share the images true labels are fastest and random labels slowest, as in "
                "the paper",
                "contradicted": "of those that share the images true labels are not the fastest or random labels not "
                "the slowest, unlike in the paper",
                "not shown": f"of those that share the images {ties}",
            }[state]
        )
    if set(FIGURE_1A_ORDER) <= ended.keys():
        state, ties = _in_order([ended[name] for name in FIGURE_1A_ORDER])
        claims.append(
            {
                "confirmed": "the order is that of figure 1a",
                "contradicted": f"the order of figure 1a is {' < '.join(map(_in_words, FIGURE_1A_ORDER))}",
                "not shown": f"the order of figure 1a is not shown, as {ties}",
            }[state]
        )
    return claims


def _in_order(groups: list[pl.DataFrame]) -> tuple[State, str]:
    """Whether the groups stand in the order of their steps, beyond the errors, and a sentence about what is tied."""

    def longer(first: pl.DataFrame, second: pl.DataFrame, level: float) -> State:
        found = ratio_of(first, second)
        return above(found.logarithm, 0, level) if found else "not shown"

    pairs = list(combinations(groups, 2))
    if any(longer(*pair, corrected(len(pairs))) == "contradicted" for pair in pairs):
        return "contradicted", ""
    neighbours = list(pairwise(groups))
    tied = [pair for pair in neighbours if longer(*pair, corrected(len(neighbours))) != "confirmed"]
    if not tied:
        return "confirmed", ""
    names = [[_in_words(group["corruption"][0]) for group in pair] for pair in tied]
    first, *rest = [
        f"{faster} {'not' if i else 'are not told'} from {slower}" for i, (faster, slower) in enumerate(names)
    ]
    return "not shown", ", ".join([first, *rest])


PATTERN_LEFT = 0.5
"""Random pixels keep the colours of an image, from which a network covers less than this share of the way from chance
that it covers on the images themselves, or, without such a run, of the way to 100 % (an assumption).

On 1,000 images of CIFAR-10 Inception has a test accuracy of 19.4 % from them (seed 0).
"""


def _fit(conditions: tuple[str, ...]) -> Callable[[Tables], Outcome]:
    """Makes the check whether every network fits its training set under each of these conditions, in every seed."""

    def check(tables: Tables) -> Outcome:
        runs = tables.runs
        return all_of(
            _fitted(tables, runs.filter(pl.col("model") == model), condition)
            for model in ([] if runs.is_empty() else runs["model"].unique(maintain_order=True))
            for condition in conditions
        )

    return check


def _fitted(tables: Tables, of_model: pl.DataFrame, condition: str) -> Outcome:
    """What the runs of one network under one condition show: the worst seed decides."""
    runs = of_model.filter(pl.col("corruption") == condition)
    name = f"{display(of_model['model'][0])} on {_in_words(condition)}"
    if runs.is_empty():
        return cannot_tell(f"{name} has not been trained", "finish")
    if broken := diverged(runs):
        return broken
    seeds = f", least of {len(runs)} seeds" if len(runs) > 1 else ""
    numbers = f"{name} {percent(min(runs['train_accuracy']))} train{seeds}, n = {runs['n'][0]:,}"
    unready = random_labels_premise(runs) if condition == "random-labels" else _patterned(of_model, runs, name)
    if unready:
        return replace(unready, numbers=numbers)
    parts = [_of_run(tables, of_model, run, name) for run in runs.iter_rows(named=True)]
    if {"confirmed", "contradicted"} <= {part.state for part in parts}:
        return Outcome("not shown", numbers)  # the network can, but one seed did not
    return replace(all_of(parts), numbers=numbers)


def _patterned(of_model: pl.DataFrame, runs: pl.DataFrame, name: str) -> Outcome | None:
    """The outcome `cannot tell` where there are too few examples, or pixels without a pattern have one, or None.

    One permutation of all images, which shuffles pixels, leaves a network without convolutions what it had.
    """
    if unready := small(runs):
        return unready
    guessing = max(chance(runs), 1 / runs["classes"][0])
    slack = FROM_CHANCE * share(guessing, min(runs["n_test"])).error
    bound = {"gaussian-pixels": guessing + slack, "shuffled-pixels": 1.0}.get(runs["corruption"][0])
    if bound is None:
        true = of_model.filter(pl.col("corruption") == "true-labels")["test_accuracy"]
        most = mean(true) if len(true) and isfinite(mean(true)) else 1.0
        bound = guessing + PATTERN_LEFT * max(most - guessing, 0.0) + slack
    if (best := max(runs["test_accuracy"])) <= bound:
        return None
    return cannot_tell(
        f"{name} has a test accuracy of {percent(best)}, so that its pixels carry a pattern: chance has "
        f"{percent(guessing)}"
    )


def _of_run(tables: Tables, of_model: pl.DataFrame, run: Mapping[str, Any], name: str) -> Outcome:
    train = run["train_accuracy"]
    if train >= FITS:
        return Outcome("confirmed", "")
    true = of_model.filter((pl.col("corruption") == "true-labels") & (pl.col("seed") == run["seed"]))
    losses = tables.epochs.filter(pl.col("run_id") == run["run_id"])["online_loss"].to_list()
    reached = f"{name} reached {percent(train)} within {run['epochs']:,} epochs"
    if not all(map(isfinite, losses)):
        return cannot_tell(f"{reached}, and its loss diverged (seed {run['seed']})")
    if true.is_empty() or min(true["train_accuracy"]) < FITS:
        return cannot_tell(f"{reached}, and true labels are not fitted either", "scale")
    fell = falling(losses)
    if losses and not fell and dead(losses, run["classes"]):
        return cannot_tell(f"{reached}, and its loss never left that of guessing (seed {run['seed']})", "seeds")
    if fell is False:
        return Outcome("contradicted", "")
    return cannot_tell(f"{reached}, and its loss {'was still falling' if fell else 'is not shown to stand'}", "scale")


NEVER_FITS = (
    "Contradicted if a network that fits true labels does not fit these in any seed, while its loss has left that of "
    f"guessing (under {percent(DEAD)} of log K) and has stopped falling; not shown if it does in some seeds only."
)

STUDY = Study(
    question="Can the network fit labels and images that carry no pattern, and how much longer does that take?",
    source="Zhang et al. (2017), section 2.2, figure 1a",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Deep neural networks easily fit random labels.",
            f"Confirmed if every network has a train accuracy of at least {percent(FITS)} on at least {FEWEST} random "
            f"labels in every seed, where the share of wrong labels lies within {LABELS_OFF} standard errors of "
            f"1 - 1/K and the test accuracy within {FROM_CHANCE} of 1/K. {NEVER_FITS}",
            _fit(("random-labels",)),
        ),
        Claim(
            "They fit shuffled pixels, random pixels and Gaussian noise as well.",
            f"Confirmed if every network has a train accuracy of at least {percent(FITS)} on at least {FEWEST} "
            "examples under each of the three, in every seed. The test accuracy has to be that of guessing under "
            f"Gaussian noise, within {FROM_CHANCE} standard errors, and to cover less than {percent(PATTERN_LEFT)} of "
            "the way from chance to that with true labels under random pixels, which keep the colours (an assumption). "
            f"{NEVER_FITS}",
            _fit(("shuffled-pixels", "random-pixels", "gaussian-pixels")),
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "pixel corruption",
        "partially corrupted labels",
        "number of epochs",
        "training loss of a curve",
        "time to overfit",
    ),
)
