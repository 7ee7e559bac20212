"""The output in a terminal: records as a table, and the outcome of a study."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import escaped
from ..results import Asked, Measurement, Result, Store

if TYPE_CHECKING:
    from ..studies import Study

MISSING = "—"
LADDER = 18
"""A column of texts is at least this wide where its texts are."""
MOST_COLUMNS = 130
"""In a file or a pipe a table is as wide as it needs up to this."""


def print_records(lines: Sequence[Mapping[str, str | float | None]], title: str | None = None) -> None:
    """Prints records with the same keys as a table, in which columns of numbers are aligned to the right.

    Texts are wrapped between words. A table that is still too wide for the terminal is continued below with the columns
    that are left, each part beginning with the first column. A value that is missing is shown as a dash; without any
    record nothing is printed.
    """
    columns = list(dict.fromkeys(column for line in lines for column in line))
    if not columns:
        return
    cells = {in_line(str(column)): [_shown(line.get(column)) for line in lines] for column in columns}
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, min(MOST_COLUMNS, _width(cells, widest=True))))
        print_columns(console, cells, title)
        return
    for part in _parts(cells, console.width):
        print_columns(console, part, title)
        title = None


def print_columns(console: Console, cells: Mapping[str, Sequence[str]], title: str | None) -> None:
    """Prints columns of cells as a table."""
    table = Table(
        title=None if title is None else Text(in_line(title)),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    spare = console.width - _width(cells)
    for column, values in cells.items():
        least, most = _least(column, values), max(map(cell_len, [column, *values]))
        width = least + max(0, min(spare, most - least))  # what is spare goes to the first columns that can use it
        spare -= width - least
        right = _is_number(values[0])
        table.add_column(Text(column), justify="right" if right else "left", overflow="fold", width=width)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)


def _parts(cells: Mapping[str, Sequence[str]], width: int) -> list[dict[str, Sequence[str]]]:
    """The columns in parts that fit the width, each beginning with the first column."""
    (first, values), *others = cells.items()
    parts: list[dict[str, Sequence[str]]] = [{first: values}]
    for column, found in others:
        if len(parts[-1]) > 1 and _width({**parts[-1], column: found}) > width:
            parts.append({first: values})
        parts[-1][column] = found
    return parts


def _width(cells: Mapping[str, Sequence[str]], *, widest: bool = False) -> int:
    """The width of a table when its texts are wrapped as far as they can be, or, with `widest`, not at all."""
    if widest:
        return sum(max(map(cell_len, [column, *values])) + 1 for column, values in cells.items())
    return sum(_least(column, values) + 1 for column, values in cells.items())


def _least(column: str, values: Sequence[str]) -> int:
    """The least width of a column in which no number and no word is broken, and no text becomes a ladder of words."""
    words = max(map(cell_len, " ".join([column, *values]).split()), default=1)
    if _is_number(values[0]):
        return max(words, *map(cell_len, values))
    return max(words, min(LADDER, max(map(cell_len, values))))


def _is_number(cell: str) -> bool:
    return cell == MISSING or cell.replace(",", "").replace(".", "", 1).replace("-", "", 1).isdigit()


def in_line(text: str) -> str:
    """A text that rich shows on one line, in which control characters are escaped."""
    return escaped(text).replace("\n", "\\n").replace("\t", "\\t")


def _shown(cell: Any) -> str:
    """A cell as text; what a study of one's own puts there that is no number is shown as Python shows it."""
    if cell is None:
        return MISSING
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return in_line(str(cell))
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.6g}"


def say(text: str, indent: int = 0, hang: int | None = None) -> None:
    """Prints a sentence, wrapped between words where a terminal shows it; in a file or a pipe it stays on one line.

    Args:
        text: the sentence; a command of ours in it stands on a line of its own, unbroken, so that it can be copied.
        indent, hang: the spaces before the first line and before the others; by default the same.
    """
    console = Console()
    if not console.is_terminal:
        print(f"{'':{indent}}{text}")
        return
    whole, command, rest = text.partition("shatterlab run ")
    first, others = " " * indent, " " * (indent if hang is None else hang)
    for line in textwrap.wrap(
        whole, console.width, initial_indent=first, subsequent_indent=others, break_long_words=False,
        break_on_hyphens=False,
    ):  # fmt: skip
        print(line)
    if command:
        print(f"{others}{command}{rest}")


def print_study(
    study: "Study", store: Store, asked: Asked, runs: Sequence[Result], measured: Sequence[Measurement]
) -> list[str]:
    """Prints what a study found: its verdicts, one in each line, the state of its claims, and its table if it has one.

    Args:
        study: the study.
        store: the store of the records.
        asked: the request.
        runs, measured: what is finished of it.

    Returns:
        The states of its claims.
    """
    from ..studies import command_of, evaluate, tables, without_misfits  # here, as it takes long

    whole = len(asked.run_ids) + len(asked.measurement_ids)
    found = without_misfits(
        store,
        asked,
        measured,
        lambda some: evaluate(study, asked, tables(store, runs, some), whole - len(runs) - len(some)),
    )
    if found is None:
        return []
    for sentence in found.verdicts:
        say(sentence, 2)
    if found.outcomes:
        print()
    for claim, outcome in found.outcomes.items():
        say(f"{outcome.state:<12}  {claim.statement}", 2, 16)
        command = command_of(asked, outcome.remedies) if outcome.remedies else ""
        reason = outcome.reason and f"{outcome.reason}{f': {command}' if command else '.'}"
        for line in (reason, outcome.numbers and f"{outcome.numbers}."):
            if line:
                say(f"{line[0].upper()}{line[1:]}", 16)
    if study.table:
        print()
        print_records(found.table)
    return [outcome.state for outcome in found.outcomes.values()]


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
