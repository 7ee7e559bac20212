"""How near is another class to an image: nearer for a network that has memorized noise than for one that has learnt?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np

from ..corruption import corrupt
from ..data import at_most
from ..figures.lines import lines
from ..jobs import Computation
from ..measures.critical_samples import gradient_search
from ..measures.fitting import seed_of
from .house_networks import MODELS, networks_of, rate_of, remedy_of
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FITS
from .sentences import count_of, display, percent, seeds_of, sentence
from .statistics import LEVEL, Estimate, corrected, unpaired_difference
from .study import Cells, Claim, Scale, Study, Tables

CONDITIONS = ("true-labels", "random-labels", "gaussian-pixels")
"""Networks are trained under these conditions, and all of them are asked about the same images."""

RADII = (0.001, 0.003, 0.01, 0.03, 0.1)
"""Another class is looked for within these distances in each pixel, as shares of the range of a pixel. They span a
factor of a hundred, as it is not known beforehand where networks differ: on the digits the ratio rises around a few
hundredths, on CIFAR-10 around a few thousandths (an assumption)."""

PIXEL = 255.0
"""The range of a pixel that is a byte; pixels that are floats have the range of the images."""

# Each scale has the training examples, the images that are searched, the trainings, and the most steps of each.
SIZES: dict[Scale, dict[str, int]] = {
    "demo": {"n": 500, "points": 200, "trainings": 3, "steps": 4_000},
    "cpu": {"n": 5_000, "points": 500, "trainings": 3, "steps": 20_000},
    "paper": {"n": 50_000, "points": 2_000, "trainings": 3, "steps": 200_000},
}
BATCH = 32


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A computation for each network, condition and seed."""
    small = data == "digits"
    sizes, models = (SIZES["demo"], MODELS["demo"]) if small else (SIZES[scale], MODELS[scale])
    return [
        Computation(
            "critical-samples",
            f"critical samples of {model} after {condition}",
            {
                "data": data,
                "model": model,
                "condition": condition,
                **sizes,
                "radii": list(RADII),
                "batch": BATCH,
                "rate": rate_of(model, data),
                "seed": seed,
            },
            search,
        )
        for seed, model, condition in product(range(seeds), models, CONDITIONS)
    ]


