"""`shatterlab run`: do the missing jobs of studies, then say what came out. torch is imported once it is needed."""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..errors import ShatterlabError
from ..ranks import started_rank
from ..results.store import DEFAULT_STORE, Asked, Store
from .flags import Address, DataDir, Device, StoreDir, check_engine, diverged
from .planning import Planning, counted, engine_for, ids_of

if TYPE_CHECKING:
    from ..engines import Ended
    from ..jobs import Job
    from ..spec import Spec
    from ..studies import Study
    from ..studies.adapt import Own

SOME = 5
"""An error names so many titles, from the first ones to the last ones."""


def command(
    study: Annotated[str, tyro.conf.Positional],
    /,
    scale: Literal["demo", "cpu", "paper"] = "demo",
    data: str | None = None,
    model: str | None = None,
    store: StoreDir = DEFAULT_STORE,
    device: Device = "auto",
    seeds: int = 1,
    jobs: int | None = None,
    precision: Literal["float32", "tf32", "bf16"] | None = None,
    stacks: bool = True,
    only: str | None = None,
    part: str | None = None,
    dry_run: bool = False,
    engine: Literal["local", "ray", "slurm"] = "local",
    address: Address = None,
    data_dir: DataDir = None,
) -> None:
    """Do all missing runs of a study, then say what came out. Ctrl-C loses at most ten seconds of training.

    Examples: shatterlab run all; shatterlab run table1 --scale cpu --seeds 3

    Args:
        study: A study, see `shatterlab list studies`, or all.
        scale: demo takes minutes, cpu hours on a workstation, paper is the paper's own size.
        data: Data set. Default: cifar10; at scale demo the bundled digits where cifar10 cannot be had; for imagenet
            two bundled photographs.
        model: A network in place of the study's own: a name, file.py:name or package.module:name.
        device: auto is CUDA where there is one.
        seeds: Seeds of each run, from 0.
        precision: Precision of every training of the study. Default: float32. The study precision has its own.
        stacks: Train each run alone, and on the CPU with threads that no timing decides: the same command on a like
            machine gives the same bits. By default small runs are trained at once where that is timed to be faster; the
            store remembers how, and the same command on that store does it again.
        only: Do only what has this word in its title, such as alexnet or "random crop"; the rest can follow later.
        part: 3/16 does every 16th run, beginning with the third, so that 16 commands share the work.
        dry_run: Build every network, take one step on a few examples, and keep nothing. Pictures may be absent then.
        engine: Where the work is done: local on this machine, ray on a Ray cluster, slurm on Slurm (extras ray, slurm).
        jobs: Runs at a time. Default: one a core on the CPU as memory allows, one on CUDA; 256 on Slurm.
    """
    from ..data.addresses import absolute
    from ..jobs import Training
    from ..report import chart_library
    from ..results import Reader
    from ..studies import chosen, jobs_so_far
    from ..studies.adapt import for_own

    check_engine(engine, address, jobs)
    if seeds < 1 or (jobs is not None and jobs < 1):
        raise ShatterlabError("--seeds and --jobs must be at least 1.")
    turn, parts = _part(part)

    def fits(job: "Job") -> bool:
        return not only or only.lower() in job.title.lower()

    data = absolute(data) if data else next((each.data for each in chosen(study).values() if each.data), None)
    opened, own = Reader(store), own_of(model)
    first = {name: jobs_so_far(each, scale, data or "cifar10", 1) for name, each in chosen(study).items()}
    trains = {name for name, asked in first.items() if any(isinstance(job, Training) for job in asked)}
    if model and not trains:
        raise ShatterlabError(f"{study} trains no network, so --model has no place in it; leave it out.")
    studies = {name: each for name, each in chosen(study).items() if name in trains or not model}
    needed = any(job.needs for name in studies for job in first[name])
    if dry_run:
        asked = [job for each in studies.values() for job in jobs_so_far(each, scale, data or "cifar10", seeds)]
        _rehearse([job for job in (for_own(asked, own) if own else asked) if fits(job)], device, data_dir, data)
        return
    data = data or (available_data(scale, data_dir) if needed else "cifar10")
    adapted = _adapted(own, data, bool(trains), data_dir, precision)
    setting: dict[str, Any] = {"scale": scale, "data": data, "model": model, "precision": precision}

    def so_far(name: str, seeds: int) -> "list[Job]":
        return jobs_so_far(studies[name], scale, data, seeds, lambda job: job.kept(opened), adapted)

    def ask(name: str) -> None:
        """Notes what belongs to the study. Fewer seeds than last time are a part of it; the others belong to it yet."""
        with opened.asking():  # two commands with different seeds may do this at once
            file = opened.request_name(Asked(study=name, **setting, seeds=seeds, run_ids=[]))
            before = [asked.seeds for asked in opened.asked() if opened.request_name(asked) == file]
            most = max([seeds, *before])
            opened.ask(Asked(study=name, **setting, seeds=most, **ids_of(so_far(name, most))))

    def wanted() -> "list[Job]":
        if started_rank() == 0:
            for name in studies:
                ask(name)
        # A study that asks in rounds appends to its list, so that a job's turn stays the same whoever has done what.
        turns: dict[str, tuple[Job, int]] = {}
        titles: list[str] = []
        for shift, name in enumerate(studies):
            asked = so_far(name, seeds)
            titles += [job.title for job in asked]
            for place, job in enumerate(filter(fits, asked), shift):
                turns.setdefault(job.id, (job, place % parts))
        if only and not turns:
            raise _none_fits(only, titles)
        return [job for job, place in turns.values() if place == turn]

    title = f"{study} at scale {scale} on {data}" + (f", part {part}" if part else "")
    options = {"study": study, "scale": scale, "data": data, "model": model, "precision": precision, "seeds": seeds}
    options |= {"only": only, "part": part, "engine": engine, "device": device, "jobs": jobs, "stacks": stacks}
    with engine_for(engine, address, device, jobs, data_dir, Planning(opened, options)) as (announce, do):
        failures = _do_all(wanted, title, opened, scale, device, data_dir, announce, do)
    opened.forget_unreadable()  # most of it has been done again
    states: list[str] = []
    for name, each in studies.items():
        of_study = so_far(name, seeds)
        asked = Asked(study=name, **setting, seeds=seeds, **ids_of(of_study))
        states += _print_outcome(each, opened, asked, of_study)
    if len(studies) > 1:
        _print_end(states, opened)
    chart_library()  # kept for `shatterlab report`, which then answers at once
    errors = list(dict.fromkeys(filter(None, [*failures.values(), *map(str, opened.unreadable)])))
    if errors:
        raise ShatterlabError(errors[0] + (f" ({len(errors) - 1} more failed.)" if len(errors) > 1 else ""))


