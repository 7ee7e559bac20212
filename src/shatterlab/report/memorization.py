"""The judgement whether a network memorizes: records of its runs go in, sentences come out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..measures.convergence import falling

FITTED = 0.99
"""A condition counts as fitted from this share of its labels on."""
NOTHING_TO_LEARN = ("random-labels", "partial-labels", "random-pixels", "gaussian-pixels")
"""Under these conditions only memory fits the corrupted examples; labels come before pixels in an answer."""

State = Literal["memorizes", "still falling", "stopped falling", "undertrained", "cannot tell"]
HEADLINES: Mapping[State, str] = {
    "memorizes": "It memorizes",
    "still falling": "It does not memorize within this budget, the loss was still falling",
    "stopped falling": "It cannot memorize at this size and with these dials, the loss has stopped falling",
    "undertrained": "It is undertrained on true labels, which says nothing about memory yet",
    "cannot tell": "Whether it memorizes cannot be told yet",
}
ENDS: Mapping[State, str] = {
    "memorizes": "so these are memorized",
    "still falling": "the loss was still falling",
    "stopped falling": "the loss has stopped falling",
    "undertrained": "but true labels are not fitted either",
    "cannot tell": "which is not enough to tell",
}


@dataclass(frozen=True)
class Answer:
    """The answer that the runs of one network give.

    Args:
        state: whether it memorizes, or why that cannot be said.
        sentences: the answer, then a sentence for each condition.
    """

    state: State
    sentences: list[str]


def judge(records: Sequence[Mapping[str, Any]]) -> Answer:
    """Judges from a network's runs under each condition whether it memorizes.

    Args:
        records: one record for each run: corruption, amount, seed, epochs, classes, n, n_test, train_accuracy,
            test_accuracy, corrupted_fitted (shares; None or NaN where not measured), overfit_step, `losses` (the online
            loss of each epoch) and, where known, `majority` (the share of the test set's largest class). The runs
            differ in condition, seed and epochs only; of runs that differ in epochs alone the longest counts.

    Returns:
        The state, and sentences with numbers; wherever a spread is given, the sentence names its kind.
    """
    seeds = ("seed", "data_seed", "training_seed")
    by_epochs = sorted(records, key=lambda r: r["epochs"])
    longest = {(condition_of(r), *map(r.get, seeds)): r for r in by_epochs}.values()
    by_condition: dict[str, list[Mapping[str, Any]]] = {}
    for record in sorted(longest, key=hardness):
        by_condition.setdefault(condition_of(record), []).append(record)
    true = by_condition.pop("true-labels", [])
    noisy = {name: runs for name, runs in by_condition.items() if runs[0]["corruption"] in NOTHING_TO_LEARN}
    undertrained = bool(_short(true))
    states = {name: _state(runs, undertrained=undertrained) for name, runs in noisy.items()}
    deciding = next((name for name, state in states.items() if state == "memorizes"), next(iter(states), None))
    if deciding is None:
        state: State = "undertrained" if undertrained else "cannot tell"
        answer = f"{HEADLINES[state]}: nothing was corrupted in these runs."
    else:
        state = states[deciding]
        answer = f"{HEADLINES[state]}: under {deciding}, {_fitted(deciding, noisy[deciding])}."
    sentences = [answer]
    if true:
        sentences.append(f"True labels: {_accuracies(true)}{'; they are not fitted' if undertrained else ''}.")
    for name, runs in by_condition.items():
        if name in noisy and name != deciding:
            words = f"{_fitted(name, runs)}, {ENDS[states[name]]}; {_accuracies(runs)}"
        else:
            words = _accuracies(runs)
        sentences.append(f"{name[0].upper()}{name[1:]}: {words}{_slowdown(runs, true)}.")
    return Answer(state, sentences)


def condition_of(run: Mapping[str, Any]) -> str:
    """The condition of a run in words; an amount of 0 leaves the true labels."""
    if run["amount"] == 0:
        return "true-labels"
    noise = " (other classes)" if run.get("label_noise") == "symmetric" else ""
    return run["corruption"] + (f" {run['amount']:g}" if run["amount"] != 1 else "") + noise


def hardness(run: Mapping[str, Any]) -> tuple[int, float]:
    """A key that sorts corrupted labels before corrupted pixels, and larger amounts before smaller ones."""
    order = ("random-labels", "partial-labels", *NOTHING_TO_LEARN[2:])
    return order.index(run["corruption"]) if run["corruption"] in order else len(order), -run["amount"]


def _share(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _memorized(run: Mapping[str, Any]) -> float | None:
    """The share of the corrupted labels that is fitted; unless only a part is corrupted, these are all labels."""
    return _share(run["train_accuracy"] if run["amount"] in (0, 1) else run["corrupted_fitted"])


def _short(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The runs that have been measured and have not fitted their labels."""
    return [run for run in runs if (share := _memorized(run)) is not None and share < FITTED]


def _state(runs: Sequence[Mapping[str, Any]], *, undertrained: bool) -> State:
    """The state of one condition over its seeds."""
    short = _short(runs)
    if not short:
        return "cannot tell" if None in map(_memorized, runs) else "memorizes"
    if undertrained:
        return "undertrained"
    moving = [falling(run["losses"]) for run in short]
    if any(moving):
        return "still falling"
    return "cannot tell" if None in moving else "stopped falling"


def _fitted(name: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """A sentence that says what share of a condition's labels is fitted, and after how many epochs."""
    shares = [share for run in runs if (share := _memorized(run)) is not None]
    what = "examples" if "pixels" in name else "labels" if runs[0]["amount"] == 1 else "corrupted labels"
    return f"{_spread(shares)} of the {what} are fitted after {max(run['epochs'] for run in runs)} epochs"


def _accuracies(runs: Sequence[Mapping[str, Any]]) -> str:
    """A sentence with train and test accuracy beside chance."""
    train = [share for run in runs if (share := _share(run["train_accuracy"])) is not None]
    test = [share for run in runs if (share := _share(run["test_accuracy"])) is not None]
    majority = _share(runs[0].get("majority"))
    chance = (
        f"the largest class has {100 * majority:.1f} %"
        if majority is not None
        else f"guessing one of {runs[0]['classes']} classes gives {100 / runs[0]['classes']:.1f} %"
    )
    return f"train accuracy {_spread(train)}, test accuracy {_spread(test, runs[0]['n_test'])}, where {chance}"


def _slowdown(runs: Sequence[Mapping[str, Any]], true: Sequence[Mapping[str, Any]]) -> str:
    """A sentence with the slowdown: steps to overfit over those of true labels, if every seed of both overfits."""
    here, there = [run["overfit_step"] for run in runs], [run["overfit_step"] for run in true]
    if not there or None in here or None in there:
        return ""
    factor = (sum(here) / len(here)) / (sum(there) / len(there))
    return f"; fitting took {factor:.1f} times the steps of true labels (until the training loss is 0.1)"


def _spread(shares: Sequence[float], tested: int | None = None) -> str:
    """A mean in percent with its spread over seeds or the error of one test set, or the words `not measured`."""
    if not shares:
        return "not measured"
    mean = sum(shares) / len(shares)
    if len(shares) > 1:
        return f"{100 * mean:.1f} % ± {100 * float(np.std(shares, ddof=1)):.1f} (SD over {len(shares)} seeds)"
    if tested is None:
        return f"{100 * mean:.1f} % (1 seed)"
    error = 100 * math.sqrt(mean * (1 - mean) / tested)
    return f"{100 * mean:.1f} % ± {error:.1f} (1 seed; binomial standard error of a test set of {tested:,})"
