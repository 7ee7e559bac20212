"""Table 1: train and test accuracy with and without explicit regularizers, on true and on random labels."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isnan, nan
from typing import Any

import polars as pl

from ..figures.rows import accuracy_rows
from ..jobs import Training
from ..paper import TABLE_1, Table1Row
from .recipes import RANDOM_CROPS, TABLE_1_DIALS, specs_of
from .rules import FITS, SIGNIFICANCE, compared, generalizes, mean
from .sentences import gain, mean_of, percent, points, setting, unlike
from .study import Cells, Claim, Outcome, Scale, Study, Tables


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """The rows of table 1 whose model the scale has; without crop rows on data whose crop is not known."""
    return [
        Training(spec)
        for row in TABLE_1
        if row.model in TABLE_1_DIALS[scale] and (data in RANDOM_CROPS or not row.crop)
        for spec in specs_of(row, scale, data, seeds)
    ]


def runs_of(row: Table1Row, runs: pl.DataFrame) -> pl.DataFrame:
    """The finished runs of a row."""
    return runs.filter(
        (pl.col("model") == row.model)
        & (pl.col("random_crop") == row.crop)
        & ((pl.col("weight_decay") > 0) == row.weight_decay)
        & (pl.col("corruption") == ("random-labels" if row.random_labels else "true-labels"))
    )


def done(runs: pl.DataFrame) -> list[tuple[Table1Row, pl.DataFrame]]:
    """The rows that have finished runs, in the paper's order, then those of networks that the paper does not have."""
    stated = {(row.model, row.crop, row.weight_decay, row.random_labels) for row in TABLE_1}
    others = [
        replace(row, model=model, train=nan, test=nan)
        for model in runs["model"].unique(maintain_order=True)
        for row in TABLE_1
        if row.model == "alexnet" and (model, row.crop, row.weight_decay, row.random_labels) not in stated
    ]
    return [(row, found) for row in (*TABLE_1, *others) if not (found := runs_of(row, runs)).is_empty()]


