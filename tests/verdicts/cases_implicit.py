"""Tables for the claims of implicit."""

from typing import Any

import numpy as np
from verdicts.made import Cases, alike, run, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.implicit import KEPT, LEAST, MARGIN, MOST
from shatterlab.studies.rules import LEAD

CPU = {"n": 2_000, "n_validation": 1_000}
"""The sizes of scale cpu, where each seed draws a test set of its own."""


def stopped(
    gains: list[float], accuracy: float = 0.5, model: str = "inception", n_test: int = 2_000, **changes: Any
) -> list[dict[str, Any]]:
    """Runs of a network, a seed for each gain of early stopping, each with test examples of its own."""
    lines = []
    for seed, gain in enumerate(gains):
        right = np.arange(n_test) < n_test * accuracy
        places = np.arange(n_test) + n_test * seed
        stop = accuracy + gain
        lines.append(
            run(model=model, seed=seed, right=right, places=places, validation_test_accuracy=stop, **CPU | changes)
        )
    return lines


def shared(gains: list[float], **changes: Any) -> list[dict[str, Any]]:
    """The same on one test set of 10,000 for all seeds, of which it is not known which examples were right."""
    return [
        run(model="inception", seed=seed, n_validation=5_000, validation_test_accuracy=0.5 + gain, **changes)
        for seed, gain in enumerate(gains)
    ]


