"""The output in a terminal: records as a table, and the outcome of a study."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from ..results import Asked
from ..studies import Study, Tables, command_of, judge

MOST_COLUMNS = 130
"""A table is as wide as it needs up to this: lines that the terminal folds are easier to read than folded cells."""


def print_records(lines: Sequence[Mapping[str, str | float | None]], title: str | None = None) -> None:
    """Prints records with the same keys as a table, in which columns of numbers are aligned to the right.

    A value that is missing is shown as a dash; without any record nothing is printed.
    """
    if not lines:
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column, cell in lines[0].items():
        number = not isinstance(cell, str) or cell.replace(",", "").replace(".", "", 1).isdigit()
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for line in lines:
        table.add_row(*map(_shown, line.values()))
    console = Console(width=MOST_COLUMNS)
    needed = Measurement.get(console, console.options, table).maximum
    Console(width=max(Console().width, needed)).print(table)


def _shown(cell: str | float | None) -> str:
    if cell is None:
        return "—"
    return escape(cell) if isinstance(cell, str) else f"{cell:,}" if isinstance(cell, int) else f"{cell:,.6g}"


def print_study(study: Study, asked: Asked, tables: Tables, missing: int) -> None:
    """Prints what a study found: its verdicts, one in each line, the state of its claims, and its table if it has one.

    Args:
        study: the study.
        asked: the request.
        tables: the evidence of the runs that are finished.
        missing: how many are not.
    """
    for sentence in study.verdict(tables):
        print(f"  {sentence}")
    # The claims are about the studies' own networks.
    judged = {} if asked.model else judge(study, asked, tables, missing)
    if judged:
        print()
    for claim, outcome in judged.items():
        print(f"  {outcome.state:<12}  {claim.statement}")
        command = command_of(asked, outcome.remedies) if outcome.remedies else ""
        reason = outcome.reason and f"{outcome.reason}{f': {command}' if command else '.'}"
        for line in (reason, outcome.numbers and f"{outcome.numbers}."):
            if line:
                print(f"{'':16}{line[0].upper()}{line[1:]}")
    if study.table:
        print()
        print_records(study.table(tables))


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
