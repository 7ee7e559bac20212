"""Flags that several commands share, and what they print in common."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..errors import ShatterlabError, listed
from ..results.store import Store

Device = Literal["auto", "cpu", "cuda"]
StoreDir = Annotated[Path, tyro.conf.arg(help="Folder of the runs, or s3://bucket/folder (extra cloud).")]
DataDir = Annotated[
    Path | None, tyro.conf.arg(help="Folder looked in first for data; then $SHATTERLAB_DATA and the cache.")
]
Json = Annotated[bool, tyro.conf.arg(help="Print JSON instead of text.")]
Engine = Annotated[
    Literal["local", "ray"],
    tyro.conf.arg(help="Where the work is done: local on this machine, ray on a Ray cluster (extra ray)."),
]
Address = Annotated[
    str | None,
    tyro.conf.arg(
        help="Of the Ray cluster: auto for the one of this machine. Default: $RAY_ADDRESS, else this machine alone."
    ),
]
StudyName = Annotated[str | None, tyro.conf.Positional]


def check_engine(engine: str, address: str | None, jobs: int | None) -> None:
    """Refuses flags that do not go with the engine.

    Raises:
        ShatterlabError: there is an address without a cluster, or a number of jobs with one.
    """
    if address and engine != "ray":
        raise ShatterlabError("--address is that of a Ray cluster; write --engine ray beside it.")
    if jobs is not None and engine == "ray":
        raise ShatterlabError("--jobs is for this machine; leave it out, as a Ray cluster does what it has room for.")


def unfinished(store: Store, study_ids: Collection[str] | None = None) -> str:
    """A sentence on the runs that have begun and not ended, of those with these ids or of all; empty without any."""
    store.unfinished()  # which notes those whose specs cannot be read
    ids = {path.parent.name for path in store.begun()}
    count = len(ids if study_ids is None else ids & {*study_ids})
    runs, them = ("run is", "it") if count == 1 else ("runs are", "them")
    return f"{count:,} {runs} unfinished; the command that began {them} goes on with {them}." if count else ""


def refuse_unreadable(store: Store) -> None:
    """Ends a command whose output lacks what could not be read.

    Raises:
        ShatterlabError: there are such files; it lists them.
    """
    if store.unreadable:
        raise ShatterlabError(listed(store.unreadable))


def diverged(store: Store, study_ids: Collection[str] | None = None) -> list[str]:
    """A sentence on each run that has diverged, of those with these ids or of all; they count in no mean."""
    found = [one for one in store.diverged_runs() if study_ids is None or one.spec.id in study_ids]
    return [f"run {one.spec.id} is left out: {one}" for one in found]


def print_json(value: Any) -> None:
    """Prints a value as JSON that a person can read too."""
    print(json.dumps(value, indent=1))
