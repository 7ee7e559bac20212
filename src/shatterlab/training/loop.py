"""The training loop: the paper's recipe as a generator of one row an epoch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..data.dataset import Data, Dataset
from ..errors import ShatterlabError
from ..row import FIT_LOSS, Row
from ..seeds import stream
from ..spec import Spec
from .augment import augment, check, draw
from .learners import Learner, learner
from .memory import keep_freed_memory
from .optimizer import MomentumSGD
from .preprocess import preprocess

EVALUATION_SHARE = 0.1
"""Of a run's arithmetic that full evaluations may take by default. A perceptron, whose first layer has no input
gradient, trains cheaper than the estimate, so that of its time they take up to 0.15."""

BATCH, LEAST = 500, 50
"""Images at a time in a clean pass: of all runs together, and of each at least."""

# Of the work of an epoch: a training step passes forward once and backward through weights and inputs.
FORWARD_SHARE = 1 / 3


def evaluation_interval(spec: Spec, n: int, n_test: int) -> int:
    """Epochs between full evaluations: the spec's, or the fewest within `EVALUATION_SHARE`."""
    if spec.evaluate_every is not None:
        return spec.evaluate_every
    cost = FORWARD_SHARE * (n + spec.n_validation + n_test) / n  # in training epochs
    interval = 1
    while cost / (cost + interval) > EVALUATION_SHARE:
        interval += 1
    return interval