def table(tables: Tables) -> list[Cells]:
    """Table 1 with the measured numbers beside the paper's, and whether these may be compared."""
    return [
        {
            "model": row.model,
            "row": name_of(row),
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            "best test %": points(runs["best_test_accuracy"]),
            "paper train %": "—" if isnan(row.train) else f"{row.train:.2f}",
            "paper test %": "—" if isnan(row.test) else f"{row.test:.2f}",
            "compared": compared(runs),
        }
        for row, runs in done(tables.runs)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Measured test accuracies as circles and the paper's as diamonds, in a band for each model."""
    lines = []
    for row, runs in done(tables.runs):
        shared = {"model": f"{row.model}, n = {runs['n'][0]:,}", "row": name_of(row)}
        where = f"measured, n = {runs['n'][0]:,}"
        lines += [shared | {"test": value, "source": "measured", "where": where} for value in runs["test_accuracy"]]
        if tables.runs["data"][0] == "cifar10" and not isnan(row.test):
            lines.append(shared | {"test": row.test / 100, "source": "paper", "where": "paper, n = 50,000"})
    chance = 1 / tables.runs["classes"][0]
    shown = f"{len(done(tables.runs))} of {len(TABLE_1)} rows"
    chart = accuracy_rows(
        pl.DataFrame(lines),
        order=list(dict.fromkeys(map(name_of, TABLE_1))),
        chance=chance,
        title="Test accuracy with and without explicit regularizers",
        subtitle=f"{shown}; {setting(tables.runs)}; the paper's numbers are for n = 50,000 of CIFAR-10",
    )
    return {"test-accuracy": chart}


def name_of(row: Table1Row) -> str:
    """The name of a row, made of what sets it apart from the others of its model."""
    parts = ["random crop"] * row.crop + ["weight decay"] * row.weight_decay
    return "random labels" if row.random_labels else " + ".join(parts) or "no regularizer"


def verdict(tables: Tables) -> list[str]:
    """What each regularizer adds, and whether a model fits and generalizes without any."""
    rows = done(tables.runs)
    sentences = _without_any(rows)
    for model in dict.fromkeys(row.model for row, _ in rows):
        sentences += _gains(model, [(row, runs) for row, runs in rows if row.model == model])
    return [*sentences, *_normalization(rows)]


Rows = Iterable[tuple[Table1Row, pl.DataFrame]]


def _plain(rows: Rows, *, random: bool = False) -> dict[str, tuple[Table1Row, pl.DataFrame]]:
    """The rows without crop and weight decay, by model."""
    return {
        row.model: (row, runs)
        for row, runs in rows
        if not row.crop and not row.weight_decay and row.random_labels == random
    }


def _without_any(rows: Rows) -> list[str]:
    sentences = []
    plain = _plain(rows)
    random = {model: row for model, row in _plain(rows, random=True).items() if model in plain}
    if plain:
        fit, general, scores = _fit_and_generalize(plain)
        sentences.append(
            f"Without any explicit regularizer {fit} of {len(plain)} models fit their training set (at least "
            f"{percent(FITS)}) and {general} of {len(plain)} still generalize ({scores})."
        )
    if random:
        sentences.append(f"The same networks on random labels: {_scores(random)}.")
    return sentences or ["No row without regularizers is finished, so there is nothing to hold the others against."]


def _fit_and_generalize(rows: Mapping[str, tuple[Table1Row, pl.DataFrame]]) -> tuple[int, int, str]:
    """How many models fit their training set, how many generalize, and the accuracies."""
    fit = sum(mean(runs["train_accuracy"]) >= FITS for _, runs in rows.values())
    general = sum(generalizes(runs) for _, runs in rows.values())
    chance = percent(1 / next(iter(rows.values()))[1]["classes"][0])
    return fit, general, f"{_scores(rows)}; chance {chance}"


def _scores(rows: Mapping[str, tuple[Table1Row, pl.DataFrame]]) -> str:
    return ", ".join(
        f"{model} (n = {runs['n'][0]:,}) {mean_of(runs['train_accuracy'].to_list(), percent)} train, "
        f"{mean_of(runs['test_accuracy'].to_list(), percent)} test"
        for model, (_, runs) in rows.items()
    )


def _gains(model: str, rows: list[tuple[Table1Row, pl.DataFrame]]) -> list[str]:
    plain = _plain(rows)
    if model not in plain:
        return []
    paper, runs = plain[model]
    gains = [
        f"{name_of(row)} {gain(found, runs)}{_stated(runs, row.test - paper.test)}"
        for row, found in rows
        if (row.crop or row.weight_decay) and not row.random_labels
    ]
    if not gains:
        return []
    size = f"n = {runs['n'][0]:,}" + (" (paper: 50,000 of CIFAR-10)" if _stated(runs, paper.test) else "")
    return [f"{model}, points of test accuracy added at {size}: {', '.join(reversed(gains))}."]


def _stated(runs: pl.DataFrame, points: float, setting: str = "") -> str:
    """The paper's number for a gain, if the runs are on CIFAR-10 and with its own networks."""
    return f" (paper{setting} {points:+.2f})" if runs["data"][0] == "cifar10" and not isnan(points) else ""


def _normalization(rows: Rows) -> list[str]:
    plain = _plain(rows)
    if not {"inception", "inception-no-bn"} <= plain.keys():
        return []
    (row, runs), (bare_row, bare) = plain["inception"], plain["inception-no-bn"]
    return [
        f"Batch normalization adds {gain(runs, bare)} points to Inception without other regularizers at "
        f"n = {runs['n'][0]:,}{unlike(runs, bare)}{_stated(runs, row.test - bare_row.test, ', 50,000 of CIFAR-10:')}."
    ]


def _not_needed(tables: Tables) -> Outcome | None:
    plain = _plain(done(tables.runs))
    if not plain:
        return None
    fit, general, scores = _fit_and_generalize(plain)
    return Outcome(fit == general == len(plain), scores)


def _help_little(tables: Tables) -> Outcome | None:
    """Compares what regularizers add at best with what networks have without them."""
    rows = done(tables.runs)
    confirmed, parts = True, []
    for model, (_, bare) in _plain(rows).items():
        with_any = {
            name_of(row): mean(runs["test_accuracy"])
            for row, runs in rows
            if row.model == model and not row.random_labels and (row.crop or row.weight_decay)
        }
        if not with_any:
            continue
        best = max(with_any, key=with_any.__getitem__)
        alone = mean(bare["test_accuracy"])
        gained, lead = with_any[best] - alone, alone - 1 / bare["classes"][0]
        confirmed &= gained < lead / 2
        parts.append(f"{model} {100 * gained:+.1f} points by {best}, {100 * lead:.1f} above chance without")
    return Outcome(confirmed, "; ".join(parts)) if parts else None


STUDY = Study(
    question="Do explicit regularizers explain why networks generalize?",
    source="Zhang et al. (2017), section 3, table 1",
    chapter="Regularization",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Explicit regularization is not needed for small generalization error.",
            f"every network without any fits its training set to at least {percent(FITS)} and its mean test accuracy "
            f"lies {SIGNIFICANCE} standard errors of a test set above chance",
            _not_needed,
        ),
        Claim(
            "Regularizers are not why networks generalize.",
            "for every network the best regularized row adds less than half of what the row without any has above "
            "chance",
            _help_little,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "learning rate",
        "batch normalization",
        "weight decay",
        "local response normalization",
        "random crop",
        "number of epochs",
    ),
)
