"""Tables for the claim of overparameterization."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.paper import IMAGENET_TRAINING_SIZE
from shatterlab.studies import Tables
from shatterlab.studies.overparameterization import MANY, STATED, TRAINED_ON

COUNTS = {
    "LeNet-5": 60_000, "AlexNet": 61_100_840, "VGG-16": 138_357_544, "GoogLeNet V1": 6_624_904,
    "Inception V3": 23_834_568, "ResNet-50": 25_557_032, "DenseNet-190 (k = 40)": 41_209_386,
    "DenseNet-BC-190 (k = 40)": 25_624_430,
}  # fmt: skip
IMAGES = {name: TRAINED_ON.get(name, ("", IMAGENET_TRAINING_SIZE))[1] for name in STATED}


def counted(without: tuple[str, ...] = (), **changes: int) -> Tables:
    """The table of all networks, some of which an earlier version could not build, or with other counts."""
    records: list[dict[str, Any]] = [
        {"network": name, "parameters": None if name in without else number}
        for name, number in (COUNTS | changes).items()
    ]
    return tables_of(records=records)


def of_ratios(ratios: dict[str, float]) -> Tables:
    return counted(**{name: int(ratio * IMAGES[name]) for name, ratio in ratios.items()})


def _null(rng: np.random.Generator) -> Tables:
    """One network has fewer parameters than images, or at most half have many more; the others are as they may be."""
    names = list(STATED)
    ratios = dict(zip(names, np.exp(rng.uniform(np.log(MANY), np.log(1_000), len(names))), strict=True))
    if rng.random() < 0.5:
        ratios[names[rng.integers(len(names))]] = rng.uniform(0.5, 0.999)
    else:
        for name in rng.permutation(names)[: rng.integers(len(names) // 2, len(names) + 1)]:
            ratios[str(name)] = rng.uniform(1, MANY - 0.001)
    return of_ratios(ratios)


CASES = [
    Cases(
        confirmed={
            "as counted": counted(),
            "as counted, after a count without a library": tables_of(
                records=counted(without=("AlexNet",)).records + counted().records
            ),
            "the least number of parameters that the rule allows": of_ratios(
                {name: MANY + 0.001 if i > 2 else 1.0 for i, name in enumerate(STATED)}
            ),
        },
        contradicted={
            "one network has fewer parameters than images": counted(**{"VGG-16": 1_281_166}),
            "only half have many more": of_ratios(
                {name: 12.0 if i % 2 else MANY - 0.001 for i, name in enumerate(STATED)}
            ),
        },
        cannot_tell={
            "an earlier version lacked torchvision": counted(
                without=("AlexNet", "VGG-16", "GoogLeNet V1", "Inception V3", "ResNet-50")
            ),
            "one network is missing and a small one is there": counted(without=("AlexNet",), **{"VGG-16": 10}),
            "a network was never counted": tables_of(records=[{"network": "LeNet-5", "parameters": 60_000}]),
        },
        null=_null,
    )
]
