"""What the soak tests share: the content of a store without its times, and commands that are started and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from math import isclose
from pathlib import Path
from random import Random
from typing import Any

from shatterlab import Store

SHORT = Path(__file__).parent / "short.py"
TIMES = {"seconds", "evaluation_seconds", "provenance"}
LONGEST = 300
"""A command that has not ended after so many seconds hangs."""


def content(path: Path) -> dict[str, Any]:
    """What a store holds, by a name for each thing, without times and provenance; what cannot be read raises."""
    store = Store(path)
    results = store.results()
    if store.unreadable:
        raise store.unreadable[0]
    found: dict[str, Any] = {}
    for result in results:
        found[f"{result.id} result"] = _timeless(result.model_dump(mode="json"))
        found[f"{result.id} rows"] = [_timeless(row.model_dump(mode="json")) for row in store.rows(result.spec)]
        found[f"{result.id} checkpoint"] = store.checkpoint(result.spec).read_bytes()
        found[f"{result.id} examples"] = {
            name: [array.tolist() for array in vars(part).values() if hasattr(array, "tolist")]
            for name, part in store.examples(result).items()
        }
    for file in sorted(path.glob("measured/*.json")):
        if (measured := store.measured(file.stem)) is not None:
            found[f"{file.stem} records"] = _timeless(measured.model_dump(mode="json"))
    found["asked"] = [asked.model_dump(mode="json") for asked in store.asked()]
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _timeless(part) for name, part in value.items() if name not in TIMES}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def differences(one: Any, other: Any, tolerance: float = 0.0, place: str = "") -> Iterator[str]:
    """The places at which two contents differ; with a tolerance numbers may do so by this share, and bytes at all."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted({*one, *other}, key=str):
            if name not in one or name not in other:
                yield f"{place}/{name} is in one only"
            else:
                yield from differences(one[name], other[name], tolerance, f"{place}/{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, tolerance, f"{place}/{i}")
    elif isinstance(one, bytes) and tolerance:
        if len(one) != len(other):
            yield f"{place}: {len(one)} bytes, not {len(other)}"
    elif isinstance(one, float) and tolerance and isclose(one, other, rel_tol=tolerance, abs_tol=tolerance):
        return
    elif one != other:
        yield f"{place}: {str(one)[:60]}, not {str(other)[:60]}"


def start(arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
    """Starts a command with one thread, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(SHORT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )


def members(group: int) -> list[int]:
    """The processes of a group that are alive, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(of_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until_gone(group: int, seconds: float = 15) -> bool:
    """Whether no process of a group is left after some seconds; those that are get killed."""
    deadline = time.monotonic() + seconds
    while members(group):
        if time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
            return False
        time.sleep(0.02)
    return True


def moment(process: subprocess.Popen[bytes], store: Path, random: Random, whole: float) -> None:
    """Waits for a moment to kill: a random time, or a random change of the store's files."""
    began = time.monotonic()
    if random.random() < 0.4:
        until = began + random.uniform(0, whole)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        return
    changes, last = random.randint(1, 15), _state(store)
    while process.poll() is None and time.monotonic() < began + 2 * whole:
        if (state := _state(store)) != last:
            changes, last = changes - 1, state
            if changes <= 0:
                return
        time.sleep(0.001)


def _state(store: Path) -> list[tuple[str, int]]:
    state = []
    for folder, _, names in os.walk(store):
        for name in names:
            try:
                state.append((name, os.stat(os.path.join(folder, name)).st_size))
            except OSError:
                state.append((name, -1))
    return state
