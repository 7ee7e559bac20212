"""What takes the steps of one run, or of many at once: the interface that the loop trains against."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch


class Batch(NamedTuple):
    """What a step of several runs is made from, all of it on the device, so that no step waits for the host."""

    images: torch.Tensor
    """(runs, batch, height, width, channels), of the models' dtype."""
    labels: torch.Tensor
    """int64, (runs, batch)."""
    rates: torch.Tensor
    """Learning rates, float32, (runs,)."""
    keys: torch.Tensor
    """int64, (runs,): what dropout zeroes in this step follows from it, see `models.dropout`."""


class Learner(ABC):
    """Models in training, with their velocities.

    Logits are (runs, batch, classes). What is learned may live in stacked tensors until `write_back`. Between two
    calls of `keep`, what a step changes stays where it is in memory, so that a step can be captured (see `captured`).
    """

    runs: int
    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def step(self, batch: Batch) -> torch.Tensor:
        """One update of every run with its own learning rate; returns the logits before it."""

    @abstractmethod
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """The logits of some runs in evaluation mode, without gradients."""

    @abstractmethod
    def write_back(self) -> None:
        """Brings the models and optimizers of the runs that are still here up to date."""

    @abstractmethod
    def keep(self, members: Sequence[int]) -> None:
        """Forgets all other runs; those kept are counted from 0 in this order."""
