"""The engine for clusters: each job or stack is a Ray task with a processor or a graphics card of its own.

The store is a folder that all nodes see. A task takes the lock of each of its jobs there and goes on from the last
checkpoint, as a process of the local engine does; a task whose worker or node is lost is done again by Ray on another.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..data import Data, load
from ..data.addresses import parse
from ..errors import ShatterlabError
from ..jobs import Job, Tell, Training, travelling
from ..results import Store
from ..row import Row
from .estimate import estimate, stacks
from .local import UNEXPECTED, Ended, Where, ended_unit, own_of, unfinished, with_own

RETRIES = 5
"""A unit whose worker or node is lost is begun anew at most so many times; it goes on from its checkpoints."""
PAUSE = 0.2
"""Rows are fetched from the cluster after so many seconds."""
MOST_CODE = 5_000_000
"""The files beside a user's network travel with it if they are together no larger than so many bytes."""


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connects to a cluster for a block, or starts one on this machine; hands out the module `ray`.

    Args:
        address: `auto` for the cluster that this machine belongs to, `ray://host:port`, or None, which takes
            $RAY_ADDRESS and else starts a cluster of this machine alone.

    Raises:
        ShatterlabError: Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise ShatterlabError("the engine ray needs Ray; install it with: pip install 'shatterlab[ray]'") from None
    if ray.is_initialized():
        yield ray
        return
    try:
        dashboard = None if address else False
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=dashboard)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ShatterlabError(
            f"there is no Ray cluster at {address or '$RAY_ADDRESS'} ({str(error).splitlines()[0].rstrip('.')}); start "
            "one with 'ray start --head', or leave --address out to use this machine alone."
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class Capacity:
    """What a cluster offers at once.

    Args:
        cores, gpus: the processors and graphics cards of all nodes together.
        memory: the bytes that the node with the most of it offers to one task.
    """

    cores: int
    gpus: int
    memory: float = float("inf")

    def slots(self, device: str) -> int:
        """The number of units that are done at a time."""
        return max(1, self.gpus if self.on_gpu(device) else self.cores)

    def on_gpu(self, device: str) -> bool:
        """Whether trainings run on graphics cards, of which each then has one of its own.

        Raises:
            ShatterlabError: they have to, and there is none.
        """
        if device == "cuda" and not self.gpus:
            raise ShatterlabError("no node of the Ray cluster offers a graphics card; use --device cpu.")
        return device != "cpu" and self.gpus > 0


def capacity(ray: Any) -> Capacity:
    """What the connected cluster offers."""
    there = ray.cluster_resources()
    memory = max((node["Resources"].get("memory", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
    return Capacity(int(there.get("CPU", 1)), int(there.get("GPU", 0)), memory)


def plan(
    trainings: Sequence[Training], ray: Any, device: str, data_dir: Path | None
) -> tuple[list[list[Training]], dict[str, float]]:
    """Puts trainings together and estimates them on a node of the cluster, where the work will be done.

    Returns:
        The stacks, and the seconds of each training by id.
    """
    offers = capacity(ray)
    sent = _Packing(ray).pack(trainings)
    options = _options(trainings[0], offers, device)
    units, each = ray.get(
        ray.remote(_plan).options(**options).remote(sent, offers.slots(device), _device(offers, device), data_dir)
    )
    by_id = {job.id: job for job in trainings}
    return [[by_id[id] for id in unit] for unit in units], each


def _plan(sent: "_Sent", slots: int, device: str, data_dir: Path | None) -> tuple[list[list[str]], dict[str, float]]:
    trainings = [job for job in sent.jobs() if isinstance(job, Training)]
    units = stacks(trainings, workers=slots, threads=1, device=device, data_dir=data_dir)
    cost = estimate(units, threads=1, device=device, data_dir=data_dir)
    return [[job.id for job in unit] for unit in units], dict(cost.each)


def do(
    jobs: Sequence[Job],
    store: Store,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    workers: int = 1,
    units: Sequence[Sequence[Job]] | None = None,
    tell: Tell = lambda job, row: None,
    address: str | None = None,
) -> Iterator[Ended]:
    """Does every job that the store does not hold yet on a Ray cluster; see `local.do`.

    Args:
        jobs, store, device, data_dir, units, tell: as there. The store has to be a folder that every node sees under
            the same path, and so has `data_dir`.
        workers: ignored; the cluster does as much at a time as it has room for.
        address: see `connected`.

    Yields:
        The outcome of each job, as soon as it has ended.

    Raises:
        ShatterlabError: there is no such cluster, or a job cannot be sent to it.
    """
    if todo := unfinished(jobs, units, store):
        with connected(address) as ray:
            yield from _on(ray, todo, store, device, data_dir, tell)


def _on(
    ray: Any, todo: Sequence[Sequence[Job]], store: Store, device: str, data_dir: Path | None, tell: Tell
) -> Iterator[Ended]:
    offers = capacity(ray)
    where = Where(store.path.resolve(), _device(offers, device), data_dir and data_dir.resolve())
    events = ray.remote(_Events).options(num_cpus=0, max_restarts=RETRIES).remote()
    task = ray.remote(_do_unit)
    packing = _Packing(ray)
    going: dict[Any, list[Job]] = {}
    for unit in todo:
        options = _options(unit[0], offers, device) | {"max_retries": RETRIES}
        going[task.options(**options).remote(packing.pack(unit), where, events)] = [*unit]
    jobs = {job.id: job for unit in going.values() for job in unit}
    try:
        while going:
            ready, _ = ray.wait([*going], timeout=PAUSE)
            for id, row in _news(ray, events):
                tell(jobs[id], row)
            for done in ready:
                unit = going.pop(done)
                try:
                    errors = dict(ray.get(done))
                except ray.exceptions.RayError as error:
                    errors = {job.id: _lost(job, error) for job in unit}
                for job in unit:
                    error = errors.get(job.id, "")
                    yield Ended(job, None, error) if error else Ended(job, job.kept(store))
    finally:
        # After Ctrl-C nothing goes on unseen; a job may be stopped at any moment.
        for left in going:
            ray.cancel(left, force=True)
        ray.kill(events)


def _news(ray: Any, events: Any) -> list[tuple[str, Row | None]]:
    try:
        news: list[tuple[str, Row | None]] = ray.get(events.take.remote())
    except ray.exceptions.RayActorError:  # its node was lost; the rows are in the store
        return []
    return news


def _lost(job: Job, error: Exception) -> str:
    return (
        f"{job.title} was lost with its worker {RETRIES + 1} times ({type(error).__name__}), which usually means that "
        "a node ran out of memory; run the same command again: it goes on from the last checkpoint."
    )


def _device(offers: Capacity, device: str) -> str:
    return "cuda" if offers.on_gpu(device) else "cpu"


def _options(job: Job, offers: Capacity, device: str) -> dict[str, Any]:
    """What a unit asks of a node: a processor, and a graphics card of its own where trainings run on these."""
    card = isinstance(job, Training) and offers.on_gpu(device)
    # What no node has would be waited for in vain; the largest node then has this task alone.
    memory = min(getattr(job, "memory", 0.0), offers.memory)
    return {"num_cpus": 1, "num_gpus": int(card)} | ({"memory": int(memory)} if memory > UNEXPECTED else {})


class _Events:
    """What the workers have told and the driver has not fetched yet; lives in the cluster."""

    def __init__(self) -> None:
        self.news: list[tuple[str, Row | None]] = []

    def put(self, id: str, row: Row | None) -> None:
        self.news.append((id, row))

    def take(self) -> list[tuple[str, Row | None]]:
        news, self.news = self.news, []
        return news


def _do_unit(sent: "_Sent", where: Where, events: Any) -> list[tuple[str, str]]:
    """Does a unit in a worker of the cluster; returns the error of each job, empty where it was done."""
    import ray
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    torch.set_num_threads(1)
    last: list[Any] = []

    def tell(job: Job, row: Row | None) -> None:
        last[:] = [events.put.remote(job.id, row)]

    ended = ended_unit(sent.jobs(), where, tell)
    ray.get(last)  # what was told is there before the unit counts as done
    return [(one.job.id, one.error) for one in ended]


Files = tuple[tuple[str, bytes], ...]
"""The names and contents of the files of a folder."""


@dataclass(frozen=True)
class _Sent:
    """Jobs on their way to another machine.

    Args:
        bare: the jobs without what follows.
        own: for each job its data and its objects, or references to them in the cluster's memory.
        code: for each job whose network stands in a user's file: the name of the network, that of its file and that in
            the file, and the files of the folder; None for others.
    """

    bare: Sequence[Job]
    own: Sequence[tuple[Any, Any]]
    code: Sequence[tuple[str, str, str, Files] | None]

    def jobs(self) -> list[Job]:
        """The jobs, in the process in which this is called."""
        jobs: list[Job] = []
        for job, (data, objects), code in zip(self.bare, self.own, self.code, strict=True):
            job = with_own(job, _fetched(data), _fetched(objects))
            jobs.append(replace(job, model=_network(*code)) if code and isinstance(job, Training) else job)
        return jobs


class _Packing:
    """Makes jobs ready to travel; what several of them share is read, and put into the cluster's memory, once.

    Args:
        ray: the module.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.there: dict[int, tuple[Any, Any]] = {}
        self.read: dict[str, Data] = {}
        self.files: dict[Path, Files] = {}

    def pack(self, jobs: Sequence[Job]) -> _Sent:
        """The jobs with all that another machine need not have.

        Raises:
            ShatterlabError: a job has a network that lives in this process only.
        """
        bare, own, code = [], [], []
        for job in jobs:
            data, objects = own_of(job)
            if isinstance(data, str) and parse(data) is not None:
                if data not in self.read:
                    self.read[data] = load(data)
                data = self.read[data]
            own.append((self._put(data), self._put(objects)))
            job, packed = self._without_code(with_own(job, None, None))
            bare.append(travelling(job))
            code.append(packed)
        return _Sent(bare, own, code)

    def _put(self, thing: Any) -> Any:
        if thing is None:
            return None
        if id(thing) not in self.there:
            self.there[id(thing)] = (self.ray.put(thing), thing)  # kept, so that nothing else gets its identity
        return self.there[id(thing)][0]

    def _without_code(self, job: Job) -> tuple[Job, tuple[str, str, str, Files] | None]:
        if not isinstance(job, Training) or job.model is None:
            return job, None
        where, _, name = (job.model.reference or "").rpartition(":")
        if not where.endswith(".py"):
            return job, None  # a network of a package is installed there as well
        path = Path(where).expanduser().resolve()
        if path not in self.files:
            self.files[path] = _files_beside(path)
        return replace(job, model=None), (job.model.name, path.name, name, self.files[path])


def _files_beside(path: Path) -> Files:
    """A user's file and the Python files beside it, which it may import."""
    others = [other for other in sorted(path.parent.glob("*.py")) if other != path]
    small = sum(other.stat().st_size for other in others) <= MOST_CODE
    return tuple((file.name, file.read_bytes()) for file in (path, *(others if small else ())))


def _fetched(thing: Any) -> Any:
    """What a reference into the cluster's memory leads to; other things are handed back as they are."""
    import ray

    return ray.get(thing) if isinstance(thing, ray.ObjectRef) else thing


def _network(name: str, file: str, what: str, files: Files) -> Any:
    """The user's network in another process, from the files that travelled with it."""
    from ..models.own import own_model

    return replace(own_model(f"{Path(_unpacked(files).name, file)}:{what}"), name=name)


@cache
def _unpacked(files: Files) -> TemporaryDirectory[str]:
    """A folder with these files, one for each process, which goes with it."""
    folder = TemporaryDirectory(prefix="shatterlab-")
    for name, content in files:
        Path(folder.name, name).write_bytes(content)
    return folder
