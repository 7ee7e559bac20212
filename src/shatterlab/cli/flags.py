"""Flags that several commands share, and what they print in common."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

Device = Literal["auto", "cpu", "cuda"]
StoreDir = Annotated[Path, tyro.conf.arg(help="Folder of the runs.")]
DataDir = Annotated[
    Path | None, tyro.conf.arg(help="Folder looked in first for data; then $SHATTERLAB_DATA and the cache.")
]
Json = Annotated[bool, tyro.conf.arg(help="Print JSON instead of text.")]
StudyName = Annotated[str | None, tyro.conf.Positional]


def print_json(value: Any) -> None:
    """Prints a value as JSON that a person can read too."""
    print(json.dumps(value, indent=1))
