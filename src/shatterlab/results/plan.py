"""The plan of a command: which runs it trains at once and with how many threads, so that it can do the same again.

The last bits of a run's numbers depend on both. How many runs are best trained together is found by timing, which comes
out differently each time, so that the choice is kept.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..errors import DamagedError
from ..files import write_whole
from ..ranks import started_rank
from .records import read, text_of
from .store import Store


class Plan(BaseModel):
    """The groups of runs that a command trains at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(ge=1)
    """The number of CPU threads of each process."""
    groups: list[list[str]] = []
    """The ids of the runs of each group; every run is in one of them at most."""


def place_of(store: Store, command: Mapping[str, Any]) -> Path:
    """The file of a command's plan, named after all its options."""
    text = json.dumps(command, sort_keys=True)
    named = f"{command['study']}.{command['scale']}.{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    return store.path / "plans" / named


def read_plan(store: Store, path: Path) -> Plan | None:
    """The plan that was made when the command was given before, or None; a damaged one is moved aside.

    Raises:
        UnreadableError: a later version wrote the plan, or the system does not let us read it.
    """
    if not path.exists():
        return None
    try:
        return read(path, Plan)[0]
    except DamagedError as error:
        if started_rank() == 0:
            with store.asking():  # no other process writes a new one meanwhile
                store.set_aside(error)
        return None


def keep_plan(store: Store, path: Path, plan: Plan) -> None:
    """Writes a plan in place of the one before."""
    with store.asking(), store.writing():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text_of(plan))
    store.upload(path)