def both(normalized: float, bare: float, seeds: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """Inception with and without batch normalization, with these test accuracies."""
    spread = (0.0, 0.003, -0.002)
    return [
        run(
            model=model, seed=seed, test_accuracy=accuracy + spread[seed], best_test_accuracy=accuracy + 0.01, **changes
        )
        for model, accuracy in (("inception", normalized), ("inception-no-bn", bare))
        for seed in range(seeds)
    ]


def _sharing() -> list[dict[str, Any]]:
    """Three seeds that gain up to 1.3 points, of which the second and the third have the same test examples."""
    lines = stopped([0.004, 0.013, 0.013])
    lines[2]["places"] = lines[1]["places"]
    return lines


def _paired(examples: int) -> list[dict[str, Any]]:
    """Three seeds in which batch normalization gets a few more of 10,000 test examples right."""
    return [
        run(model=model, seed=seed, right=np.arange(10_000) < right, best_test_accuracy=0.81)
        for seed in range(3)
        for model, right in (("inception", 8_000 + examples + seed), ("inception-no-bn", 8_000))
    ]


def _drawn(rng: np.random.Generator, normalized: float, bare: float, **changes: Any) -> Tables:
    seeds = int(rng.choice([2, 3]))
    return tables_of(
        [
            run(model=model, seed=seed, right=right, best_test_accuracy=0.9, **changes)
            for model, accuracy in (("inception", normalized), ("inception-no-bn", bare))
            for seed, right in enumerate(alike(rng, accuracy, seeds))
        ]
    )


def _null_stopping(rng: np.random.Generator) -> Tables:
    """A network that gains the margin or somewhat more, beside one that gains nothing."""
    seeds = int(rng.choice([2, 3, 5]))
    if rng.random() < 0.2:  # a network at chance, a small set, or a gain that is small and certain
        if rng.random() < 0.4:
            return tables_of(stopped([0.015 + 0.0003 * rng.standard_normal() for _ in range(5)]))
        wrong: list[dict[str, Any]] = [{"accuracy": 0.1}, {"n": 200}]
        return tables_of(stopped(list(0.002 * rng.standard_normal(3)), **wrong[rng.integers(2)]))
    true = MARGIN + rng.uniform(0, 0.01)
    if rng.random() < 0.3:  # the sampling of the one test set moves all seeds alike
        common = true + 0.004 * rng.standard_normal()
        return tables_of(shared(list(common + 0.004 * rng.standard_normal(seeds))))
    helped = list(true + 0.008 * rng.standard_normal(seeds))
    other = list(0.003 * rng.standard_normal(seeds))
    return tables_of(stopped(helped) + stopped(other, model="inception-no-bn"))


def _null_without(rng: np.random.Generator) -> Tables:
    if rng.random() < 0.3:
        return _drawn(rng, 0.1 + LEAD * 0.9, 0.1 + LEAD * 0.9)
    normalized = rng.uniform(0.4, 0.9)
    return _drawn(rng, normalized, 0.1 + KEPT * (normalized - 0.1))


def _null_gain(rng: np.random.Generator) -> Tables:
    """Batch normalization that adds nothing, exactly too little, or exactly too much."""
    return _drawn(rng, 0.8, 0.8 - float(rng.choice([0.0, LEAST, MOST])))


CASES = [
    Cases(
        confirmed={
            "three seeds at scale cpu": tables_of(
                stopped([0.004, -0.003, 0.002]) + stopped([-0.002, 0.0, 0.005], 0.45, "inception-no-bn")
            ),
            "three seeds on one test set": tables_of(shared([0.001, -0.002, 0.003])),
            "a loss": tables_of(stopped([-0.03, -0.028, -0.031])),
        },
        contradicted={
            "ten runs of 2.9 points": tables_of(stopped([0.029 + 0.001 * (-1) ** seed for seed in range(10)])),
            "one of two networks gains nine": tables_of(
                stopped([0.09, 0.092, 0.088]) + stopped([0.0, 0.001, -0.001], model="inception-no-bn")
            ),
        },
        not_shown={
            "ten runs of 1.9 points": tables_of(stopped([0.019 + 0.0005 * (-1) ** seed for seed in range(10)])),
            "two seeds of no gain on 50 examples": tables_of(stopped([0.0, 0.0], n_test=50, accuracy=0.9)),
            "two seeds of one point on 100 examples": tables_of(stopped([0.01, 0.01], n_test=100, accuracy=0.9)),
            "two of three seeds share a test set": tables_of(_sharing()),
            "ten runs of 2.9 points on one test set": tables_of(shared([0.029] * 10)),
            "gains that scatter": tables_of(stopped([0.03, -0.02, 0.01])),
        },
        cannot_tell={
            "one seed": tables_of(stopped([0.0])),
            "not fitted": tables_of(stopped([0.0, 0.001, 0.0], train_accuracy=0.64)),
            "at chance": tables_of(stopped([0.0, 0.001, -0.001], accuracy=0.1)),
            "200 examples": tables_of(stopped([0.0, 0.001, -0.001], n=200)),
            "no epoch was chosen": tables_of(
                [line | {"validation_test_accuracy": None} for line in stopped([0.0, 0.001, -0.001])]
            ),
            "diverged": tables_of(
                [line | {"validation_test_accuracy": float("nan")} for line in stopped([0.0, 0.001, -0.001])]
            ),
            "no validation split": tables_of(both(0.8, 0.77)),
            "other data": tables_of(stopped([0.0, 0.001, 0.0], data="digits")),
        },
        null=_null_stopping,
    ),
    Cases(
        confirmed={
            "the paper's numbers": tables_of(both(0.8575, 0.82)),
            "one seed": tables_of(both(0.8575, 0.82, 1)),
            "better without": tables_of(both(0.3, 0.5)),
        },
        contradicted={"batch normalization is why": tables_of(both(0.8, 0.3))},
        not_shown={"near three quarters": tables_of(both(0.7, 0.1 + 0.755 * 0.6, 1))},
        cannot_tell={
            "22 % with and without": tables_of(both(0.22, 0.22)),
            "11.6 % with and without": tables_of(both(0.116, 0.116)),
            "the majority class is guessed": tables_of(both(0.6, 0.6, majority=0.6)),
            "not fitted": tables_of(both(0.64, 0.6, train_accuracy=0.64)),
            "another network": tables_of([run(model="mlp-1x512", **CPU)]),
            "nothing with batch normalization": tables_of([run(model="inception-no-bn")]),
        },
        null=_null_without,
    ),
    Cases(
        confirmed={"the paper's numbers": tables_of(both(0.8575, 0.82))},
        contradicted={
            "0.3 points": tables_of(_paired(30)),
            "it costs accuracy": tables_of(both(0.8, 0.83)),
            "it adds fifteen points": tables_of(both(0.85, 0.7)),
        },
        not_shown={"it adds half a point": tables_of(both(0.805, 0.8))},
        cannot_tell={
            "2,000 examples": tables_of(both(0.587, 0.518, n=2_000)),
            "one seed": tables_of(both(0.8575, 0.82, 1)),
            "not fitted": tables_of(both(0.8575, 0.82, train_accuracy=0.8)),
            "other data": tables_of(both(0.8575, 0.82, data="mnist")),
            "another network": tables_of([run(model="mlp-1x512", **CPU)]),
        },
        null=_null_gain,
    ),
]
