"""The row that an epoch leaves: one line of `rows.jsonl`."""

from itertools import pairwise
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

FIT_LOSS = 0.01
"""A run has fitted its training set at 100 % accuracy and a clean loss below this."""

PARTS = 10
"""The online loss of an epoch is recorded for this many parts of it, or for each step where there are fewer."""


def part_ends(steps: int) -> list[int]:
    """The steps after which the parts of an epoch of so many steps end; their lengths differ by one step at most."""
    parts = min(PARTS, steps)
    return [steps * part // parts for part in range(1, parts + 1)]


class Part(NamedTuple):
    """A stretch of training over which a mean online loss is known: a part of an epoch, or a whole one."""

    end: int
    """Finished updates of the weights at its end."""
    steps: int
    loss: float


class Row(BaseModel):
    """The state of a run after an epoch. What was not measured in that epoch is None, never zero.

    Losses are mean cross-entropies in nats, accuracies are shares in [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    """The number of finished epochs, from 1."""
    step: int
    """The number of finished updates of the weights."""
    learning_rate: float
    """The learning rate of the last step."""
    online_loss: float
    """The mean loss over the batches of this epoch as they were trained on, each before its update."""
    online_accuracy: float
    online_top5_accuracy: float | None = None
    """The share of examples whose label is among the five likeliest classes; None where there are few classes
    (`training.marks.LEAST_CLASSES`). The other sets have it, too."""
    online_losses: tuple[float, ...] | None = None
    """The same over each of up to `PARTS` consecutive parts of the epoch, see `part_ends`; six significant digits.
    None in rows of earlier versions."""
    train_loss: float | None = None
    """The loss over the whole training set (labels as trained on) in evaluation mode, after the epoch."""
    train_accuracy: float | None = None
    train_top5_accuracy: float | None = None
    corrupted_fitted: float | None = None
    """The share of the corrupted training examples that are predicted as they are (mis)labelled, which is memorization;
    None where nothing is corrupted."""
    validation_loss: float | None = None
    """The loss over the examples held out of the training set, whose labels are as corrupted as its own."""
    validation_accuracy: float | None = None
    validation_top5_accuracy: float | None = None
    test_loss: float | None = None
    """The loss over the test set, whose labels are the true ones."""
    test_accuracy: float | None = None
    test_top5_accuracy: float | None = None
    seconds: float
    """The time of training in this epoch, on a monotonic clock."""
    evaluation_seconds: float

    def progress(self, epochs: int) -> str:
        """The epoch out of all epochs of its run, the loss and the train accuracy (online where no other is known)."""
        accuracy = self.online_accuracy if self.train_accuracy is None else self.train_accuracy
        return f"epoch {self.epoch}/{epochs}, loss {self.online_loss:.3f}, train {100 * accuracy:.1f} %"

    @property
    def parts(self) -> list[Part]:
        """The parts of the epoch with their online losses; the whole epoch where its parts were not recorded."""
        steps = self.step // self.epoch
        if self.online_losses is None:
            return [Part(self.step, steps, self.online_loss)]
        ends = part_ends(steps)
        return [
            Part(self.step - steps + end, end - begin, loss)
            for (begin, end), loss in zip(pairwise([0, *ends]), self.online_losses, strict=True)
        ]

    @property
    def fitted(self) -> bool:
        """Whether the training set is fitted: every example is right and the loss is below `FIT_LOSS`."""
        return self.train_accuracy == 1.0 and self.train_loss is not None and self.train_loss < FIT_LOSS
