"""The engine for clusters: each job or stack is a Ray task with a processor or a graphics card of its own.

The store is a folder that all nodes see. A task takes the lock of each of its jobs there and goes on from the last
checkpoint, as a process of the local engine does; a task whose worker or node is lost is done again by Ray on another.
"""

import io
import logging
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import Any

from ..data import Data, load
from ..data.addresses import parse
from ..errors import ShatterlabError
from ..jobs import Job, Tell, Training
from ..models.content import is_library
from ..models.own import OwnModel, module_at
from ..results import Store
from ..row import Row
from .estimate import estimate, stacks
from .local import UNEXPECTED, Ended, Where, ended_unit, own_of, unfinished, with_own

RETRIES = 5
"""A unit whose worker or node is lost is begun anew at most so many times; it goes on from its checkpoints."""
PAUSE = 0.2
"""Rows are fetched from the cluster after so many seconds."""
MOST_CODE = 5_000_000
"""The files beside a user's file travel with it if they are together no larger than so many bytes."""


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

    def told(self, device: str) -> str:
        """`slots` for people: `2 cores`."""
        slots = self.slots(device)
        return f"{slots:,} {'graphics card' if self.on_gpu(device) else 'core'}{'s' * (slots > 1)}"

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
    if unfinished(jobs, units, store):
        with opened(address) as cluster:
            yield from cluster.do(jobs, store, device=device, data_dir=data_dir, units=units, tell=tell)


@contextmanager
def opened(address: str | None) -> Iterator["Cluster"]:
    """A connected cluster for a block, in which it may be given work many times; see `connected`."""
    with connected(address) as ray:
        cluster = Cluster(ray)
        try:
            yield cluster
        finally:
            ray.kill(cluster.events)


class Cluster:
    """A connected cluster. What several calls of `do` share, such as a user's learner and data, travels there once.

    Args:
        ray: the module, connected.
    """

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.offers = capacity(ray)
        self.packing = _Packing(ray)
        self.events = ray.remote(_Events).options(num_cpus=0, max_restarts=RETRIES).remote()

    def do(
        self,
        jobs: Sequence[Job],
        store: Store,
        *,
        device: str = "auto",
        data_dir: Path | None = None,
        units: Sequence[Sequence[Job]] | None = None,
        tell: Tell = lambda job, row: None,
    ) -> Iterator[Ended]:
        """Does every job that the store does not hold yet; see the function `do`."""
        ray, offers = self.ray, self.offers
        where = Where(store.shared_folder(), _device(offers, device), data_dir and data_dir.resolve())
        task = ray.remote(_do_unit)
        going: dict[Any, list[Job]] = {}
        known: dict[str, Job] = {}
        try:
            for unit in unfinished(jobs, units, store):
                options = _options(unit[0], offers, device) | {"max_retries": RETRIES}
                going[task.options(**options).remote(self.packing.pack(unit), where, self.events)] = unit
                known |= {job.id: job for job in unit}
            while going:
                ready, _ = ray.wait([*going], timeout=PAUSE)
                for id, row in _news(ray, self.events):
                    if id in known:  # a job of an earlier call that was stopped may have told something since
                        tell(known[id], row)
                for done in ready:
                    unit = going.pop(done)
                    try:
                        errors = dict(ray.get(done))
                    except ray.exceptions.RayTaskError as error:
                        errors = {job.id: _not_begun(job, error.cause) for job in unit}
                    except ray.exceptions.RayError as error:
                        errors = {job.id: _lost(job, error) for job in unit}
                    for job in unit:
                        error = errors.get(job.id, "")
                        yield Ended(job, None, error) if error else Ended(job, job.kept(store))
        finally:
            # After Ctrl-C nothing goes on unseen; a job may be stopped at any moment.
            for left in going:
                ray.cancel(left, force=True)


def _news(ray: Any, events: Any) -> list[tuple[str, Row | None]]:
    try:
        news: list[tuple[str, Row | None]] = ray.get(events.take.remote())
    except ray.exceptions.RayActorError:  # its node was lost; the rows are in the store
        return []
    return news


def _not_begun(job: Job, error: Exception) -> str:
    return (
        f"{job.title} could not be begun on a node of the Ray cluster ({type(error).__name__}: "
        f"{str(error).rstrip('.')}); install there what it needs."
    )


def _lost(job: Job, error: Exception) -> str:
    return (
        f"{job.title} was lost with its worker {RETRIES + 1} times ({type(error).__name__}), which usually means that "
        "a node ran out of memory; run the same command again: it goes on from the last checkpoint."
    )


def _device(offers: Capacity, device: str) -> str:
    return "cuda" if offers.on_gpu(device) else "cpu"


def _options(job: Job, offers: Capacity, device: str) -> dict[str, Any]:
    """What a unit asks of a node: a processor, and a graphics card of its own where trainings run on these."""
    card = (isinstance(job, Training) or job.trains) and offers.on_gpu(device)
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

    jobs = sent.jobs()  # with the libraries that they need, whose threads are limited
    threadpool_limits(1)
    torch.set_num_threads(1)
    last: list[Any] = []

    def tell(job: Job, row: Row | None) -> None:
        last[:] = [events.put.remote(job.id, row)]

    ended = ended_unit(jobs, where, tell)
    ray.get(last)  # what was told is there before the unit counts as done
    return [(one.job.id, one.error) for one in ended]


