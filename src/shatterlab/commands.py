"""The two commands that train: `run` and `train`. Imported when they start, as they need torch."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from .data import Data, data_folders, fetch_dataset, find, load, pin
from .engines import Settings, run_all, threads_for
from .engines.estimate import estimate, stacks
from .engines.tasks import do_tasks, with_data_version
from .errors import ShatterlabError
from .machine import cores, free_memory
from .progress import Progress
from .report import chart_library
from .results import Asked, Measurement, Result, Store, Task
from .row import Row
from .spec import Spec
from .spine import pick_device, run
from .studies import Scale, Study, chosen, tables
from .terminal import print_study

OUT = Console(soft_wrap=True, highlight=False)
VALIDATION_PART = 5
"""Of a data set smaller than a study asks for, one part in this many at most is held out."""
MEMORY_SHARE = 0.8
"""Of the free memory that runs side by side may take together."""
START_SECONDS = 4
"""Until a process beside this one has imported torch and read its data, about."""


def run_studies(
    name: str,
    scale: Scale,
    data: str | None,
    store_dir: Path,
    device: str,
    seeds: int,
    jobs: int | None,
    data_dir: Path | None,
) -> None:
    """`shatterlab run`."""
    if seeds < 1 or (jobs is not None and jobs < 1):
        raise ShatterlabError("--seeds and --jobs must be at least 1.")
    studies = chosen(name)
    store = Store(store_dir)
    trains = any(study.specs(scale, data or "cifar10", 1) for study in studies.values())
    reads = any("data" in task.settings for study in studies.values() for task in study.tasks(scale, "cifar10", 1))
    data = data or (available_data(scale, data_dir) if trains or reads else "cifar10")
    loaded = load(data, data_dir) if trains else None

    def specs_of(study: Study, seeds: int) -> list[Spec]:
        return [sized(spec, loaded) for spec in study.specs(scale, data, seeds)] if loaded else []

    def tasks_of(study: Study, seeds: int) -> list[Task]:
        return [with_data_version(task) for task in study.tasks(scale, data, seeds)]

    # Fewer seeds than last time are a part of the same study, whose other runs still belong to it.
    earlier = {asked.study: asked.seeds for asked in store.asked() if (asked.scale, asked.data) == (scale, data)}
    for study_name, study in studies.items():
        most = max(seeds, earlier.get(study_name, 0))
        run_ids, task_ids = [s.id for s in specs_of(study, most)], [t.id for t in tasks_of(study, most)]
        store.ask(
            Asked(study=study_name, scale=scale, data=data, seeds=most, run_ids=run_ids, measurement_ids=task_ids)
        )
    specs = {name: specs_of(study, seeds) for name, study in studies.items()}
    tasks = {name: tasks_of(study, seeds) for name, study in studies.items()}
    failures = []
    for do in (
        lambda: _train_all(specs, store, device, jobs, data_dir, f"{name} at scale {scale} on {data}"),
        lambda: _compute_all(tasks, store, scale, data_dir),
    ):
        try:
            do()
        except ShatterlabError as error:
            failures.append(str(error))
    for study_name, study in studies.items():
        results = [result for spec in specs[study_name] if (result := store.result(spec))]
        measured = [found for task in tasks[study_name] if (found := store.measured(task.id))]
        OUT.print(f"\n[bold]{study_name}[/bold]  {study.question}")
        if results or measured:
            print_study(study, tables(store, results, measured))
        else:
            OUT.print("  none of its runs is finished")
    chart_library()  # kept for `shatterlab report`, which then answers at once
    if failures:
        raise ShatterlabError(" ".join(failures))


def _train_all(
    wanted: Mapping[str, Sequence[Spec]],
    store: Store,
    device: str,
    jobs: int | None,
    data_dir: Path | None,
    what: str,
) -> None:
    """Trains what is missing; runs that studies share are trained once."""
    every = list({spec.id: spec for specs in wanted.values() for spec in specs}.values())
    if not every:
        return
    missing = [spec for spec in every if store.result(spec) is None]
    OUT.print(f"{what}: {len(every)} runs, {len(every) - len(missing)} already in {store.path}.", markup=False)
    if missing:
        jobs, units = _announce(missing, device, jobs, data_dir)
        with Progress(missing) as progress:
            run_all(missing, Settings(store.path, device, data_dir), jobs=jobs, report=progress.update, units=units)


def _compute_all(wanted: Mapping[str, Sequence[Task]], store: Store, scale: Scale, data_dir: Path | None) -> None:
    """Computes what is missing. At scale demo, tasks whose data cannot be had are left out with a line that says so."""
    missing = [task for tasks in wanted.values() for task in tasks if store.measured(task.id) is None]
    refused: set[str] = set()
    for data in sorted({str(task.settings["data"]) for task in missing if "data" in task.settings}):
        if data.startswith("npz:") or find(data, data_dir):
            continue
        OUT.print(f"{data} is not in {', '.join(map(str, data_folders(data_dir)))}; fetching it.", markup=False)
        try:
            fetch_dataset(data, data_dir)
        except ShatterlabError as error:
            if scale != "demo":
                raise
            OUT.print(f"Left out what needs {data}: {error}", markup=False)
            refused.add(data)

    with OUT.status("") as status:

        def report(task: Task, done: Measurement | None) -> None:
            if done:
                OUT.print(f"  {task.study}: {task.title}, {_duration(done.seconds)}", markup=False)
            else:
                status.update(escape(f"{task.study}: {task.title}"))

        do_tasks([t for t in missing if t.settings.get("data") not in refused], store, data_dir=data_dir, report=report)


def sized(spec: Spec, data: Data) -> Spec:
    """A study's run cut to a smaller data set, where it has one, and pinned to its content."""
    sizes: dict[str, int | None] = {
        name: None
        for name, wanted, part in (
            ("n", (spec.n or 0) + spec.n_validation, data.train),
            ("n_test", spec.n_test or 0, data.test),
        )
        if wanted > len(part)
    }
    if "n" in sizes and spec.n_validation:
        # What is left to train on has to be most of it.
        sizes["n_validation"] = min(spec.n_validation, max(1, len(data.train) // VALIDATION_PART))
    return pin(spec.model_copy(update=sizes))


def _announce(
    missing: Sequence[Spec], device: str, jobs: int | None, data_dir: Path | None
) -> tuple[int, list[list[Spec]]]:
    """Says what is coming and returns the number of processes and the stacks that they share."""
    free = free_memory()
    # One run keeps a GPU busy. On the CPU large runs are fastest with a core each, and small ones in one stack.
    most = 1 if pick_device(device).type == "cuda" else cores()
    plans = []
    for wanted in {jobs} if jobs else {1, most}:
        wanted = min(wanted, len(missing))
        shared: dict[str, Any] = {"threads": threads_for(wanted), "device": device, "data_dir": data_dir}
        units = stacks(missing, jobs=wanted, memory=MEMORY_SHARE * free / wanted, **shared)
        cost = estimate(units, **shared)
        fitting = wanted if jobs else max(1, min(wanted, len(units), int(MEMORY_SHARE * free / cost.memory)))
        seconds = cost.seconds / fitting + (START_SECONDS if fitting > 1 else 0)
        plans.append((seconds, fitting, units, cost.memory * fitting))
    seconds, wanted, units, memory = min(plans, key=lambda plan: plan[:2])
    largest = max(map(len, units))
    stacked = f" in stacks of up to {largest}" if largest > 1 else ""
    OUT.print(
        f"{len(missing)} to do on {pick_device(device)}{stacked}, {wanted} at a time: at most about "
        f"{_duration(seconds)}, {memory / 1e9:.1f} GB of memory. Ctrl-C stops; the same command goes on."
    )
    if memory > free:
        OUT.print(f"That is more than the {free / 1e9:.1f} GB free now: a smaller --jobs or --scale needs less.")
    return wanted, units


def available_data(scale: Scale, data_dir: Path | None) -> str:
    """cifar10 if it is here or can be fetched; else, at scale demo, the bundled digits and a line that says why."""
    if find("cifar10", data_dir):
        return "cifar10"
    OUT.print(f"CIFAR-10 is not in {', '.join(map(str, data_folders(data_dir)))}; fetching it (162 MB).", markup=False)
    try:
        fetch_dataset("cifar10", data_dir)
    except ShatterlabError as error:
        if scale != "demo":
            raise
        OUT.print(f"Using scikit-learn's bundled digits instead of CIFAR-10: {error}", markup=False)
        return "digits"
    return "cifar10"


def train_one(spec: Spec, store_dir: Path, device: str, data_dir: Path | None, *, as_json: bool) -> None:
    """`shatterlab train`."""
    spec = pin(spec)
    try:
        with Progress([spec], quiet=as_json) as progress:
            result = run(
                spec, Store(store_dir), device=device, data_dir=data_dir, on_row=lambda row: progress.update(spec, row)
            )
    except (MemoryError, RuntimeError, ValueError) as error:  # torch's, for what does not fit or go together
        raise ShatterlabError(f"{spec.title} failed: {error}; a smaller model, n or batch may do.") from None
    if as_json:
        json.dump(result.summary(), sys.stdout)
        print()
    else:
        OUT.print(_final_line(result), markup=False)


def _final_line(result: Result) -> str:
    last: Row = result.last
    fitted = "" if last.corrupted_fitted is None else f", {100 * last.corrupted_fitted:.2f} % of the corrupted fitted"
    stopped = f"; fitted at step {result.fit_step:,}" if result.fit_step else ""
    if result.validation_epoch:
        early = 100 * (result.validation_test_accuracy or 0)
        stopped += f"; validation would stop at epoch {result.validation_epoch} with test {early:.2f} %"
    took = _duration(result.seconds)
    return (
        f"{result.spec.title} on {result.spec.data}, n = {result.n:,}, {result.parameters:,} parameters: after epoch "
        f"{last.epoch} ({last.step:,} steps) train {100 * (last.train_accuracy or 0):.2f} % (loss {last.train_loss:.4f}"
        f"{fitted}), test {100 * (last.test_accuracy or 0):.2f} %{stopped}; {took}, run {result.id}"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
