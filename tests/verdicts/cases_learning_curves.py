"""Tables for the claims of learning-curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from verdicts.made import Cases, falling_losses, guesses, run, standing_losses, tables_of

from shatterlab.studies import Tables

NAN = float("nan")
PIXELS = ("shuffled-pixels", "random-pixels", "gaussian-pixels")


def random(model: str = "mlp-1x512", **changes: Any) -> dict[str, Any]:
    return run(model=model, corruption="random-labels", wrong_labels=0.9, test_accuracy=0.1, **changes)


def noise(model: str = "mlp-1x512", without: Sequence[str] = (), **changes: Any) -> list[dict[str, Any]]:
    tests = dict(zip(PIXELS, (0.45, 0.25, 0.1), strict=True))
    return [
        run(model=model, corruption=name, test_accuracy=tests[name], **changes)
        for name in PIXELS
        if name not in without
    ]


def _null_labels(rng: np.random.Generator) -> Tables:
    """Networks whose train accuracy on random labels lies anywhere below the fit, or whose labels are not random."""
    if rng.random() < 0.5:
        return tables_of([random(seed=seed, train_accuracy=rng.uniform(0.1, 0.9899)) for seed in range(3)])
    wrong = rng.binomial(50_000, rng.uniform(0, 0.89)) / 50_000
    return tables_of([random() | {"wrong_labels": wrong, "test_accuracy": 0.1 + rng.normal() * 0.003}])


def _null_pixels(rng: np.random.Generator) -> Tables:
    """A condition that is not fitted, or pixels that leave the test accuracy of a pattern."""
    lines = [run(), *noise()]
    if rng.random() < 0.5:
        lines[rng.integers(1, 4)]["train_accuracy"] = rng.uniform(0.1, 0.9899)
    else:
        place, accuracy = [(2, 0.3), (3, 0.1)][rng.integers(2)]
        # Eight standard errors beyond what pixels without a pattern leave; the rule grants four.
        right = guesses(rng, accuracy + 8 * (0.09 / 1_000) ** 0.5)
        lines[place] |= {"n_test": len(right), "test_accuracy": float(np.mean(right))}
    return tables_of(lines)


CASES = [
    Cases(
        confirmed={
            "every network and seed fits": tables_of(
                [random(), random(seed=1), random("alexnet", train_accuracy=0.9982)]
            ),
            "test accuracy within four standard errors of chance": tables_of([random() | {"test_accuracy": 0.108}]),
        },
        contradicted={
            "true labels fit, random ones do not, and the loss stands": tables_of(
                [run(), random(train_accuracy=0.5, losses=standing_losses(1.4))]
            ),
        },
        not_shown={
            "nine of ten seeds fit": tables_of(
                [
                    *(run(seed=seed) for seed in range(10)),
                    *(random(seed=seed) for seed in range(9)),
                    random(seed=9, train_accuracy=0.5, losses=standing_losses(1.4)),
                ]
            ),
        },
        cannot_tell={
            "one example": tables_of([random(n=1)]),
            "labels that were not random": tables_of([random() | {"wrong_labels": 0.0}]),
            "labels of which half are right": tables_of([random() | {"wrong_labels": 0.45}]),
            "test accuracy far above chance": tables_of([random() | {"test_accuracy": 0.3}]),
            "a second network that is still learning": tables_of(
                [random(), run(model="alexnet"), random("alexnet", train_accuracy=0.64, losses=falling_losses())]
            ),
            "a second seed that does not fit, with no true labels beside it": tables_of(
                [random(), random(seed=1, train_accuracy=0.5)]
            ),
            "a network that never began to learn": tables_of(
                [run(), random(train_accuracy=0.11, losses=standing_losses())]
            ),
            "nine of ten seeds fit and one never began to learn": tables_of(
                [
                    *(run(seed=seed) for seed in range(10)),
                    *(random(seed=seed) for seed in range(9)),
                    random(seed=9, train_accuracy=0.1, losses=standing_losses()),
                ]
            ),
            "a train accuracy that is no number": tables_of([random(train_accuracy=NAN)]),
            "a loss that diverged": tables_of([run(), random(train_accuracy=0.11, losses=[1.0, 2.0] + [NAN] * 18)]),
            "three epochs": tables_of([run(), random(train_accuracy=0.5, losses=[1.4] * 3)]),
            "a second network without random labels": tables_of([random(), run(model="alexnet")]),
        },
        null=_null_labels,
    ),
    Cases(
        confirmed={"all three fit": tables_of(noise()), "in two networks": tables_of(noise() + noise("alexnet"))},
        contradicted={
            "true labels fit, noise does not, and the loss stands": tables_of(
                [
                    run(),
                    *noise(without=PIXELS[:2], train_accuracy=0.5, losses=standing_losses(1.4)),
                    *noise(without=PIXELS[2:]),
                ]
            ),
        },
        cannot_tell={
            "one example": tables_of(noise(n=1)),
            "one condition missing": tables_of(noise(without=["random-pixels"])),
            "one network lacks a condition": tables_of(noise() + noise("alexnet", without=["shuffled-pixels"])),
            "Gaussian noise with a test accuracy of 95 %": tables_of(
                [line | {"test_accuracy": 0.95} for line in noise()]
            ),
            "random pixels with the test accuracy of true ones": tables_of(
                [run(), *(line | {"test_accuracy": 0.5} for line in noise(without=["gaussian-pixels"])), noise()[2]]
            ),
            "one seed still learning": tables_of([run(), *noise(), *noise(seed=1, train_accuracy=0.9)]),
        },
        null=_null_pixels,
    ),
]
