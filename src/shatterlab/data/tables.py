"""`csv:PATH?label=COLUMN`, `parquet:PATH?label=COLUMN` and frames in memory: columns become features."""

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import ShatterlabError, reading, shown, unknown
from ..files import DENSEST, SMALL, too_dense
from . import decode
from .arrays import assembled
from .dataset import Data

MISSING = ["", "NA", "N/A", "nan", "NaN", "null", "NULL", "?"]
"""A csv file says that a value is missing with one of these."""
MOST_COLUMNS = 2**16
"""A column takes some kilobytes before its first number, so that a line of commas would fill memory."""
DECODED_WITHIN, SLOWEST = 60, 10**6
"""A parquet file that takes longer than so many seconds, and one for each so many bytes, hangs its decoder."""
MOST_NAMED = 40
"""An error names so many columns at most."""
MOST_TEXTS = 20
"""A column of no more different texts than this becomes a column of zeros and ones for each of them."""


def read(path: Path, name: str, label: str | None) -> Data:
    """Reads a table whose column `label` holds the classes."""
    return from_frames(name, [frame_at(path, name, label)], label)


def frame_at(path: Path, name: str, label: str | None) -> pl.DataFrame:
    """The table of a file as it is.

    Raises:
        ShatterlabError: it is no table.
    """
    with reading(path, "a table", "give it a line of column names, or write it anew"):
        return _read_parquet(path) if name.startswith("parquet:") else _read_csv(path, label)


def from_frames(name: str, frames: Sequence[Any], label: str | None) -> Data:
    """Data out of a training frame, and a test frame unless one is to be split off, of polars or pandas.

    Raises:
        ShatterlabError: there is no such column; see also `features`.
    """
    parts = [as_polars(frame) for frame in frames]
    columns = parts[0].columns
    if label is None:
        raise ShatterlabError(f"name the column of the labels, as in {name}?label=COLUMN; there are {_few(columns)}.")
    for part in parts:
        if label not in part.columns:
            raise unknown("column", shown(label), map(shown, part.columns[:MOST_NAMED]))
    x, notes = features(name, [part.drop(label) for part in parts])
    return assembled(name, x, [part[label].to_numpy() for part in parts], notes)


def features(name: str, frames: Sequence[Any]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Float32 (rows, features) of each frame, and what was done to make them.

    Numbers and booleans are taken as they are; texts of few values get a column each, of zeros and ones.

    Raises:
        ShatterlabError: the frames differ, values are missing, or a column is neither number nor text.
    """
    parts = [as_polars(frame) for frame in frames]
    columns = parts[0].columns
    if not columns or any(set(part.columns) != set(columns) for part in parts):
        raise ShatterlabError(f"{name} needs features, and the same ones ({_few(columns)}) in training and test set.")
    whole = pl.concat([part.select(columns) for part in parts], how="vertical_relaxed")
    x = np.concatenate([_numbers(name, column) for column in whole], axis=1)
    texts = [column for column in whole if _is_text(column)]
    notes = tuple(
        f"column '{shown(column.name)}' of texts became {column.n_unique()} columns of 0 and 1." for column in texts
    )
    return np.split(x, np.cumsum([len(part) for part in parts])[:-1]), notes


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


def _read_parquet(path: Path) -> pl.DataFrame:
    """The table, if its rows are no more than such a file holds: a column of one value takes a few bytes at any length.

    What a table may hold is looked at before, as lists in it may be of any length, too.
    """
    packed = path.stat().st_size
    decode_elsewhere(path, 4 * max(SMALL, DENSEST * packed))
    schema = pl.read_parquet_schema(path)
    if len(schema) > MOST_COLUMNS:
        raise ShatterlabError(f"{path} has more than {MOST_COLUMNS:,} columns; hand it over as npz:PATH instead.")
    for name, dtype in schema.items():
        if not (dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)):
            raise ShatterlabError(
                f"column '{shown(name)}' of {path} holds {shown(dtype)}; make numbers or texts of it, or drop it."
            )
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    texts = [name for name, dtype in schema.items() if not dtype.is_numeric()]
    frame = None
    unpacked = 8 * rows * len(schema)
    if not too_dense(packed, unpacked):
        frame = pl.read_parquet(path)
        unpacked = sum(int(frame[name].cast(pl.String).str.len_bytes().sum()) for name in texts)
    if frame is None or too_dense(packed, unpacked):
        raise ShatterlabError(
            f"{path} unpacks from {packed:,} bytes to {unpacked:,}, as traps do; if it is yours, write it as csv."
        )
    return frame


def decode_elsewhere(path: Path, most: int) -> None:
    """Decodes a parquet file in another process that may take `most` bytes, see `decode`.

    Raises:
        ValueError: the file cannot be decoded.
        TimeoutExpired: its decoder hangs, as one of polars does that waits for a thread that has died.
    """
    done = subprocess.run(
        [sys.executable, "-P", decode.__file__, path, str(most)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=DECODED_WITHIN + path.stat().st_size / SLOWEST,
    )
    if done.returncode < 0:
        raise ValueError(f"it ends the program that decodes it, with signal {-done.returncode}")
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["it cannot be decoded"])[-1])


def _read_csv(path: Path, label: str | None) -> pl.DataFrame:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.readline()
    separator = max(",;\t", key=head.count)
    if head.count(separator) >= MOST_COLUMNS:
        raise ShatterlabError(f"{path} has more than {MOST_COLUMNS:,} columns; hand it over as npz:PATH instead.")
    read = partial(pl.read_csv, path, separator=separator, infer_schema_length=None, null_values=MISSING)
    frame = read()
    if label in frame.columns and frame[label].dtype.is_integer():
        texts = read(columns=[label], schema_overrides={label: pl.String})[label]
        if not texts.equals(frame[label].cast(pl.String)):  # "01" is not the class "1"
            frame = frame.with_columns(texts)
    return frame


def _numbers(name: str, column: pl.Series) -> np.ndarray:
    """A column as one or several of float32."""
    lacking = column.is_null() | column.is_nan() if column.dtype.is_float() else column.is_null()
    if missing := lacking.fill_null(True).sum():
        raise ShatterlabError(
            f"column '{shown(column.name)}' of {name} lacks {missing:,} of {len(column):,} values; fill them in, "
            "with the column's mean for instance, or leave these rows or the column out."
        )
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float32).to_numpy()[:, None]
    if not _is_text(column):
        raise ShatterlabError(
            f"column '{shown(column.name)}' of {name} holds {column.dtype}; make numbers of it, or drop it."
        )
    texts = column.cast(pl.String).to_numpy()
    values = sorted(set(texts))
    if len(values) > MOST_TEXTS:
        raise ShatterlabError(
            f"column '{shown(column.name)}' of {name} has {len(values):,} different texts, such as "
            f"'{shown(values[0])}', and at most {MOST_TEXTS} become columns of 0 and 1; make numbers of it, or drop it."
        )
    return (texts[:, None] == np.array(values, object)).astype(np.float32)


def _is_text(column: pl.Series) -> bool:
    return column.dtype in (pl.String, pl.Categorical, pl.Enum)


def _few(columns: list[str]) -> str:
    return ", ".join(map(shown, columns if len(columns) <= 12 else [*columns[:12], "..."]))
