"""Results as polars tables: the face of the store for figures, verdicts and users."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from ..errors import ShatterlabError
from .result import Result

if TYPE_CHECKING:
    from .store import Store

RUN_ORDER = ("model", "corruption", "amount", "regularizers", "n", "seed")
"""Columns by which a table of runs is sorted for reading."""


def run_table(results: Sequence[Result]) -> pl.DataFrame:
    """One line a finished run, columns as in `Result.summary`."""
    return pl.DataFrame([result.summary() for result in results], infer_schema_length=None)


def epoch_table(store: "Store", results: Sequence[Result]) -> pl.DataFrame:
    """One line an epoch of each run, columns of `Row` beside those of the run that charts need."""
    keys = ("run_id", "model", "data", "corruption", "amount", "regularizers", "precision", "seed", "n")
    records = []
    for result in results:
        summary = result.summary()
        of_run = {key: summary[key] for key in keys}
        rows = store.rows(result.spec)
        if not rows:
            raise ShatterlabError(
                f"{store.folder(result.spec)} lacks its rows; delete that folder and run the same command again."
            )
        records += [of_run | row.model_dump() for row in rows]
    return pl.DataFrame(records, infer_schema_length=None)
