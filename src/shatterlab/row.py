"""The row that an epoch leaves: one line of `rows.jsonl`."""

from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

FIT_LOSS = 0.01
"""A run has fitted its training set at 100 % accuracy and a clean loss below this."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A share of examples."""
Loss = Annotated[float, Field(ge=-1e-4)]
"""A mean cross-entropy, which is never negative; rounding in float32 may take it a little below zero."""
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]

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

    Losses are mean cross-entropies in nats, accuracies are shares in [0, 1]. Numbers that cannot be are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epoch: Count
    """The number of finished epochs, from 1."""
    step: Count
    """The number of finished updates of the weights."""
    learning_rate: Annotated[float, Field(ge=0)]
    """The learning rate of the last step."""
    online_loss: Loss
    """The mean loss over the batches of this epoch as they were trained on, each before its update."""
    online_accuracy: Share
    online_top5_accuracy: Share | None = None
    """The share of examples whose label is among the five likeliest classes; None where there are few classes
    (`training.marks.LEAST_CLASSES`). The other sets have it, too."""
    online_losses: tuple[Loss, ...] | None = None
    """The same over each of up to `PARTS` consecutive parts of the epoch, see `part_ends`; six significant digits.
    None in rows of earlier versions."""
    train_loss: Loss | None = None
    """The loss over the whole training set (labels as trained on) in evaluation mode, after the epoch."""
    train_accuracy: Share | None = None
    train_top5_accuracy: Share | None = None
    corrupted_fitted: Share | None = None
    """The share of the corrupted training examples that are predicted as they are (mis)labelled, which is memorization;
    None where nothing is corrupted."""
    validation_loss: Loss | None = None
    """The loss over the examples held out of the training set, whose labels are as corrupted as its own."""
    validation_accuracy: Share | None = None
    validation_top5_accuracy: Share | None = None
    test_loss: Loss | None = None
    """The loss over the test set, whose labels are the true ones."""
    test_accuracy: Share | None = None
    test_top5_accuracy: Share | None = None
    seconds: Seconds
    """The time of training in this epoch, on a monotonic clock."""
    evaluation_seconds: Seconds

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
