"""Tables for the claims of label-noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from verdicts.made import Cases, alike, guesses, run, standing_losses, tables_of

from shatterlab.studies import Tables

AMOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def noisy(amount: float, **changes: Any) -> dict[str, Any]:
    """A run with a share of random labels, of which a tenth are right by chance."""
    ends = {0.0: {"corruption": "true-labels"}, 1.0: {"corruption": "random-labels"}}
    dials = ends.get(amount, {"corruption": "partial-labels", "amount": amount})
    told = {"wrong_labels": 0.9 * amount, "test_accuracy": 0.1 if amount == 1 else 0.5, "overfit_resolution": 39}
    return run(**{"model": "mlp-1x512", **told, **dials, **changes})


def pair(clean: int | None, random: int | None, seed: int = 0, model: str = "mlp-1x512", **changes: Any) -> list[dict]:
    """Runs with true and with random labels that overfit at these steps."""
    shared = {"seed": seed, "model": model} | changes
    losses = standing_losses(1.0 if random is None else 0.0)
    return [
        noisy(0.0, overfit_step=clean, **shared),
        noisy(1.0, **{"overfit_step": random, "losses": losses, **shared}),
    ]


def _null_slowdown(rng: np.random.Generator) -> Tables:
    """Slowdowns of ten on average, and networks that do not get to the end of random labels."""
    lines = []
    for seed in range(rng.integers(1, 4)):
        clean = int(rng.integers(2_000, 4_000))
        random = clean * 10 * np.exp(0.15 * rng.standard_normal())
        lines += pair(clean, int(random), seed, steps=100_000)
    world = rng.random()
    if world < 0.2:
        lines += pair(2_000, None, model="alexnet", steps=int(rng.integers(4_000, 18_000)))
    elif world < 0.4:  # random labels that take fewer steps, by three assumed standard deviations
        lines = pair(4_000, int(4_000 * np.exp(-0.45 + 0.15 * rng.standard_normal())), overfit_resolution=1)
    elif world < 0.5:  # labels that carry a pattern, by eight standard errors of the test accuracy
        lines = pair(4_000, 5_000)
        told = guesses(rng, 0.1 + 8 * (0.09 / 1_000) ** 0.5)
        lines[1] |= {"n_test": len(told), "test_accuracy": float(np.mean(told))}
    return tables_of(lines)


def curve(errors: Sequence[float], seed: int = 0, amounts: Sequence[float] = AMOUNTS, **changes: Any) -> list[dict]:
    """Runs at these amounts with these test errors."""
    return [
        noisy(amount, seed=seed, test_accuracy=1 - error, **changes)
        for amount, error in zip(amounts, errors, strict=True)
    ]


FLAT = (0.895, 0.896, 0.897, 0.898, 0.899, 0.90)
"""Networks that do not generalize with true labels either."""
GROWS = (0.50, 0.60, 0.69, 0.77, 0.85, 0.90)
ZIGZAG = (0.9000, 0.9400, 0.8990, 0.9420, 0.8980, 0.9001)
"""A zig-zag that ends 0.01 points up; no fall is larger than 4.4 points, which 1,000 test points were once allowed."""


def _null_growth(rng: np.random.Generator) -> Tables:
    """A flat error, a rise of just what counts, a zig-zag, and growth with one clear fall; test examples are kept."""
    seeds = int(rng.integers(1, 4))
    amplitude = rng.uniform(0.02, 0.1)
    shape = (
        np.full(6, 0.9),
        0.85 + 0.01 * np.arange(6),
        0.9 + amplitude * np.array([0, 1, -1, 1, -1, 0]),
        0.5 + np.array([0, 0.1, 0.3, 0.2, 0.25, 0.4]),
        0.4 + 0.08 * np.arange(6),  # with all labels random a fifth of the test set is still right
    )[rng.integers(5)]
    lines = []
    for amount, error in zip(AMOUNTS, shape, strict=True):
        rights = alike(rng, 1 - error, seeds)
        lines += [noisy(amount, seed=seed, right=right) for seed, right in enumerate(rights)]
    return tables_of(lines)


CASES = [
    Cases(
        confirmed={
            "1.3 times in one seed": tables_of(pair(10_000, 13_000)),
            "two networks, three seeds": tables_of(
                [
                    line
                    for seed in range(3)
                    for line in pair(4_000, 5_000 + 100 * seed, seed) + pair(2_000, 9_000, seed, "alexnet")
                ]
            ),
        },
        contradicted={
            "19 times": tables_of(pair(1_000, 19_000)),
            "learned, but not overfitted after 40 times the steps": tables_of(pair(1_000, None, steps=40_000)),
            "30 and 31 times beside a seed that was stopped at twice": tables_of(
                pair(1_000, 30_000) + pair(1_000, 31_000, 1) + pair(1_000, None, 2, steps=2_000)
            ),
            "one of two networks": tables_of(pair(1_000, 2_000) + pair(1_000, 30_000, model="alexnet")),
        },
        not_shown={
            "nine times in one seed": tables_of(pair(1_000, 9_000)),
            "one seed of three not after 40 times the steps": tables_of(
                pair(1_000, 1_300) + pair(1_000, 1_350, 1) + pair(1_000, None, 2, steps=40_000)
            ),
            "two seeds far apart": tables_of(pair(1_000, 2_000) + pair(1_000, 20_000, 1)),
            "steps that are known to an epoch, of which there was one": tables_of(
                pair(390, 8 * 390, overfit_resolution=390)
            ),
        },
        cannot_tell={
            "a second network that never fits": tables_of(
                pair(10_000, 13_000) + pair(10_000, None, model="alexnet", steps=23_460)
            ),
            "a second seed that never fits": tables_of(pair(10_000, 13_000) + pair(10_000, None, 1)),
            "true labels that are never fitted": tables_of(pair(None, None)),
            "no random labels": tables_of([noisy(0.0)]),
            "a seed without true labels": tables_of([*pair(10_000, 13_000), noisy(1.0, seed=1)]),
            "labels that were not random": tables_of(
                [noisy(0.0), noisy(1.0, overfit_step=10_000) | {"wrong_labels": 0.0}]
            ),
            "ten examples": tables_of(pair(10, 12, n=10)),
            "a network that never learned in 40 times the steps": tables_of(
                pair(1_000, None, steps=40_000, losses=standing_losses())
            ),
            "random labels ten times as fast as true ones": tables_of(pair(10_000, 1_000)),
            "random labels that tell half of the test set": tables_of(
                [noisy(0.0), noisy(1.0, overfit_step=13_000, test_accuracy=0.5)]
            ),
            "a training that diverged": tables_of(
                [noisy(0.0), noisy(1.0, overfit_step=13_000, train_loss=float("nan"))]
            ),
        },
        null=_null_slowdown,
    ),
    Cases(
        confirmed={
            "from 50 to 90 % in one seed": tables_of(curve(GROWS)),
            "in two networks and three seeds": tables_of(
                [
                    line
                    for seed in range(3)
                    for model in ("mlp-1x512", "alexnet")
                    for line in curve([error + 0.004 * seed for error in GROWS], seed, model=model)
                ]
            ),
        },
        contradicted={
            "a test error that falls to chance from above it": tables_of(curve((0.97, 0.96, 0.95, 0.94, 0.92, 0.90))),
            "a clear fall on the way up": tables_of(curve((0.50, 0.60, 0.85, 0.70, 0.85, 0.90))),
        },
        not_shown={
            "a zig-zag that ends 0.01 points up": tables_of(curve(ZIGZAG, n_test=1_000)),
            "a flat error that ends 0.01 points up": tables_of(curve((0.9000, 0.9050, 0.8980, 0.9040, 0.8990, 0.9001))),
            "a rise of half a point": tables_of(
                [line for seed in range(3) for line in curve([error + 1e-4 * seed for error in FLAT], seed)]
            ),
            "a rise of three standard errors": tables_of(curve((0.855, 0.865, 0.875, 0.88, 0.89, 0.90))),
            "a rise without a trend": tables_of(curve((0.80, 0.91, 0.905, 0.90, 0.895, 0.90))),
        },
        cannot_tell={
            "a run that is not fitted": tables_of(
                [*curve(GROWS)[:-1], noisy(1.0, test_accuracy=0.1, train_accuracy=0.8)]
            ),
            "three amounts": tables_of(curve((0.5, 0.7, 0.9), amounts=(0.0, 0.4, 1.0))),
            "a seed that lacks an amount": tables_of(curve(GROWS) + curve(GROWS[:-1], 1, AMOUNTS[:-1])),
            "labels that were not random": tables_of([line | {"wrong_labels": 0.0} for line in curve(GROWS)]),
            "a test accuracy of 70 % after random labels": tables_of(curve((0.05, 0.10, 0.15, 0.20, 0.25, 0.30))),
            "a rise from 50 to 51 %": tables_of(
                [line for seed in range(3) for line in curve([0.5 + 0.002 * k for k in range(6)], seed)]
            ),
            "a test accuracy that is no number": tables_of(curve((0.5, 0.6, float("nan"), 0.77, 0.85, 0.9))),
        },
        null=_null_growth,
    ),
]
