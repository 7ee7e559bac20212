"""Table 4: random labels are fitted even with explicit regularizers turned on."""

from collections.abc import Mapping
from dataclasses import replace
from math import isnan, nan
from typing import Any

import polars as pl

from ..figures.curves import online_accuracy
from ..jobs import Training
from ..paper import LONGER, TABLE_4, TABLE_4_CHANGES, Table1Row, Table4Row
from ..spec import PAPER_TRAINING_SIZE, Spec, make_spec
from .outcome import Outcome, all_of, cannot_tell
from .recipes import RANDOM_CROPS, TABLE_1_DIALS, for_data, specs_of
from .rules import (
    FEWEST,
    FITS,
    chance,
    compared,
    difference,
    diverged,
    kept_from_fitting,
    not_finite,
    random_labels_premise,
    unfitted,
)
from .sentences import display, mean_of, percent, points, sentence, setting, with_error
from .statistics import Estimate, corrected, with_seed_spread
from .study import Cells, Claim, Scale, Study, Tables

NEAR_CHANCE = 2
"""A train accuracy below this many times chance counts as a failure to converge: an assumption."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """The rows of table 4 whose model the scale has, and the runs that say what they mean.

    These are of the same network: random labels without a regularizer, which says whether it is the regularizer that
    keeps them from being fitted, and true labels with it and without it, which says whether the regularizer is strong
    enough to help. All but those with augmentation are runs of table 1, too.
    """
    rows = [
        row
        for row in TABLE_4
        if row.model in TABLE_1_DIALS[scale] and (data in RANDOM_CROPS or row.regularizer != "random crop")
    ]
    specs = [make_spec(**_dials(row, scale, data), data=data, seed=seed) for row in rows for seed in range(seeds)]
    for row in rows:
        random, true = (
            specs_of(Table1Row(row.model, False, False, labels, nan, nan), scale, data, seeds)
            for labels in (True, False)
        )
        specs += [*random, *true, *(_regularized(spec, row) for spec in true)]
    return [Training(spec) for spec in dict.fromkeys(specs)]


def _dials(row: Table4Row, scale: Scale, data: str) -> dict[str, Any]:
    plain, random = TABLE_1_DIALS[scale][row.model]
    dials = for_data(plain | random, data) | {
        "model": row.model,
        "corruption": "random-labels",
        "crop": RANDOM_CROPS.get(data),
    }
    if row.regularizer != "weight decay":
        # The paper's decay of 0.999 applies to each pass, so that the rate hardly falls.
        dials |= {"epochs": LONGER * dials["epochs"], "decay_every": dials.get("n", PAPER_TRAINING_SIZE)}
    # A clean pass can be perfect long before the augmented batches are, on which the paper scores that row.
    return dials | {"stop": "never" if row.online else "fit"} | TABLE_4_CHANGES[row.regularizer]


def _regularized(spec: Spec, row: Table4Row) -> Spec:
    """A run of table 1 with the regularizer of a row of table 4, at its strength."""
    changes = TABLE_4_CHANGES[row.regularizer]
    return spec.model_copy(update={name: value for name, value in changes.items() if name != "decay"})


KINDS = {
    "weight decay": pl.col("weight_decay") > 0,
    "random crop": pl.col("random_crop"),
    "augmentation": pl.col("rotation") > 0,
}
"""By the paper's name of a regularizer: the runs that have it."""


def done(runs: pl.DataFrame) -> list[tuple[Table4Row, pl.DataFrame]]:
    """The rows that have finished runs, in the paper's order, then those of networks that the paper does not have."""
    if runs.is_empty():
        return []
    random = runs.filter(pl.col("corruption") == "random-labels")
    stated = {(row.model, row.regularizer) for row in TABLE_4}
    others = [
        replace(row, model=model, train=nan)
        for model in random["model"].unique(maintain_order=True)
        for row in TABLE_4
        if row.model == "inception" and (model, row.regularizer) not in stated
    ]
    rows = [
        (row, random.filter((pl.col("model") == row.model) & KINDS[row.regularizer])) for row in (*TABLE_4, *others)
    ]
    return [(row, found) for row, found in rows if not found.is_empty()]


