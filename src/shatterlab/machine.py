"""What this machine has: its processor, the cores and the memory that this process may use."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path
from time import sleep

CGROUP = Path("/sys/fs/cgroup")
"""Linux tells in this folder what a group of processes may use, by version 2 of the interface or version 1."""
MEMBERSHIP = Path("/proc/self/cgroup")
"""Linux tells in this file to which groups this process belongs; a container sees its own as the uppermost."""


@cache
def processor() -> str:
    """The name of this machine's processor and the number of its cores."""
    name = _cpuinfo("model name") or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


@cache
def vendor() -> str:
    """The maker of the processor as Linux names it, such as `GenuineIntel`; empty where the system does not tell."""
    return _cpuinfo("vendor_id")


def cores() -> int:
    """The number of cores that this process may use, by its affinity and its container's share of time."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        for group in _groups("cpu"):
            share = _words(*(group / name for name in names))
            if len(share) == 2 and all(word.isdigit() for word in share):
                mine = min(mine, max(1, int(share[0]) // int(share[1])))
    return mine


def open_files_left() -> float:
    """The number of files that this process may still open, once it has asked for as many as it may have."""
    if sys.platform == "win32":
        return float("inf")
    import resource

    most, bound = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS refuses what is infinite in name only
        resource.setrlimit(resource.RLIMIT_NOFILE, (bound, bound))
        most = bound
    return float("inf") if most == resource.RLIM_INFINITY else float(most - len(os.listdir("/dev/fd")))


STAT = Path("/proc/stat")
"""Linux counts in this file what its processors have done since it was started."""


def busy_cores(seconds: float = 0.25) -> float:
    """The cores that other work takes now, measured over so many seconds; 0 where the system does not tell."""
    before = _ticks()
    sleep(seconds)
    spent = [after - first for first, after in zip(before, _ticks(), strict=False)]
    if len(spent) < 5 or not sum(spent):
        return 0.0
    _, nice, _, idle, waiting, *_ = spent
    # What runs at a lower priority gives way.
    return (os.cpu_count() or 1) * (1 - (idle + waiting + nice) / sum(spent))


def crowding(threads: int, busy: float) -> float:
    """How much longer a step takes while several threads run beside other work than while one runs beside it.

    Args:
        threads: busy threads of ours.
        busy: the number of cores that other work takes, from `busy_cores`.

    >>> crowding(1, 0.5), crowding(10_000, 0.0) > 1
    (1.0, True)
    """
    count = os.cpu_count() or 1
    each, alone = (max(1.0, (ours + busy) / count) for ours in (threads, 1))
    return each / alone


def free_memory() -> float:
    """The bytes that this process can still be given by the machine and by its container; infinite where unknown."""
    free = _kilobytes(Path("/proc/meminfo"), "MemAvailable")
    left = [float("inf") if free is None else free]
    limits = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
    for group, (limit, used) in product(_groups("memory"), limits):
        words = _words(group / limit, group / used)
        if len(words) == 2 and all(word.isdigit() for word in words):
            # Files that the system has cached count as used, and are given up when memory is asked for.
            stats = _words(group / "memory.stat")
            cached = dict(zip(stats[::2], stats[1::2], strict=False)).get("inactive_file", "0")
            left.append(float(int(words[0]) - int(words[1]) + int(cached)))
    return max(0.0, min(left))


@contextmanager
def peak_memory() -> Iterator[Callable[[], float | None]]:
    """Hands out a function that tells the peak resident memory of this process since the block began, in bytes.

    It returns None where the system (any but Linux) does not tell.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the peak, see proc(5)
        known = True
    except OSError:
        known = False
    yield lambda: _kilobytes(Path("/proc/self/status"), "VmHWM") if known else None


def _groups(controller: str) -> list[Path]:
    """The folders of this process's control groups and of those above, whose limits bind it as well."""
    try:
        lines = [line.split(":", 2) for line in MEMBERSHIP.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        lines = []
    groups = []
    for root, wanted in ((CGROUP, ""), (CGROUP / controller, controller)):
        own = next((path for _, names, path in lines if wanted in names.split(",")), "/")
        folder = root / own.strip("/")
        groups += [folder, *(above for above in folder.parents if above.is_relative_to(root))]
    return groups


def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _kilobytes(path: Path, name: str) -> float | None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) * 1024
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _ticks() -> list[int]:
    """What the processors have spent in user, nice, system, idle, waiting and other states; empty where unknown."""
    words = _words(STAT)
    return [int(word) for word in words[1:9]] if words[:1] == ["cpu"] else []


def _words(*paths: Path) -> list[str]:
    """The words of small files, in their order; none where one of them cannot be read."""
    try:
        return [word for path in paths for word in path.read_text(encoding="utf-8").split()]
    except OSError:
        return []


def raise_file_limit() -> int:
    """Lets this process open as many files as it may; returns how many. 1,024 where the system does not tell."""
    try:
        import resource  # Windows has none
    except ImportError:
        return 1_024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        except (OSError, ValueError):
            pass  # macOS has a lower limit that it does not name here
    return soft
