"""Lecture mode: the page's findings as a deck of slides, one question, one chart and one sentence a screen."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...studies import STUDIES, Claim, Outcome
from ..render import Section, heading_of, render
from ..scoreboard import scoreboard, takeaways
from ..study import Shown
from .mathematics import with_mathematics

__all__ = ["lecture_section"]


def lecture_section(
    shown: Sequence[Shown], outcomes: Mapping[str, Mapping[Claim, Outcome]], charts: Mapping[str, Any]
) -> Section:
    """The deck; it is hidden until a reader asks for it.

    Args:
        shown: what studies have asked for, the largest scale of each study first.
        outcomes: the outcomes of the claims by the id of what was asked.
        charts: the definitions of all charts of the page by id; slides show some of them once more, larger.
    """
    board = scoreboard(shown, outcomes)

    def evidence(study: str) -> Shown | None:
        """The largest complete request to a study about the networks of the house, or the largest of all."""
        of_study = [one for one in shown if one.asked.study == study and not one.asked.model]
        return next((one for one in of_study if not one.missing), of_study[0] if of_study else None)

    def chart(study: str, name: str) -> dict[str, Any] | None:
        """The first chart of a study whose name begins with a match of the regular expression `name`."""
        one = evidence(study)
        id = next((id for id in charts if one and re.match(f"{re.escape(one.id)}-{name}", id)), None)
        return None if id is None else {"id": id, "heading": heading_of(charts[id])}

    def claim(study: str, words: str) -> dict[str, Any]:
        """The line of the scoreboard about the only claim of a study whose statement contains `words`."""
        [line] = [line for line in board if line["study"] == study and words in line["statement"]]
        return line

    return render(
        "lecture",
        "lecture/deck",
        evidence=evidence,
        chart=chart,
        claim=claim,
        mathematics=with_mathematics,
        takeaways=takeaways(board),
        closing=[line for line in board if STUDIES[line["study"]].chapter == "The closing questions"],
    )
