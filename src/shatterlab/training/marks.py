"""What is kept of each example's logits: its loss and what was predicted, so that the logits of a large set never lie
in memory together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

MOST_LOGITS = 2**24
"""So many logits are gathered before they are reduced to marks: scores at each step would cost small networks a tenth
of their speed, and the logits of all of ImageNet would take 5 GB."""

LEAST_CLASSES = 20
"""With fewer classes it says little that a label is among the five likeliest, and is not recorded."""


class Marks(NamedTuple):
    """How several runs did on the examples of a set."""

    losses: torch.Tensor
    """The cross-entropies, in nats, (runs, n)."""
    predicted: torch.Tensor
    """The likeliest classes, int64, (runs, n)."""
    right: torch.Tensor
    """Whether they are the labels, bool, (runs, n)."""
    among_five: torch.Tensor | None
    """Whether the labels are among the five likeliest classes, bool, (runs, n); None below `LEAST_CLASSES`."""

    def of(self, run: int) -> "Marks":
        """The marks of one run, (1, n)."""
        return Marks(*(None if part is None else part[run : run + 1] for part in self))  # type: ignore[arg-type]

    def at(self, spans: Sequence[slice]) -> "Marks":
        """The marks of the examples in some spans, which follow one another in the result."""
        return Marks(
            *(None if part is None else torch.cat([part[:, span] for span in spans], dim=1) for part in self)  # type: ignore[arg-type]
        )

    def to(self, device: torch.device | str) -> "Marks":
        """The marks on a device."""
        return Marks(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]

    def shares(self, name: str) -> list[dict[str, float | None]]:
        """The mean loss and the accuracies of each run, as the fields of a `Row` whose names begin with `name`."""
        values: list[dict[str, float | None]] = [
            {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
            for loss, accuracy in zip(self.losses.mean(1).tolist(), self.right.double().mean(1).tolist(), strict=True)
        ]
        if self.among_five is not None:
            for fields, share in zip(values, self.among_five.double().mean(1).tolist(), strict=True):
                fields[f"{name}_top5_accuracy"] = share
        return values


def marks_of(logits: torch.Tensor, labels: torch.Tensor) -> Marks:
    """The marks of logits (runs, n, classes) against labels, int64 (runs, n)."""
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    predicted = logits.argmax(-1)
    among_five = None
    if logits.shape[-1] >= LEAST_CLASSES:
        among_five = (logits.topk(5, dim=-1).indices == labels[..., None]).any(-1)
    return Marks(losses, predicted, predicted == labels, among_five)


class Gathering:
    """Gathers the logits of one batch after the other and reduces them to marks, about `MOST_LOGITS` at a time.

    They are copied into one block of memory: small tensors that outlive a step would lie scattered between the large
    ones of that step, whose memory could then not be used for the larger ones of the next.

    Args:
        n: the number of examples of each run that will come.
        earlier: the marks of the examples that came before these, where there were any.
    """

    def __init__(self, n: int, earlier: Marks | None = None) -> None:
        self.left = n
        self.logits = self.labels = torch.empty(0)
        self.room = self.filled = 0
        self.done: list[Marks] = [earlier] if earlier else []

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Takes the logits (runs, batch, classes) of the next examples and their labels (runs, batch)."""
        runs, batch, classes = logits.shape
        if not self.room or self.filled + batch > self.room:
            self._reduce()
            self.room = max(batch, 1, min(self.left, MOST_LOGITS // (runs * classes)))
            self.logits, self.labels = logits.new_empty(runs, self.room, classes), labels.new_empty(runs, self.room)
        self.logits[:, self.filled : self.filled + batch] = logits
        self.labels[:, self.filled : self.filled + batch] = labels
        self.filled += batch
        self.left -= batch

    def _reduce(self) -> None:
        if self.filled:
            self.done.append(marks_of(self.logits[:, : self.filled], self.labels[:, : self.filled]))
        self.filled = 0

    def marks(self) -> Marks:
        """The marks of all examples so far, in their order; some of several processes may have none."""
        if not self.done and not self.filled:
            return marks_of(self.logits[:, :0], self.labels[:, :0])
        self._reduce()
        if len(self.done) == 1:
            return self.done[0]
        self.done = [joined(self.done, dim=1)]
        return self.done[0]


def joined(marks: Sequence[Marks], dim: int) -> Marks:
    """Puts the marks of several runs (`dim` 0) or of consecutive examples (1) together."""
    parts = zip(*marks, strict=True)
    return Marks(*(None if part[0] is None else torch.cat(part, dim) for part in parts))  # type: ignore[arg-type]