def _none_fits(only: str, titles: "Sequence[str]") -> ShatterlabError:
    apart = list(dict.fromkeys(titles))
    some = apart[:: max(1, -(-len(apart) // SOME))]
    return ShatterlabError(
        f"no title has '{only}' in it; --only takes a part of a title, of which there are {len(apart):,}, such as "
        f"{'; '.join(some)}."
    )


def _rehearse(jobs: "Sequence[Job]", device: str, data_dir: Path | None, data: str | None) -> None:
    """Builds each network and takes a step with it, and says what came of it."""
    from ..engines.rehearsal import rehearse
    from ..jobs import Training
    from .terminal import duration, say

    trainings = [job for job in jobs if isinstance(job, Training)]
    side = re.search(r"\?side=(\d+)$", data or "")
    found = rehearse(trainings, device, data_dir, int(side[1]) if side else None)
    for job, one in zip(trainings, found, strict=True):
        stand_in = ", on noise, as the data are not here" * one.noise
        say(
            f"{job.title}: {one.parameters:,} parameters, up to {job.spec.epochs} epochs in batches of "
            f"{job.spec.batch_size}; a step from loss {one.loss:.2f} in {duration(one.seconds)}{stand_in}"
        )
    say(f"{counted(trainings)} can be trained; nothing was kept.")


def _part(part: str | None) -> tuple[int, int]:
    """The turn, counted from 0, and the number of parts that `3/16` names.

    Raises:
        ShatterlabError: it is no such pair.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", part or "1/1")
    turn, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= turn <= parts:
        raise ShatterlabError(f"--part must be two numbers such as 3/16, the first from 1 to the second, got {part!r}.")
    return turn - 1, parts


def own_of(model: str | None) -> "Own | None":
    """Finds the network that takes the place of those of a study; None where none is named.

    Raises:
        ShatterlabError: there is no such model; the message says what to do.
    """
    from ..models import lookup
    from ..studies.adapt import Own

    if model is None:
        return None
    if ":" in model:
        from ..models.own import own_model

        network = own_model(model)
        return Own(network.name, network)
    lookup(model)
    return Own(model)


def _adapted(
    own: "Own | None", data: str, trains: bool, data_dir: Path | None, precision: str | None
) -> "Callable[[Sequence[Job]], list[Job]]":
    """Returns a function that adapts a study's jobs to the user's network, data and precision, and their size."""
    from ..data import load
    from ..jobs import Training
    from ..studies.adapt import for_own, sized

    loaded = load(data, data_dir) if trains else None
    known: dict[str, Job] = {}

    def adapted(jobs: "Sequence[Job]") -> "list[Job]":
        return [
            pinned(replace(job, spec=changed(job.spec)) if isinstance(job, Training) else job)
            for job in (for_own(jobs, own) if own else jobs)
        ]

    def pinned(job: "Job") -> "Job":
        # A file that changes while the study is done must not turn its next round into a study of other data.
        if job.id not in known:
            known[job.id] = job.pinned()
        return known[job.id]

    def changed(spec: "Spec") -> "Spec":
        # A study that names a precision compares precisions.
        if precision and "precision" not in spec.model_fields_set:
            spec = spec.on(precision=precision)
        return spec if loaded is None else sized(spec, loaded)

    return adapted


def _left_out(missing: "Sequence[Job]", scale: str, data_dir: Path | None) -> dict[str, str]:
    """The ids of the jobs whose data are not available; a line says so for each data set."""
    from .terminal import say

    refused = {
        data: refusal
        for data in sorted({job.needs for job in missing if job.needs})
        if (refusal := _refusal(data, scale, data_dir))
    }
    for data, refusal in refused.items():
        say(f"Left out what needs {data}: {refusal}")
    return {job.id: "" for job in missing if job.needs in refused}


def available_data(scale: str, data_dir: Path | None) -> str:
    """cifar10 if it is here or can be fetched; else, at scale demo, the bundled digits and a line that says why."""
    from .terminal import say

    if refusal := _refusal("cifar10", scale, data_dir):
        say(f"Using scikit-learn's bundled digits instead of CIFAR-10: {refusal}")
        return "digits"
    return "cifar10"


def _refusal(data: str, scale: str, data_dir: Path | None) -> str:
    """Fetches a data set that is not here; says why it cannot be had, which at scales above demo is an error."""
    from ..data import data_folders, fetch_dataset, find

    if find(data, data_dir):
        return ""
    print(f"{data} is not in {', '.join(map(str, data_folders(data_dir)))}; fetching it.")
    try:
        fetch_dataset(data, data_dir)
    except ShatterlabError as error:
        if scale != "demo":
            raise
        return str(error)
    return ""


def _do_all(
    wanted: "Callable[[], Sequence[Job]]",
    title: str,
    store: Store,
    scale: str,
    device: str,
    data_dir: Path | None,
    announce: "Callable[[Sequence[Job], Store], tuple[int, list[list[Job]], dict[str, float]]]",
    do: "Callable[..., Iterator[Ended]]",
) -> dict[str, str]:
    """Does what is wanted, which may become more with each round, and shows the progress; returns errors by job id."""
    from .progress import Progress
    from .terminal import say

    failures: dict[str, str] = {}
    for turn in count():
        jobs = wanted()
        unfinished = [job for job in jobs if job.kept(store) is None]
        missing = [job for job in unfinished if job.id not in failures]
        if missing or not turn:
            say(f"{title}: {counted(jobs)}, {len(jobs) - len(unfinished)} already in {store.address}.")
        left_out = _left_out(missing, scale, data_dir)
        failures |= left_out
        if not (missing := [job for job in missing if job.id not in left_out]):
            break
        processes, units, expected = announce(missing, store)
        done: list[Job] = []
        with Progress(missing, expected=expected) as progress:
            for ended in do(
                missing, store, device=device, data_dir=data_dir, workers=processes, units=units, tell=progress.update
            ):
                progress.end(ended.job)
                done.append(ended.job)
                if ended.error:
                    failures[ended.job.id] = ended.error
        for job in done:
            if job.id not in failures and job.kept(store) is None:
                failures[job.id] = f"{job.title} was done and cannot be read from {store.address}; look at its files."
    return failures


def _print_end(states: Sequence[str], store: Store) -> None:
    """The tally of the claims, and what to do next."""
    from ..studies import STATES

    tally = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    place = "" if store.path == DEFAULT_STORE else f" --store {shlex.quote(store.address)}"
    print(f"\n{len(states)} claims: {tally or 'none judged'}.\nNext: shatterlab report{place} --open")


def _print_outcome(study: "Study", store: Store, asked: Asked, jobs: "Sequence[Job]") -> list[str]:
    """Prints what came out, and returns the states of the claims."""
    from ..results import Measurement, Result
    from .terminal import print_study, say

    kept = [outcome for job in jobs if (outcome := job.kept(store))]
    print()
    say(f"{asked.study}  {study.question}")
    if not kept:
        print("  none of its runs is finished")
        return []
    runs = [outcome for outcome in kept if isinstance(outcome, Result)]
    measured = [outcome for outcome in kept if isinstance(outcome, Measurement)]
    for line in diverged(store, asked.run_ids):
        say(line, 2)
    return print_study(study, store, asked, runs, measured)
