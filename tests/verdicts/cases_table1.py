"""Tables for the claims of table1."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from verdicts.made import Cases, alike, run, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.rules import LEAD
from shatterlab.studies.table1 import ADDED, KEPT

REGULARIZERS: dict[str, dict[str, Any]] = {
    "bare": {},
    "decay": {"weight_decay": 5e-4},
    "crop": {"random_crop": True},
    "both": {"weight_decay": 5e-4, "random_crop": True},
}
PAPER = {"bare": 0.7607, "decay": 0.7736, "crop": 0.7966, "both": 0.8122}
"""AlexNet's test accuracies in table 1."""
SPREAD = (0.0, 0.004, -0.003)
"""By how much three seeds differ."""


def network(accuracies: Mapping[str, float], seeds: int = 1, model: str = "alexnet", **changes: Any) -> list[dict]:
    """The rows of a network with these test accuracies."""
    return [
        run(model=model, seed=seed, test_accuracy=accuracy + SPREAD[seed], **REGULARIZERS[row] | changes)
        for row, accuracy in accuracies.items()
        for seed in range(seeds)
    ]


def drawn(rng: np.random.Generator, accuracies: Mapping[str, float]) -> Tables:
    """The same drawn at random, on a test set of 1,000, by one or three seeds."""
    seeds = int(rng.choice([1, 3]))
    return tables_of(
        [
            run(model="alexnet", seed=seed, right=right, **REGULARIZERS[row])
            for row, accuracy in accuracies.items()
            for seed, right in enumerate(alike(rng, accuracy, seeds))
        ]
    )


def _edge(share: float) -> Any:
    """Makes tables of networks that keep exactly a share, or that exactly do not generalize."""

    def null(rng: np.random.Generator) -> Tables:
        if rng.random() < 0.3:
            return drawn(rng, {"bare": 0.1 + LEAD * 0.9, "decay": 0.1 + LEAD * 0.9})
        crop = rng.uniform(0.4, 0.9)
        return drawn(rng, {"bare": 0.1 + share * (crop - 0.1), "crop": crop})

    return null


NEITHER_GENERALIZES = {"bare": 0.116, "crop": 0.1235}
CROP_IS_WHY = {"bare": 0.3, "crop": 0.8}

CONFIRMED = {
    "the paper's AlexNet, one seed": tables_of(network(PAPER)),
    "three seeds": tables_of(network(PAPER, 3)),
    "two networks": tables_of(network(PAPER, 3) + network({"bare": 0.505, "decay": 0.504}, 3, "mlp-1x512")),
    "two classes": tables_of(network({"bare": 0.9, "decay": 0.92}, classes=2, majority=0.55)),
    "a weight decay of its own that helps": tables_of(
        network({"bare": 0.6}, 3) + network({"bare": 0.64}, 3, weight_decay=5e-3)
    ),
    "a regularizer that ruins the network": tables_of(network({"bare": 0.5, "decay": 0.12})),
}
CANNOT_TELL = {
    "11.6 % without and 12.35 % with a crop": tables_of(network(NEITHER_GENERALIZES, 3)),
    "the majority class is guessed with and without": tables_of(network({"bare": 0.6, "crop": 0.6}, majority=0.6)),
    "not fitted": tables_of(network(PAPER, train_accuracy=0.64)),
    "one seed of a regularized row not fitted": tables_of(
        [
            *network(PAPER),
            run(model="alexnet", seed=1),
            run(model="alexnet", seed=1, random_crop=True, train_accuracy=0.9),
        ]
    ),
    "a second network without regularized rows": tables_of(network(PAPER) + network({"bare": 0.5}, model="mlp-1x512")),
    "no row without regularizers": tables_of(network({"crop": 0.8})),
    "22 % with and without": tables_of(network({"bare": 0.22, "crop": 0.22}, 3)),
    "a weight decay of 1e-12": tables_of(network({"bare": 0.6}) + network({"bare": 0.6}, weight_decay=1e-12)),
    "at chance with another learning rate": tables_of(
        network({"bare": 0.6}) + network({"decay": 0.12}, learning_rate=1e-5)
    ),
    "50 examples": tables_of(network(PAPER, n=50)),
    "test accuracy is not a number": tables_of(network({"bare": float("nan"), "decay": 0.6})),
    "random labels alone": tables_of([run(corruption="random-labels")]),
}

CASES = [
    Cases(
        confirmed=CONFIRMED,
        contradicted={
            "a crop is why it generalizes": tables_of(network(CROP_IS_WHY)),
            "in one of two networks": tables_of(network(PAPER) + network(CROP_IS_WHY, model="inception")),
        },
        not_shown={
            "one seed too near three quarters": tables_of(network({"bare": 0.1 + 0.76 * 0.6, "crop": 0.7})),
            "generalizes too little without": tables_of(network({"bare": 0.395, "crop": 0.47}, 3)),
        },
        cannot_tell=CANNOT_TELL,
        null=_edge(KEPT),
    ),
    Cases(
        confirmed=CONFIRMED,
        contradicted={"a crop is why it generalizes": tables_of(network(CROP_IS_WHY))},
        not_shown={"adds about half": tables_of(network({"bare": 0.5, "crop": 0.69}))},
        cannot_tell=CANNOT_TELL,
        null=_edge(1 / (1 + ADDED)),
    ),
]
