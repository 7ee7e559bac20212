"""What a list of runs will take, measured on a few steps of each kind before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F

from ..data import Data, load
from ..spec import AUGMENTATIONS, Spec
from ..spine import model_for, pick_device
from ..training import MomentumSGD, evaluation_interval
from ..training.augment import augment, check, draw
from ..training.evaluate import BATCH, logits
from ..training.memory import keep_freed_memory

PROCESS_MEMORY = 0.35e9
"""Bytes of a process that has imported torch and done nothing."""


@dataclass(frozen=True)
class Estimate:
    """For a list of runs: seconds if done one after another, bytes of the largest one."""

    seconds: float
    memory: float


def estimate(
    specs: Sequence[Spec], *, threads: int = 1, device: str = "auto", data_dir: Path | None = None
) -> Estimate:
    """Times a few training steps and evaluations of each (model, batch size) and scales them up.

    The time is an upper bound for runs that may stop once they fit.

    Args:
        specs: the runs to be done.
        threads: that a run will have on the CPU.
        device: as for `run`.
        data_dir: looked in first for data.
    """
    target = pick_device(device)
    keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _estimate(specs, target, data_dir)
    finally:
        torch.set_num_threads(before)


def _estimate(specs: Sequence[Spec], target: torch.device, data_dir: Path | None) -> Estimate:
    timed: dict[tuple[object, ...], tuple[float, float, float]] = {}
    seconds = memory = 0.0
    for spec in specs:
        data = load(spec.data, data_dir)
        n, n_test = spec.n or len(data.train) - spec.n_validation, spec.n_test or len(data.test)
        on = tuple(getattr(spec, dial) > 0 for dial in ("random_crop", *AUGMENTATIONS))
        kind = spec.model, spec.data, spec.batch_size, spec.precision, spec.crop, on
        if kind not in timed:
            timed[kind] = _time(spec, data, target)
        step, evaluation, activations = timed[kind]
        steps = -(-n // spec.batch_size)
        evaluations = 1 + spec.epochs // evaluation_interval(spec, n, n_test)
        held = spec.n_validation + n_test
        seconds += spec.epochs * steps * step + evaluations * (n + held) * evaluation
        copies = 3 if spec.augments else 2  # drawn, corrupted, and kept as stored to augment from
        numbers = (n + held) * data.train.images[0].nbytes * copies
        floats = (n + held) * _seen_size(spec, data) * 4
        stored = data.train.images.nbytes + data.test.images.nbytes
        memory = max(memory, PROCESS_MEMORY + stored + numbers + floats + activations)
    return Estimate(seconds, memory)


def _seen_size(spec: Spec, data: Data) -> int:
    height, width, channels = data.train.shape
    return (spec.crop or height) * (spec.crop or width) * channels


def _time(spec: Spec, data: Data, device: torch.device) -> tuple[float, float, float]:
    """Seconds of a training step, seconds of evaluating an image, bytes of a step's activations and weights."""
    check(spec, data.train.images)
    model = model_for(spec, data).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = MomentumSGD(model.parameters(), spec.momentum, spec.weight_decay)
    height, width, channels = data.train.shape
    side = spec.crop or height, spec.crop or width
    images = torch.randn(max(spec.batch_size, BATCH), *side, channels, device=device)
    labels = torch.zeros(spec.batch_size, dtype=torch.int64, device=device)
    stored = torch.from_numpy(np.resize(data.train.images, (spec.batch_size, *data.train.shape))).to(device)
    changes = draw(spec, spec.batch_size, data.train.shape, 1, device)
    saved: dict[int, int] = {}

    def weigh(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bf16"):
            batch = augment(stored, changes, spec) if spec.augments else images[: spec.batch_size]
            predicted = model(batch.permute(0, 3, 1, 2))
        optimizer.zero_grad()
        F.cross_entropy(predicted.float(), labels).backward()
        optimizer.step(0.0)
        if device.type == "cuda":
            torch.cuda.synchronize()

    with torch.autograd.graph.saved_tensors_hooks(weigh, lambda tensor: tensor):
        step()
    began = perf_counter()
    for _ in range(3):
        step()
    trained = perf_counter()
    logits(model, images[:BATCH])
    evaluated = perf_counter()
    weights = 3 * 4 * sum(parameter.numel() for parameter in model.parameters())
    # Gradients of activations come on top of the activations that the backward pass needs.
    return (trained - began) / 3, (evaluated - trained) / BATCH, 2 * sum(saved.values()) + weights
