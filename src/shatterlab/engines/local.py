"""Runs on this machine: one after another, or several processes side by side."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..errors import ShatterlabError
from ..machine import cores
from ..results import Store
from ..row import Row
from ..spec import Spec

Report = Callable[[Spec, Row | None], None]
"""Called with a row after each epoch of a run, and with None when the run is complete."""


@dataclass(frozen=True)
class Settings:
    """What every run of a list shares."""

    store: Path
    device: str = "auto"
    data_dir: Path | None = None


def run_all(
    specs: Sequence[Spec],
    settings: Settings,
    *,
    jobs: int = 1,
    report: Report = lambda spec, row: None,
    units: Sequence[Sequence[Spec]] | None = None,
) -> None:
    """Does every run of `specs` that the store does not hold yet.

    Args:
        specs: in the order to start them.
        settings: store, device and data folder.
        jobs: runs at a time, each in a process of its own with its share of the cores; 1 stays in this process.
        report: told of every epoch and every finished run, in this process.
        units: `specs` in stacks that are trained at once, see `estimate.stacks`; default: each alone.

    Raises:
        ShatterlabError: a run failed; the others have been done, and what was computed is kept.
        KeyboardInterrupt: stopped by the user; every run can be taken up again.
    """
    store = Store(settings.store)
    missing = [
        unit
        for group in units or [[spec] for spec in specs]
        if (unit := [spec for spec in group if store.result(spec) is None])
    ]
    if jobs == 1 or len(missing) <= 1:
        failures = _one_by_one(missing, settings, report)
    else:
        failures = _side_by_side(missing, settings, min(jobs, len(missing)), report)
    if failures:
        others = f" ({len(failures) - 1} more runs failed.)" if len(failures) > 1 else ""
        raise ShatterlabError(failures[0] + others)


def _one_by_one(units: Sequence[Sequence[Spec]], settings: Settings, report: Report) -> list[str]:
    failures: list[str] = []
    for unit in _busy_last(units, settings):
        failures += _failures(unit, settings, report).values()
    return failures


def _busy_last(units: Iterable[Sequence[Spec]], settings: Settings) -> Iterator[Sequence[Spec]]:
    """The units in their order, but runs that another process is doing at the end: two commands share the work."""
    store = Store(settings.store)
    busy: list[Spec] = []
    for unit in units:
        free: list[Spec] = []
        for spec in unit:
            (busy if store.busy(spec) else free).append(spec)
        if free:
            yield free
    yield from ([spec] for spec in busy)


def _failures(unit: Sequence[Spec], settings: Settings, report: Report) -> dict[str, str]:
    """Does the runs of a unit; returns what went wrong by run, as one broken run must not take the others with it."""
    from ..spine import run_together

    where = {"device": settings.device, "data_dir": settings.data_dir}
    try:
        ends = run_together(unit, Store(settings.store), **where, on_row=report)  # type: ignore[arg-type]
    except Exception as error:
        if len(unit) > 1:  # perhaps too large, or not to be stacked
            found: dict[str, str] = {}
            for spec in unit:
                found |= _failures([spec], settings, report)
            return found
        if isinstance(error, ShatterlabError):
            return {unit[0].id: str(error)}
        return {unit[0].id: f"{unit[0].title} failed: {type(error).__name__}: {error}"}
    failures = {spec.id: str(end) for spec, end in zip(unit, ends, strict=True) if isinstance(end, ShatterlabError)}
    for spec in unit:
        if spec.id not in failures:
            report(spec, None)
    return failures


def threads_for(jobs: int) -> int:
    """Each run's share of the cores."""
    return max(1, cores() // jobs)


def _side_by_side(units: Sequence[Sequence[Spec]], settings: Settings, jobs: int, report: Report) -> list[str]:
    context = multiprocessing.get_context("spawn")  # a forked torch may hang in its thread pool
    tasks, events = context.Queue(), context.Queue()
    for unit in units:
        tasks.put(unit)
    for _ in range(jobs):
        tasks.put(None)
    threads = threads_for(jobs)
    workers = [context.Process(target=_work, args=(tasks, events, settings, threads), daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    failures, open_runs = [], {spec.id: spec for unit in units for spec in unit}
    try:
        while open_runs:
            try:
                spec, event = events.get(timeout=1)
            except queue.Empty:
                if not any(worker.is_alive() for worker in workers):
                    failures.append(_death(workers, len(open_runs)))
                    break
                continue
            if isinstance(event, str):
                failures.append(event)
                del open_runs[spec.id]
                continue
            if event is None:
                del open_runs[spec.id]
            report(spec, event)
    finally:
        # A worker has nothing to tidy up: a run may be killed at any moment.
        for worker in workers:
            worker.kill()
            worker.join()
    return failures


def _death(workers: Sequence[BaseProcess], left: int) -> str:
    codes = ", ".join(str(worker.exitcode) for worker in workers)
    return (
        f"{left} runs are unfinished because the worker processes died (exit codes {codes}; -9 usually means out of "
        "memory); run the same command again with a smaller --jobs: it goes on from the last checkpoints."
    )


def _work(tasks: Any, events: Any, settings: Settings, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops us
    import torch

    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()

    def tell(spec: Spec, row: Row | None) -> None:
        if parent is not None and not parent.is_alive():
            os._exit(1)  # the command was killed; the run can be taken up again
        events.put((spec, row))

    for unit in _busy_last(iter(tasks.get, None), settings):
        failures = _failures(unit, settings, tell)
        for spec in unit:
            if spec.id in failures:
                events.put((spec, failures[spec.id]))
