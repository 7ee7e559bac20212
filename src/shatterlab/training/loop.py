"""The training loop: the paper's recipe as a generator of one row an epoch."""

from collections.abc import Iterator
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import nn

from ..data.dataset import Data, Dataset
from ..errors import ShatterlabError
from ..row import FIT_LOSS, Row
from ..seeds import stream
from ..spec import Spec
from .augment import augment, check, draw
from .evaluate import logits, loss_and_accuracy
from .memory import keep_freed_memory
from .optimizer import MomentumSGD
from .preprocess import preprocess

EVALUATION_SHARE = 0.1
"""Of a run's arithmetic that full evaluations may take by default. A perceptron, whose first layer has no input
gradient, trains cheaper than the estimate, so that of its time they take up to 0.15."""

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
    check(spec, data.train.images)
    keep_freed_memory()
    device = next(model.parameters()).device
    train_set, test_set = (_Prepared(part, spec, device) for part in (data.train, data.test))
    validation_set = _Prepared(data.validation, spec, device) if data.validation else None
    stored = torch.from_numpy(data.train.images.copy()).to(device) if spec.augments else None
    n = len(data.train)
    interval = evaluation_interval(spec, n, len(data.test))
    bf16 = spec.precision == "bf16"
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    outputs = torch.empty(n, data.train.classes, device=device)
    steps_per_epoch = -(-n // spec.batch_size)

    for epoch in range(start + 1, spec.epochs + 1):
        began = perf_counter()
        order = torch.from_numpy(stream(spec.seed, "order", epoch).permutation(n)).to(device)
        labels = train_set.labels[order]
        changes = draw(spec, n, data.train.shape, epoch, device)
        torch.manual_seed(int(stream(spec.seed, "dropout", epoch).integers(2**63)))
        seen = (epoch - 1) * n
        for first in range(0, n, spec.batch_size):
            batch = slice(first, first + spec.batch_size)
            if stored is None:
                images = train_set.images.index_select(0, order[batch])
            else:
                of_batch = {name: values[batch] for name, values in changes.items()}
                images = augment(stored.index_select(0, order[batch]), of_batch, spec)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                predicted = model(images.permute(0, 3, 1, 2))
            loss = F.cross_entropy(predicted.float(), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            rate = learning_rate(spec, seen + first)
            optimizer.step(rate)
            # Kept and scored once an epoch: a score a step costs small networks a tenth of their speed.
            outputs[batch] = predicted.detach()
        online_loss, online_accuracy = loss_and_accuracy(outputs, labels)
        trained = perf_counter()
        _check_finite(online_loss, spec, epoch)
        row = Row(
            epoch=epoch,
            step=epoch * steps_per_epoch,
            learning_rate=rate,
            online_loss=online_loss,
            online_accuracy=online_accuracy,
            seconds=trained - began,
            evaluation_seconds=0.0,
        )
        scheduled = epoch % interval == 0 or epoch == spec.epochs
        # Between scheduled evaluations a clean pass is worth its time only when it may end the run.
        nearly_fitted = online_accuracy > 0.999 and online_loss < 1.2 * FIT_LOSS
        if scheduled or (spec.stop == "fit" and nearly_fitted):
            row = row.model_copy(update=train_set.score(model, bf16))
            _check_finite(row.train_loss or 0.0, spec, epoch)
        last = epoch == spec.epochs or (spec.stop == "fit" and row.fitted)
        if scheduled or last:
            for name, part in (("validation", validation_set), ("test", test_set)):
                if part:
                    held, right = loss_and_accuracy(logits(model, part.images, bf16=bf16), part.labels)
                    _check_finite(held, spec, epoch)
                    row = row.model_copy(update={f"{name}_loss": held, f"{name}_accuracy": right})
        yield row.model_copy(update={"evaluation_seconds": perf_counter() - trained})
        if last:
            return


def _check_finite(loss: float, spec: Spec, epoch: int) -> None:
    if not loss < float("inf"):
        raise ShatterlabError(
            f"{spec.title} diverged in epoch {epoch} (the loss is not finite); "
            f"lower --learning-rate, now {spec.learning_rate:g}."
        )


class _Prepared:
    """A set as the network sees it, on the device."""

    def __init__(self, dataset: Dataset, spec: Spec, device: torch.device) -> None:
        self.images = preprocess(dataset.images, spec.crop, spec.preprocessing, device)
        self.labels = torch.from_numpy(dataset.labels.copy()).to(device)
        self.corrupted = torch.from_numpy(dataset.corrupted.copy()).to(device)

    def score(self, model: nn.Module, bf16: bool) -> dict[str, float | None]:
        """Clean loss and accuracy against the labels trained on, and the share of corrupted examples fitted."""
        outputs = logits(model, self.images, bf16=bf16)
        loss, accuracy = loss_and_accuracy(outputs, self.labels)
        fitted = None
        if self.corrupted.any():
            fitted = (outputs.argmax(1) == self.labels)[self.corrupted].double().mean().item()
        return {"train_loss": loss, "train_accuracy": accuracy, "corrupted_fitted": fitted}
