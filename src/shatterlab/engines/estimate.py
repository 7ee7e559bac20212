"""Estimates of time and memory: trainings are timed for a few steps, computations by earlier ones in the store."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch

from ..data import Data, as_data, load
from ..errors import ShatterlabError
from ..jobs import Computation, Training
from ..preparation import model_for, pick_device, shape_for
from ..results import Store
from ..spec import AUGMENTATIONS, Spec
from ..training import OPTIMIZERS, Batch, evaluation_interval, learner_of, stack_key
from ..training.allocator import keep_freed_memory
from ..training.augment import augment, check, draw
from ..training.captured import WARM_UP
from ..training.precision import arithmetic, steady_shapes
from ..training.preprocess import preprocess
from ..training.sets import BATCH
from .local import torch_threads
from .typical import slowness, typical_seconds

PROCESS_MEMORY = 0.35e9
"""A process that has imported torch and done nothing takes this many bytes."""
WORTHWHILE = 0.02
"""A step that takes more than these seconds keeps the machine busy with arithmetic: a stack has nothing to save."""
GPU_MEMORY_SHARE = 0.8
"""The stacks that run on a GPU at the same time may take this share of its free memory together."""
GAIN = 0.05
"""A larger stack is taken only where it saves each run at least this share of its time."""


@dataclass(frozen=True)
class Estimate:
    """The time of a list of stacks, in seconds if done in turn, and the main memory of the largest, in bytes."""

    seconds: float
    memory: float
    each: Mapping[str, float] = field(default_factory=dict)
    """The share of each training in the seconds of its stack, by id."""


def estimate(
    units: Sequence[Sequence[Training]], *, threads: int = 1, device: str = "auto", data_dir: Path | None = None
) -> Estimate:
    """Times a few training steps and evaluations of each kind of run and size of stack and scales them up.

    The time is an upper bound for runs that may stop once they fit.

    Args:
        units: the trainings to be done, in stacks; one alone is a stack of one.
        threads: number of CPU threads that a stack will have.
        device, data_dir: see `spine.run`.
    """
    target = pick_device(device)
    with _threads(threads):
        return _estimate(units, target, data_dir)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Gives torch so many threads for a block, in which freed memory is kept as in training."""
    keep_freed_memory()
    with torch_threads(count):
        yield


def seconds_of(computations: Sequence[Computation], store: Store) -> dict[str, float]:
    """The seconds that computations will take, by id.

    Args:
        computations: the computations to be done.
        store: the store in which earlier computations of the same studies may lie, whose mean is told. For others it is
            what they took on another machine, times how much slower this one is now; where that is not known either,
            nothing is told.
    """
    known: dict[str, list[float]] = {}
    for asked in store.asked():
        kept = store.measurements(asked.measurement_ids)
        known.setdefault(asked.study, []).extend(measurement.seconds for measurement in kept)
    told = {job.id: sum(past) / len(past) for job in computations if (past := known.get(job.study))}
    typical = {job.id: seconds for job in computations if job.id not in told and (seconds := typical_seconds(job))}
    slower = slowness() if typical else 1.0
    return told | {id: seconds * slower for id, seconds in typical.items()}


def _data_of(job: Training, data_dir: Path | None) -> Data:
    data = load(job.spec.data, data_dir) if job.data is None else as_data(job.data)
    return data if job.model else data.as_images()


