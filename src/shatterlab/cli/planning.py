"""Where the jobs of a study are done, in which groups, and about how long that takes."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ShatterlabError
from ..ranks import processes
from ..results.plan import Plan, keep_plan, place_of, read_plan
from ..results.store import Store

if TYPE_CHECKING:
    from ..engines import Ended
    from ..jobs import Computation, Job, Training

MEMORY_SHARE = 0.8
"""The share of the free memory that jobs may take together while they are done side by side."""
START_SECONDS = 4
"""A new process takes about these seconds until it has imported torch and read its data."""


class Planning:
    """What a command trains at once: as when it was given before, see `results.plan`, and the rest as is fastest now.

    Args:
        store: the store, which keeps the plan.
        options: the options of the command, which are those of the plan.
    """

    def __init__(self, store: Store, options: Mapping[str, Any]) -> None:
        from ..machine import cores

        self.store, self.stacks, self.place = store, bool(options["stacks"]), place_of(store, options)
        known = read_plan(store, self.place)
        # On a machine with fewer cores the threads would stand in each other's way.
        self.known = known if known and known.threads <= cores() else None

    @property
    def threads(self) -> int | None:
        """The threads of each process; None where nothing has been planned yet."""
        return self.known.threads if self.known else None

    def threads_of(self, jobs: "Sequence[Job]") -> int | None:
        """The same where there are trainings among the jobs; nothing was planned for others."""
        from ..jobs import Training

        return self.threads if any(isinstance(job, Training) for job in jobs) else None

    def put_together(
        self, trainings: "Sequence[Training]", stacked: "Callable[[Sequence[Training]], list[list[Training]]]"
    ) -> "list[list[Training]]":
        """The groups of trainings; `stacked` is asked about those that no earlier plan names."""
        from ..engines.estimate import as_planned

        groups, new = as_planned(trainings, self.known.groups if self.known else [])
        return groups + (stacked(new) if new and self.stacks else [[job] for job in new])

    def keep(self, groups: "Sequence[Sequence[Training]]", threads: int) -> None:
        """Remembers the plan, beside the groups that are done."""
        earlier = self.known.groups if self.known else []
        told = {id for group in earlier for id in group}
        new = [[job.id for job in group] for group in groups if not told & {job.id for job in group}]
        self.known = Plan(threads=threads, groups=earlier + new)
        if new:
            keep_plan(self.store, self.place, self.known)


@contextmanager
def engine_for(
    name: str, address: str | None, device: str, workers: int | None, data_dir: Path | None, planning: Planning
) -> "Iterator[tuple[Callable[..., Any], Callable[..., Iterator[Ended]]]]":
    """Hands out what announces work, see `_announce`, and what does it, see `engines.local.do`."""
    from ..engines import do

    if name == "local":
        if processes() > 1:
            yield lambda missing, store: _announce_in_step(missing), do
        else:
            yield (
                lambda missing, store: _announce(missing, store, device, workers, data_dir, planning),
                lambda missing, *rest, **settings: do(missing, *rest, **settings, threads=planning.threads_of(missing)),
            )
        return
    if processes() > 1:
        raise ShatterlabError("torchrun and --engine both say where the work is done; leave one of them out.")
    if name == "slurm":
        from ..engines import slurm

        slurm.check()
        yield lambda missing, store: _announce_on_slurm(missing, store, device, workers, data_dir, planning), slurm.do
        return
    from ..engines import ray as cluster

    with cluster.connected(address) as ray:
        yield (
            lambda missing, store: _announce_on_cluster(missing, store, ray, device, data_dir, planning),
            cluster.do,
        )


def _announce_on_cluster(
    missing: "Sequence[Job]", store: Store, ray: Any, device: str, data_dir: Path | None, planning: Planning
) -> "tuple[int, list[list[Job]], dict[str, float]]":
    """As `_announce`; trainings are timed on a node of the cluster."""
    from ..engines import ray as cluster
    from ..engines.estimate import seconds_of
    from .terminal import duration, say

    offers = cluster.capacity(ray)
    slots = offers.slots(device)
    trainings, computations = _parted(missing)
    units: list[list[Job]] = []
    expected = seconds_of(computations, store)
    if trainings:
        timed, each = cluster.plan(trainings, ray, device, data_dir)
        fastest = {job.id: place for place, stack in enumerate(timed) for job in stack}

        def stacked(new: "Sequence[Training]") -> "list[list[Training]]":
            groups: dict[int, list[Training]] = {}
            for job in new:
                groups.setdefault(fastest[job.id], []).append(job)
            return [*groups.values()]

        together = planning.put_together(trainings, stacked)
        planning.keep(together, threads=1)
        units += [[*stack] for stack in together]
        expected |= each
    told = f"about {duration(sum(expected.values()) / slots)} as far as is known"
    say(
        f"{counted(missing)} to do on a Ray cluster with {offers.told(device)}: {told}. Ctrl-C stops; the "
        "same command goes on."
    )
    units += [[job] for job in computations]
    return slots, units, expected


def _announce_on_slurm(
    missing: "Sequence[Job]",
    store: Store,
    device: str,
    workers: int | None,
    data_dir: Path | None,
    planning: Planning,
) -> "tuple[int, list[list[Job]], dict[str, float]]":
    """As `_announce`; how much is done at a time is up to Slurm, so that only the work in all can be told.

    Each training is alone, so that all can go at a time; stacks are planned where the user says how many shall.
    """
    import torch

    from ..engines.estimate import estimate, seconds_of, stacks
    from ..engines.slurm import AT_A_TIME
    from .terminal import duration, say

    trainings, computations = _parted(missing)
    stacked, expected = [[job] for job in trainings], seconds_of(computations, store)
    if trainings and (device != "cuda" or torch.cuda.is_available()):  # what they run on there is here, too
        timed: dict[str, Any] = {"threads": 1, "device": "cuda" if device == "cuda" else "cpu", "data_dir": data_dir}
        if workers:
            stacked = planning.put_together(trainings, lambda new: stacks(new, workers=workers, **timed))
            planning.keep(stacked, threads=1)
        expected |= estimate(stacked, **timed).each
    units: list[list[Job]] = [[*stack] for stack in stacked]
    units += [[job] for job in computations]
    known = f"about {duration(sum(expected.values()))} of work as far as is known"
    told = known if expected else "how long they take is not known yet"
    tasks = f"{len(units):,} Slurm job{'s' * (len(units) > 1)}"
    say(f"{counted(missing)} to do as {tasks}: {told}. Ctrl-C cancels what is left; the same command goes on.")
    return workers or AT_A_TIME, units, expected


def _announce_in_step(missing: "Sequence[Job]") -> "tuple[int, list[list[Job]], dict[str, float]]":
    """As `_announce` where several processes share each training, which nobody has timed yet."""
    from .terminal import say

    say(f"{counted(missing)} to do, each by {processes()} processes. Ctrl-C stops; the same command goes on.")
    return 1, [[job] for job in missing], {}


def _announce(
    missing: "Sequence[Job]",
    store: Store,
    device: str,
    workers: int | None,
    data_dir: Path | None,
    planning: Planning,
) -> "tuple[int, list[list[Job]], dict[str, float]]":
    """Says what is coming; returns the number of processes, the groups of jobs that they share, and the seconds of each
    job, by id, of which something is known.
    """
    from ..engines.estimate import seconds_of
    from ..machine import busy_cores, cores, crowding
    from .terminal import duration, say

    busy = busy_cores()
    trainings, computations = _parted(missing)
    units: list[list[Job]] = []
    expected: dict[str, float] = {}
    if trainings:
        workers, stacked, expected = _announce_trainings(trainings, device, workers, data_dir, busy, planning)
        units += [[*stack] for stack in stacked]
    if computations:
        of_computations = seconds_of(computations, store)
        seconds, told = sum(of_computations.values()), len(of_computations)
        # Where nobody knows better, they are long enough at sizes above the smallest to be worth some processes.
        workers = workers or (cores() if seconds > 2 * START_SECONDS or not told else 1)
        of_computations = {id: each * crowding(workers, busy) for id, each in of_computations.items()}
        expected |= of_computations
        seconds = sum(of_computations.values())
        some = "they" if told == len(computations) else f"{told} of them"
        known = f"{some} take about {duration(seconds / workers)}" if told else "how long they take is not known yet"
        say(f"{counted(computations)} to do; {known}.")
    units += [[job] for job in computations]
    if trainings and computations and len(expected) == len(missing):
        say(f"All together at most about {duration(sum(expected.values()) / (workers or 1))}.")
    return workers or 1, units, expected


def _announce_trainings(
    trainings: "Sequence[Training]",
    device: str,
    workers: int | None,
    data_dir: Path | None,
    busy: float,
    planning: Planning,
) -> "tuple[int, list[list[Training]], dict[str, float]]":
    from ..engines import threads_for
    from ..engines.estimate import estimate, stacks
    from ..machine import cores, crowding, free_memory
    from ..preparation import pick_device
    from .terminal import duration, say

    free, target = free_memory(), pick_device(device)
    # One run keeps a GPU busy. On the CPU large runs are fastest with a core each, and small ones in one stack.
    most = 1 if target.type == "cuda" else cores()
    plans = []
    if workers:
        choices = {workers}
    elif planning.threads:
        choices = {min(most, max(1, cores() // planning.threads))}
    else:
        choices = {1, most} if planning.stacks else {most}
    for wanted in choices:
        wanted = min(wanted, len(trainings))
        shared: dict[str, Any] = {
            "threads": planning.threads or threads_for(wanted), "device": device, "data_dir": data_dir
        }  # fmt: skip
        timed = partial(stacks, workers=wanted, memory=MEMORY_SHARE * free / wanted, **shared)
        units = planning.put_together(trainings, timed)
        cost = estimate(units, **shared)
        fitting = wanted if workers else max(1, min(wanted, len(units), int(MEMORY_SHARE * free / cost.memory)))
        threads = planning.threads or threads_for(fitting)
        slower = crowding(fitting * threads, busy) if target.type == "cpu" else 1.0
        cost = replace(cost, seconds=cost.seconds * slower, each={id: each * slower for id, each in cost.each.items()})
        seconds = cost.seconds / fitting + (START_SECONDS if fitting > 1 else 0)
        plans.append((seconds, fitting, units, cost, threads))
    seconds, wanted, units, cost, threads = min(plans, key=lambda plan: plan[:2])
    planning.keep(units, threads)
    memory = cost.memory * wanted
    largest = max(map(len, units))
    stacked = f" in stacks of up to {largest}" if largest > 1 else ""
    say(
        f"{counted(trainings)} to do on {target}{stacked}, {wanted} at a time: at most about {duration(seconds)}, "
        f"{memory / 1e9:.1f} GB of memory. Ctrl-C stops; the same command goes on."
    )
    if memory > free:
        say(f"That is more than the {free / 1e9:.1f} GB free now: a smaller --jobs or --scale needs less.")
    return wanted, units, dict(cost.each)


def _parted(jobs: "Sequence[Job]") -> "tuple[list[Training], list[Computation]]":
    """The trainings and the computations among the jobs, each in their order."""
    from ..jobs import Computation, Training

    return [job for job in jobs if isinstance(job, Training)], [job for job in jobs if isinstance(job, Computation)]


def ids_of(jobs: "Sequence[Job]") -> dict[str, list[str]]:
    """The ids of trainings and of computations, under the names that a request has for them."""
    trainings, computations = _parted(jobs)
    return {"run_ids": [job.id for job in trainings], "measurement_ids": [job.id for job in computations]}


def counted(jobs: "Collection[Job]") -> str:
    """`6 runs and 1 computation`."""
    parts = [
        f"{len(ids):,} {word}{'s' * (len(ids) > 1)}"
        for ids, word in zip(ids_of([*jobs]).values(), ("run", "computation"), strict=True)
        if ids
    ]
    return " and ".join(parts) or "nothing to do"
