"""What can be guaranteed about the error of a network that is able to memorize: by held-out examples, by random labels.

The classes are grouped into two, the first half of them against the rest, since a guarantee by random labels is worth
little with many classes: its deviation grows with their number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import isfinite
from typing import Any

import numpy as np

from ..data import at_most
from ..figures.bounds import bound_rows
from ..jobs import Computation
from ..measures import certificate
from .house_networks import MODELS, networks_of, rate_of, remedy_of
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FITS
from .sentences import count_of, display, percent, seeds_of, sentence
from .statistics import LEVEL, above, clopper_pearson, corrected, over_seeds_and_examples, share
from .study import Cells, Claim, Scale, Study, Tables

DELTA = 0.05
"""Each guarantee by itself fails with at most this probability."""

PART = 0.2
"""This share of the examples gets random labels, and as large a share is held out, so that both are equally many."""

GUESSING = 0.5
"""The error of guessing one of two classes."""

KINDS = {
    "held_out": "held-out examples",
    "known_wrong": "labels known to be wrong",
    "rigorous": "random labels (rigorous)",
    "published": "random labels (as published)",
}
"""What guarantees an error, by its name in a record and for people; the first is by labels that are held out, the
others are by labels that are drawn at random."""

BY_RANDOM_LABELS = ("known_wrong", "rigorous", "published")

EARLY, LATE = "stopped early", "trained to the end"

# Each scale has the examples, and the optimizer steps of the two trainings: a few passes, and as many as fitting takes.
SIZES: dict[Scale, dict[str, Any]] = {
    "demo": {"n": 2_000, "steps": {EARLY: 100, LATE: 6_000}},
    "cpu": {"n": 10_000, "steps": {EARLY: 600, LATE: 40_000}},
    "paper": {"n": 50_000, "steps": {EARLY: 3_000, LATE: 150_000}},
}
DIGITS: dict[str, Any] = {"n": 1_437, "steps": {EARLY: 100, LATE: 6_000}}
BATCH = 32


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A computation for each network, seed and length of training."""
    sizes = DIGITS if data == "digits" else SIZES[scale]
    models = MODELS["demo"] if data == "digits" else MODELS[scale]
    return [
        Computation(
            "certificate",
            f"what is guaranteed of {model}, {stage}",
            {
                "data": data,
                "model": model,
                "n": sizes["n"],
                "part": PART,
                "stage": stage,
                "steps": steps,
                "batch": BATCH,
                "rate": rate_of(model, data),
                "delta": DELTA,
                "seed": seed,
            },
            certify,
        )
        for seed, model, (stage, steps) in product(range(seeds), models, sizes["steps"].items())
    ]


def certify(
    data: Any, model: str, n: int, part: float, stage: str, steps: int, batch: int, rate: float, delta: float, seed: int
) -> list[dict[str, Any]]:
    """Trains a network with random labels among the true ones, and says what is guaranteed about it.

    Args:
        data: a `Data`.
        model: the name of a network of the house.
        n: the examples of the training set that are used; fewer where there are fewer.
        part: the share of them that gets random labels, and the share that is held out.
        stage: `EARLY` or `LATE`, for the record.
        steps: optimizer steps of the training, fewer once every label is fitted.
        batch: examples in each step.
        rate: the learning rate.
        delta: the probability with which each guarantee may fail.
        seed: seed of the subset, the split, the random labels and the weights.

    Returns:
        A single record. By each name of `KINDS` it has the `bound` (None where it is infinite) and the number of
        `points` it rests on, or None where there are no such labels. Beside these are `labelled`, the number of
        examples that kept their labels, the training errors `clean_error` and `random_error`, `test_error` with the
        number of held-out examples that are `missed`, `fitted`, how many of the `wrong` labels are predicted as
        labelled, `taken`, the steps taken, `finished`, and `assumption_holds`, see `certificate.Assumption`.
    """
    examples = at_most(data, n, 1, seed).train
    classes = (examples.labels >= examples.classes / 2).astype(np.int64)
    asked = certificate.request(classes, k=2, relabelled=part, held=part, seed=seed)
    # `relabelled` is a share of all labelled examples, held-out ones included, so that both parts are equally large.
    images = examples.as_images()
    trained = networks_of(model, examples, data.name, 2, steps=steps, batch=batch, rate=rate).fit(
        images[asked.rows], asked.labels, asked.fit_seed
    )
    predicted, held = trained(images[asked.rows]), trained(images[asked.held])
    found = certificate.estimate(asked, predicted, held, delta=delta, finished=trained.finished)
    wrong = np.zeros(len(asked.relabelled), dtype=bool) if asked.wrong is None else asked.wrong
    fitted = (predicted == asked.labels)[len(asked.kept) :]
    return [
        {kind: _kept(getattr(found, kind)) for kind in KINDS}
        | {
            "labelled": found.n,
            "clean_error": found.clean_error,
            "random_error": found.random_error,
            "test_error": found.test_error,
            "missed": int((held != asked.truth[len(asked.kept) :]).sum()),
            "fitted": int(fitted[wrong].sum()),
            "wrong": int(wrong.sum()),
            "taken": trained.rows[-1].step,
            "finished": found.finished,
            "assumption_holds": None if found.assumption is None else bool(found.assumption.holds),
        }
    ]


