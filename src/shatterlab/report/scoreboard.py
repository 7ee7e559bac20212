"""The scoreboard: every claim with the evidence of the runs, and the lecture's conclusions."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..studies import STATES, STUDIES, TAKEAWAYS, Claim, Outcome, command_of
from .study import Shown

NOT_RUN = "not yet run here"
"""The state of a claim whose study has not been asked for."""

EVERY_STATE = (*STATES, NOT_RUN)


def scoreboard(shown: Sequence[Shown], outcomes: Mapping[str, Mapping[Claim, Outcome]]) -> list[dict[str, Any]]:
    """A line for each claim, with the outcome of the largest runs first and then those of the others."""
    board: list[dict[str, Any]] = []
    for name, study in STUDIES.items():
        here = [one for one in shown if one.asked.study == name and not one.asked.model]
        for claim in study.claims:
            # Runs that can tell come before larger ones that cannot.
            of_claim = [(one, outcomes[one.id][claim]) for one in here]
            of_claim.sort(key=lambda judged: judged[1].state == "cannot tell")
            judged = [
                {
                    "one": one,
                    "outcome": outcome,
                    "command": command_of(one.asked, outcome.remedies) if outcome.remedies else "",
                }
                for one, outcome in of_claim
            ]
            state = of_claim[0][1].state if of_claim else NOT_RUN
            board.append(
                {"study": name, "statement": claim.statement, "rule": claim.rule, "outcomes": judged, "state": state}
            )
    return board


def counts(board: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of claims in each state."""
    states = [line["state"] for line in board]
    return {name: states.count(name) for name in EVERY_STATE}


def takeaways(board: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lecture's conclusions, each with the states of the claims that bear it out, and the state that they add up
    to: one contradicted claim contradicts it, and all must be confirmed to confirm it.
    """
    lines = []
    for sentence, studies in TAKEAWAYS.items():
        number = counts([line for line in board if line["study"] in studies])
        order = ("contradicted", "not shown", "cannot tell", NOT_RUN, "confirmed")
        state = next((name for name in order if number[name]), NOT_RUN)
        lines.append({"sentence": sentence, "studies": studies, "counts": number, "state": state})
    return lines
