"""How much memory there is, and how much a block of work took at its peak."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def free_memory() -> float:
    """Bytes this machine can still hand out; infinite where the system does not tell."""
    available = _field(Path("/proc/meminfo"), "MemAvailable")
    return float("inf") if available is None else available


@contextmanager
def peak_memory() -> Iterator[Callable[[], float | None]]:
    """Hands out a function that tells the peak resident memory of this process since the block began.

    In bytes, and None where the system (any but Linux) does not tell.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak, see proc(5)
        known = True
    except OSError:
        known = False
    yield lambda: _field(Path("/proc/self/status"), "VmHWM") if known else None


def _field(path: Path, name: str) -> float | None:
    try:
        lines = path.read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return None