Files = tuple[tuple[str, bytes], ...]
"""The names and contents of the files of a folder."""
Pickled = tuple[bytes, list[pickle.PickleBuffer]]
"""An object as bytes, and the memory of its arrays, which is not copied."""


@dataclass(frozen=True)
class _Sent:
    """Jobs on their way to another machine.

    Args:
        bare: the jobs without their data and objects.
        own: for each job its data and its objects by name; references to them where they lie in the cluster's memory.
    """

    bare: Sequence[Pickled]
    own: Sequence[tuple[Any, Any]]

    def jobs(self) -> list[Job]:
        """The jobs, in the process in which this is called."""
        return [
            with_own(
                _unpickled(job),
                _fetched(data),
                objects and {name: _fetched(thing) for name, thing in objects.items()},
            )
            for job, (data, objects) in zip(self.bare, self.own, strict=True)
        ]


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
            ShatterlabError: a job holds something that belongs to this process alone.
        """
        bare, own = [], []
        for job in jobs:
            data, objects = own_of(job)
            if isinstance(data, str) and parse(data) is not None:
                if data not in self.read:
                    self.read[data] = load(data)
                data = self.read[data]
            try:
                put = objects and {name: self._put(thing) for name, thing in objects.items()}
                own.append((self._put(data), put))
                bare.append(self._pickled(with_own(job, None, None)))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise ShatterlabError(
                    f"{job.title} cannot be sent to the Ray cluster ({str(error).rstrip('.')}); let the learner or job "
                    "hold nothing that belongs to one process, such as an open file or a lock, or leave the engine out."
                ) from None
        return _Sent(bare, own)

    def _put(self, thing: Any) -> Any:
        if thing is None or isinstance(thing, int | float | str):
            return thing
        if id(thing) not in self.there:
            # The thing is kept, so that nothing else gets its identity.
            self.there[id(thing)] = (self.ray.put(self._pickled(thing)), thing)
        return self.there[id(thing)][0]

    def _pickled(self, thing: Any) -> Pickled:
        abroad = self._abroad

        class Pickler(self.ray.cloudpickle.Pickler):  # type: ignore[name-defined]
            """A pickler that sends the files of a user's code along."""

            def reducer_override(self, thing: Any) -> Any:
                return abroad(thing) or super().reducer_override(thing)

        stream, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
        Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(thing)
        return stream.getvalue(), buffers

    def _abroad(self, thing: Any) -> tuple[Any, tuple[Any, ...]] | None:
        """How another machine makes what rests on a user's file: a call and its arguments; None for all else."""
        if isinstance(thing, OwnModel):
            # A network of a package is looked up there; the code of any other one travels, as that of a learner does.
            file = thing.reference is None or thing.reference.rpartition(":")[0].endswith(".py")
            return (OwnModel, (thing.name, thing.make, thing.reference)) if file else None
        if not isinstance(thing, type | FunctionType | ModuleType) or (found := _place(thing)) is None:
            return None
        path, name = found
        if path not in self.files:
            self.files[path] = _files_beside(path)
        return _named, (self.files[path], path.name, name)


def _place(thing: Any) -> tuple[Path, str] | None:
    """The user's file in which a module, class or function stands, and its name there, empty for the module itself.

    None for what stands in a package, in the main script or inside a function: packages are there already, and Ray
    sends the rest as it is.
    """
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(thing.__module__)
    if module is None or module.__name__ == "__main__" or module.__package__ or is_library(module):
        return None
    path, name = Path(module.__file__ or "").resolve(), "" if thing is module else thing.__qualname__
    if path.suffix != ".py" or not path.is_file():
        return None
    try:
        return (path, name) if not name or attrgetter(name)(module) is thing else None
    except AttributeError:
        return None


def _files_beside(path: Path) -> Files:
    """A user's file and the Python files beside it, which it may import."""
    others = [other for other in sorted(path.parent.glob("*.py")) if other != path]
    small = sum(other.stat().st_size for other in others) <= MOST_CODE
    return tuple((file.name, file.read_bytes()) for file in (path, *(others if small else ())))


def _named(files: Files, file: str, name: str) -> Any:
    """A user's class or function in another process, or the module if the name is empty."""
    module = module_at(Path(_unpacked(files).name, file))
    return attrgetter(name)(module) if name else module


def _unpickled(sent: Pickled) -> Any:
    return pickle.loads(sent[0], buffers=sent[1])  # noqa: S301  the command that the worker belongs to packed it


def _fetched(thing: Any) -> Any:
    """What a reference into the cluster's memory leads to; other things are handed back as they are."""
    import ray

    return _unpickled(ray.get(thing)) if isinstance(thing, ray.ObjectRef) else thing


@cache
def _unpacked(files: Files) -> TemporaryDirectory[str]:
    """A folder with these files, one for each process, which goes with it."""
    folder = TemporaryDirectory(prefix="shatterlab-")
    for name, content in files:
        Path(folder.name, name).write_bytes(content)
    return folder
