"""Tables for the claims of regularizers."""

from typing import Any

import numpy as np
from verdicts.made import Cases, alike, falling_losses, run, standing_losses, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.regularizers import KEPT

STRENGTHS: dict[str, list[dict[str, Any]]] = {
    "weight decay": [{"weight_decay": strength} for strength in (5e-5, 5e-4)],
    "dropout": [{"dropout": strength} for strength in (0.25, 0.5)],
    "augmentation": [{"flip": 0.5}, {"flip": 0.5, "rotation": 15.0}],
}
NONE: dict[str, Any] = {}


def true(dials: dict[str, Any], validation: float = 0.5, **changes: Any) -> dict[str, Any]:
    """A run on true labels with what it has on the validation split."""
    return run(**{"model": "mlp-1x512", **dials, "seen": [{"validation_accuracy": validation}], **changes})


def swept(
    bare: float = 0.5, helped: float = 0.52, weak: float = 0.9, loss: float = 0.002, seed: int = 0, **changes: Any
) -> list[dict[str, Any]]:
    """A network without regularizers, and with two strengths of each, of which the validation split prefers the first.

    Args:
        bare, helped: the test accuracy without and with the preferred strengths.
        weak: that of the others, which do not count.
        loss: the training loss of the preferred strengths; without regularizers it is 0.001.
    """
    runs = [true(NONE, seed=seed, **{"test_accuracy": bare, **changes})]
    for first, second in STRENGTHS.values():
        runs.append(true(first, 0.6, seed=seed, **{"test_accuracy": helped, "train_loss": loss, **changes}))
        runs.append(true(second, 0.4, seed=seed, **{"test_accuracy": weak, "train_loss": 1e-6, **changes}))
    return runs


def seeds(count: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """Seeds that differ a little in test accuracy and training loss."""
    shown = {"bare": 0.5, "helped": 0.52, "loss": 0.002} | changes
    return [
        line
        for seed in range(count)
        for line in swept(
            **shown
            | {
                "bare": shown["bare"] + 0.001 * seed,
                "helped": shown["helped"] + 0.002 * seed,
                "loss": shown["loss"] * (1 + 0.01 * seed),
                "seed": seed,
            }
        )
    ]


def _null_little(rng: np.random.Generator) -> Tables:
    """A network that keeps just the share that counts, or does not generalize; test examples are kept."""
    helped = 0.7 if rng.integers(2) else 0.2
    bare = 0.1 + KEPT * (helped - 0.1)
    count = int(rng.integers(1, 4))
    runs = [true(NONE, seed=seed, right=right) for seed, right in enumerate(alike(rng, bare, count))]
    for first, _ in STRENGTHS.values():
        runs += [true(first, seed=seed, right=right) for seed, right in enumerate(alike(rng, helped, count))]
    return tables_of(runs)


def _null_costs(rng: np.random.Generator) -> Tables:
    """Training losses that differ by the luck of seeds alone, for one regularizer at least."""
    spread = rng.uniform(0.05, 0.5)
    lines = []
    for seed in range(int(rng.integers(1, 5))):
        lines += swept(loss=0.01, seed=seed)
        lines[-7]["train_loss"] = 0.001 * np.exp(spread * rng.standard_normal())
        for place in (-6, -4, -2)[: int(rng.integers(1, 4))]:
            lines[place]["train_loss"] = 0.001 * np.exp(spread * rng.standard_normal())
    return tables_of(lines)


def noise(train: float = 1.0, seed: int = 0, bare: float | None = 1.0, **changes: Any) -> list[dict[str, Any]]:
    """A network with dropout on random labels, and without it."""
    random = {
        "model": "mlp-1x512",
        "corruption": "random-labels",
        "wrong_labels": 0.9,
        "test_accuracy": 0.1,
        "seed": seed,
    }
    runs = [run(**{**random, "dropout": 0.5, "train_accuracy": train, "losses": standing_losses(0.5), **changes})]
    return runs + ([] if bare is None else [run(**{**random, "train_accuracy": bare})])


def _null_dropout(rng: np.random.Generator) -> Tables:
    """Networks that stop short of fitting, or whose labels tell something."""
    if rng.integers(2):
        return tables_of(noise(train=float(rng.uniform(0.1, 0.985))))
    return tables_of(noise(wrong_labels=float(rng.uniform(0.1, 0.8))))


CASES = [
    Cases(
        confirmed={"three seeds, two points each": tables_of(seeds())},
        contradicted={"augmentation makes the difference": tables_of(seeds(bare=0.4, helped=0.8))},
        not_shown={"just the share that counts": tables_of(seeds(bare=0.4, helped=0.5))},
        cannot_tell={
            "not fitted without regularizers": tables_of(seeds(train_accuracy=0.9)),
            "no network without them": tables_of([line for line in seeds() if line["regularizers"] != "none"]),
            "no generalization": tables_of(seeds(bare=0.12, helped=0.12)),
            "diverged": tables_of(seeds(train_loss=float("nan"))),
        },
        null=_null_little,
    ),
    Cases(
        confirmed={"twice the loss": tables_of(seeds())},
        contradicted={"half the loss": tables_of(seeds(loss=0.0005))},
        not_shown={"the same loss": tables_of(swept(loss=0.0011) + swept(loss=0.0009, seed=1))},
        cannot_tell={
            "one seed": tables_of(swept()),
            "other epochs": tables_of([line | {"epochs": 60 + i} for i, line in enumerate(seeds())]),
            "no pair": tables_of([line for line in seeds() if line["regularizers"] != "none"]),
        },
        null=_null_costs,
    ),
    Cases(
        confirmed={"two seeds": tables_of(noise() + noise(seed=1))},
        contradicted={"its loss stands": tables_of(noise(train=0.5))},
        cannot_tell={
            "its loss is still falling": tables_of(noise(train=0.5, losses=falling_losses())),
            "nor does it fit without dropout": tables_of(noise(train=0.5, bare=0.6)),
            "not trained without dropout": tables_of(noise(train=0.5, bare=None)),
            "labels that tell something": tables_of(noise(wrong_labels=0.5)),
        },
        null=_null_dropout,
    ),
]