def search(
    data: Any,
    model: str,
    condition: str,
    n: int,
    points: int,
    trainings: int,
    steps: int,
    radii: Sequence[float],
    batch: int,
    rate: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Trains networks under one condition, and looks for another class around test images as they are in the data.

    Args:
        data: a `Data`.
        model: the name of a network of the house.
        condition: a key of `CORRUPTIONS`, under which the networks are trained.
        n: training examples; fewer where there are fewer.
        points: test images that are searched, the same under every condition; fewer where there are fewer.
        trainings: how many networks are trained, each with random labels or pixels, weights and order of its own.
        steps: the most optimizer steps of a training.
        radii: distances in each pixel, as shares of its range.
        batch: examples in each step.
        rate: the learning rate.
        seed: seed of everything that is drawn.

    Returns:
        A record for each training: its number `training`, `trained` and `searched`, the numbers of examples,
        `train_accuracy`, `finished`, `taken`, the steps taken, and `shares`, the critical sample ratio at each radius.
    """
    subset = at_most(data, n, points, seed)
    images = subset.test.as_images().astype(np.float32)
    low, high = (0.0, PIXEL) if subset.test.inputs.dtype.kind == "u" else (float(images.min()), float(images.max()))
    networks = networks_of(model, subset.train, data.name, subset.train.classes, steps=steps, batch=batch, rate=rate)
    records = []
    for training in range(trainings):
        drawn = seed_of(seed, "training of critical samples", training)
        train = corrupt(subset, condition, seed=drawn).train
        trained = networks.fit(train.as_images(), train.labels, drawn)
        found = gradient_search(
            trained.on_inputs(), images, [radius * (high - low) for radius in radii], low=low, high=high, seed=seed
        )
        records.append(
            {
                "training": training,
                "trained": len(train),
                "searched": len(images),
                "train_accuracy": float((trained(train.as_images()) == train.labels).mean()),
                "finished": trained.finished,
                "taken": trained.rows[-1].step,
                "shares": [one.share for one in found],
            }
        )
    return records


def _groups(tables: Tables) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The records by network and condition, one for each training and seed."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for record in tables.records:
        groups.setdefault(record["model"], {}).setdefault(record["condition"], []).append(record)
    return groups


def _words(condition: str) -> str:
    return condition.replace("-", " ").replace("gaussian", "Gaussian")


def table(tables: Tables) -> list[Cells]:
    """A line for each network and condition, with the mean ratio at each radius."""
    radii = tables.records[0]["radii"] if tables.records else []
    return [
        {
            "network": display(model),
            "trained on": _words(condition),
            "trainings": len(records),
            "train accuracy": percent(min(record["train_accuracy"] for record in records)),
            "n": records[0]["trained"],
            "images searched": records[0]["searched"],
        }
        | {
            f"within {percent(radius)} of the range": percent(_ratio(records, place))
            for place, radius in enumerate(radii)
        }
        for model, conditions in _groups(tables).items()
        for condition, records in conditions.items()
    ]


def _ratio(records: Sequence[Mapping[str, Any]], place: int) -> float:
    """The mean critical sample ratio over trainings at one of the radii."""
    return fmean(record["shares"][place] for record in records)


def draw(tables: Tables) -> Mapping[str, Any]:
    """The critical sample ratio against the radius, for each network and condition."""
    groups = _groups(tables)
    places = [
        {"radius": radius, "ratio": share, "trained on": name}
        for model, conditions in groups.items()
        for condition, records in conditions.items()
        for name in [f"{display(model)}, {_words(condition)}" if len(groups) > 1 else _words(condition)]
        for record in records
        for radius, share in zip(record["radii"], record["shares"], strict=True)
    ]
    if not places:
        return {}
    return {
        "critical sample ratio": lines(
            places, "radius", "ratio", "trained on", log_x=True, x_format="%", y_format="%",
            title="Share of images with another class nearby",
            subtitle=f"gradient search, a lower bound; {_where(tables)}; a dot for each training, mean and SD",
            x_title="distance in each pixel, as a share of its range", y_title="critical sample ratio",
        )
    }  # fmt: skip


def _where(tables: Tables) -> str:
    first = tables.records[0]
    return (
        f"{display(first['data'])}, n = {first['trained']:,}, {first['searched']:,} test images, "
        f"{count_of(first['trainings'], 'training')} a condition and seed, {seeds_of(tables.records)}"
    )


def _differences(
    labelled: Sequence[Mapping[str, Any]], noisy: Sequence[Mapping[str, Any]]
) -> list[tuple[float, Estimate]]:
    """At each radius, the ratio after random labels less that after true ones, over trainings, seeds and images."""

    def ordered(records: Sequence[Mapping[str, Any]]) -> dict[tuple[int, int], Mapping[str, Any]]:
        return {(record["seed"], record["training"]): record for record in records}

    first, second = ordered(labelled), ordered(noisy)
    both = sorted(first.keys() & second.keys())
    images = min(record["searched"] for record in (*labelled, *noisy))
    return [
        (
            radius,
            unpaired_difference(
                [second[key]["shares"][place] for key in both], [first[key]["shares"][place] for key in both], images
            ),
        )
        for place, radius in enumerate(labelled[0]["radii"] if both else [])
    ]


def _widest(differences: Sequence[tuple[float, Estimate]]) -> int:
    """The place of the radius at which the two conditions are farthest apart, in standard errors."""
    return max(
        range(len(differences)), key=lambda place: abs(differences[place][1].value) / differences[place][1].error
    )


def verdict(tables: Tables) -> list[str]:
    """The critical sample ratio after each condition, at the radius at which true and random labels differ most."""
    if not tables.records:
        return ["No network has been trained yet."]
    sentences = []
    for model, conditions in _groups(tables).items():
        differences = _differences(conditions.get(CONDITIONS[0], []), conditions.get(CONDITIONS[1], [])) if all(
            condition in conditions for condition in CONDITIONS[:2]
        ) else []  # fmt: skip
        place = _widest(differences) if differences else len(tables.records[0]["radii"]) // 2
        radius = tables.records[0]["radii"][place]
        shares = {condition: _ratio(records, place) for condition, records in conditions.items()}
        first, *others = [c for c in ("random-labels", "true-labels", "gaussian-pixels") if c in shares]
        sentences.append(
            sentence(
                f"After training on {_words(first)} {display(model)} has another class within {percent(radius)} of the "
                "range of each pixel for",
                f"{percent(shares[first])} of the test images",
                compared=", ".join(f"after {_words(c)} {percent(shares[c])}" for c in others),
                caveat=(f"SE of the difference {100 * differences[place][1].error:.1f} points; " if differences else "")
                + f"what the search finds is a lower bound; {_where(tables)}",
            )
        )
    return sentences


def _more_critical(tables: Tables) -> Outcome:
    groups = _groups(tables)
    if not groups:
        return NO_RUNS
    return all_of(_more_critical_of(model, conditions, len(groups)) for model, conditions in groups.items())


def _more_critical_of(model: str, conditions: Mapping[str, list[dict[str, Any]]], networks: int) -> Outcome:
    """Whether one network has more critical samples after random labels at some radius, and fewer at none."""
    if missing := [condition for condition in CONDITIONS[:2] if condition not in conditions]:
        return cannot_tell(f"{display(model)} has not been trained on {_words(missing[0])}", "finish")
    labelled, noisy = (conditions[condition] for condition in CONDITIONS[:2])
    differences = _differences(labelled, noisy)
    if not differences:
        return NO_RUNS
    if differences[0][1].seeds < 2:
        return cannot_tell(f"one training of {display(model)} has no spread", "seeds")
    place = _widest(differences)
    radius, widest = differences[place]
    numbers = (
        f"within {percent(radius)} of the range of a pixel {display(model)} has another class for "
        f"{percent(_ratio(noisy, place))} of the images after random labels and "
        f"{percent(_ratio(labelled, place))} after "
        f"true ones (SE of the difference {100 * widest.error:.1f} points over {count_of(len(noisy), 'training')} and "
        f"{noisy[0]['searched']:,} images, {seeds_of(noisy)}, n = {noisy[0]['trained']:,})"
    )
    if unready := _unfitted(model, [*labelled, *noisy]):
        return replace(unready, numbers=numbers)
    # The radii are looked through for a difference, and the networks for one that contradicts.
    level = corrected(len(differences))
    intervals = [found.interval(level) for _, found in differences]
    strict = [found.interval(corrected(len(differences) * networks)) for _, found in differences]
    higher, lower = any(low > 0 for low, _ in intervals), any(high < 0 for _, high in intervals)
    if any(high < 0 for _, high in strict) and not higher:
        return Outcome("contradicted", numbers)
    return Outcome("confirmed" if higher and not lower else "not shown", numbers)


def _unfitted(model: str, records: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """The outcome `cannot tell` where a network has not fitted its training set, or None."""
    worst = min(records, key=lambda record: record["train_accuracy"])
    if worst["train_accuracy"] >= FITS:
        return None
    ended = "" if worst["finished"] else ", while its loss was still falling"
    return cannot_tell(
        f"{display(model)} reached {percent(worst['train_accuracy'])} train accuracy on {_words(worst['condition'])} "
        f"within {worst['taken']:,} steps{ended} (seed {worst['seed']})",
        remedy_of(worst["data"]),
    )


STUDY = Study(
    question="How near is another class?",
    source="Zhang et al. (2017), section 6; Arpit et al. (2017), section 4",
    chapter="The closing questions",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Networks that have fitted random labels have another class nearer to their inputs than networks that have "
            "fitted true labels.",
            "Confirmed if for every network the critical sample ratio on the same test images is higher after random "
            "labels than after true ones at some radius, and lower at none, beyond the error over trainings, seeds and "
            f"images; the {len(RADII)} radii share a level of {percent(LEVEL)}. Contradicted if for one network it is "
            "lower at some radius and higher at none, where the networks share the level as well. All networks have to "
            f"reach {percent(FITS)} train accuracy, in at least two trainings.",
            _more_critical,
        ),
    ),
)
