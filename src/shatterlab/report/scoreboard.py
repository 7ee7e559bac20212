"""The scoreboard: every claim with the evidence of the runs, and the lecture's conclusions."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..studies import STUDIES, TAKEAWAYS, Claim, Outcome, Tables
from .study import Shown


def checked(claim: Claim, found: Tables, one: Shown) -> Outcome | None:
    """The outcome of a claim; it is confirmed only when no run is missing, as a missing run may contradict it."""
    outcome = claim.check(found)
    return None if outcome and outcome.confirmed and one.missing else outcome


def scoreboard(shown: Sequence[Shown], outcomes: Mapping[str, Mapping[Claim, Outcome | None]]) -> list[dict[str, Any]]:
    """A line for each claim, with the outcome of the largest runs first and then those of the others."""
    board: list[dict[str, Any]] = [
        {
            "study": name,
            "statement": claim.statement,
            "rule": claim.rule,
            "outcomes": [
                {"one": one, "outcome": outcome, "scaled": one.scaled}
                for one in shown
                if one.asked.study == name and not one.asked.model and (outcome := outcomes[one.id][claim])
            ],
            "asked": any(one.asked.study == name for one in shown),
        }
        for name, study in STUDIES.items()
        for claim in study.claims
    ]
    return [line | {"state": state(line)} for line in board]


def state(line: Mapping[str, Any]) -> str:
    """The state of a claim on the page, which the largest runs decide."""
    if line["outcomes"]:
        return "confirmed" if line["outcomes"][0]["outcome"].confirmed else "not confirmed"
    return "cannot tell" if line["asked"] else "not yet run here"


def counts(board: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of claims in each state."""
    states = [line["state"] for line in board]
    return {name: states.count(name) for name in ("confirmed", "not confirmed", "cannot tell", "not yet run here")}


def takeaways(board: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lecture's conclusions, each with the states of the claims that bear it out."""
    return [
        {"sentence": sentence, "studies": studies, **counts([line for line in board if line["study"] in studies])}
        for sentence, studies in TAKEAWAYS.items()
    ]
