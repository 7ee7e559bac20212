"""Table 1: train and test accuracy with and without explicit regularizers, on true and on random labels."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isnan, nan
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from ..figures.rows import accuracy_rows
from ..jobs import Training
from ..paper import TABLE_1, Table1Row
from ..spec import WEIGHT_DECAY
from .outcome import Outcome, all_of, cannot_tell
from .recipes import RANDOM_CROPS, TABLE_1_DIALS, specs_of
from .rules import FEWEST, FITS, LEAD, chance, compared, difference, keeps, mean, share_kept, unfitted
from .sentences import count_of, display, mean_of, percent, points, sentence, setting, unlike, with_error
from .statistics import above, with_seed_spread
from .study import Cells, Claim, Scale, Study, Tables


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
            "model": display(row.model),
            "row": name_of(row),
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            "best test % (epoch chosen on the test set)": points(runs["best_test_accuracy"]),
            "paper train %": "—" if isnan(row.train) else f"{row.train:.2f}",
            "paper test %": "—" if isnan(row.test) else f"{row.test:.2f}",
            "compared": compared(runs),
        }
        for row, runs in done(tables.runs)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Measured test accuracies as circles and the paper's as diamonds, in a band for each model."""
    rows = done(tables.runs)
    lines = []
    for row, runs in rows:
        shared = {"model": f"{display(row.model)}, n = {runs['n'][0]:,}", "row": name_of(row)}
        where = f"measured, n = {runs['n'][0]:,}"
        lines += [shared | {"test": value, "source": "measured", "where": where} for value in runs["test_accuracy"]]
        if tables.runs["data"][0] == "cifar10" and not isnan(row.test):
            lines.append(shared | {"test": row.test / 100, "source": "paper", "where": "paper, n = 50,000"})
    chart = accuracy_rows(
        pl.DataFrame(lines),
        order=list(dict.fromkeys(map(name_of, TABLE_1))),
        chance=chance(tables.runs),
        title="Test accuracy with and without explicit regularizers",
        subtitle=f"{len(rows)} of {len(TABLE_1)} rows; {setting(tables.runs)}; a circle is a seed; the paper's numbers "
        "are for n = 50,000 of CIFAR-10",
    )
    return {"test-accuracy": chart}


def name_of(row: Table1Row) -> str:
    """The name of a row, made of what sets it apart from the others of its model."""
    parts = ["random crop"] * row.crop + ["weight decay"] * row.weight_decay
    return "random labels" if row.random_labels else " + ".join(parts) or "no regularizer"


class Network(NamedTuple):
    """The finished rows of one network."""

    name: str
    bare: pl.DataFrame
    """Its runs on true labels without any explicit regularizer."""
    random: pl.DataFrame
    """Its runs on random labels without any."""
    helped: list[tuple[Table1Row, pl.DataFrame]]
    """Its rows with explicit regularizers, each with its runs."""
    stated: float
    """The paper's test accuracy without any, in percent; NaN where the paper has none."""


def networks(runs: pl.DataFrame) -> list[Network]:
    """The networks that have finished runs, in the order of `done`; what has not been run is an empty table."""
    if runs.is_empty():
        return []
    rows = done(runs)
    found = []
    for name in dict.fromkeys(row.model for row, _ in rows):
        mine = [(row, of_row) for row, of_row in rows if row.model == name]
        plain = {row.random_labels: (row, of_row) for row, of_row in mine if not row.crop and not row.weight_decay}
        bare, random = (plain[labels][1] if labels in plain else runs.clear() for labels in (False, True))
        helped = [(row, of_row) for row, of_row in mine if (row.crop or row.weight_decay) and not row.random_labels]
        stated = plain[False][0].test if False in plain else nan
        found.append(Network(name, bare, random, helped, stated))
    return found


def verdict(tables: Tables) -> list[str]:
    """The least that a network keeps without regularizers, what each of these adds, and what the networks memorize."""
    found = networks(tables.runs)
    without = [network for network in found if not network.bare.is_empty()]
    if not without:
        return ["No row without regularizers is finished, so there is nothing to hold the others against."]
    return [
        _least_kept(without),
        *(_of_network(tables, network) for network in without),
        *_normalization(tables, found),
    ]


def _least_kept(found: list[Network]) -> str:
    fit = sum(unfitted(network.bare) is None for network in found)
    fitted = (
        f"{fit} of {len(found)} networks fit their training set without any"
        if len(found) > 1
        else f"it {'fits' if fit else 'does not fit'} its training set without any"
    )
    kept = [
        (part, network, row, runs)
        for network in found
        for row, runs in network.helped
        if (part := share_kept(network.bare, runs)) is not None
    ]
    if not kept:
        return f"{fitted}; no row with a regularizer is finished."
    share, network, row, runs = min(kept, key=itemgetter(0))
    with_it, without = (percent(mean(group["test_accuracy"])) for group in (runs, network.bare))
    return sentence(
        "Without any explicit regularizer a network keeps of its test accuracy above chance at least",
        percent(max(share, 0.0)),
        fitted,
        compared=f"{display(network.name)} {without}, with {name_of(row)} {with_it}, chance "
        f"{percent(chance(runs))}, n = {runs['n'][0]:,}, {count_of(len(runs), 'seed')}; the lowest of "
        f"{count_of(len(kept), 'comparison')}",
    )


