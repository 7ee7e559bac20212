"""`csv:PATH?label=COLUMN`, `parquet:PATH?label=COLUMN` and frames in memory: columns become features."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import ShatterlabError, unknown
from .arrays import assembled
from .dataset import Data

MISSING = ["", "NA", "N/A", "nan", "NaN", "null", "NULL", "None", "?"]
"""A csv file says that a value is missing with one of these."""
MOST_TEXTS = 20
"""A column of no more different texts than this becomes a column of zeros and ones for each of them."""


def read(path: Path, name: str, label: str | None) -> Data:
    """Reads a table whose column `label` holds the classes."""
    try:
        frame = pl.read_parquet(path) if name.startswith("parquet:") else _read_csv(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise ShatterlabError(f"{path} cannot be read as a table ({first}); give it a line of column names.") from None
    return from_frames(name, frame, None, label)


def from_frames(name: str, train: Any, test: Any, label: str | None) -> Data:
    """Data out of a training frame and a test frame, or None to split one off, of polars or pandas.

    Numbers and booleans are taken as they are, as float32; texts of few values get a column each, of zeros and ones.

    Raises:
        ShatterlabError: no such column, missing values, or a column that is neither number nor text.
    """
    parts = [as_polars(part) for part in (train, test) if part is not None]
    columns = parts[0].columns
    if label is None:
        raise ShatterlabError(f"name the column of the labels, as in {name}?label=COLUMN; there are {_few(columns)}.")
    if label not in columns:
        raise unknown("column", label, columns)
    if any(set(part.columns) != set(columns) for part in parts):
        raise ShatterlabError(f"{name}: training and test frame must have the same columns, {_few(columns)}.")
    whole = pl.concat([part.select(columns) for part in parts], how="vertical_relaxed")
    for column in whole:
        lacking = column.is_null() | column.is_nan() if column.dtype.is_float() else column.is_null()
        missing = lacking.fill_null(True).sum()
        if missing:
            raise ShatterlabError(
                f"column '{column.name}' of {name} lacks {missing:,} of {len(column):,} values; fill them in, "
                "with the column's mean for instance, or leave these rows or the column out."
            )
    blocks = [block for column in whole.drop(label) for block in _features(name, column)]
    if not blocks:
        raise ShatterlabError(f"{name} has no columns beside '{label}'; add features.")
    x, y, n = np.stack(blocks, axis=1), whole[label].to_numpy(), len(parts[0])
    notes = tuple(
        f"column '{column.name}' of texts became {column.n_unique()} columns of 0 and 1."
        for column in whole.drop(label)
        if _is_text(column)
    )
    return assembled(name, x[:n], y[:n], *((x[n:], y[n:]) if len(parts) > 1 else ()), notes=notes)


def as_polars(frame: Any) -> pl.DataFrame:
    """A frame of polars or pandas as one of polars."""
    if isinstance(frame, pl.DataFrame):
        return frame
    # Column by column, since polars itself needs pyarrow for this; None stands for all of pandas' missing values.
    return pl.DataFrame(
        {
            str(name): [None if lacks else value for value, lacks in zip(column.tolist(), column.isna(), strict=True)]
            for name, column in frame.items()
        }
    )


def _read_csv(path: Path) -> pl.DataFrame:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        separator = max(",;\t", key=file.readline().count)
    return pl.read_csv(path, separator=separator, infer_schema_length=None, null_values=MISSING)


def _features(name: str, column: pl.Series) -> list[np.ndarray]:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return [column.cast(pl.Float32).to_numpy()]
    if not _is_text(column):
        raise ShatterlabError(f"column '{column.name}' of {name} holds {column.dtype}; make numbers of it, or drop it.")
    texts = column.cast(pl.String).to_numpy()
    values = sorted(set(texts))
    if len(values) > MOST_TEXTS:
        raise ShatterlabError(
            f"column '{column.name}' of {name} has {len(values):,} different texts, such as '{values[0]}', and at most "
            f"{MOST_TEXTS} become columns of 0 and 1; make numbers of it, or drop it."
        )
    return [(texts == value).astype(np.float32) for value in values]


def _is_text(column: pl.Series) -> bool:
    return column.dtype in (pl.String, pl.Categorical, pl.Enum)


def _few(columns: list[str]) -> str:
    return ", ".join(columns if len(columns) <= 12 else [*columns[:12], "..."])
