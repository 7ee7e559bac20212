"""The training loop: the paper's recipe as a generator that yields one row for each epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from ..data.dataset import Data
from ..errors import DivergedError, ShatterlabError
from ..models.generators import put_back, seeded
from ..ranks import processes, rank, shares
from ..row import FIT_LOSS, Row, part_ends
from ..seeds import stream
from ..spec import Spec
from .allocator import keep_freed_memory
from .augment import augment, check, draw
from .feed import Streamed
from .inside import Inside, Saving
from .learner import Batch, Learner
from .marks import Gathering, Marks, joined
from .precision import arithmetic, check_precision, steady_shapes
from .sets import Pool, Prepared, of_all, pool_of

EVALUATION_SHARE = 0.1
"""Full evaluations may take this share of a run's arithmetic by default. A perceptron, whose first layer has no input
gradient, trains cheaper than the estimate, so that evaluations take up to 0.15 of its time."""

# The share of a training step that its forward pass takes: the backward pass does as much for weights and for inputs.
FORWARD_SHARE = 1 / 3


def evaluation_interval(spec: Spec, n: int, n_test: int) -> int:
    """Returns the number of epochs between full evaluations: the spec's, or the least within `EVALUATION_SHARE`."""
    if spec.evaluate_every is not None:
        return spec.evaluate_every
    cost = FORWARD_SHARE * (n + spec.n_validation + n_test) / n  # in training epochs
    interval = 1
    while cost / (cost + interval) > EVALUATION_SHARE:
        interval += 1
    return interval


