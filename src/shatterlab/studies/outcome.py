"""What runs say about a claim: one of four states, the numbers behind it, and what would decide it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["confirmed", "contradicted", "not shown", "cannot tell"]
"""`confirmed`: the rule holds beyond the error of the runs. `contradicted`: the runs show the opposite beyond their
error. `not shown`: the runs are compatible with both. `cannot tell`: a premise of the claim fails in these runs."""

STATES: tuple[State, ...] = get_args(State)

Remedy = Literal["seeds", "scale", "data", "finish"]
"""What would let runs decide that cannot: more seeds, a larger scale, the paper's data, or the rest of the runs asked
for."""


@dataclass(frozen=True)
class Outcome:
    """The evidence of some runs about a claim.

    Args:
        state: what the evidence amounts to.
        numbers: the numbers that decided it, in words for people.
        reason: why the runs cannot tell, as a sentence without a full stop; empty in every other state.
        remedies: what would let them tell, all of it together.
    """

    state: State
    numbers: str
    reason: str = ""
    remedies: tuple[Remedy, ...] = ()


def cannot_tell(reason: str, remedy: Remedy | None = None, numbers: str = "") -> Outcome:
    """The outcome of runs that lack a premise of the claim.

    Args:
        reason: the missing premise, as a sentence without a full stop, such as `AlexNet reached 64 % train accuracy`.
        remedy: what would supply it; None where no command of a study does.
        numbers: what the runs show nevertheless.
    """
    return Outcome("cannot tell", numbers, reason, (remedy,) if remedy else ())


NO_RUNS = cannot_tell("no run that the rule needs is finished", "finish")
"""The outcome of no runs at all."""


def decided(holds: bool, numbers: str) -> Outcome:
    """The outcome of a rule that is free of sampling error: confirmed where it holds, else contradicted."""
    return Outcome("confirmed" if holds else "contradicted", numbers)


def all_of(parts: Iterable[Outcome]) -> Outcome:
    """The outcome of a claim about each of several networks, seeds or conditions.

    It is contradicted if one part is; else one part that cannot tell or does not show it keeps the whole from being
    confirmed. The numbers of all parts are kept; reasons and remedies are those of the parts that cannot tell.
    """
    parts = list(parts)
    if not parts:
        return NO_RUNS
    state = next(
        state
        for state in ("contradicted", "cannot tell", "not shown", "confirmed")
        if any(part.state == state for part in parts)
    )
    numbers = "; ".join(dict.fromkeys(part.numbers for part in parts if part.numbers))
    if state != "cannot tell":
        return Outcome(state, numbers)  # type: ignore[arg-type]
    open_parts = [part for part in parts if part.state == "cannot tell"]
    reason = "; ".join(dict.fromkeys(part.reason for part in open_parts))
    remedies = dict.fromkeys(remedy for part in open_parts for remedy in part.remedies)
    return Outcome("cannot tell", numbers, reason, tuple(remedies))
