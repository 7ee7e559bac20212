"""Tables for the claims of random-labels-regularized."""

from typing import Any

import numpy as np
from verdicts.made import Cases, alike, falling_losses, run, standing_losses, tables_of

from shatterlab.studies import Tables

CROP: dict[str, Any] = {"random_crop": True}
TURNED: dict[str, Any] = {"flip": 0.5, "rotation": 25.0}
DECAY: dict[str, Any] = {"weight_decay": 5e-4}
TINY: dict[str, Any] = {"weight_decay": 1e-12}


def random(model: str, train: float = 1.0, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A run on random labels."""
    outcome: dict[str, Any] = {"train_accuracy": train, "wrong_labels": 0.9, "test_accuracy": 0.1}
    return run(model=model, corruption="random-labels", seed=seed, **outcome | changes)


def network(
    model: str, dials: dict[str, Any], train: float = 1.0, gain: float = 0.04, seeds: int = 3, **changes: Any
) -> list[dict[str, Any]]:
    """A network with a regularizer on random labels and what stands beside it.

    Args:
        model: its name.
        dials: the regularizer.
        train: train accuracy on random labels.
        gain: what the regularizer adds to the test accuracy on true labels.
        seeds: the number of seeds.
        changes: columns of the regularized runs on random labels.
    """
    lines = []
    for seed in range(seeds):
        accuracy = 0.5 + 0.004 * seed
        lines += [
            random(model, train, seed, **dials | changes),
            random(model, seed=seed),
            run(model=model, seed=seed, test_accuracy=accuracy),
            run(model=model, seed=seed, test_accuracy=accuracy + gain + 0.002 * (-1) ** seed, **dials),
        ]
    return lines


def _null(rng: np.random.Generator) -> Tables:
    """A regularizer that does nothing to any of four networks, or keeps one run from fitting, or no random labels."""
    if rng.random() < 0.2:
        wrong: list[dict[str, Any]] = [{"wrong_labels": 0.0}, {"test_accuracy": 0.5}, {"n": 50}]
        return tables_of(network("alexnet", DECAY, **wrong[rng.integers(3)]))
    if rng.random() < 0.3:
        lines = network("alexnet", DECAY) + network("mlp-1x512", DECAY)
        lines[int(rng.choice([0, 4, 8]))]["train_accuracy"] = rng.uniform(0.1, 0.9899)
        return tables_of(lines)
    lines = []
    for model in ("inception", "alexnet", "mlp-3x512", "mlp-1x512"):
        rights = alike(rng, 0.5, 6)
        for seed in range(3):
            lines += [
                random(model, seed=seed, **TINY),
                run(model=model, seed=seed, right=rights[seed]),
                run(model=model, seed=seed, right=rights[3 + seed], **TINY),
            ]
    return tables_of(lines)


def _adding(examples: int) -> list[dict[str, Any]]:
    """AlexNet, to which weight decay adds a few of 10,000 test examples."""
    lines = []
    for seed in range(3):
        bare = np.arange(10_000) < 5_000
        helped = np.arange(10_000) < 5_000 + examples + seed
        lines += [
            random("alexnet", seed=seed, **DECAY),
            random("alexnet", seed=seed),
            run(model="alexnet", seed=seed, right=bare),
            run(model="alexnet", seed=seed, right=helped, **DECAY),
        ]
    return lines


FAILED_SEED = network("inception", DECAY)
FAILED_SEED[4] |= {"train_accuracy": 0.9, "losses": falling_losses()}

CASES = [
    Cases(
        confirmed={
            "weight decay in two networks": tables_of(network("alexnet", DECAY) + network("mlp-3x512", DECAY)),
            "weight decay helps one of two networks": tables_of(
                network("alexnet", DECAY, gain=-0.002) + network("mlp-3x512", DECAY)
            ),
            "crop and augmentation, scored online": tables_of(
                network("alexnet", DECAY) + network("inception", CROP) + network("inception", TURNED, train=0.5, online_accuracy=0.995)
            ),
        },
        contradicted={
            "AlexNet fails to converge as in the paper": tables_of(
                network("mlp-3x512", DECAY) + network("alexnet", DECAY, train=0.12, losses=standing_losses())
            ),
        },
        cannot_tell={
            "a mean that hides a failed seed": tables_of(FAILED_SEED),
            "a decay of 1e-12": tables_of(network("alexnet", TINY, gain=0.0)),
            "one seed does not show that it helps": tables_of(network("alexnet", DECAY, seeds=1)),
            "true labels have not been trained": tables_of([random("alexnet", seed=seed, **DECAY) for seed in range(3)]),
            "AlexNet is still learning": tables_of(
                network("mlp-3x512", DECAY) + network("alexnet", DECAY, train=0.6, losses=falling_losses())
            ),
            "no network without a regularizer to hold it against": tables_of(
                [line for line in network("alexnet", DECAY, train=0.5, losses=standing_losses())
                 if line["corruption"] == "true-labels" or line["weight_decay"]]
            ),
            "labels that are not random": tables_of(network("alexnet", DECAY, wrong_labels=0.0)),
            "labels that tell of the test set": tables_of(network("alexnet", DECAY, test_accuracy=0.5)),
            "without AlexNet": tables_of(network("mlp-3x512", DECAY)),
            "train accuracy is not a number": tables_of(
                network("alexnet", DECAY) + network("inception", CROP, train=float("nan"))
            ),
            "AlexNet diverges": tables_of(network("alexnet", DECAY, train=0.12, losses=[float("nan")] * 20)),
            "weight decay adds 0.06 points": tables_of(_adding(5)),
            "true labels are not fitted": tables_of(
                [line | ({"train_accuracy": 0.5} if line["corruption"] == "true-labels" else {})
                 for line in network("alexnet", DECAY)]
            ),
            "one example": tables_of(network("alexnet", DECAY, n=1)),
            "augmentation fitted in clean passes only": tables_of(
                network("inception", TURNED, online_accuracy=0.7, losses=falling_losses())
            ),
        },
        null=_null,
    )
]  # fmt: skip