def learning_rate(spec: Spec, seen: int) -> float:
    """Returns the learning rate after `seen` training images: a staircase, see `assumptions`."""
    return spec.learning_rate * spec.decay ** (seen // spec.decay_every)


def stack_key(spec: Spec) -> str:
    """Returns a key that is equal for runs that can train together: all but seed, corruption, rate, weight decay."""
    return spec.model_dump_json(
        exclude={"seed", "corruption", "amount", "label_noise", "learning_rate", "weight_decay"}
    )


class Epoch(NamedTuple):
    """The outcome of one epoch of one run."""

    row: Row
    predicted: dict[str, np.ndarray] | None
    """After the last epoch these are the predicted classes of every example, int64 (n,), by the name of the set."""


def train_together(
    specs: Sequence[Spec],
    data: Sequence[Data],
    stack: Learner,
    *,
    start: int = 0,
    inside: Sequence[Inside] = (),
    saving: Saving | None = None,
) -> Iterator[Mapping[int, Epoch | ShatterlabError]]:
    """Trains several models at once; each ends as if it had been trained alone.

    The order of the examples is drawn anew each epoch from the stream (seed, "order", epoch), so that a run that starts
    from the state after `start` epochs, or from a state `inside` the next one, goes on as if it had never stopped. For
    the same reason the global generators, from which a user's own layers may draw, are seeded for each epoch;
    afterwards they are as they were before.

    Args:
        specs: the specs of the runs, with equal `stack_key`; they describe the data and corruption of `data`.
        data: the data of each run, already corrupted, with sets of equal sizes.
        stack: the learner of the models, see `choice.learner_for`.
        start: number of epochs that every run has already done.
        inside: where in the next epoch the runs were left, all after the same step; nothing at the end of an epoch.
        saving: is asked now and then inside an epoch whether to save, and saves.

    Yields:
        After each epoch an entry for each run that was still going, under its place in `specs`: what the epoch left,
        or the error that ended the run. A run that has ended is trained no further and leaves the stack afterwards.

    Raises:
        ShatterlabError: crop or augmentation do not fit the images, or the precision does not fit the device.
    """
    for spec, part in zip(specs, data, strict=True):
        check(spec, part.train.inputs)
    check_precision(specs[0].precision, stack.device)
    keep_freed_memory()
    sets = _sets(specs[0], data, stack.device)
    going = list(range(len(specs)))
    for epoch in range(start + 1, specs[0].epochs + 1):
        now = [specs[i] for i in going]
        # Runs whose layers draw from a global generator cannot be stacked, so that the first run's seed serves all.
        seed = int(stream(specs[0].seed_of_training, "torch", epoch).integers(2**63))
        with arithmetic(specs[0].precision), seeded(seed):
            ends = _epoch(now, sets, stack, epoch, inside if epoch == start + 1 else (), saving)
        yield dict(zip(going, ends, strict=True))
        kept = [place for place, end in enumerate(ends) if isinstance(end, Epoch) and end.predicted is None]
        if not kept:
            return
        if len(kept) < len(going):
            going = [going[place] for place in kept]
            stack.keep(kept)
            sets.keep(kept)


@dataclass
class _Sets:
    """The sets of the runs of a stack, to train on and to score on."""

    train: Prepared
    held: dict[str, Prepared]
    stored: Pool | Streamed | None
    """The images as they are stored, where they are augmented."""

    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`."""
        for part in (self.train, *self.held.values()):
            part.keep(members)
        if self.stored:
            self.stored.keep(members)


def _sets(shared: Spec, data: Sequence[Data], device: torch.device) -> _Sets:
    held = {"validation": [part.validation for part in data if part.validation], "test": [part.test for part in data]}
    return _Sets(
        train=Prepared([part.train for part in data], shared, device),
        held={name: Prepared(parts, shared, device) for name, parts in held.items() if parts},
        stored=pool_of([part.train.inputs for part in data], device) if shared.augments else None,
    )


def predict(specs: Sequence[Spec], data: Sequence[Data], stack: Learner) -> list[dict[str, np.ndarray]]:
    """Returns the classes that models predict without further training, in the form of `Epoch.predicted`."""
    sets = _sets(specs[0], data, stack.device)
    everyone = range(len(specs))
    with arithmetic(specs[0].precision), seeded(0):
        of_sets = {
            name: part.scores(stack, everyone, name) for name, part in {"train": sets.train, **sets.held}.items()
        }
    return [{name: scores[i][1].cpu().numpy() for name, scores in of_sets.items()} for i in everyone]


def _epoch(
    specs: Sequence[Spec],
    sets: _Sets,
    stack: Learner,
    epoch: int,
    inside: Sequence[Inside] = (),
    saving: Saving | None = None,
) -> list[Epoch | ShatterlabError]:
    """Trains every run for one epoch, or what is left of it, and scores it."""
    shared, n = specs[0], sets.train.labels.shape[1]
    began, earlier, saved = perf_counter(), sum(each.seconds for each in inside) / len(specs), 0.0
    rates = _rates(specs, n, epoch)

    def spent() -> float:
        return earlier + (perf_counter() - began - saved) / len(specs)  # the run's share

    def look(step: int, so_far: Callable[[], Marks]) -> None:
        nonlocal saved
        if saving and step < len(rates) and saving.due_inside(stack.device):
            marks = so_far().to("cpu")  # the device has then done these steps
            saved += saving.save_inside(step, spent(), marks)

    marks = _steps(specs, sets, stack, epoch, torch.tensor(rates), inside, look)
    online = marks.shares("online")
    parts = _of_parts(marks.losses, shared.batch_size)
    seconds, trained = spent(), perf_counter()
    values: list[dict[str, Any]] = [
        {
            "epoch": epoch,
            "step": epoch * len(rates),
            "learning_rate": rate,
            **fields,
            "online_losses": tuple(of_parts),
            "seconds": seconds,
        }
        for fields, of_parts, rate in zip(online, parts, rates[-1], strict=True)
    ]
    last, fitting = epoch == shared.epochs, shared.stop == "fit"
    scheduled = last or epoch % evaluation_interval(shared, n, sets.held["test"].labels.shape[1]) == 0
    # Between scheduled evaluations a clean pass is worth its time only when it may end the run.
    nearly = [fields["online_accuracy"] > 0.999 and fields["online_loss"] < 1.2 * FIT_LOSS for fields in values]
    scored = [place for place in range(len(specs)) if scheduled or (fitting and nearly[place])]
    predicted: list[dict[str, torch.Tensor]] = [{} for _ in specs]
    for place, (scores, classes) in zip(scored, sets.train.scores(stack, scored, "train"), strict=True):
        values[place] |= scores
        predicted[place]["train"] = classes
    ended = [
        last or (fitting and _finite(fields) and Row(**fields, evaluation_seconds=0.0).fitted) for fields in values
    ]
    tested = [place for place in range(len(specs)) if scheduled or ended[place]]
    for name, part in sets.held.items():
        for place, (scores, classes) in zip(tested, part.scores(stack, tested, name), strict=True):
            values[place] |= scores
            predicted[place][name] = classes
    share = (perf_counter() - trained) / len(specs)
    ends: list[Epoch | ShatterlabError] = []
    for spec, fields, end, classes_of in zip(specs, values, ended, predicted, strict=True):
        last_classes = {name: classes.cpu().numpy() for name, classes in classes_of.items()} if end else None
        row = Row(**fields, evaluation_seconds=share) if _finite(fields) else None
        ends.append(Epoch(row, last_classes) if row else DivergedError(spec.title, epoch, spec.learning_rate))
    return ends


def _finite(fields: Mapping[str, Any]) -> bool:
    """Whether all losses of an epoch are finite numbers; no row can hold others."""
    return all(value < float("inf") for name, value in fields.items() if name.endswith("loss"))


def _of_parts(losses: torch.Tensor, batch_size: int) -> list[list[float]]:
    """Returns each run's mean of the losses (runs, n) over each part of the epoch, as `Row.online_losses` has them."""
    ends = [end * batch_size for end in part_ends(-(-losses.shape[1] // batch_size))]
    means = [losses[:, begin:end].mean(1, dtype=torch.float64) for begin, end in pairwise([0, *ends])]
    return [[float(f"{mean:.6g}") for mean in of_run] for of_run in torch.stack(means, dim=1).tolist()]


def _rates(specs: Sequence[Spec], n: int, epoch: int) -> list[list[float]]:
    """Returns the learning rate of every run (column) in every step (line) of an epoch."""
    seen = range((epoch - 1) * n, epoch * n, specs[0].batch_size)
    return [[learning_rate(spec, images) for spec in specs] for images in seen]


def _steps(
    specs: Sequence[Spec],
    sets: _Sets,
    stack: Learner,
    epoch: int,
    rates: torch.Tensor,
    inside: Sequence[Inside] = (),
    look: Callable[[int, Callable[[], Marks]], None] = lambda step, so_far: None,
) -> Marks:
    """Takes the steps of an epoch; returns how the runs did on each batch before its update, in the order of training.

    Everything that the steps need from the host goes to the device before the first step; no step waits for the host
    afterwards (tests/training/test_device.py).

    Args:
        specs, sets, stack, epoch, inside: see `_epoch`.
        rates: the learning rate of every run (column) in every step (line), float32.
        look: called after each step with the number of steps done and with what returns the marks up to there.
    """
    shared, n, device = specs[0], sets.train.labels.shape[1], stack.device
    order = torch.stack(
        [torch.from_numpy(stream(spec.seed_of_training, "order", epoch).permutation(n)) for spec in specs]
    )
    order, rates = order.to(device), rates.to(device)
    labels = sets.train.labels.gather(1, order)
    pool = sets.stored or sets.train.pool
    places = pool.places(order)
    changes = [draw(spec, n, pool.shape, epoch, device) for spec in specs] if shared.augments else [{}]
    drawn = {name: torch.stack([change[name] for change in changes]) for name in changes[0]}
    keys = torch.zeros_like(rates, dtype=torch.int64)
    if shared.dropout:
        draws = [stream(spec.seed_of_training, "dropout", epoch).integers(2**63, size=len(rates)) for spec in specs]
        keys = torch.from_numpy(np.stack(draws, axis=1)).to(device)
    spans = [slice(first, min(first + shared.batch_size, n)) for first in range(0, n, shared.batch_size)]
    parts, done = shares(spans), 0
    earlier = None
    if inside:
        done = inside[0].step
        earlier = joined([run.marks for run in inside], dim=0).at(parts[:done]).to(device)
        if len(inside[0].generators) == processes():
            put_back(inside[0].generators[rank()])
    left = list(zip(spans, parts, strict=True))[done:]
    gathering = Gathering(sum(part.stop - part.start for _, part in left), earlier)
    batches = pool.batches(places, parts[done:])
    with steady_shapes():
        for step, ((span, batch), images) in enumerate(zip(left, batches, strict=True), done):
            if shared.augments:
                of_batch = {name: values[:, batch].flatten() for name, values in drawn.items()}
                images = augment(images.flatten(0, 1), of_batch, shared).unflatten(0, images.shape[:2])
            inputs = images.to(stack.dtype) if images.is_floating_point() else images  # token ids stay integers
            first, whole = batch.start - span.start, span.stop - span.start
            logits = stack.step(Batch(inputs, labels[:, batch], rates[step], keys[step], first, whole))
            gathering.add(logits, labels[:, batch])
            look(step + 1, partial(_so_far, gathering, parts[: step + 1], span.stop))
    return _so_far(gathering, parts, n)


def _so_far(gathering: Gathering, parts: Sequence[slice], n: int) -> Marks:
    return of_all(gathering.marks(), parts, n)
