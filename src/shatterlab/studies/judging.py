"""What a request to a study says about each of its claims, and the command that would let it say more."""

import shlex

from ..results import Asked
from .outcome import Outcome, Remedy, cannot_tell
from .study import PAPER_DATA, Claim, Study, Tables

LARGER = {"demo": "cpu", "cpu": "paper"}
"""The next larger scale of each scale."""


def command_of(asked: Asked, remedy: Remedy = "") -> str:
    """The command that made a request, or the one that applies a remedy to it.

    More seeds go on from the runs that are there. At the paper's scale there is no larger one, so that this remedy is
    an empty command.
    """
    scale: str | None = asked.scale
    seeds, data = asked.seeds, asked.data
    if remedy == "scale":
        scale = LARGER.get(asked.scale)
    elif remedy == "seeds":
        seeds = max(3, seeds + 1)
    elif remedy == "data":
        data = PAPER_DATA
    if scale is None:
        return ""
    rest = ["--model", asked.model] if asked.model else []
    rest += ["--seeds", str(seeds)] if seeds > 1 else []
    return shlex.join(["shatterlab", "run", asked.study, "--scale", scale, "--data", data, *rest])


def judge(study: Study, asked: Asked, found: Tables, missing: int) -> dict[Claim, Outcome]:
    """The outcome of each claim; unfinished runs decide none, as those that are missing may say otherwise.

    Args:
        study: the study.
        asked: the request.
        found: the evidence of its finished runs and computations.
        missing: how many of those that were asked for are not finished.
    """
    outcomes = {claim: claim.check(found) for claim in study.claims}
    if not missing:
        return outcomes
    whole = len(asked.run_ids) + len(asked.measurement_ids)
    unfinished = f"{missing} of {whole} runs are unfinished"
    return {
        claim: outcome if outcome.state == "cannot tell" else cannot_tell(unfinished, "finish", outcome.numbers)
        for claim, outcome in outcomes.items()
    }
