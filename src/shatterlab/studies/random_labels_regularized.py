"""Table 4: random labels are fitted even with explicit regularizers turned on."""

from collections.abc import Mapping
from dataclasses import replace
from math import isnan, nan
from typing import Any

import polars as pl

from ..figures.curves import online_accuracy
from ..jobs import Training
from ..paper import TABLE_4, TABLE_4_CHANGES, Table4Row
from ..spec import PAPER_TRAINING_SIZE, make_spec
from .recipes import RANDOM_CROPS, TABLE_1_DIALS, for_data
from .rules import FITS, compared
from .sentences import mean_of, percent, points, setting
from .study import Cells, Claim, Outcome, Scale, Study, Tables

NEAR_CHANCE = 2
"""A train accuracy below this many times chance counts as a failure to converge."""

# Augmented runs take this many times the epochs, as every epoch shows other images; the paper only says "longer".
LONGER = 4


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """The rows of table 4 whose model the scale has, with the settings of table 1 on random labels."""
    return [
        Training(make_spec(**_dials(row, scale, data), data=data, seed=seed))
        for row in TABLE_4
        if row.model in TABLE_1_DIALS[scale] and (data in RANDOM_CROPS or row.regularizer != "random crop")
        for seed in range(seeds)
    ]


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


def done(runs: pl.DataFrame) -> list[tuple[Table4Row, pl.DataFrame]]:
    """The rows that have finished runs, in the paper's order, then those of networks that the paper does not have."""
    kinds = {
        "weight decay": pl.col("weight_decay") > 0,
        "random crop": pl.col("random_crop"),
        "augmentation": pl.col("rotation") > 0,
    }
    stated = {(row.model, row.regularizer) for row in TABLE_4}
    others = [
        replace(row, model=model, train=nan)
        for model in runs["model"].unique(maintain_order=True)
        for row in TABLE_4
        if row.model == "inception" and (model, row.regularizer) not in stated
    ]
    rows = [(row, runs.filter((pl.col("model") == row.model) & kinds[row.regularizer])) for row in (*TABLE_4, *others)]
    return [(row, found) for row, found in rows if not found.is_empty()]


def table(tables: Tables) -> list[Cells]:
    """Table 4 with the measured numbers beside the paper's."""
    return [
        {
            "model": row.model,
            "regularizer": row.regularizer,
            "n": runs["n"][0],
            "seeds": len(runs),
            "epochs": runs["epochs"].max(),  # type: ignore[dict-item]
            "train %": points(runs["train_accuracy"]),
            "online %": points(runs["online_accuracy"]),
            "test %": points(runs["test_accuracy"]),
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
    """Online accuracy against epochs."""
    return {
        "online-accuracy": online_accuracy(
            tables.epochs.with_columns((pl.col("model") + ", " + pl.col("regularizers")).alias("name")),
            title="Fitting random labels against a regularizer",
            subtitle=setting(tables.runs),
        )
    }


def verdict(tables: Tables) -> list[str]:
    """Which regularizers keep which model from fitting random labels."""
    rows = done(tables.runs)
    fitted, held = ([pair for pair in rows if _fits(*pair) is fits] for fits in (True, False))
    sentences = [
        f"{len(fitted)} of {len(rows)} regularized networks fit random labels all the same "
        f"(at least {percent(FITS)}; the paper's n is {PAPER_TRAINING_SIZE:,}): {_listed(fitted)}."
    ]
    if held:
        sentences.append(f"Not fitted within the epochs given: {_listed(held)}.")
    for row, runs in rows:
        if row.train is None:
            sentences.append(
                f"{row.model} with {row.regularizer}, which fails to converge in the paper at n = "
                f"{PAPER_TRAINING_SIZE:,}, {_outcome(row, runs)}: "
                f"{mean_of(runs['train_accuracy'].to_list(), percent)} train at n = {runs['n'][0]:,}, "
                f"weight decay {runs['weight_decay'][0]:g} (an assumption: the paper does not give it)."
            )
    return sentences


def _outcome(row: Table4Row, runs: pl.DataFrame) -> str:
    """The outcome of a row, in one of three cases, as a network that is still learning has not failed to converge."""
    if _fits(row, runs):
        return "fits them here"
    near_chance = _reached(row, runs) < NEAR_CHANCE / runs["classes"][0]
    return "stays near chance here too" if near_chance else "learns here but does not finish"


def _accuracies(row: Table4Row, runs: pl.DataFrame) -> list[float]:
    """The accuracies as the paper scores the row: over the clean training set, or online."""
    return runs["online_accuracy" if row.online else "train_accuracy"].to_list()


def _reached(row: Table4Row, runs: pl.DataFrame) -> float:
    values = _accuracies(row, runs)
    return sum(values) / len(values)


def _fits(row: Table4Row, runs: pl.DataFrame) -> bool:
    return _reached(row, runs) >= FITS


def _listed(rows: list[tuple[Table4Row, pl.DataFrame]]) -> str:
    return (
        ", ".join(
            f"{row.model} with {row.regularizer} {mean_of(_accuracies(row, runs), percent)}"
            f"{' online' if row.online else ''} at n = {runs['n'][0]:,}"
            for row, runs in rows
        )
        or "none"
    )


def _not_prevented(tables: Tables) -> Outcome | None:
    rows = [(row, runs) for row, runs in done(tables.runs) if row.train is not None]
    if not rows:
        return None
    return Outcome(all(_fits(*pair) for pair in rows), _listed(rows))


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
            f"every row for which table 4 gives a number reaches {percent(FITS)} train accuracy, scored as in the "
            "paper (AlexNet with weight decay, which fails to converge there, is left out)",
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
    ),
)