def learning_rate(spec: Spec, seen: int) -> float:
    """The learning rate after `seen` training images: a staircase, see `ASSUMPTIONS` in `spec`."""
    return spec.learning_rate * spec.decay ** (seen // spec.decay_every)


def stack_key(spec: Spec) -> str:
    """What runs must share to be trained together; they may differ in seed, corruption, learning rate, weight decay."""
    return spec.model_dump_json(
        exclude={"seed", "corruption", "amount", "label_noise", "learning_rate", "weight_decay"}
    )


def train(spec: Spec, data: Data, model: nn.Module, optimizer: MomentumSGD, *, start: int = 0) -> Iterator[Row]:
    """Trains `model` on `data.train` and yields a row after each epoch.

    The order of the images is drawn anew each epoch from the stream (seed, "order", epoch), so that a
    run that starts from the state after `start` epochs goes on as if it had never stopped. For the same
    reason torch's global generator, from which dropout draws, is seeded at the start of each epoch.

    Args:
        spec: the dials; model, data and corruption are taken as given by the other arguments.
        data: train and test set, already corrupted.
        model: trained in place, on the device its parameters are on.
        optimizer: of the model's parameters, with velocities of zero or as they were after `start` epochs.
        start: epochs already done.

    Yields:
        One `Row` an epoch. With `spec.stop == "fit"` the last one may come before `spec.epochs`.

    Raises:
        ShatterlabError: the loss is not finite, or crop or augmentation do not fit the images.
    """
    for rows in train_together(
        [spec], [data], learner([model], [optimizer], bf16=spec.precision == "bf16"), start=start
    ):
        if isinstance(rows[0], ShatterlabError):
            raise rows[0]
        yield rows[0]


def train_together(
    specs: Sequence[Spec], data: Sequence[Data], stack: Learner, *, start: int = 0
) -> Iterator[Mapping[int, Row | ShatterlabError]]:
    """Trains several models at once, each as `train` does alone.

    Args:
        specs: with equal `stack_key`.
        data: of each run, with sets of equal sizes.
        stack: the models, see `learners`.
        start: epochs already done, in every run.

    Yields:
        After each epoch an entry for each run that was still going, under its place in `specs`: its row, or the
        error that ended it. A run that has ended is trained no further and leaves the stack afterwards.

    Raises:
        ShatterlabError: crop or augmentation do not fit the images.
    """
    for spec, part in zip(specs, data, strict=True):
        check(spec, part.train.images)
    keep_freed_memory()
    shared, n, shape = specs[0], len(data[0].train), data[0].train.shape
    train_set, test_set = (
        _Prepared(parts, shared, stack.device) for parts in zip(*((d.train, d.test) for d in data), strict=True)
    )
    validation = [part.validation for part in data if part.validation]
    held = {"validation": _Prepared(validation, shared, stack.device)} if validation else {}
    held["test"] = test_set
    stored = _Pool([part.train.images for part in data], stack.device) if shared.augments else None
    interval = evaluation_interval(shared, n, len(data[0].test))
    steps_per_epoch = -(-n // shared.batch_size)
    going = list(range(len(specs)))

    for epoch in range(start + 1, shared.epochs + 1):
        began = perf_counter()
        now = [specs[i] for i in going]
        order = torch.stack([torch.from_numpy(stream(spec.seed, "order", epoch).permutation(n)) for spec in now])
        order = order.to(stack.device)
        labels = train_set.labels.gather(1, order)
        changes = [draw(spec, n, shape, epoch, stack.device) for spec in now]
        drawn = {name: torch.stack([change[name] for change in changes]) for name in changes[0]}
        if shared.dropout:
            torch.manual_seed(int(stream(shared.seed, "dropout", epoch).integers(2**63)))
        outputs = []
        for first in range(0, n, shared.batch_size):
            batch = slice(first, first + shared.batch_size)
            if stored is None:
                images = train_set.pool.take(order[:, batch])
            else:
                of_batch = {name: values[:, batch].flatten() for name, values in drawn.items()}
                seen = augment(stored.take(order[:, batch]).flatten(0, 1), of_batch, shared)
                images = seen.unflatten(0, (len(now), -1))
            rates = [learning_rate(spec, (epoch - 1) * n + first) for spec in now]
            # Kept and scored once an epoch: a score a step costs small networks a tenth of their speed.
            outputs.append(stack.step(images.to(stack.dtype), labels[:, batch], rates))
        online = _losses_and_accuracies(torch.cat(outputs, dim=1), labels)
        trained = perf_counter()
        entries: list[dict[str, Any]] = [
            {
                "epoch": epoch,
                "step": epoch * steps_per_epoch,
                "learning_rate": rate,
                "online_loss": loss,
                "online_accuracy": accuracy,
                "seconds": (trained - began) / len(now),  # the run's share
            }
            for (loss, accuracy), rate in zip(online, rates, strict=True)
        ]
        scheduled = epoch % interval == 0 or epoch == shared.epochs
        fitting = shared.stop == "fit"
        # Between scheduled evaluations a clean pass is worth its time only when it may end the run.
        nearly = [a > 0.999 and loss < 1.2 * FIT_LOSS for loss, a in online]
        scored = [place for place in range(len(now)) if scheduled or (fitting and nearly[place])]
        for place, found in zip(scored, train_set.scores(stack, scored, "train"), strict=True):
            entries[place] |= found
        ended = [
            epoch == shared.epochs or (fitting and Row(**entry, evaluation_seconds=0.0).fitted) for entry in entries
        ]
        tested = [place for place in range(len(now)) if scheduled or ended[place]]
        for name, part in held.items():
            for place, found in zip(tested, part.scores(stack, tested, name), strict=True):
                entries[place] |= found
        share = (perf_counter() - trained) / len(now)
        rows: dict[int, Row | ShatterlabError] = {}
        for place, entry in enumerate(entries):
            finite = all(value < float("inf") for name, value in entry.items() if name.endswith("loss"))
            ended[place] |= not finite
            rows[going[place]] = Row(**entry, evaluation_seconds=share) if finite else _diverged(now[place], epoch)
        yield rows
        kept = [place for place in range(len(now)) if not ended[place]]
        if not kept:
            return
        if len(kept) < len(going):
            going = [going[place] for place in kept]
            stack.keep(kept)
            for sets in (train_set, *held.values()):
                sets.keep(kept)
            if stored is not None:
                stored.keep(kept)


def _diverged(spec: Spec, epoch: int) -> ShatterlabError:
    return ShatterlabError(
        f"{spec.title} diverged in epoch {epoch} (the loss is not finite); "
        f"lower --learning-rate, now {spec.learning_rate:g}."
    )


def _losses_and_accuracies(outputs: torch.Tensor, labels: torch.Tensor) -> list[tuple[float, float]]:
    """Of each run, from logits (runs, n, classes) and labels (runs, n): mean cross-entropy in nats, share right."""
    losses = F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    right = (outputs.argmax(-1) == labels).double().mean(1)
    return list(zip(losses.mean(1).tolist(), right.tolist(), strict=True))


class _Pool:
    """The images of several runs on the device; what runs have in common is there once.

    Args:
        images: of each run, arrays of equal shape (n, height, width, channels).
        device: where they lie.
        change: what is done to each distinct array on its way.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        device: torch.device,
        change: Callable[[np.ndarray], torch.Tensor] = lambda array: torch.from_numpy(array.copy()),
    ) -> None:
        distinct: list[np.ndarray] = []
        places = []
        for array in images:
            place = next((i for i, other in enumerate(distinct) if _equal(array, other)), len(distinct))
            if place == len(distinct):
                distinct.append(array)
            places.append(place)
        self.n = len(images[0])
        pooled = [change(array).to(device) for array in distinct]
        self.images = pooled[0] if len(pooled) == 1 else torch.cat(pooled)
        self.first = torch.tensor([place * self.n for place in places], device=device)[:, None]

    def take(self, indices: torch.Tensor) -> torch.Tensor:
        """Images (runs, batch, height, width, channels) at `indices` (runs, batch) into the set of each run."""
        return self.images.index_select(0, (self.first + indices).flatten()).unflatten(0, tuple(indices.shape))

    def block(self, span: slice, members: Sequence[int]) -> torch.Tensor:
        """The images of a span of the sets of some runs, (runs, span, height, width, channels)."""
        if len(self.images) == self.n:
            return self.images[None, span].expand(len(members), -1, -1, -1, -1)
        indices = torch.arange(self.n, device=self.images.device)[span]
        return self.images[self.first[list(members)] + indices]

    def keep(self, members: Sequence[int]) -> None:
        """Forgets the other runs."""
        self.first = self.first[list(members)]


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    # The first image tells most sets apart.
    return one is other or (np.array_equal(one[:1], other[:1]) and np.array_equal(one, other))


class _Prepared:
    """A set of each run as the networks see it, on the device."""

    def __init__(self, parts: Sequence[Dataset], spec: Spec, device: torch.device) -> None:
        self.pool = _Pool(
            [part.images for part in parts],
            device,
            lambda images: preprocess(images, spec.crop, spec.preprocessing, device),
        )
        self.labels = torch.stack([torch.from_numpy(part.labels.copy()) for part in parts]).to(device)
        self.corrupted = torch.stack([torch.from_numpy(part.corrupted.copy()) for part in parts]).to(device)

    def keep(self, members: Sequence[int]) -> None:
        """Forgets the other runs."""
        chosen = list(members)
        self.pool.keep(chosen)
        self.labels, self.corrupted = self.labels[chosen], self.corrupted[chosen]

    def scores(self, stack: Learner, members: Sequence[int], name: str) -> list[dict[str, float | None]]:
        """Clean loss and accuracy of some runs against the labels of the set; of training sets also the share of
        corrupted examples fitted.
        """
        if not members:
            return []
        chosen = list(members)
        outputs = self._outputs(stack, chosen)
        labels, corrupted = self.labels[chosen], self.corrupted[chosen]
        found: list[dict[str, float | None]] = [
            {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
            for loss, accuracy in _losses_and_accuracies(outputs, labels)
        ]
        if name == "train":
            right = (outputs.argmax(-1) == labels) & corrupted
            shares = (right.sum(1).double() / corrupted.sum(1)).tolist()
            for entry, share in zip(found, shares, strict=True):
                entry["corrupted_fitted"] = None if share != share else share  # not a number where none is corrupted
        return found

    def _outputs(self, stack: Learner, chosen: list[int]) -> torch.Tensor:
        """Logits (runs, n, classes); they do not depend on the images at a time, as in evaluation mode."""
        size = max(BATCH // len(chosen), LEAST)
        parts = [
            stack.outputs(self.pool.block(slice(first, first + size), chosen).to(stack.dtype), chosen)
            for first in range(0, self.labels.shape[1], size)
        ]
        return torch.cat(parts, dim=1)
