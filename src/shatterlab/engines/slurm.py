"""The engine for Slurm: each job or stack is a task of a job array, submitted by submitit, with a core of its own.

The store is a folder that all nodes see. A task takes the lock of each of its jobs there and goes on from the last
checkpoint, as a process of the local engine does. What has come out is read from the store, so that nothing has to
reach this machine over the network. Partition, account, time and the like are what Slurm's own variables say, such as
SBATCH_PARTITION, which win over what is asked for here.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from ..errors import ShatterlabError
from ..jobs import Computation, Job, Tell, Training, travelling
from ..results import Store
from .local import UNEXPECTED, Ended, Where, ended_unit, unfinished

FOLDER = ".slurm"
"""The folder of the store that holds the pickled jobs and the logs; no run is ever named like it."""
PAUSE = 2.0
"""The store is looked at after so many seconds."""
GRACE = 30.0
"""What a task has left may be seen so many seconds after its end, as network file systems remember absent files."""
MINUTES = 60
"""The time limit of a task where SBATCH_TIMELIMIT names none: short tasks start sooner, and longer work is requeued."""
REQUEUES = 1_000
"""A task that is stopped by its time limit is requeued at most so many times; it goes on from its checkpoints."""
ARRAY = 1_000
"""An array has at most so many tasks; Slurm's default, MaxArraySize, allows 1,001."""
AT_A_TIME = 256
"""So many tasks of an array go at a time where nobody says otherwise, which is submitit's own default."""


def check() -> None:
    """Makes sure that jobs can be submitted from this machine.

    Raises:
        ShatterlabError: submitit is not installed, or there is no Slurm here.
    """
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise ShatterlabError(
            "the engine slurm needs submitit; install it with: pip install 'shatterlab[slurm]'"
        ) from None
    if missing := [command for command in ("sbatch", "srun", "scancel") if shutil.which(command) is None]:
        raise ShatterlabError(
            f"there is no {missing[0]} on this machine, so that nothing can be submitted to Slurm; run the same "
            "command on a login node of the cluster, or leave --engine slurm out to use this machine."
        )


def do(
    jobs: Sequence[Job],
    store: Store,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    workers: int = AT_A_TIME,
    units: Sequence[Sequence[Job]] | None = None,
    tell: Tell = lambda job, row: None,
    cluster: str = "slurm",
) -> Iterator[Ended]:
    """Does every job that the store does not hold yet as tasks of Slurm; see `local.do`.

    If this process is killed, the tasks go on. The same call then submits again what is not finished; a task whose job
    another one is doing waits for it and takes over the result, so that nothing is done twice.

    Args:
        jobs, store, data_dir, units, tell: as there. The store has to be a folder that every node sees under the same
            path, and so has `data_dir`, and the files that a user's network and data are read from.
        device: with `cuda` each training asks for a graphics card; otherwise everything takes the processor.
        workers: the number of tasks of each array that go at a time.
        cluster: `slurm`; or `local`, where submitit plays the cluster on this machine.

    Yields:
        The outcome of each job, as soon as the store holds it.

    Raises:
        ShatterlabError: there is no Slurm here, it refuses the jobs, or a job cannot be sent to another process.
    """
    todo = unfinished(jobs, units, store)
    if not todo:
        return
    if cluster == "slurm":
        check()
    where = Where(store.shared_folder(), "cuda" if device == "cuda" else "cpu", data_dir and data_dir.resolve())
    watched = _Watched(store, [job for unit in todo for job in unit], tell)
    tasks: list[_Task] = []
    try:
        for asked, group in _arrays(todo, where.device):
            tasks += _submitted(group, asked, where, workers, cluster)
        while tasks:
            for task in tasks:
                yield from watched.ended(task)
            tasks = [task for task in tasks if task.left]
            if tasks:
                sleep(PAUSE)
    finally:
        # After Ctrl-C nothing goes on unseen; a job may be stopped at any moment.
        _cancel(tasks, cluster)


@dataclass(frozen=True)
class _Asked:
    """What a task asks of a node beside a core: a graphics card, and GB of memory, 0 for what the cluster gives."""

    card: bool
    memory: int


def _arrays(units: Sequence[Sequence[Job]], device: str) -> Iterator[tuple[_Asked, list[Sequence[Job]]]]:
    """The units in arrays, whose tasks all ask for the same."""
    groups: dict[_Asked, list[Sequence[Job]]] = {}
    for unit in units:
        memory = max(getattr(job, "memory", 0.0) for job in unit)
        card = device == "cuda" and isinstance(unit[0], Training)
        asked = _Asked(card, ceil(memory / 1e9) if memory > UNEXPECTED else 0)
        groups.setdefault(asked, []).append(unit)
    for asked, group in groups.items():
        for start in range(0, len(group), ARRAY):
            yield asked, group[start : start + ARRAY]


