"""The interface of a learner, which takes the training steps of one run or of many at once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch


class Batch(NamedTuple):
    """The input of one step of several runs, all of it on the device, so that no step waits for the host."""

    images: torch.Tensor
    """The images, (runs, batch, height, width, channels), have the dtype of the models."""
    labels: torch.Tensor
    """The labels are int64, (runs, batch)."""
    rates: torch.Tensor
    """The learning rates are float32, (runs,)."""
    keys: torch.Tensor
    """The keys, int64, (runs,), determine what dropout zeroes in this step, see `models.dropout`."""
    first: int = 0
    """The place of these examples in the batch, which several processes may share, see `ranks`."""
    whole: int | None = None
    """The size of the whole batch; None where this is all of it."""

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The four that change from step to step."""
        return self.images, self.labels, self.rates, self.keys


class Learner(ABC):
    """The models of several runs in training, with their velocities.

    Logits are (runs, batch, classes). The weights may live in stacked tensors until `write_back`. Between two calls of
    `keep`, the tensors that a step changes stay at their place in memory, so that it can be captured (see `captured`).
    """

    runs: int
    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def step(self, batch: Batch) -> torch.Tensor:
        """Updates every run with its own learning rate and returns the logits before the update."""

    @abstractmethod
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """Returns the logits of some runs in evaluation mode, without gradients."""

    @abstractmethod
    def write_back(self) -> None:
        """Brings the models and optimizers of the runs that have not been forgotten up to date."""

    @abstractmethod
    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`, which are counted from 0 in this order from then on."""
