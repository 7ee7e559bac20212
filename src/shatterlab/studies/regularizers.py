"""Regularizers tuned on a validation split: what they gain on new data, cost in training, and prevent."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any

import polars as pl

from ..figures.lines import lines
from ..figures.pictures import picture_strip, png
from ..jobs import Computation, Job, Training
from ..paper import LONGER
from ..results import Result
from ..spec import Spec, make_spec
from .outcome import NO_RUNS, Outcome, State, all_of, cannot_tell
from .recipes import RANDOM_CROPS, for_data
from .rules import (
    FITS,
    difference,
    diverged,
    few_seeds,
    keeps,
    kept_from_fitting,
    not_finite,
    random_labels_premise,
)
from .sentences import class_names, count_of, display, mean_of, percent, points, sentence, setting, times, with_error
from .statistics import LEVEL, Estimate, corrected, over_seeds, with_seed_spread
from .study import Cells, Claim, Scale, Study, Tables

NETWORKS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 2_000, "n_validation": 1_000, "epochs": 60}],
    "cpu": [
        {"model": "mlp-1x512", "n_validation": 5_000, "batch_size": 64, "epochs": 60},
        {"model": "alexnet", "n": 5_000, "n_test": 5_000, "n_validation": 2_000, "batch_size": 64, "epochs": 60,
         "decay_every": 10_000},
    ],
    "paper": [
        {"model": "inception", "n_validation": 5_000, "epochs": 100},
        {"model": "alexnet", "n_validation": 5_000, "epochs": 100},
        {"model": "mlp-1x512", "n_validation": 5_000, "batch_size": 64, "epochs": 90},
    ],
}  # fmt: skip
"""Every run of a network lasts as many epochs, so that training losses can be compared."""

COLOURS = {"saturation": 0.3, "hue": 0.05}
"""These changes need three colours, which only the paper's data set has of those whose images are known."""

KEPT = 0.75
"""Networks generalize without a regularizer if they keep more than this share of the accuracy above chance that they
have with it: an assumption, the same as for table 1."""

Dials = dict[str, Any]


def strengths(data: str) -> dict[str, list[Dials]]:
    """The strengths that are tried of each regularizer, from weak to strong; augmentation where data are images."""
    turned = {"flip": 0.5, "rotation": 15.0}
    recoloured = turned | {"brightness": 0.3, "contrast": 0.3} | (COLOURS if data == "cifar10" else {})
    kinds: dict[str, list[Dials]] = {
        "weight decay": [{"weight_decay": strength} for strength in (5e-5, 5e-4, 5e-3)],
        "dropout": [{"dropout": strength} for strength in (0.25, 0.5, 0.75)],
    }
    return kinds | ({"augmentation": [{"flip": 0.5}, turned, recoloured]} if data in RANDOM_CROPS else {})


KINDS = {
    "weight decay": pl.col("weight_decay") > 0,
    "dropout": pl.col("dropout") > 0,
    "augmentation": pl.col("flip") > 0,
}
"""By the name of a regularizer: the runs that have it."""


def jobs(scale: Scale, data: str, seeds: int) -> Generator[Sequence[Job], Any, None]:
    """A sweep of strengths on true labels, then dropout at the strength that the validation split prefers on noise."""
    few = {"n_validation": 200} if data == "digits" else {}
    networks = [for_data(dials, data, 60) | few | {"data": data} for dials in NETWORKS[scale]]

    def specs(dials: Iterable[Dials]) -> list[Spec]:
        return [make_spec(**one, seed=seed) for one in dials for seed in range(seeds)]

    pictures = [
        Computation("regularizers", "an image under each regularizer of images", {"data": data, "seed": 0}, augmented)
    ]
    sweep = [
        Training(spec)
        for network in networks
        for spec in specs([network, *(network | one for kind in strengths(data).values() for one in kind)])
    ]
    kept = yield [*(pictures if data in RANDOM_CROPS else ()), *sweep]
    results = [one for one in kept if isinstance(one, Result)]
    random = []
    for network in networks:
        noise = network | {"corruption": "random-labels", "stop": "fit"}
        # A user's network takes the place of ours, under a name of its own.
        of_network = [one for one in results if one.spec.model == network["model"]] or results
        scores = [(one.spec.dropout, one.last.validation_accuracy or 0.0) for one in of_network if one.spec.dropout]
        longer = {"epochs": LONGER * network["epochs"], "dropout": best(scores)}
        random += [Training(spec) for spec in specs([noise | {"epochs": 2 * network["epochs"]}, noise | longer])]
    yield random