def _estimate(units: Sequence[Sequence[Training]], target: torch.device, data_dir: Path | None) -> Estimate:
    memory = 0.0
    each: dict[str, float] = {}
    for unit in units:
        job, spec, data = unit[0], unit[0].spec, _data_of(unit[0], data_dir)
        timed = _timed(job, len(unit), data, target)
        step, evaluation = timed.mean, timed.evaluation
        n, n_test = _sizes(spec, data)
        steps = -(-n // spec.batch_size)
        evaluated = (1 + spec.epochs // evaluation_interval(spec, n, n_test)) * (n + spec.n_validation + n_test)
        seconds = spec.epochs * steps * step + evaluated * evaluation * len(unit)
        each |= {other.id: seconds / len(unit) for other in unit}
        stored = data.train.inputs.nbytes + data.test.inputs.nbytes
        memory = max(memory, PROCESS_MEMORY + stored + len(unit) * _memory_of_run(job, data, target, len(unit))[0])
    return Estimate(sum(each.values()), memory, each)


def _sizes(spec: Spec, data: Data) -> tuple[int, int]:
    return spec.n or len(data.train) - spec.n_validation, spec.n_test or len(data.test)


def _memory_of_run(job: Training, data: Data, device: torch.device, runs: int) -> tuple[float, float]:
    """The bytes of main memory and of a GPU's memory that a run in a stack adds to the process and the loaded data."""
    spec = job.spec
    streamed = data.train.on_disk is not None  # a few batches at a time
    images = (os.cpu_count() or 1) * spec.batch_size if streamed else sum(_sizes(spec, data)) + spec.n_validation
    stored = images * data.train.inputs[0].nbytes
    seen = images * prod(shape_for(spec, data, own=job.model is not None)) * 4
    timed = _timed(job, 1, data, device)
    # These are weights, velocities and gradients; a stack holds the first two beside those of each run.
    weights = (3 if runs == 1 else 5) * timed.parameters * 4
    # The images are drawn, corrupted, and kept as stored to augment from; then come the network's inputs, and a step.
    prepared = 2 * stored
    trained = (stored if spec.augments else 0) + seen + weights + timed.activations
    return (prepared + trained, 0.0) if device.type == "cpu" else (prepared, trained)


def _memory_of_gpu(device: torch.device) -> float:
    """The bytes of a GPU's memory that are free; infinite where there is no GPU."""
    if device.type != "cuda":
        return float("inf")
    torch.cuda.empty_cache()  # what torch keeps for later counts as taken
    return torch.cuda.mem_get_info()[0]


def stacks(
    trainings: Sequence[Training],
    *,
    workers: int = 1,
    threads: int | None = None,
    device: str = "auto",
    memory: float = float("inf"),
    data_dir: Path | None = None,
) -> list[list[Training]]:
    """Puts trainings together that are done faster as one stack; the others stand alone.

    Where runs share a `stack_key`, a few steps of stacks of 2, 4, 8, ... are timed here and now, for as long as a
    step of each run gets cheaper.

    Args:
        trainings: the trainings, all of them different.
        workers: number of processes that will share the work; no stack is so large that a process has nothing to do.
        threads: number of CPU threads of each process; by default as many as torch has.
        memory: bytes of main memory that a process may take for a stack; a GPU gives `GPU_MEMORY_SHARE` of its own.
        device, data_dir: see `spine.run`.

    Returns:
        The stacks, in the order of their first trainings; every training is in one of them.
    """
    target = pick_device(device)
    groups: dict[str, list[Training]] = {}
    for job in trainings:
        # Nobody can foresee what a user's code does, and Adam is not stacked: these trainings stand alone.
        alone = job.model is not None or job.spec.optimizer != "sgd"
        groups.setdefault(job.id if alone else stack_key(job.spec), []).append(job)
    with _threads(threads or torch.get_num_threads()):
        stacks = []
        for group in groups.values():
            size = _stack_size(group, workers, target, memory, data_dir) if len(group) > 1 else 1
            count = -(-len(group) // size)
            stacks += [group[i::count] for i in range(count)]
        return stacks


def as_planned(
    trainings: Sequence[Training], groups: Sequence[Sequence[str]]
) -> tuple[list[list[Training]], list[Training]]:
    """Puts trainings together as they were before.

    Args:
        trainings: the trainings, all of them different.
        groups: the ids of earlier trainings that were together; some may be done by now.

    Returns:
        What is left of each group, in the order of the groups; and the trainings that were in none.
    """
    by_id = {job.id: job for job in trainings}
    left = [[by_id.pop(id) for id in group if id in by_id] for group in groups]
    return [group for group in left if group], [*by_id.values()]


def _stack_size(
    group: Sequence[Training], workers: int, device: torch.device, memory: float, data_dir: Path | None
) -> int:
    """The number of runs in the fastest stack that fits into `memory` bytes and into a process's share of a GPU's."""
    size, most = 1, -(-len(group) // workers)
    try:
        data = _data_of(group[0], data_dir)
        best = _timed(group[0], 1, data, device).step
        if best > WORTHWHILE:
            return 1
        here, on_gpu = _memory_of_run(group[0], data, device, 2)
        gpu = GPU_MEMORY_SHARE * _memory_of_gpu(device) / workers
        fits = min((memory - PROCESS_MEMORY) / here, gpu / on_gpu if on_gpu else float("inf"))
        for runs in (int(min(2**k, most, fits)) for k in range(1, 11)):
            if runs <= size:
                break
            each = _timed(group[0], runs, data, device).step / runs
            if each > best * (1 - GAIN):
                break
            best, size = each, runs
    except (ShatterlabError, RuntimeError, NotImplementedError, ValueError):
        pass  # runs that cannot be done, or not in a larger stack, say so when they are done
    return size


class Timed(NamedTuple):
    """What a few steps of a stack have told.

    Args:
        step: seconds of the fastest step, which other work on the machine disturbs least.
        mean: seconds of a step on average over `WINDOW`, other work included.
        evaluation: seconds of evaluating an image with one of the runs.
        activations: bytes of a run's activations.
        parameters: parameters of a run.
    """

    step: float
    mean: float
    evaluation: float
    activations: float
    parameters: int


WINDOW = 0.06
"""Steps are averaged over at least these seconds, in which other work has had its turns."""

_TIMED: dict[tuple[object, ...], Timed] = {}


def _timed(job: Training, runs: int, data: Data, device: torch.device) -> Timed:
    """Calls `_time` once for each kind of run, number of runs and number of threads."""
    spec = job.spec
    on = tuple(getattr(spec, dial) > 0 for dial in ("random_crop", *AUGMENTATIONS))
    shape = data.train.shape, data.train.inputs.dtype, data.train.classes
    kind = (
        spec.model,
        spec.model_version,
        spec.optimizer,
        shape,
        spec.batch_size,
        spec.precision,
        spec.crop,
        spec.preprocessing,
        spec.dropout > 0,
        spec.label_smoothing > 0,
        spec.crop_area < 1,
    )
    key = (*kind, on, runs, str(device), torch.get_num_threads())
    if key not in _TIMED:
        _TIMED[key] = _time(job, runs, data, device)
    return _TIMED[key]


def _time(job: Training, runs: int, data: Data, device: torch.device) -> Timed:
    """Does a few steps and evaluations of a stack."""
    spec, own = job.spec, job.model is not None
    check(spec, data.train.inputs)
    models = [model_for(spec, data, job.model).to(device) for _ in range(runs)]
    if not own:
        models = [model.to(memory_format=torch.channels_last) for model in models]  # type: ignore[call-overload]
    optimizers = [OPTIMIZERS[spec.optimizer](model.parameters(), spec) for model in models]
    stack = learner_of(spec, models, optimizers, own=own)
    wanted = runs * spec.batch_size
    examples = np.resize(data.train.inputs[:wanted], (wanted, *data.train.shape))
    images = preprocess(examples, spec.crop, spec.preprocessing, device).unflatten(0, (runs, spec.batch_size))
    of_runs = torch.zeros(runs, device=device)
    batch = Batch(images, torch.zeros(images.shape[:2], dtype=torch.int64, device=device), of_runs, of_runs.long())
    stored = torch.from_numpy(examples).to(device)
    changes = draw(spec, runs * spec.batch_size, data.train.shape, 1, device) if spec.augments else {}
    saved: dict[int, int] = {}

    def weigh(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def step() -> float:
        began = perf_counter()
        seen = augment(stored, changes, spec).view_as(images) if spec.augments else images
        stack.step(batch._replace(images=seen))
        if device.type == "cuda":
            torch.cuda.synchronize()
        return perf_counter() - began

    with arithmetic(spec.precision), steady_shapes():
        with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
            step()
        if device.type == "cuda":
            for _ in range(WARM_UP):  # the last of these captures
                step()
        steps = [step() for _ in range(3)]
        while sum(steps) < WINDOW:
            steps.append(step())
        several = preprocess(np.resize(examples, (BATCH, *data.train.shape)), spec.crop, spec.preprocessing, device)
        block = several.expand(runs, *several.shape)
        for _ in range(2):  # the first one warms up
            began = perf_counter()
            stack.outputs(block, range(runs)).sum().item()
            evaluated = perf_counter() - began
    # Gradients of activations come on top of the activations that the backward pass needs. Perceptrons save none for
    # autograd; they hold three numbers for each unit and image.
    sizes = [(parameter.ndim, parameter.numel()) for parameter in models[0].parameters()]
    units = sum(size for dimensions, size in sizes if dimensions == 1)
    held = (2 * sum(saved.values()) + images.nbytes) / runs + 3 * 4 * spec.batch_size * units
    mean = sum(steps) / len(steps)
    return Timed(min(steps[:3]), mean, evaluated / BATCH / runs, held, sum(size for _, size in sizes))
