"""The local engine: jobs on this machine, one after another or in several processes side by side."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, cast

from ..errors import ShatterlabError, out_of_memory
from ..jobs import Computation, Job, Kept, Tell, Training, travelling
from ..jobs import do as do_here
from ..machine import cores, open_files_left
from ..ranks import agreed, processes, rank
from ..results import Store

OTHER_FILES = 32
"""A process needs at most so many open files at a time beside the locks of the runs that it does."""
UNEXPECTED = 1e9
"""A computation that takes at least these bytes is done while no other job runs, with all cores to itself."""


class Ended(NamedTuple):
    """The outcome of a job that has ended."""

    job: Job
    kept: Kept | None
    """The result or measurement; None where the job failed."""
    error: str = ""
    """One sentence that says why the job failed and what to do; empty where it did not."""


@dataclass(frozen=True)
class Where:
    """The settings that all jobs of a call share, and that travel to the workers."""

    store: Path
    device: str
    data_dir: Path | None


def do(
    jobs: Sequence[Job],
    store: Store,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    workers: int = 1,
    units: Sequence[Sequence[Job]] | None = None,
    tell: Tell = lambda job, row: None,
    threads: int | None = None,
) -> Iterator[Ended]:
    """Does every job that the store does not hold yet, trainings and computations alike.

    A job that fails does not stop the others. The store keeps all work, so that the same call goes on where it was left
    after Ctrl-C, after a kill, or when the iterator was dropped.

    Args:
        jobs: the jobs, in the order in which they are started.
        store, device, data_dir: see `spine.run`.
        workers: number of processes at a time, each with its share of the cores; 1 stays in this process.
        units: the jobs in groups that are done at once, see `estimate.stacks`; by default each job is alone.
        tell: called in this process when a computation begins and after each epoch of a training.
        threads: number of CPU threads of each training, on which its last bits depend; by default each process takes
            its share of the cores, and this one as many as torch has.

    Yields:
        The outcome of each job, as soon as it has ended.

    Raises:
        ShatterlabError: the store is damaged, or a job cannot be sent to another process.
    """
    where = Where(store.path, device, data_dir)
    todo = unfinished(jobs, units, store)
    if processes() > 1:
        yield from _in_step(todo, jobs, where, tell)
        return
    together = [unit for unit in todo if not _large(unit[0])]
    if workers == 1 or len(together) <= 1:
        yield from _one_by_one(todo, where, tell, threads)
        return
    count = min(workers, len(together))
    yield from _side_by_side(together, where, count, tell, threads or threads_for(count))
    yield from _one_by_one([unit for unit in todo if _large(unit[0])], where, tell, threads)


def unfinished(jobs: Sequence[Job], units: Sequence[Sequence[Job]] | None, store: Store) -> list[list[Job]]:
    """What is left of the units, or of the jobs one by one, each once; jobs that the store holds are left out."""
    different = {job.id: job for unit in units or [jobs] for job in unit}
    missing = {id for id, job in different.items() if job.kept(store) is None}
    alone = [[job] for job in different.values()]
    return [left for unit in units or alone if (left := [job for job in unit if job.id in missing])]


def _in_step(todo: Sequence[Sequence[Job]], jobs: Sequence[Job], where: Where, tell: Tell) -> Iterator[Ended]:
    """Does what is left of jobs with several processes, see `ranks`: each training in all of them, the rest in rank 0.

    Any error ends the process, so that no other one waits for it for ever.
    """
    by_id = {job.id: job for job in jobs}
    for id in agreed([job.id for unit in todo for job in unit]):
        job = by_id[id]
        if not isinstance(job, Training) and rank() != 0:
            kept = None
        else:
            kept = do_here([job], Store(where.store), device=where.device, data_dir=where.data_dir, tell=tell)[0]
        end = agreed(kept)
        yield Ended(job, None, str(end)) if isinstance(end, ShatterlabError) else Ended(job, end)


def _large(job: Job) -> bool:
    return isinstance(job, Computation) and job.memory > UNEXPECTED


def _one_by_one(
    units: Iterable[Sequence[Job]], where: Where, tell: Tell, threads: int | None = None
) -> Iterator[Ended]:
    for unit in _busy_last(units, Store(where.store)):
        with torch_threads(threads) if threads and isinstance(unit[0], Training) else nullcontext():
            ended = ended_unit(unit, where, tell)
        yield from ended


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Gives torch so many threads for a block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _busy_last(units: Iterable[Sequence[Job]], store: Store) -> Iterator[Sequence[Job]]:
    """Moves jobs that another process is doing to the end, so that two commands share the work."""
    busy: list[Job] = []
    for unit in units:
        free: list[Job] = []
        for job in unit:
            (busy if store.busy(job.lock(store)) else free).append(job)
        if free:
            yield free
    yield from ([job] for job in busy)


def ended_unit(unit: Sequence[Job], where: Where, tell: Tell) -> list[Ended]:
    """Does the jobs of a unit; if they fail together, each is tried alone, so that only broken ones fail."""
    most = int(max(1, min(len(unit), open_files_left() - OTHER_FILES)))
    if len(unit) > most:
        print(
            f"a stack of {len(unit)} runs holds a file open for each, more than may be opened here (see ulimit -n); at "
            f"most {most} are trained at once, which takes longer",
            file=sys.stderr,
        )
        pieces = -(-len(unit) // most)
        return [ended for i in range(pieces) for ended in ended_unit(unit[i::pieces], where, tell)]
    try:
        kept = do_here(unit, Store(where.store), device=where.device, data_dir=where.data_dir, tell=tell)
    except Exception as error:
        if len(unit) > 1:  # perhaps too large, or not to be stacked
            return [ended for job in unit for ended in ended_unit([job], where, tell)]
        (job,) = unit
        if isinstance(error, ShatterlabError):
            return [Ended(job, None, str(error))]
        if out_of_memory(error):
            advice = "a smaller --jobs, --n or --scale, or another machine, may do"
            return [Ended(job, None, f"{job.title} needs more memory than there is; {advice}.")]
        return [Ended(job, None, f"{job.title} failed: {type(error).__name__}: {str(error).rstrip('.')}.")]
    return [
        Ended(job, None, str(end)) if isinstance(end, ShatterlabError) else Ended(job, end)
        for job, end in zip(unit, kept, strict=True)
    ]


def threads_for(workers: int) -> int:
    """Each process's share of the cores."""
    return max(1, cores() // workers)


def _side_by_side(
    units: Sequence[Sequence[Job]], where: Where, count: int, tell: Tell, threads: int
) -> Iterator[Ended]:
    """Hands units out to workers, each at the end of a pipe of its own, so that the death of one harms no other."""
    todo = [[(travelling(with_own(job, None, None)), [*map(id, own_of(job))]) for job in unit] for unit in units]
    going = {job.id: job for unit in units for job in unit}
    # A user's data and objects travel once to each worker, not with every job.
    own = {id(thing): thing for job in going.values() for thing in own_of(job) if thing is not None}
    context = multiprocessing.get_context("spawn")  # a forked torch may hang in its thread pool
    workers: dict[Connection, BaseProcess] = {}
    doing: dict[Connection, set[str]] = {}
    dead: list[BaseProcess] = []
    store = Store(where.store)
    todo.reverse()
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            workers[ours] = context.Process(target=_work, args=(theirs, where, own, threads), daemon=True)
            doing[ours] = set()
            workers[ours].start()
            theirs.close()  # now the worker alone has that end, whose closing tells of its death
        while workers:
            for connection in cast("list[Connection]", wait([*workers])):
                try:
                    ended, event = connection.recv()
                    if ended is None:
                        unit = todo.pop() if todo else []
                        doing[connection] |= {job.id for job, _ in unit}
                        connection.send(unit)
                        continue
                except (EOFError, OSError):
                    worker = workers.pop(connection)
                    worker.kill()  # threads of a user's code may keep one that is through
                    worker.join()
                    dead.append(worker)
                    yield from (_lost(going.pop(id), store, [worker]) for id in sorted(doing.pop(connection)))
                    continue
                if isinstance(event, str):
                    doing[connection].discard(ended)
                    job = going.pop(ended)
                    yield Ended(job, None, event) if event else Ended(job, job.kept(store))
                else:
                    tell(going[ended], event)
        yield from (_lost(job, store, dead) for job in going.values())
    finally:
        # A worker has nothing to tidy up, since a job may be killed at any moment.
        for worker in workers.values():
            worker.kill()
            worker.join()


def own_of(job: Job) -> tuple[Any, Any]:
    """A user's data and objects that a job brings, each None where it brings none."""
    return job.data, job.objects if isinstance(job, Computation) else None


def with_own(job: Job, data: Any, objects: Any) -> Job:
    """The job with other data and objects."""
    return replace(job, data=data, objects=objects) if isinstance(job, Computation) else replace(job, data=data)


def _lost(job: Job, store: Store, workers: Sequence[BaseProcess]) -> Ended:
    """The outcome of a job whose worker died: it may have been finished all the same."""
    if (kept := job.kept(store)) is not None:
        return Ended(job, kept)
    codes = ", ".join(str(worker.exitcode) for worker in workers)
    return Ended(
        job,
        None,
        f"{job.title}: its worker process died (exit code {codes}; -9 usually means out of memory); run the same "
        "command again, if need be with a smaller --jobs: it goes on from the last checkpoints.",
    )


def _work(connection: Connection, where: Where, own: dict[int, Any], threads: int) -> None:
    """Asks for units and does them in a worker.

    It sends pairs: (None, None) to ask for a unit, which is empty when there is none left; a job's id with a row, with
    None at its start, and with an error or "" at its end.
    """
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops us
    from threadpoolctl import threadpool_limits

    for library in ("OMP", "OPENBLAS", "MKL"):  # those that are loaded later ask for it
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    threadpool_limits(threads)

    def units() -> Iterator[list[Job]]:
        while True:
            connection.send((None, None))
            unit = connection.recv()
            if not unit:
                return
            yield [with_own(job, *map(own.get, places)) for job, places in unit]

    for unit in _busy_last(units(), Store(where.store)):
        if isinstance(unit[0], Training):
            import torch

            torch.set_num_threads(threads)
        for ended in ended_unit(unit, where, lambda job, row: connection.send((job.id, row))):
            connection.send((ended.job.id, ended.error))
    connection.close()


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, whatever it is doing; the job can be taken up again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
