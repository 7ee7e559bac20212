"""`shatterlab show`: finished runs and verdicts in the terminal."""

from collections.abc import Sequence
from json import dumps
from typing import TYPE_CHECKING, Annotated

import tyro

from ..errors import ShatterlabError
from ..results.store import DEFAULT_STORE, Store
from .flags import Json, StoreDir, StudyName, diverged, print_json, refuse_unreadable, unfinished

if TYPE_CHECKING:
    import polars as pl

    from ..results import Asked, Measurement, Result


def command(
    study: StudyName = None,
    /,
    csv: Annotated[bool, tyro.conf.arg(help="Print CSV instead of a table.")] = False,
    json: Json = False,
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Show the finished runs of a study, or of the whole store, and the verdicts.

    Examples: shatterlab show table1; shatterlab show --csv > runs.csv

    Args:
        study: A study, see `shatterlab list studies`. Default: every run.
    """
    from ..results import Reader
    from ..results.table import RUN_ORDER
    from ..studies import STUDIES, asked_of, chosen, found_of, tables

    if csv and json:
        raise ShatterlabError("--csv and --json exclude each other; choose one.")
    opened = Reader(store)  # runs that several studies share are parsed once
    results = opened.results()
    names = [*STUDIES] if study in (None, "all") else [*chosen(study)]
    there = [(asked, *found_of(opened, asked, results)) for asked in asked_of(opened) if asked.study in names]
    wanted = None if study in (None, "all") else {id for asked, _, _ in there for id in asked.run_ids}
    if wanted is not None:
        results = [result for result in results if result.id in wanted]
    left, gone = unfinished(opened, wanted), diverged(opened, wanted)
    measured = any(measurements for _, _, measurements in there)
    if not (results or gone or measured or opened.unreadable):
        what = f"runs of {study}" if study else "runs"
        raise ShatterlabError(
            f"the store {store} holds no finished {what}; "
            + (left or f"start with 'shatterlab run {study or 'learning-curves'}'.")
        )
    if csv or json:
        # A study that only computes has records in place of runs.
        table = tables(opened, results).runs.sort(*RUN_ORDER) if results else _records(there)
        if json:
            print_json(table.to_dicts())
        else:
            print(table.write_csv(), end="")
    else:
        if results:
            _print_runs(results)
        lost = {one.spec.id for one in opened.diverged_runs()}
        for asked, runs, measurements in there:
            _print_verdicts(opened, asked, runs, measurements, lost)
        for line in (*gone, left):
            if line:
                print(f"\n{line}")
    refuse_unreadable(opened)


def _records(there: "Sequence[tuple[Asked, list[Result], list[Measurement]]]") -> "pl.DataFrame":
    """A table of what studies computed, with a line for each record; lists and mappings are shown as JSON."""
    import polars as pl

    lines = [
        {"study": asked.study, "scale": asked.scale}
        | {k: dumps(v) if isinstance(v, list | dict) else v for k, v in line.items()}
        for asked, _, measurements in there
        for measurement in measurements
        for line in measurement.lines()
    ]
    return pl.DataFrame(lines, infer_schema_length=None)


def _print_runs(results: "Sequence[Result]") -> None:
    from ..results.result import brief_table
    from ..results.table import RUN_ORDER
    from .terminal import print_records

    summaries = {result.id: result.summary() for result in results}
    ordered = sorted(results, key=lambda result: [summaries[result.id][column] for column in RUN_ORDER])
    print_records(brief_table(ordered))


def _print_verdicts(
    store: Store, asked: "Asked", runs: "list[Result]", measured: "list[Measurement]", lost: "set[str]"
) -> None:
    from ..studies import STUDIES
    from .terminal import print_study

    if not (runs or measured):
        return
    whole = len(asked.run_ids) + len(asked.measurement_ids)
    missing = whole - len(runs) - len(measured)
    ended = len(lost.intersection(asked.run_ids))
    note = f", {missing} of {whole} runs missing" if missing else ""
    note += f", of which {ended} diverged" if ended else ""
    told = "".join(f", {word}" for word in (asked.model, asked.precision) if word)
    print(f"\n{asked.study} ({asked.scale}, {asked.data}{told}{note})")
    print_study(STUDIES[asked.study], store, asked, runs, measured)
