"""The lecture's list: successful networks have many more parameters than training examples."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..figures.dots import parameter_dots
from ..jobs import Computation
from ..paper import DENSENET_BC_PARAMETERS, IMAGENET_TRAINING_SIZE, ZOO
from ..spec import PAPER_TRAINING_SIZE
from .outcome import NO_RUNS, Outcome, cannot_tell, decided
from .sentences import sentence
from .study import Cells, Claim, Scale, Study, Tables

STATED: dict[str, tuple[float, str]] = {
    **{entry.name: (entry.lecture, "lecture") for entry in ZOO},
    "DenseNet-BC-190 (k = 40)": (DENSENET_BC_PARAMETERS, "its own paper"),
}
"""The stated number of parameters of each network, and the source of the statement."""

CLOSE = 0.1
"""A count agrees with a figure that the lecture rounds if it lies within this share of it."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """One count of all networks."""
    return [Computation("overparameterization", "parameters of well-known networks", {}, count_all)]


def count_all() -> list[dict[str, Any]]:
    """The number of parameters of each network."""
    from ..models.zoo import count

    return [{"network": name, "parameters": count(name)} for name in STATED]


def built(tables: Tables) -> dict[str, int]:
    """The parameters of the networks; counts of earlier versions lack those that these could not build."""
    return {r["network"]: r["parameters"] for r in tables.records if r["parameters"] is not None}


def table(tables: Tables) -> list[Cells]:
    """A line for each network: counted and stated parameters, and parameters for each training image."""
    return [
        {
            "network": network,
            "parameters": f"{parameters:,}",
            "stated": f"{_short(stated)} ({by})",
            "per CIFAR-10 image": _ratio(parameters, PAPER_TRAINING_SIZE),
            "per ImageNet image": _ratio(parameters, IMAGENET_TRAINING_SIZE),
        }
        for network, parameters in built(tables).items()
        for stated, by in (STATED[network],)
    ]


def _ratio(parameters: int, images: int) -> str:
    ratio = parameters / images
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2g}"


def _short(number: float) -> str:
    return f"{number / 1e6:g} million" if number >= 1e6 else f"{number / 1e3:g} thousand"


def draw(tables: Tables) -> Mapping[str, Any]:
    """The counts as dots, with the stated figures as ticks."""
    lines: list[dict[str, Any]] = [
        {"network": name, "parameters": float(count), "counted by": "here"} for name, count in built(tables).items()
    ]
    lines += [{"network": name, "parameters": stated, "counted by": by} for name, (stated, by) in STATED.items()]
    return {
        "parameters": parameter_dots(
            pl.DataFrame(lines),
            sets={"CIFAR-10": PAPER_TRAINING_SIZE, "ImageNet": IMAGENET_TRAINING_SIZE},
            title="Parameters of well-known networks",
            subtitle="dots: counted here, unallocated; ticks: as stated; dashed: images in a training set",
        )
    }


MANY = 10
"""A network has many more parameters than images if it has at least this many for each (an assumption: the lecture says
no number)."""

TRAINED_ON = {"LeNet-5": ("MNIST", 60_000)} | {
    name: ("CIFAR-10", PAPER_TRAINING_SIZE) for name in STATED if name.startswith("DenseNet")
}
"""The networks whose own paper does not train on ImageNet, each with its training set."""


def parameters_per_image(counts: Mapping[str, int]) -> dict[str, float]:
    """The parameters of each network for each image of the training set of its own paper, the fewest first."""
    ratios = {name: count / _trained_on(name)[1] for name, count in counts.items()}
    return dict(sorted(ratios.items(), key=lambda entry: entry[1]))


def _trained_on(network: str) -> tuple[str, int]:
    return TRAINED_ON.get(network, ("ImageNet", IMAGENET_TRAINING_SIZE))


def _in_words(counts: Mapping[str, int]) -> tuple[str, str, str]:
    """How many networks there are, how many of them have many parameters for each image, and which has the fewest."""
    ratios = parameters_per_image(counts)
    least, ratio = next(iter(ratios.items()))
    many = sum(ratio >= MANY for ratio in ratios.values())
    return (
        f"of {len(ratios)} networks counted",
        f"{many} have {MANY} or more parameters for each image of their own training set",
        f"the fewest for each image has {least}, {ratio:.2f} on {_trained_on(least)[0]}",
    )


def verdict(tables: Tables) -> list[str]:
    """How many have more parameters than images, and which counts disagree with the stated ones."""
    counts = built(tables)
    sentences = []
    if counts:
        networks, many, fewest = _in_words(counts)
        more = (
            f"{sum(parameters > images for parameters in counts.values())} have more parameters than {name} has images"
            for name, images in (("CIFAR-10", PAPER_TRAINING_SIZE), ("ImageNet", IMAGENET_TRAINING_SIZE))
        )
        sentences.append(sentence(f"{networks[0].upper()}{networks[1:]},", many, fewest, *more))
    apart = [
        f"{network} has {counts[network]:,}, stated as {_short(stated)}"
        for network, (stated, _) in STATED.items()
        if network in counts and abs(counts[network] / stated - 1) > CLOSE
    ]
    if apart:
        sentences.append(f"More than {100 * CLOSE:g} % off the stated figure: {'; '.join(apart)}.")
    return sentences or ["No network has been counted yet."]


def _as_many_as_images(tables: Tables) -> Outcome:
    if not tables.records:
        return NO_RUNS
    counts = built(tables)
    if absent := [name for name in STATED if name not in counts]:
        return cannot_tell(f"not counted: {', '.join(absent)}", "finish")
    ratios = list(parameters_per_image(counts).values())
    most_are_many = 2 * sum(ratio >= MANY for ratio in ratios) > len(ratios)
    networks, many, fewest = _in_words(counts)
    return decided(ratios[0] >= 1 and most_are_many, f"{networks}, {many}; {fewest}")


STUDY = Study(
    question="How many parameters do successful networks have for each training example?",
    source="the lecture's list of overparameterized networks; Zhang et al. (2017), section 1",
    chapter="Overparameterization",
    draw=draw,
    verdict=verdict,
    table=table,
    jobs=jobs,
    claims=(
        Claim(
            "Successful networks have as many parameters as training examples or more, most of them many more.",
            "Confirmed if every network of the list is counted here and has at least as many parameters as its own "
            f"paper's training set has images, and more than half of them at least {MANY} times as many. Contradicted "
            "if all are counted and one has fewer, or at most half have that many. A count has no sampling error.",
            _as_many_as_images,
        ),
    ),
    assumptions=("DenseNet-190",),
)
