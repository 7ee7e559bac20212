"""Tables of runs made by hand, with and without what became of each test example."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from shatterlab import make_spec
from shatterlab.results import Examples
from shatterlab.spec import Spec
from shatterlab.studies import Tables


@dataclass(frozen=True)
class Cases:
    """Tables made by hand on which a claim is judged, each under a name that says what it shows.

    Args:
        confirmed, contradicted, not_shown, cannot_tell: tables that end in this state; of the first, second and last
            there is at least one each.
        null: makes a random table of a world in which the claim is false, or at the very edge of its rule.
        why_no_contradiction: a reason, where no runs can contradict the claim.
    """

    confirmed: Mapping[str, Tables]
    cannot_tell: Mapping[str, Tables]
    null: Callable[[np.random.Generator], Tables]
    contradicted: Mapping[str, Tables] = field(default_factory=dict)
    not_shown: Mapping[str, Tables] = field(default_factory=dict)
    why_no_contradiction: str = ""


OUTCOME: dict[str, Any] = {
    "n": 50_000, "n_test": 10_000, "classes": 10, "majority": 0.1, "parameters": 1_000_000, "epochs": 60,
    "steps": 23_460, "online_accuracy": 1.0, "train_loss": 0.001, "train_accuracy": 1.0, "corrupted_fitted": None,
    "wrong_labels": 0.0, "test_loss": 2.0, "test_accuracy": 0.5, "best_test_accuracy": 0.5, "best_test_epoch": 60,
    "validation_epoch": None, "validation_test_accuracy": None, "fit_step": 20_000, "overfit_step": 10_000,
    "seconds": 1.0, "device": "cpu",
}  # fmt: skip
"""The outcome of a run that fits its training set and generalizes, where a table says nothing else."""


@cache
def _dials(names: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    spec = make_spec(**dict(names))
    return spec.model_dump() | {"regularizers": spec.regularizers}


def run(**changes: Any) -> dict[str, Any]:
    """A line of the table of runs: dials as in `make_spec`, columns of `OUTCOME`, and, for `tables_of`,

    `right`: bool (n_test,), which test examples the run gets right, which decides its test accuracy;
    `places`: int (n_test,), which examples of the data set these are, for runs with test sets of their own;
    `losses`: the online loss of each epoch;
    `seen`: mappings of what was measured in each epoch.
    """
    dials = {name: value for name, value in changes.items() if name in Spec.model_fields and name not in OUTCOME}
    line = _dials(tuple(sorted(dials.items()))) | OUTCOME | changes
    if "right" in changes:
        line |= {"n_test": len(changes["right"]), "test_accuracy": float(np.mean(changes["right"]))}
    return line


def tables_of(runs: Sequence[Mapping[str, Any]] = (), records: Sequence[dict[str, Any]] = ()) -> Tables:
    """The evidence of runs made by `run`, and of records of computations."""
    lines, epochs, kept = [], [], {}
    for number, line in enumerate(runs):
        id = f"{number:012}"
        extra = {name: line[name] for name in ("right", "places", "losses", "seen") if name in line}
        lines.append({"run_id": id} | {name: value for name, value in line.items() if name not in extra})
        named = {name: line[name] for name in ("model", "data", "corruption", "amount", "regularizers", "seed", "n")}
        epochs += [
            {"run_id": id, **named, "epoch": i + 1, "online_loss": loss}
            for i, loss in enumerate(extra.get("losses", []))
        ]
        epochs += [{"run_id": id, **named, "epoch": i + 1, **row} for i, row in enumerate(extra.get("seen", []))]
        if "right" in extra:
            right = np.asarray(extra["right"], dtype=bool)
            zeros = np.zeros(len(right), dtype=np.int64)
            places = np.asarray(extra.get("places", np.arange(len(right))))
            kept[id] = {"test": Examples(places, zeros, zeros, right < 0, np.where(right, 0, 1))}
    return Tables(
        pl.DataFrame(lines, infer_schema_length=None),
        pl.DataFrame(
            epochs,
            infer_schema_length=None,
            schema=None if epochs else {"run_id": pl.String, "online_loss": pl.Float64},
        ),
        list(records),
        kept.get,
    )


def guesses(rng: np.random.Generator, accuracy: float, n: int = 1_000) -> np.ndarray:
    """Which of n test examples a model with this accuracy gets right, each by its own draw."""
    return rng.random(n) < accuracy


def alike(
    rng: np.random.Generator, accuracy: float, seeds: int, n: int = 1_000, spread: float = 0.01
) -> list[np.ndarray]:
    """The same for several seeds on one test set: easy examples are easy for all, and seeds differ in accuracy.

    Args:
        accuracy: the mean over seeds.
        spread: the standard deviation of the accuracy over seeds.
    """
    hardness = rng.permutation(n) / n
    rights = []
    for _ in range(seeds):
        level = accuracy + spread * rng.standard_normal()
        rights.append(hardness + 0.1 * rng.standard_normal(n) < level)
    return rights


def falling_losses(epochs: int = 20) -> list[float]:
    """The online losses of a run that is still learning."""
    return [2.3 - 0.05 * epoch for epoch in range(epochs)]


def standing_losses(at: float = 2.3, epochs: int = 20) -> list[float]:
    """The online losses of a run that has stopped learning at a loss, by default that of guessing."""
    return [at * (1 + 0.004 * (-1) ** epoch) for epoch in range(epochs)]