@dataclass(frozen=True)
class _Unit:
    """A unit on its way to a node; submitit calls it there."""

    jobs: Sequence[Job]
    where: Where

    def __call__(self) -> dict[str, str]:
        """Does the unit; returns the error of each job, by id, empty where it was done."""
        import torch
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
        torch.set_num_threads(1)
        return {ended.job.id: ended.error for ended in ended_unit(self.jobs, self.where, lambda job, row: None)}

    def checkpoint(self) -> Any:
        """What goes on after preemption or at the time limit: the same, as the store holds all that was done."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass
class _Task:
    """A unit that was submitted.

    Args:
        job: submitit's handle of it.
        left: the jobs whose outcome is not known yet.
        over: the time at which it was first seen to have ended; None while it has not.
    """

    job: Any
    left: list[Job]
    over: float | None = None

    @property
    def begun(self) -> bool:
        """Whether a node has taken it, which then has opened its log."""
        return self.job.paths.stdout.exists()

    def errors(self) -> dict[str, str]:
        """The errors of its jobs, by id, as far as they are sure."""
        if not self.job.done():
            self.over = None
            return {}
        self.over = self.over or monotonic()
        lost = {job.id: self.lost(job) for job in self.left}
        known: dict[str, str] = {}
        if self.job.paths.result_pickle.exists():
            try:
                known = self.job.result()
            except RuntimeError:  # submitit's, where the task could not be called at all
                return lost
        return (lost if monotonic() - self.over > GRACE else {}) | {id: error for id, error in known.items() if error}

    def lost(self, job: Job) -> str:
        """A sentence on a job of which nothing came back."""
        return (
            f"{job.title} came to no end in the Slurm job {self.job.job_id} (state {self.job.state}; its log is "
            f"{self.job.paths.stderr}); run the same command again: it goes on from the last checkpoint."
        )


def _submitted(units: Sequence[Sequence[Job]], asked: _Asked, where: Where, workers: int, cluster: str) -> list[_Task]:
    """Submits units as one array."""
    import submitit

    units = [[travelling(job) for job in unit] for unit in units]
    with Store(where.store).writing():
        (where.store / FOLDER).mkdir(parents=True, exist_ok=True)
    try:
        executor = submitit.AutoExecutor(where.store / FOLDER, cluster=cluster, slurm_max_num_timeout=REQUEUES)
        executor.update_parameters(
            name="shatterlab",
            timeout_min=MINUTES,
            cpus_per_task=1,
            gpus_per_node=1 if asked.card else None,
            slurm_mem_per_cpu=f"{asked.memory}G" if asked.memory else None,
            slurm_array_parallelism=workers,
            slurm_additional_parameters={"requeue": True},  # also where a node is lost
        )
        with executor.batch():
            handles = [executor.submit(_Unit(unit, where)) for unit in units]
    except RuntimeError as error:
        raise ShatterlabError(
            f"Slurm refused the jobs ({_reason(error)}); say what your cluster wants in Slurm's own variables, such as "
            "SBATCH_PARTITION, SBATCH_ACCOUNT or SBATCH_TIMELIMIT, and run the same command again."
        ) from None
    return [_Task(handle, [*unit]) for handle, unit in zip(handles, units, strict=True)]


def _reason(error: Exception) -> str:
    """The first line of what a command of Slurm had to say."""
    lines = [line.removeprefix("sbatch: error: ").strip() for line in str(error).splitlines()]
    return next(filter(None, lines), type(error).__name__).rstrip(".")


def _cancel(tasks: Sequence[_Task], cluster: str) -> None:
    """Cancels the tasks that have not ended, all in one command."""
    going = [task for task in tasks if task.left]
    if cluster != "slurm":
        for task in going:
            task.job.cancel()
    elif arrays := {task.job.job_id.partition("_")[0]: None for task in going}:
        subprocess.run(["scancel", *arrays], check=False, capture_output=True)


class _Watched:
    """What a store has gained since it was last looked at.

    Args:
        store: the store.
        jobs: the jobs that are done there.
        tell: see `local.do`.
    """

    def __init__(self, store: Store, jobs: Sequence[Job], tell: Tell) -> None:
        self.store, self.tell = store, tell
        # A row stays told when a run goes on from a checkpoint before it.
        self.told = {job.id: len(store.rows(job.spec)) for job in jobs if isinstance(job, Training)}
        self.begun: set[str] = set()

    def ended(self, task: _Task) -> Iterator[Ended]:
        """Tells what is new of the jobs of a task, and yields those that have ended."""
        errors = task.errors()  # before the store is read, so that nothing is missed that the task left there
        for job in [*task.left]:
            kept = job.kept(self.store)
            self._tell(job, task)
            if kept or job.id in errors:
                task.left.remove(job)
                yield Ended(job, kept) if kept else Ended(job, None, errors[job.id])

    def _tell(self, job: Job, task: _Task) -> None:
        if isinstance(job, Computation):
            if job.id not in self.begun and task.begun:
                self.begun.add(job.id)
                self.tell(job, None)
            return
        for row in self.store.rows(job.spec, after=self.told[job.id]):
            self.told[job.id] = row.epoch
            self.tell(job, row)
