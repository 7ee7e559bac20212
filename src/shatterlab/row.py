"""The row that an epoch leaves: one line of `rows.jsonl`."""

from pydantic import BaseModel, ConfigDict

FIT_LOSS = 0.01
"""A run has fitted its training set at 100 % accuracy and a clean loss below this."""


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
    train_loss: float | None = None
    """The loss over the whole training set (labels as trained on) in evaluation mode, after the epoch."""
    train_accuracy: float | None = None
    corrupted_fitted: float | None = None
    """The share of the corrupted training examples that are predicted as they are (mis)labelled, which is memorization;
    None where nothing is corrupted."""
    validation_loss: float | None = None
    """The loss over the examples held out of the training set, whose labels are as corrupted as its own."""
    validation_accuracy: float | None = None
    test_loss: float | None = None
    """The loss over the test set, whose labels are the true ones."""
    test_accuracy: float | None = None
    seconds: float
    """The time of training in this epoch, on a monotonic clock."""
    evaluation_seconds: float

    def progress(self, epochs: int) -> str:
        """The epoch out of all epochs of its run, the loss and the train accuracy (online where no other is known)."""
        accuracy = self.online_accuracy if self.train_accuracy is None else self.train_accuracy
        return f"epoch {self.epoch}/{epochs}, loss {self.online_loss:.3f}, train {100 * accuracy:.1f} %"

    @property
    def fitted(self) -> bool:
        """Whether the training set is fitted: every example is right and the loss is below `FIT_LOSS`."""
        return self.train_accuracy == 1.0 and self.train_loss is not None and self.train_loss < FIT_LOSS
