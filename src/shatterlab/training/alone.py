"""One model of any kind, by autograd."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..models.dropout import Dropout, layer_key
from .learner import Batch, Learner
from .optimizer import MomentumSGD
from .precision import rounding


class Alone(Learner):
    """A stack of one.

    Args:
        model: trained in place.
        optimizer: its own.
        bf16: under bfloat16 autocast.
    """

    runs = 1

    def __init__(self, model: nn.Module, optimizer: MomentumSGD, bf16: bool) -> None:
        self.model, self.optimizer, self.bf16 = model, optimizer, bf16
        first = next(model.parameters())
        self.device, self.dtype = first.device, first.dtype
        self.dropouts = [module for module in model.modules() if isinstance(module, Dropout)]
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # The fused update walks through memory, so that velocities must lie as their parameters do.
        pairs = zip(optimizer.parameters, optimizer.velocities, strict=True)
        optimizer.velocities = [torch.empty_like(parameter).copy_(velocity).detach() for parameter, velocity in pairs]
        model.train()

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        for i, dropout in enumerate(self.dropouts):
            dropout.key.copy_(layer_key(batch.keys[0], i))
        predicted = self._apply(batch.images)
        loss = F.cross_entropy(predicted, batch.labels[0])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(batch.rates[0])
        return predicted.detach()[None]

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        self.model.eval()
        predicted = self._apply(images)[None]
        self.model.train()
        return predicted

    def _apply(self, images: torch.Tensor) -> torch.Tensor:
        with rounding(images.device, self.bf16):
            predicted: torch.Tensor = self.model(images[0].permute(0, 3, 1, 2))
        return predicted.float() if self.bf16 else predicted

    def write_back(self) -> None:
        """Nothing to do: the model is trained in place."""

    def keep(self, members: Sequence[int]) -> None:
        """Nothing to do: there is one run."""
