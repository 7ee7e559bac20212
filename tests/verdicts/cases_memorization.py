"""Tables for the claims of memorization."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables


def fitted(
    right: float = 0.2,
    wrong: float = 0.95,
    held_out: float = 0.98,
    memorized: float = 0.9,
    error: float = 0.02,
    model: str = "mlp-1x512",
    seed: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    """Fits to data with wrong labels, of which these are the mean scores and the areas under the curves."""
    return {
        "data": "digits", "seed": seed, "model": model, "condition": "wrong labels", "noise": 0.2, "n": 500, "draws": 30,
        "steps": 2_500, "batch": 32, "pool": 500, "size": 350, "wrong": 100, "least_fitted": 1.0, "unfinished": 0,
        "mean": 0.35, "mean_error": 0.01, "share": 0.4, "quantiles": {"right": [0.0, 1.0], "wrong": [0.5, 1.0]},
        "memorized_right": right, "memorized_right_error": error, "memorized_wrong": wrong,
        "memorized_wrong_error": error, "gap": wrong - right, "gap_error": error, "auc_held_out": held_out,
        "auc_held_out_error": error, "auc_memorized": memorized, "auc_memorized_error": error,
        "auc_gap": held_out - memorized, "auc_gap_error": error, **changes,
    }  # fmt: skip


def only_right() -> dict[str, Any]:
    """Fits to data whose labels are right."""
    compared = {name for name in fitted() if name.startswith(("memorized", "gap", "auc"))}
    kept = {name: value for name, value in fitted().items() if name not in compared}
    return kept | {"condition": "true labels", "noise": 0.0, "wrong": 0}


def tables(*records: dict[str, Any]) -> Tables:
    return tables_of(records=[only_right(), *records])


def _null_gap(rng: np.random.Generator) -> Tables:
    """Wrong and right labels are memorized alike."""
    right, gap = 0.5, 0.02 * rng.standard_normal()
    return tables(fitted(right, right + gap))


def _null_auc(rng: np.random.Generator) -> Tables:
    """Both scores find wrong labels alike."""
    gap = 0.02 * rng.standard_normal()
    return tables(fitted(held_out=0.9 + gap, memorized=0.9))


NOT_READY = {
    "a subset that was not fitted": tables(fitted(least_fitted=0.8, unfinished=4)),
    "hardly any wrong labels": tables(fitted(wrong=0.9) | {"wrong": 5}),
    "right labels alone": tables(),
    "too few fits to compare": tables(
        {name: value for name, value in fitted().items() if not name.startswith(("memorized", "gap", "auc"))}
    ),
}

CASES = [
    Cases(
        confirmed={
            "wrong labels are memorized": tables(fitted()),
            "two networks": tables(fitted(), fitted(model="alexnet")),
            "three seeds": tables(*(fitted(0.2 + 0.01 * seed, seed=seed) for seed in range(3))),
        },
        contradicted={
            "right labels are memorized": tables(fitted(0.9, 0.5)),
            "one of two networks": tables(fitted(), fitted(0.9, 0.5, model="alexnet")),
        },
        not_shown={
            "both alike": tables(fitted(0.5, 0.52)),
            "few fits": tables(fitted(0.4, 0.6, error=0.15)),
            "seeds that disagree": tables(fitted(0.5, 0.9), fitted(0.5, 0.4, seed=1)),
        },
        cannot_tell=NOT_READY,
        null=_null_gap,
    ),
    Cases(
        confirmed={
            "held-out probability finds more": tables(fitted()),
            "memorization is worse than chance": tables(fitted(held_out=0.88, memorized=0.38)),
            "three seeds": tables(*(fitted(held_out=0.98 + 0.001 * seed, seed=seed) for seed in range(3))),
        },
        contradicted={
            "memorization finds more": tables(fitted(held_out=0.8, memorized=0.95)),
            "with one of two networks": tables(fitted(), fitted(held_out=0.7, memorized=0.95, model="alexnet")),
        },
        not_shown={
            "both find nearly all": tables(fitted(held_out=0.99, memorized=0.98)),
        },
        cannot_tell=NOT_READY,
        null=_null_auc,
    ),
]
