"""Every claim on tables made by hand, and on random tables of worlds in which it is false."""

from importlib import import_module

import numpy as np
import pytest
from verdicts.made import Cases

from shatterlab.studies import STUDIES, Outcome, Tables
from shatterlab.studies.study import Claim

NULL_TABLES = 200

CLAIMS: list[tuple[str, int, Claim, Cases]] = [
    (name, number, claim, import_module(f"verdicts.cases_{name.replace('-', '_')}").CASES[number])
    for name, study in STUDIES.items()
    for number, claim in enumerate(study.claims)
]
every_claim = pytest.mark.parametrize(
    ("claim", "cases"), [(claim, cases) for _, _, claim, cases in CLAIMS], ids=[f"{n}-{i}" for n, i, _, _ in CLAIMS]
)
TABLES = [
    (claim, state.replace("_", " "), table, f"{name}-{number}-{state}-{what}")
    for name, number, claim, cases in CLAIMS
    for state in ("confirmed", "contradicted", "not_shown", "cannot_tell")
    for what, table in getattr(cases, state).items()
]


@pytest.mark.parametrize(("claim", "state", "table"), [case[:3] for case in TABLES], ids=[case[3] for case in TABLES])
def test_a_claim_is_judged_as_its_hand_made_tables_say(claim: Claim, state: str, table: Tables) -> None:
    outcome = claim.check(table)
    assert outcome.state == state, outcome
    _is_readable(outcome)


@every_claim
def test_every_claim_has_tables_that_confirm_contradict_and_cannot_tell(claim: Claim, cases: Cases) -> None:
    assert cases.confirmed
    assert cases.cannot_tell
    assert bool(cases.contradicted) != bool(cases.why_no_contradiction)


@every_claim
def test_random_null_tables_confirm_a_claim_in_at_most_five_percent(claim: Claim, cases: Cases) -> None:
    rng = np.random.default_rng(14)
    outcomes = [claim.check(cases.null(rng)) for _ in range(NULL_TABLES)]
    assert sum(outcome.state == "confirmed" for outcome in outcomes) <= 0.05 * NULL_TABLES


@every_claim
def test_no_runs_at_all_cannot_tell(claim: Claim, cases: Cases) -> None:
    whole = next(iter(cases.confirmed.values()))
    for nothing in (
        Tables(whole.runs.clear(), whole.epochs.clear()),
        Tables(whole.runs.clear().select(), whole.epochs),
    ):
        outcome = claim.check(nothing)
        assert outcome.state == "cannot tell"
        _is_readable(outcome)


def _is_readable(outcome: Outcome) -> None:
    assert "nan" not in outcome.numbers.lower().replace("determinant", "")
    assert not outcome.numbers.endswith(".")
    assert not outcome.reason.endswith(".")
    assert bool(outcome.reason) == (outcome.state == "cannot tell")
    assert outcome.numbers or outcome.reason
