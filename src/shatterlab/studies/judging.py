"""What a request to a study says about each of its claims, and the command that would let it say more."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar, get_args

from ..errors import ShatterlabError, UnreadableError
from ..jobs import Training
from ..results import Asked, Measurement, Store
from .outcome import Outcome, Remedy, cannot_tell
from .study import PAPER_DATA, Cells, Claim, Scale, Study, Tables, jobs_so_far

T = TypeVar("T")

SCALES: tuple[Scale, ...] = get_args(Scale)
"""The scales, the smallest first."""


def command_of(asked: Asked, remedies: Sequence[Remedy] = ()) -> str:
    """The command that made a request, or the one that applies remedies to it.

    More seeds go on from the runs that are there. A larger scale is one at which networks are trained on more examples
    or for more epochs, or other computations are made.

    Returns:
        The command; empty where a larger scale is needed and there is none.
    """
    scale: str | None = asked.scale
    seeds, data = asked.seeds, asked.data
    if "data" in remedies:
        data = PAPER_DATA
    if "seeds" in remedies:
        seeds = max(3, seeds + 1)
    if "scale" in remedies:
        scale = _larger(asked, data)
    if scale is None:
        return ""
    rest = ["--model", asked.model] if asked.model else []
    rest += ["--precision", asked.precision] if asked.precision else []
    rest += ["--seeds", str(seeds)] if seeds > 1 else []
    return shlex.join(["shatterlab", "run", asked.study, "--scale", scale, "--data", data, *rest])


def _larger(asked: Asked, data: str) -> str | None:
    """The next scale at which the study does something larger; None where there is none."""
    from . import STUDIES

    if asked.scale not in SCALES or asked.study not in STUDIES:
        return None
    place = SCALES.index(asked.scale)
    sizes = [_sizes(STUDIES[asked.study], scale, data) for scale in SCALES[place:]]
    return next((SCALES[place + i] for i, larger in enumerate(sizes) if larger != sizes[0]), None)


def _sizes(study: Study, scale: Scale, data: str) -> set[object]:
    """What the jobs of a study have to do at a scale, as far as it shows their size."""
    return {
        (job.spec.model, job.spec.n, job.spec.epochs) if isinstance(job, Training) else job.id
        for job in jobs_so_far(study, scale, data, 1)
    }


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


class Evaluation(NamedTuple):
    """What the records of a study say."""

    verdicts: list[str]
    outcomes: Mapping[Claim, Outcome]
    """Empty where a user's model stood in for the study's own, which the claims are about."""
    table: list[Cells]


def evaluate(study: Study, asked: Asked, found: Tables, missing: int) -> Evaluation:
    """Evaluates the records of a study; see `judge` for the arguments."""
    outcomes = {} if asked.model else judge(study, asked, found, missing)
    return Evaluation(study.verdict(found), outcomes, study.table(found) if study.table else [])


def without_misfits(
    store: Store, asked: Asked, measured: Sequence[Measurement], make: Callable[[Sequence[Measurement]], T]
) -> T | None:
    """What `make` makes of a study's measurements, but for those that lack what it needs; these are `unreadable`.

    Args:
        store: the store of the measurements, which notes those that are left out.
        asked: the request to the study.
        measured: its finished measurements.
        make: makes something of some of the measurements, and fails where their records lack something.

    Returns:
        What it made; None where it fails without them, too.
    """

    def note(path: str, error: Exception) -> None:
        def refuse() -> None:
            file = store.path / path
            raise UnreadableError(
                file,
                f"{file} does not hold what the study {asked.study} needs ({type(error).__name__}: {error}); it is "
                "left out and left alone: move it out of the store and run the study again to make it anew.",
            )

        store.readable(refuse)

    try:
        return make(measured)
    except ShatterlabError:
        raise
    except Exception as error:
        failure = error
    fitting = []
    for one in measured:
        try:
            make([one])
            fitting.append(one)
        except Exception as error:
            note(f"measured/{one.id}.json", error)
    if len(fitting) < len(measured):
        try:
            return make(fitting)
        except Exception as error:
            failure = error
    note(f"studies/{store.request_name(asked)}", failure)
    return None