def best(scores: Sequence[tuple[float, float]]) -> float:
    """Of pairs of a strength and a score the strength with the best mean score; of equal ones the weakest."""
    values: dict[float, list[float]] = {}
    for strength, score in sorted(scores):
        values.setdefault(strength, []).append(score)
    return max(values, key=lambda strength: sum(values[strength]) / len(values[strength]))


PICTURES = 6
"""So many draws of each change are shown."""


def augmented(data: Any, seed: int) -> list[dict[str, Any]]:
    """One training image as it is stored and under each change, as PNG."""
    from ..data import at_most
    from ..learners.networks import as_trained_on

    train = at_most(data, 1, 1, seed).train
    image = train.as_images()[:1].repeat(PICTURES, axis=0)
    crop = RANDOM_CROPS.get(data.name, max(image.shape[1:3]))
    changes: dict[str, Dials] = {
        "centre crop": {},
        "random crop": {"random_crop": True},
        "mirrored": {"flip": 0.5},
        "turned": {"rotation": 25.0},
        "recoloured": {"brightness": 0.3, "contrast": 0.3} | (COLOURS if image.shape[3] == 3 else {}),
    }
    records = []
    for name, dials in changes.items():
        spec = make_spec(**dials, crop=crop, preprocessing="scale", seed=seed)
        for index, seen in enumerate(as_trained_on(image, spec)):
            label = int(train.labels[0])
            records.append({"condition": name, "index": index, "label": label, "true_label": label, "png": png(seen)})
    return records


@dataclass(frozen=True)
class Tuned:
    """A regularizer at the strength that the validation split prefers, beside the same network without one.

    Args:
        kind: its name.
        helped, bare: the runs on true labels.
    """

    kind: str
    helped: pl.DataFrame
    bare: pl.DataFrame

    @property
    def name(self) -> str:
        """The network and the regularizer with its strength, for people."""
        return f"{display(self.helped['model'][0])} with {self.helped['regularizers'][0]}"

    def harder(self) -> Estimate | None:
        """How much larger the logarithm of the last training loss is with it, over the seeds; None without a pair."""
        pairs = self.helped.join(self.bare, on="seed", suffix="_bare")
        pairs = pairs.filter((pl.col("train_loss") > 0) & (pl.col("train_loss_bare") > 0))
        logs = [log(helped / bare) for helped, bare in pairs.select("train_loss", "train_loss_bare").iter_rows()]
        return over_seeds(logs) if logs else None


def tuned(tables: Tables) -> list[Tuned]:
    """Each regularizer of each network at its best strength on the validation split, in the order of `KINDS`."""
    if tables.runs.is_empty() or "validation_accuracy" not in tables.epochs.columns:
        return []
    true = _validated(tables).filter(pl.col("corruption") == "true-labels").drop_nulls("validation_accuracy")
    found = []
    for runs in true.sort("model", "seed").partition_by("model", "n", maintain_order=True):
        for kind, has_it in KINDS.items():
            scores = runs.filter(has_it).group_by("regularizers").agg(pl.col("validation_accuracy").mean())
            if scores.is_empty():
                continue
            order = scores.sort(["validation_accuracy", "regularizers"], descending=[True, False])
            helped = runs.filter(pl.col("regularizers") == order["regularizers"][0])
            found.append(Tuned(kind, helped, runs.filter(pl.col("regularizers") == "none")))
    return found


def _validated(tables: Tables) -> pl.DataFrame:
    """The runs with their last accuracy on the validation split."""
    seen = tables.epochs.drop_nulls("validation_accuracy").sort("epoch")
    return tables.runs.join(seen.group_by("run_id").agg(pl.col("validation_accuracy").last()), on="run_id", how="left")


