"""Tables for the claims of certificate."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.measures.bounds import held_out, known_wrong_labels, published, rigorous
from shatterlab.studies import Tables
from shatterlab.studies.certificate import EARLY, LATE

KEPT, RANDOM, WRONG = 900, 300, 150


def trained(
    missed: int = 30,
    fitted: int = WRONG,
    stage: str = LATE,
    model: str = "mlp-1x512",
    seed: int = 0,
    random_error: float | None = None,
    held: int = RANDOM,
    finished: bool = True,
    **changes: Any,
) -> dict[str, Any]:
    """A training that misses some held-out examples and fits some of the wrong labels, with the bounds that follow."""
    error = (WRONG - fitted) / RANDOM if random_error is None else random_error
    bounds = {
        "held_out": (held_out(missed, held), held),
        "known_wrong": (known_wrong_labels(fitted, WRONG, 2), WRONG),
        "rigorous": (rigorous(0.0, error, KEPT, RANDOM, 2), RANDOM),
        "published": (published(0.0, error, KEPT, RANDOM, 2), RANDOM),
    }
    return {
        "data": "digits", "seed": seed, "model": model, "stage": stage, "n": 1_500, "part": 0.2, "steps": 6_000,
        "batch": 32, "delta": 0.05, "labelled": KEPT, "clean_error": 0.0, "random_error": error,
        "test_error": missed / held, "missed": missed, "fitted": fitted, "wrong": WRONG, "taken": 1_500,
        "finished": finished, "assumption_holds": True,
        **{name: {"bound": bound, "points": points} for name, (bound, points) in bounds.items()},
        **changes,
    }  # fmt: skip


def both(late: dict[str, Any], early: dict[str, Any], *more: dict[str, Any]) -> Tables:
    return tables_of(records=[early, late, *more])


def early(missed: int = 25, fitted: int = 20, **changes: Any) -> dict[str, Any]:
    return trained(missed, fitted, EARLY, **changes)


def _null_guarantee(rng: np.random.Generator) -> Tables:
    """Two networks that memorize and then guess."""
    return tables_of(
        records=[trained(int(rng.binomial(RANDOM, 0.5)), model=model) for model in ("mlp-1x512", "alexnet")]
    )


EDGE = 83
"""With so many of the held-out examples missed, the bound by them is the one by 35 of 150 wrong labels fitted."""


def _null_tighter(rng: np.random.Generator) -> Tables:
    """A network, stopped early, of which both bounds are the same on average."""
    once = early(int(rng.binomial(RANDOM, EDGE / RANDOM)), int(rng.binomial(WRONG, 35 / WRONG)))
    return both(trained(), once)


CASES = [
    Cases(
        confirmed={
            "a network that memorizes and generalizes": both(trained(), early()),
            "after three seeds": tables_of(records=[trained(30 + seed, seed=seed) for seed in range(3)]),
            "two networks": tables_of(records=[trained(), trained(60, model="alexnet")]),
        },
        contradicted={
            "it errs on nearly all new examples": tables_of(records=[trained(260)]),
            "one of two networks does": tables_of(records=[trained(), trained(260, model="alexnet")]),
            "a bound by random labels is small": tables_of(
                records=[trained(published={"bound": 0.3, "points": RANDOM})]
            ),
        },
        not_shown={
            "it guesses": tables_of(records=[trained(150)]),
            "few held-out examples": tables_of(records=[trained(4, held=10)]),
        },
        cannot_tell={
            "random labels that are not fitted": tables_of(records=[trained(30, 75, finished=False)]),
            "a network that was stopped early alone": tables_of(records=[early()]),
        },
        null=_null_guarantee,
    ),
    Cases(
        confirmed={
            "both lengths of training": both(trained(), early()),
            "three seeds": tables_of(
                records=[of(20 + seed, seed=seed) for of in (trained, early) for seed in range(3)]
            ),
        },
        contradicted={
            "wrong labels that are never fitted": both(trained(), early(120, 2)),
            "all held-out examples are missed, and no wrong label is fitted": both(trained(290, 0), early()),
        },
        not_shown={
            "both bounds are alike": both(trained(), early(EDGE, 35)),
        },
        cannot_tell={
            "one length of training": tables_of(records=[trained()]),
            "no wrong labels": both(trained(known_wrong=None), early()),
        },
        null=_null_tighter,
    ),
]