def _kept(one: certificate.Certificate | None) -> dict[str, Any] | None:
    return None if one is None else {"bound": one.bound if isfinite(one.bound) else None, "points": one.points}


def _bound(record: Mapping[str, Any], kind: str) -> float:
    """The guaranteed error, infinite where there is no guarantee."""
    one = record[kind]
    return float("inf") if one is None or one["bound"] is None else float(one["bound"])


def _groups(tables: Tables, stage: str) -> dict[str, list[dict[str, Any]]]:
    """The records of each network after one length of training, one for each seed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in tables.records:
        if record["stage"] == stage:
            groups.setdefault(record["model"], []).append(record)
    return groups


def _worst(records: Sequence[Mapping[str, Any]], kind: str) -> str:
    """A bound in words, the largest over seeds; one of 100 % or more guarantees nothing."""
    bound = max(_bound(record, kind) for record in records)
    return percent(bound) if bound < 1 else "100 % or more"


def table(tables: Tables) -> list[Cells]:
    """A line for each training: its errors, and the error that each kind of evidence guarantees."""
    return [
        {
            "network": display(record["model"]),
            "training": record["stage"],
            "seed": record["seed"],
            "steps": record["taken"],
            "errors on kept labels": percent(record["clean_error"]),
            "errors on random labels": percent(record["random_error"]),
            "held-out error": percent(record["test_error"]),
        }
        | {f"guaranteed by {name}": _worst([record], kind) for kind, name in KINDS.items()}
        for record in tables.records
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """The guaranteed error by each kind of evidence, for each network and length of training."""
    lines = [
        {
            "training": f"{display(record['model'])}, {record['stage']}",
            "kind": name,
            "bound": _bound(record, kind),
            "error": record["test_error"],
            "seed": record["seed"],
        }
        for record in tables.records
        for kind, name in KINDS.items()
    ]
    if not lines:
        return {}
    return {
        "guaranteed errors": bound_rows(
            lines,
            guessing=GUESSING,
            title="The error that is guaranteed, by what guarantees it",
            subtitle=f"{_where(tables)}; each holds with probability {percent(1 - DELTA)}; ticks: "
            "the error on held-out examples; what guarantees nothing stands at 100 %",
        )
    }


def _where(tables: Tables) -> str:
    first = tables.records[0]
    m = first["held_out"]["points"]
    return (
        f"{display(first['data'])} in two classes, {first['labelled']:,} true labels, {m:,} random ones, "
        f"{m:,} held out, "
        f"{seeds_of(tables.records)}"
    )


def verdict(tables: Tables) -> list[str]:
    """What is guaranteed about each network after it has fitted its random labels, and before."""
    if not tables.records:
        return ["No network has been trained yet."]
    sentences = []
    for stage in (LATE, EARLY):
        for model, records in _groups(tables, stage).items():
            random = percent(max(record["random_error"] for record in records))
            by_random = ", ".join(f"by {KINDS[kind]} {_worst(records, kind)}" for kind in BY_RANDOM_LABELS)
            sentences.append(
                sentence(
                    f"{display(model)}, {stage}, is guaranteed by held-out examples an error of at most",
                    _worst(records, "held_out"),
                    f"it misses {random} of its random labels and {_errors(records)} of the held-out ones",
                    compared=by_random,
                    caveat=f"the largest over seeds, each with probability {percent(1 - DELTA)}; {_where(tables)}",
                )
            )
    failed = sum(record["assumption_holds"] is False for record in tables.records)
    sentences.append(
        "What the guarantees by random labels assume is that wrong labels are fitted no worse than fresh "
        "ones would be; "
        f"that held in {len(tables.records) - failed} of {count_of(len(tables.records), 'training')}."
    )
    return sentences


def _errors(records: Sequence[Mapping[str, Any]]) -> str:
    return percent(max(record["test_error"] for record in records))


def _fitted(records: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """The outcome `cannot tell` where a network has not fitted its random labels, or None."""
    for record in records:
        if record["random_error"] > 1 - FITS or record["clean_error"] > 1 - FITS:
            ended = "" if record["finished"] else ", while its loss was still falling"
            return cannot_tell(
                f"{display(record['model'])} missed {percent(record['random_error'])} of its random labels after "
                f"{record['taken']:,} steps{ended} (seed {record['seed']})",
                remedy_of(record["data"]),
            )
    return None


def _vacuous(tables: Tables) -> Outcome:
    """Whether memorizing networks have a guarantee by held-out examples alone."""
    groups = _groups(tables, LATE)
    return all_of(_vacuous_of(records, len(groups)) for records in groups.values())


def _vacuous_of(records: Sequence[Mapping[str, Any]], networks: int) -> Outcome:
    first = records[0]
    by_random = ", ".join(f"{_worst(records, kind)} by {KINDS[kind]}" for kind in BY_RANDOM_LABELS)
    numbers = (
        f"{display(first['model'])} is guaranteed an error of at most {_worst(records, 'held_out')} by held-out "
        f"examples, {by_random} (n = {first['labelled']:,} true labels, {first['held_out']['points']:,} random and as "
        f"many held out, {seeds_of(records)})"
    )
    if unready := _fitted(records):
        return replace(unready, numbers=numbers)
    if any(_bound(record, kind) < GUESSING for record in records for kind in BY_RANDOM_LABELS):
        return Outcome("contradicted", numbers)
    # Of several seeds and networks one alone may be wrong about its held-out examples.
    level = corrected(networks * len(records))
    if any(clopper_pearson(r["missed"], r["held_out"]["points"], level)[0] > GUESSING for r in records):
        return Outcome("contradicted", numbers)
    if all(_bound(record, "held_out") < GUESSING for record in records):
        return Outcome("confirmed", numbers)
    return Outcome("not shown", numbers)


def _tighter(tables: Tables) -> Outcome:
    """Whether held-out examples guarantee a smaller error than as many random labels, however long the training was."""
    groups = [records for stage in (EARLY, LATE) for records in _groups(tables, stage).values()]
    if len(groups) < 2 * len({record["model"] for record in tables.records}):
        return NO_RUNS
    return all_of(_tighter_of(records, len(groups)) for records in groups)


def _tighter_of(records: Sequence[Mapping[str, Any]], groups: int) -> Outcome:
    first = records[0]
    gains, variances = [], []
    for record in records:
        # Of all bounds by random labels the one by labels known to be wrong is meant, which needs the fewest steps.
        if record["known_wrong"] is None:
            return cannot_tell(f"no random label of {display(record['model'])} is wrong", "data")
        gains.append(_bound(record, "known_wrong") - _bound(record, "held_out"))
        m, wrong = record["held_out"]["points"], record["wrong"]
        held, fitted = share(record["missed"] / m, m).error, share(record["fitted"] / wrong, wrong).error
        variances.append(held**2 + fitted**2)
    found = over_seeds_and_examples(gains, variances, first["held_out"]["points"])
    numbers = (
        f"{display(first['model'])}, {first['stage']}: the bound by labels known to be wrong lies "
        f"{100 * found.value:+.1f} points from that by held-out examples (SE {100 * found.error:.1f}, "
        f"{first['held_out']['points']:,} held out, {first['wrong']:,} wrong, {seeds_of(records)})"
    )
    if above(found, 0, corrected(groups)) == "contradicted":
        return Outcome("contradicted", numbers)
    return Outcome("confirmed" if above(found, 0) == "confirmed" else "not shown", numbers)


STUDY = Study(
    question="Can we give a guarantee for a network that can memorize?",
    source="Zhang et al. (2017), section 2.2; Garg et al. (2021), theorems 1 and 2; Clopper and Pearson (1934)",
    chapter="The closing questions",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Of a network that has memorized random labels, held-out examples guarantee an error better than guessing, "
            "and random labels guarantee none.",
            f"Confirmed if, of every network that fits at least {percent(FITS)} of its random labels, "
            f"held-out examples "
            f"guarantee an error below the {percent(GUESSING)} of guessing, each with probability "
            f"{percent(1 - DELTA)}, "
            "and no bound by random labels does. Contradicted if one of the latter does, or if a network errs on more "
            f"than {percent(GUESSING)} of the held-out examples, beyond their error. A network that has not fitted its "
            "random labels cannot tell.",
            _vacuous,
        ),
        Claim(
            "Held-out examples guarantee a smaller error than as many examples with random labels, of networks that "
            "have memorized and of networks that have not.",
            "Confirmed if of every network, stopped early and trained to the end, the bound by held-out examples lies "
            "below that by labels known to be wrong, beyond the error of both over examples and seeds at "
            f"{percent(LEVEL)}. Contradicted if it lies above beyond its error, where all comparisons share the level.",
            _tighter,
        ),
    ),
)