def table(tables: Tables) -> list[Cells]:
    """A line for each strength on true labels, the chosen ones marked, then those on random labels."""
    if tables.runs.is_empty():
        return []
    chosen = {id for one in tuned(tables) for id in one.helped["run_id"]}
    order = pl.col("corruption") == "random-labels"
    return [
        {
            "model": display(some["model"][0]),
            "labels": some["corruption"][0].removesuffix("-labels"),
            "regularizer": some["regularizers"][0] + (" (chosen)" if some["run_id"][0] in chosen else ""),
            "seeds": len(some),
            "epochs": max(some["epochs"]),
            "steps to a loss of 0.1": mean_of(some["overfit_step"].to_list(), "{:,.0f}".format)
            if not some["overfit_step"].null_count()
            else "—",
            "train loss": mean_of(some["train_loss"].to_list(), "{:.3g}".format),
            "train %": points(some["train_accuracy"]),
            "validation %": points(some["validation_accuracy"])
            if not some["validation_accuracy"].null_count()
            else "—",
            "test %": points(some["test_accuracy"]),
        }
        for some in _validated(tables)
        .sort(order, "model", maintain_order=True)
        .partition_by("model", "corruption", "regularizers", "n", maintain_order=True)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """An image under each change, and what each strength does to train loss and validation accuracy."""
    charts: dict[str, Any] = {}
    if tables.records:
        first = tables.records[0]
        charts["images"] = picture_strip(
            tables.records,
            names=class_names(first["data"]),
            title="One image under each change that regularizes",
            subtitle=f"a training image of {first['data']}, {PICTURES} draws of each change; a network sees a new draw "
            "in every epoch",
        )
    records = _swept(tables)
    if records:
        names = " and ".join(map(display, tables.runs["model"].unique(maintain_order=True)))
        several = " (means with SD)" if tables.runs["seed"].n_unique() > 1 else ""
        for column, name, axis, y_format in (
            ("train_loss", "training-loss", "training loss in the last epoch (nats)", "~g"),
            ("test_error", "test-error", "test error in the last epoch", ".0%"),
        ):
            charts[name] = lines(
                records, "strength", column, "regularizer", log_y=column == "train_loss", y_format=y_format,
                title="What a regularizer costs in training" if column == "train_loss" else "What a regularizer gains",
                subtitle=f"{names}, {setting(tables.runs)}, true labels; strengths in turn{several}",
                x_title="strength: 0 none, 1 weak, 2 middle, 3 strong", x_ticks=range(4), y_title=axis,
            )  # fmt: skip
    return charts


def _swept(tables: Tables) -> list[dict[str, Any]]:
    """The runs on true labels as records of their strength's number; those without a regularizer are part of each."""
    if tables.runs.is_empty():
        return []
    true = tables.runs.filter(pl.col("corruption") == "true-labels")
    several = true["model"].n_unique() > 1
    levels: dict[str, list[tuple[str, float]]] = {}
    for kind, steps in strengths(true["data"][0]).items():
        for level, dials in enumerate([{}, *steps]):
            levels.setdefault(make_spec(**dials).regularizers, []).append((kind, float(level)))
    return [
        {
            "strength": level,
            "regularizer": f"{display(run['model'])}, {kind}" if several else kind,
            "train_loss": run["train_loss"],
            "test_error": 1 - run["test_accuracy"],
        }
        for run in true.iter_rows(named=True)
        for kind, level in levels.get(run["regularizers"], [])
    ]


def verdict(tables: Tables) -> list[str]:
    """What each tuned regularizer gains, what it costs, and whether dropout prevents memorization."""
    return [_in_words(tables, one) for one in tuned(tables)] + _noise_in_words(tables) or ["No run is finished yet."]


def _in_words(tables: Tables, one: Tuned) -> str:
    gain, harder = difference(tables, one.helped, one.bare), one.harder()
    return sentence(
        f"{one.name}, the strength of {one.kind} that the validation split prefers, changes test accuracy by",
        with_error(with_seed_spread(gain)) if gain else "an unknown amount, as no seed was trained without it",
        f"after as many epochs its training loss is {_loss(one.helped)}, {times(exp(harder.value))} that "
        f"without it ({_loss(one.bare)})"
        if harder
        else "",
        f"train accuracy {mean_of(one.helped['train_accuracy'].to_list(), percent)}",
    )


def _loss(runs: pl.DataFrame) -> str:
    return mean_of(runs["train_loss"].to_list(), "{:.3g}".format)


def _noise(tables: Tables) -> list[pl.DataFrame]:
    """The runs with dropout on random labels, by network."""
    if tables.runs.is_empty():
        return []
    random = tables.runs.filter((pl.col("corruption") == "random-labels") & (pl.col("dropout") > 0))
    return random.partition_by("model", "n", "regularizers", maintain_order=True)


def _noise_in_words(tables: Tables) -> list[str]:
    return [
        sentence(
            f"{display(runs['model'][0])} with {runs['regularizers'][0]} on random labels: train accuracy",
            mean_of(runs["train_accuracy"].to_list(), percent),
            f"after up to {max(runs['epochs']):,} epochs",
            f"test accuracy {mean_of(runs['test_accuracy'].to_list(), percent)}",
        )
        for runs in _noise(tables)
    ]


def _little(tables: Tables) -> Outcome:
    """Whether a network without regularizers keeps most of what it has with each tuned one."""
    parts = []
    for one in tuned(tables):
        if one.bare.is_empty():
            parts.append(cannot_tell(f"{display(one.helped['model'][0])} has not been trained without it", "finish"))
            continue
        name = str(one.helped["regularizers"][0])
        parts.append(diverged(one.helped) or keeps(tables, one.bare, one.helped, KEPT, name, both_fit=False))
    return all_of(parts) if parts else NO_RUNS


def _costs(tables: Tables) -> Outcome:
    """Whether each tuned regularizer leaves a larger training loss after as many epochs."""
    found = tuned(tables)
    if not found:
        return NO_RUNS
    return all_of(_costs_of(one, len(found)) for one in found)


def _costs_of(one: Tuned, comparisons: int) -> Outcome:
    both = pl.concat([one.helped, one.bare], how="diagonal_relaxed")
    if unready := diverged(both) or not_finite(both, ("train_loss",)):
        return unready
    harder = one.harder()
    if harder is None:
        return cannot_tell(f"no seed of {one.name} has been trained without it", "finish")
    numbers = f"{one.name} {times(exp(harder.value))} the training loss ({count_of(harder.seeds, 'seed')})"
    if both["epochs"].n_unique() > 1:
        return cannot_tell(f"{one.name} and without were not trained for as many epochs", None, numbers)
    if unready := few_seeds(one.helped) or few_seeds(one.bare):
        return replace(unready, numbers=numbers)
    low, high = harder.interval(corrected(comparisons))
    state: State = "confirmed" if low > 0 else "contradicted" if high < 0 else "not shown"
    return Outcome(state, numbers)


def _dropout(tables: Tables) -> Outcome:
    """Whether dropout keeps a network from fitting random labels."""
    parts = []
    for runs in _noise(tables):
        name = f"{display(runs['model'][0])} with {runs['regularizers'][0]}"
        numbers = f"{name} {mean_of(runs['train_accuracy'].to_list(), percent)} train accuracy, n = {runs['n'][0]:,}"
        reached = f"{name} reached {percent(min(runs['train_accuracy']))} train accuracy on random labels"
        found = random_labels_premise(runs) or all_of(
            kept_from_fitting(tables, run, reached) for run in runs.iter_rows(named=True)
        )
        parts.append(replace(found, numbers=numbers))
    return all_of(parts) if parts else NO_RUNS


STUDY = Study(
    question="Are regularizers why networks generalize if each is tuned, and what do they cost?",
    source="Zhang et al. (2017), section 3; the lecture's question about properly tuned regularizers",
    chapter="Regularization",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Properly tuned regularizers help, but networks generalize without them.",
            f"Confirmed if every network keeps, without any regularizer, more than {percent(KEPT)} of the test "
            "accuracy above chance that it has with weight decay, dropout and augmentation, each at the strength that "
            "a validation split prefers, beyond the error of the runs, and generalizes, fitted to at least "
            f"{percent(FITS)}. Contradicted if a network keeps less than that of a tuned regularizer. The test set has "
            "no part in the choice.",
            _little,
        ),
        Claim(
            "A regularizer makes training harder.",
            "Confirmed if the training loss after as many epochs is larger with each tuned regularizer than without, "
            f"in the {percent(LEVEL)} interval of its logarithm over at least two seeds, corrected for the number of "
            "comparisons. Contradicted if it is smaller with one of them. The loss is that of a clean pass over the "
            "unchanged training set, without dropout and augmentation and without the penalty.",
            _costs,
        ),
        Claim(
            "Dropout does not keep networks from fitting random labels.",
            f"Confirmed if every network with dropout at the strength that the validation split prefers fits random "
            f"labels to at least {percent(FITS)} in every seed. Contradicted if it does not although its loss has "
            "stopped falling and the network fits them without dropout.",
            _dropout,
        ),
    ),
    assumptions=("batch size", "initialization", "learning-rate decay", "dropout", "augmentation", "validation split"),
)
