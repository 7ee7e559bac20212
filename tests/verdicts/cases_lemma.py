"""Tables for the claim of lemma."""

from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.lemma import DETERMINANT


def small(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A matrix that was looked into with fractions."""
    return {
        "n": 10, "seed": seed, "data": "digits", "smallest_difference": 0.1, "largest_singular_value": 20.0,
        "smallest_singular_value": 0.01, "log_determinant": -12.0, "sum_of_logs": -12.0, "roots": 10, "differences": 10,
        "determinant_is_zero": False, "control_is_zero": True,
    } | changes  # fmt: skip


def large(**changes: Any) -> dict[str, Any]:
    """A matrix of a thousand rows."""
    return small(n=1_000, roots=None, determinant_is_zero=None, control_is_zero=None) | changes


def _null(rng: np.random.Generator) -> Tables:
    """A difference that is no eigenvalue, a singular matrix, a control that says nothing, or a determinant off."""
    wrong = (
        [small(roots=9)],
        [small(determinant_is_zero=True)],
        [small(control_is_zero=False)],
        [small(), large(log_determinant=-12.0 + 2_000 * DETERMINANT * (1 + rng.random()))],
        [large()],
    )
    return tables_of(records=wrong[rng.integers(5)])


CASES = [
    Cases(
        confirmed={"two sizes": tables_of(records=[small(), small(1), large()])},
        contradicted={
            "a difference is no eigenvalue": tables_of(records=[small(roots=9), large()]),
            "a singular matrix": tables_of(records=[small(determinant_is_zero=True)]),
        },
        not_shown={"a determinant that is off": tables_of(records=[small(), large(log_determinant=-11.0)])},
        cannot_tell={
            "nothing in exact arithmetic": tables_of(records=[large()]),
            "a control that can be inverted": tables_of(records=[small(control_is_zero=False)]),
            "thresholds above their points": tables_of(records=[small(smallest_difference=-0.1)]),
            "equal differences": tables_of(records=[small(roots=9, differences=9)]),
            "no number": tables_of(records=[large(log_determinant=float("nan"))]),
        },
        null=_null,
    )
]
