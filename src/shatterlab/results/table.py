"""Results as polars tables, which figures, verdicts and users read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from ..row import Row
from .result import Result

if TYPE_CHECKING:
    from .store import Store

RUN_ORDER = ("model", "corruption", "amount", "regularizers", "n", "seed")
"""A table of runs is sorted by these columns."""


def run_table(results: Sequence[Result]) -> pl.DataFrame:
    """A table with a line for each finished run; the columns are those of `Result.summary`."""
    return pl.DataFrame([result.summary() for result in results], infer_schema_length=None)


def epoch_table(store: "Store", results: Sequence[Result], rows: Sequence[Sequence[Row]] | None = None) -> pl.DataFrame:
    """A table with a line for each epoch of each run: the columns of `Row` but `online_losses`, which no CSV can hold,
    and those of the run that charts need.

    Args:
        store: the store of the runs, which is read where `rows` is None.
        results: the finished runs.
        rows: the epochs of each run, if they have been read already.
    """
    dials = ("model", "data", "corruption", "amount", "regularizers", "precision", "seed")
    records = []
    for result, epochs in zip(results, rows or [store.rows(result.spec) for result in results], strict=True):
        of_run = {"run_id": result.id} | {dial: getattr(result.spec, dial) for dial in dials} | {"n": result.n}
        records += [
            of_run | {name: value for name, value in vars(row).items() if name != "online_losses"} for row in epochs
        ]
    return pl.DataFrame(records, infer_schema_length=None)