def table(tables: Tables) -> list[Cells]:
    """Table 4 with the measured numbers beside the paper's, and what the regularizer adds on true labels."""
    return [
        {
            "model": display(row.model),
            "regularizer": row.regularizer,
            "n": runs["n"][0],
            "seeds": len(runs),
            "epochs": runs["epochs"].max(),  # type: ignore[dict-item]
            "train %": points(runs["train_accuracy"]),
            "online %": points(runs["online_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            "change of test accuracy on true labels": with_error(with_seed_spread(gain))
            if (gain := gain_on_true_labels(tables, row.model, _strength(runs)))
            else "—",
            "paper": _stated(row),
            "compared": compared(runs)
            if row.train is not None
            else "no number"
            if at_full_size(runs)
            else "no: other n",
        }
        for row, runs in done(tables.runs)
    ]


def at_full_size(runs: pl.DataFrame) -> bool:
    """Whether the runs have the paper's n."""
    return bool(runs["n"][0] == PAPER_TRAINING_SIZE)


def _stated(row: Table4Row) -> str:
    if row.train is None:
        return "fails to converge"
    return "—" if isnan(row.train) else f"{row.train:.2f} {'online' if row.online else 'train'}"


def draw(tables: Tables) -> Mapping[str, Any]:
    """Online accuracy on random labels against epochs, with a regularizer and without one."""
    random = tables.epochs.filter(pl.col("corruption") == "random-labels")
    name = pl.col("model").map_elements(display, return_dtype=pl.String)
    regularizers = pl.col("regularizers").replace({"none": "no regularizer"})
    return {
        "online-accuracy": online_accuracy(
            random.with_columns(pl.concat_str(name, regularizers, separator=", ").alias("name")),
            title="Fitting random labels against a regularizer",
            subtitle=setting(tables.runs),
        )
    }


def verdict(tables: Tables) -> list[str]:
    """Which regularizers keep which network from fitting random labels, and what they do on true ones."""
    rows = done(tables.runs)
    if not rows:
        return ["No network with a regularizer has been trained on random labels yet."]
    fitted = sum(_fits(*pair) for pair in rows)
    subject = "Of the networks with a regularizer," if len(rows) > 1 else "The one network with a regularizer"
    share = f"{fitted} of {len(rows)} fit" if len(rows) > 1 else "fits" if fitted else "does not fit"
    return [
        sentence(
            subject,
            f"{share} random labels to at least {percent(FITS)} in every seed",
            compared=f"in the paper 5 of 6, at n = {PAPER_TRAINING_SIZE:,}",
        ),
        *(_of_row(tables, row, runs) for row, runs in rows),
    ]


def _of_row(tables: Tables, row: Table4Row, runs: pl.DataFrame) -> str:
    """What a row reached, beside the paper, and what its regularizer adds where there is something to learn."""
    gain = gain_on_true_labels(tables, row.model, _strength(runs))
    stated = "" if row.train is not None and isnan(row.train) else f"in the paper {_in_the_paper(row)}"
    return sentence(
        f"{display(row.model)} with {_strength(runs)} {_outcome(row, runs)} random labels at n = {runs['n'][0]:,}:",
        f"{'online' if row.online else 'train'} accuracy {mean_of(_accuracies(row, runs), percent)}",
        stated,
        f"on true labels it changes test accuracy by {with_error(with_seed_spread(gain))}" if gain else "",
    )


def _in_the_paper(row: Table4Row) -> str:
    return "it fails to converge" if row.train is None else f"{row.train:g} %"


def _strength(runs: pl.DataFrame) -> str:
    """The regularizers of some runs with their strength, such as `weight decay 0.0005`."""
    return str(runs["regularizers"][0])


def _outcome(row: Table4Row, runs: pl.DataFrame) -> str:
    """The outcome of a row, in one of three cases, as a network that is still learning has not failed to converge."""
    if _fits(row, runs):
        return "fits"
    values = _accuracies(row, runs)
    return (
        "stays near chance on" if sum(values) / len(values) < NEAR_CHANCE * chance(runs) else "does not finish fitting"
    )


def _accuracies(row: Table4Row, runs: pl.DataFrame) -> list[float]:
    """The accuracies as the paper scores the row: over the clean training set, or online."""
    return runs["online_accuracy" if row.online else "train_accuracy"].to_list()


def _fits(row: Table4Row, runs: pl.DataFrame) -> bool:
    return min(_accuracies(row, runs)) >= FITS


def gain_on_true_labels(tables: Tables, model: str, regularizers: str) -> Estimate | None:
    """The test accuracy that regularizers of this strength add to a network on true labels; None if it was not run."""
    helped, bare = _on_true_labels(tables, model, regularizers)
    return difference(tables, helped, bare)


def _on_true_labels(tables: Tables, model: str, regularizers: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The runs of a network on true labels with regularizers of this strength, and without any."""
    true = tables.runs.filter((pl.col("corruption") == "true-labels") & (pl.col("model") == model))
    helped, bare = (true.filter(pl.col("regularizers") == name) for name in (regularizers, "none"))
    return helped, bare


LEAST_GAIN = 0.005
"""A regularizer that adds less test accuracy than this on true labels is not one that helps: an assumption. In table 1
weight decay adds 0.3 to 1.3 points, and a random crop 3.6."""


def _too_weak(tables: Tables, regularizers: str, networks: list[str]) -> Outcome | None:
    """The outcome `cannot tell` where regularizers of this strength are not shown to help on true labels, or None.

    They have to help one of the networks that fit true labels both ways: in table 1 weight decay does not help the
    smallest perceptron. As each of m networks is a chance to find a gain where there is none, the level of each
    interval is 1 - 0.05 / m.
    """
    unready = {
        network: unfitted(pl.concat(_on_true_labels(tables, network, regularizers), how="diagonal_relaxed"))
        for network in networks
    }
    gains = {network: gain for network in networks if (gain := gain_on_true_labels(tables, network, regularizers))}
    if not gains:
        return cannot_tell(f"no network has been trained with {regularizers} and without it on true labels", "finish")
    if max(gain.seeds for gain in gains.values()) < 2:
        return cannot_tell(f"one seed does not show whether {regularizers} helps on true labels", "seeds")
    listed = ", ".join(f"{display(network)} {with_error(with_seed_spread(gain))}" for network, gain in gains.items())
    ready = [gain for network, gain in gains.items() if not unready[network]]
    if not ready:
        return replace(next(filter(None, unready.values())), numbers=listed)
    if any(
        gain.seeds > 1 and gain.value >= LEAST_GAIN and gain.interval(corrected(len(ready)))[0] > 0 for gain in ready
    ):
        return None
    return cannot_tell(
        f"{regularizers} is not shown to add at least {100 * LEAST_GAIN:g} points to any network on true labels: "
        f"{listed}",
        "seeds",
    )


def _not_prevented(tables: Tables) -> Outcome:
    """Judges every row in every seed, by the regularizer's strength and by whether it is what prevents the fit."""
    rows = done(tables.runs)
    networks: dict[str, list[str]] = {}
    for _, runs in rows:
        networks.setdefault(_strength(runs), []).append(runs["model"][0])
    too_weak = {strength: _too_weak(tables, strength, those) for strength, those in networks.items()}
    parts = [
        diverged(runs) or not_finite(runs, ("online_accuracy",)) or _row(tables, row, runs, too_weak[_strength(runs)])
        for row, runs in rows
    ]
    if rows and _lacks_alexnet([row for row, _ in rows]):
        parts.append(
            cannot_tell(
                "AlexNet with weight decay, which fails to converge in the paper, has not been trained", "finish"
            )
        )
    return all_of(parts)


def _lacks_alexnet(rows: list[Table4Row]) -> bool:
    """Whether AlexNet with weight decay is missing among the paper's networks; networks of one's own stand alone."""
    return not any((row.model, row.regularizer) == ("alexnet", "weight decay") for row in rows) and all(
        any(row.model == stated.model for stated in TABLE_4) for row in rows
    )


def _row(tables: Tables, row: Table4Row, runs: pl.DataFrame, too_weak: Outcome | None) -> Outcome:
    least = percent(min(_accuracies(row, runs)))
    name = f"{display(row.model)} with {_strength(runs)}"
    reached = f"{name} reached {least} train accuracy{' in its worst seed' if len(runs) > 1 else ''}"
    column = "online_accuracy" if row.online else "train_accuracy"
    parts = [kept_from_fitting(tables, run, reached, column) for run in runs.iter_rows(named=True)]
    seeds = f", least of {len(runs)} seeds" if len(runs) > 1 else ""
    found = random_labels_premise(runs) or too_weak or all_of(parts)
    return replace(found, numbers=f"{name} {least}{seeds}, n = {runs['n'][0]:,}")


STUDY = Study(
    question="Do explicit regularizers keep a network from fitting random labels?",
    source="Zhang et al. (2017), appendix, table 4",
    chapter="Regularization",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Explicit regularizers do not keep networks from fitting random labels.",
            "Confirmed if every network with a regularizer, AlexNet with weight decay included, which fails to "
            f"converge in the paper, fits at least {FEWEST} random labels to at least {percent(FITS)} in every seed, "
            f"scored as in the paper, and each regularizer at the same strength adds at least {100 * LEAST_GAIN:g} "
            "points of test accuracy to one of the networks that fit true labels, beyond the error of at least two "
            "seeds. Contradicted if such a regularizer keeps a network from fitting that fits without it, and the "
            "loss has stopped falling. The labels must be as wrong as random ones are, and leave the test accuracy "
            "at chance.",
            _not_prevented,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "weight decay",
        "random crop",
        "augmentation",
        "number of epochs",
        "training loss of a curve",
        "agreement with the paper",
    ),
)
