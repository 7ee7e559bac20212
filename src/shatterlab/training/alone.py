"""Training one model of any kind, with gradients from autograd."""

from collections.abc import Sequence

import torch
from torch import nn

from ..models.blocks import WithAuxiliary
from ..models.dropout import Dropout, layer_key
from .learner import Batch, Learner
from .losses import training_loss
from .optimizer import Optimizer
from .precision import rounding


class Alone(Learner):
    """A learner that trains a single model.

    Args:
        model: the model, which is trained in place.
        optimizer: the model's optimizer.
        bf16: whether the model computes under bfloat16 autocast.
        label_smoothing: see `losses.training_loss`.
        own: whether the model is a user's. Such a model sees inputs in their own shape and plain memory layout, since
            `view` in its code may rely on that; images reach it as (batch, channels, height, width).
    """

    runs = 1

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, bf16: bool, label_smoothing: float = 0.0, own: bool = False
    ) -> None:
        self.model, self.optimizer, self.bf16, self.own = model, optimizer, bf16, own
        self.label_smoothing = label_smoothing
        first = next((p for p in model.parameters() if p.is_floating_point()), next(model.parameters()))
        self.device, self.dtype = first.device, first.dtype
        self.dropouts = [module for module in model.modules() if isinstance(module, Dropout)]
        if not own:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            optimizer.lie_as_parameters()
        model.train()

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        self._set_dropout(batch)
        loss, logits = training_loss(self._apply(batch.images), batch.labels[0], self.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(batch.rates[0])
        return logits[None]

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        self.model.eval()
        predicted = self._apply(images)
        assert isinstance(predicted, torch.Tensor)  # an auxiliary classifier speaks in training mode only
        self.model.train()
        return predicted[None]

    def _apply(self, images: torch.Tensor) -> torch.Tensor | WithAuxiliary:
        with rounding(images.device, self.bf16):
            predicted: torch.Tensor | WithAuxiliary = self.model(as_seen(images[0], own=self.own))
        return self._in_float32(predicted)

    def _set_dropout(self, batch: Batch) -> None:
        for i, dropout in enumerate(self.dropouts):
            dropout.key.copy_(layer_key(batch.keys[0], i))
            dropout.first = batch.first

    def _in_float32(self, predicted: torch.Tensor | WithAuxiliary) -> torch.Tensor | WithAuxiliary:
        if not self.bf16:
            return predicted
        return (
            predicted.float() if isinstance(predicted, torch.Tensor) else WithAuxiliary(*(p.float() for p in predicted))
        )

    def write_back(self) -> None:
        """Nothing to do: the model is trained in place."""

    def keep(self, members: Sequence[int]) -> None:
        """Nothing to do: there is one run."""


def as_seen(inputs: torch.Tensor, *, own: bool) -> torch.Tensor:
    """A batch as a module sees it: images (batch, height, width, channels) with their channels first."""
    if inputs.ndim != 4:
        return inputs.clone() if own else inputs  # a user's code may write into what it gets
    first = inputs.permute(0, 3, 1, 2)
    # A plain copy, even where the strides of a single channel would pass for either layout: `view` tells them apart.
    return first.clone(memory_format=torch.contiguous_format) if own else first
