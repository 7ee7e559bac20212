"""Computations beside training: one after another in this process, each kept when it is done."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from ..data import data_version, load
from ..errors import ShatterlabError
from ..machine import processor
from ..results import Measurement, Store, Task, commit, versions


def with_data_version(task: Task) -> Task:
    """The task with the content of a user's npz file among its settings, so that a changed file is another task."""
    version = data_version(str(task.settings.get("data", "")))
    if version is None:
        return task
    return Task(task.study, task.title, {**task.settings, "data_version": version}, task.compute)


def do_tasks(
    tasks: Sequence[Task],
    store: Store,
    *,
    data_dir: Path | None = None,
    report: Callable[[Task, Measurement | None], None] = lambda task, done: None,
) -> None:
    """Does every task that the store does not hold yet.

    Args:
        tasks: in the order to do them.
        store: where they are kept.
        data_dir: looked in first for data.
        report: told of each task when it starts, with None, and when it is done.

    Raises:
        ShatterlabError: a task failed; the others have been done.
    """
    failures = []
    for task in tasks:
        if store.measured(task.id):
            continue
        report(task, None)
        try:
            done = do_task(task, data_dir)
        except (ShatterlabError, ValueError, ArithmeticError, MemoryError) as error:
            failures.append(f"{task.title} failed: {str(error).rstrip('.') or type(error).__name__}.")
            continue
        store.keep(done)
        report(task, done)
    if failures:
        raise ShatterlabError(" ".join(failures) + " What is done is kept; the same command goes on.")


def do_task(task: Task, data_dir: Path | None = None) -> Measurement:
    """Loads the task's data, computes, and notes the circumstances."""
    arguments: Mapping[str, Any] = {k: v for k, v in task.settings.items() if k != "data_version"}
    fingerprints = {}
    if "data" in arguments:
        data = load(arguments["data"], data_dir)
        arguments = {**arguments, "data": data}
        fingerprints = {"train": data.train.fingerprint(), "test": data.test.fingerprint()}
    started, start = datetime.now(UTC).isoformat(timespec="seconds"), monotonic()
    records = task.compute(**arguments)
    return Measurement(
        study=task.study,
        settings=dict(task.settings),
        records=records,
        seconds=monotonic() - start,
        commit=commit(),
        versions=versions(),
        hardware=processor(),
        started=started,
        fingerprints=fingerprints,
    )
