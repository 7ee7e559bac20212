"""Flags that several commands share, and what they print in common."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..results.store import Store

Device = Literal["auto", "cpu", "cuda"]
StoreDir = Annotated[Path, tyro.conf.arg(help="Folder of the runs.")]
DataDir = Annotated[
    Path | None, tyro.conf.arg(help="Folder looked in first for data; then $SHATTERLAB_DATA and the cache.")
]
Json = Annotated[bool, tyro.conf.arg(help="Print JSON instead of text.")]
StudyName = Annotated[str | None, tyro.conf.Positional]


def unfinished(store: Store, study_ids: Collection[str] | None = None) -> str:
    """A sentence on the runs that have begun and not ended, of those with these ids or of all; empty without any."""
    ids = {path.parent.name for path in store.begun()}
    count = len(ids if study_ids is None else ids & {*study_ids})
    runs, them = ("run is", "it") if count == 1 else ("runs are", "them")
    return f"{count:,} {runs} unfinished; the command that began {them} goes on with {them}." if count else ""


def print_json(value: Any) -> None:
    """Prints a value as JSON that a person can read too."""
    print(json.dumps(value, indent=1))