def _of_network(tables: Tables, network: Network) -> str:
    """What a network has without regularizers, what each row adds to it, and what it has on random labels."""
    bare = network.bare
    gains = [
        f"{name_of(row)} changes test accuracy by {with_error(with_seed_spread(gain))}"
        f"{_stated(bare, row.test - network.stated)}"
        for row, runs in reversed(network.helped)
        if (gain := difference(tables, runs, bare))
    ]
    memorized = [] if network.random.is_empty() else [f"on random labels it has {_accuracies(network.random)}"]
    return sentence(
        f"{display(network.name)}, n = {bare['n'][0]:,}, without any regularizer has",
        _accuracies(bare),
        *gains,
        *memorized,
    )


def _accuracies(runs: pl.DataFrame) -> str:
    train, test = (mean_of(runs[f"{part}_accuracy"].to_list(), percent) for part in ("train", "test"))
    return f"{test} test and {train} train accuracy"


def _stated(runs: pl.DataFrame, points: float) -> str:
    """The paper's number for a gain, if the runs are on CIFAR-10 and with its own networks."""
    return f", in the paper {points:+.2f}" if runs["data"][0] == "cifar10" and not isnan(points) else ""


def _normalization(tables: Tables, found: list[Network]) -> list[str]:
    of = {network.name: network for network in found}
    if not {"inception", "inception-no-bn"} <= of.keys():
        return []
    normalized, bare = of["inception"], of["inception-no-bn"]
    gain = difference(tables, normalized.bare, bare.bare)
    if gain is None:
        return []
    return [
        sentence(
            "Batch normalization, an implicit regularizer, changes the test accuracy of Inception without others by",
            f"{with_error(with_seed_spread(gain))}{_stated(bare.bare, normalized.stated - bare.stated)}",
            caveat=unlike(normalized.bare, bare.bare),
        )
    ]


KEPT = 0.75
"""Regularization is not needed for what a network has without it, if that is more than this share of the accuracy above
chance that it has with it: an assumption. In the paper the least is 93 % (AlexNet, random crop + weight decay)."""

ADDED = 0.5
"""Regularizers are not why a network generalizes, if they add less than this times what it has above chance without
them: an assumption. In the paper the most is 0.08 (AlexNet, random crop + weight decay)."""


def _each_row(share: float) -> Callable[[Tables], Outcome]:
    """Makes the check whether every network keeps a share of what it has with each of its regularized rows.

    Each row is judged by itself: the best row of a network would be a maximum that is selected on the test set.
    """

    def check(tables: Tables) -> Outcome:
        return all_of(part for network in networks(tables.runs) for part in _rows_of(tables, network, share))

    return check


def _rows_of(tables: Tables, network: Network, share: float) -> list[Outcome]:
    name = display(network.name)
    if network.bare.is_empty():
        return [cannot_tell(f"{name} has not been trained without regularizers", "finish")]
    if not network.helped:
        return [cannot_tell(f"{name} has not been trained with a regularizer", "finish")]
    return [
        _unlike_table_1(tables, network, row, runs) or keeps(tables, network.bare, runs, share, name_of(row))
        for row, runs in network.helped
    ]


def _unlike_table_1(tables: Tables, network: Network, row: Table1Row, runs: pl.DataFrame) -> Outcome | None:
    """The outcome `cannot tell` where a row is not its network with the paper's regularizer and nothing else, or None.

    A weight decay of another strength is let pass where it is shown to help, as one that does nothing takes nothing
    away when it is left out.
    """
    name = f"{display(network.name)} with {name_of(row)}"
    if apart := unlike(runs, network.bare):
        return cannot_tell(f"{name} and without are {apart}")
    strengths = sorted({*runs["weight_decay"]} - {0.0, WEIGHT_DECAY})
    if not row.weight_decay or not strengths:
        return None
    gain = difference(tables, runs, network.bare)
    if gain is not None and above(with_seed_spread(gain), 0) == "confirmed":
        return None
    return cannot_tell(
        f"{name} has a weight decay of {strengths[0]:g}, not the {WEIGHT_DECAY:g} of table 1, and is not shown to help",
        None,
        f"it changes test accuracy by {with_error(with_seed_spread(gain))}" if gain else "",
    )


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
            f"Confirmed if every network, trained without any, fits its training set to at least {percent(FITS)} in "
            f"every seed, covers more than {percent(LEAD)} of the way from chance to 100 % test accuracy, and keeps "
            f"more than {percent(KEPT)} of the test accuracy above chance that it has in each of its regularized "
            "rows, beyond the error of the runs. Contradicted if a network keeps less than that of a row. Chance is "
            "the share of the test set's majority class; every row must have fitted its training set of at least "
            f"{FEWEST} examples, be trained as without regularizers, and have the weight decay of table 1 or one that "
            "is shown to help.",
            _each_row(KEPT),
        ),
        Claim(
            "Regularizers are not why networks generalize.",
            f"Confirmed if for every network each regularized row, taken by itself, adds less than {percent(ADDED)} "
            "of the test accuracy above chance that the network has without any, which covers more than "
            f"{percent(LEAD)} of the way from chance to 100 %, beyond the error of the runs. Contradicted if a row "
            f"adds more. Every row must have fitted its training set of at least {FEWEST} examples, be trained as "
            "without regularizers, and have the weight decay of table 1 or one that is shown to help.",
            _each_row(1 / (1 + ADDED)),
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
        "spread of seeds",
        "agreement with the paper",
    ),
)
