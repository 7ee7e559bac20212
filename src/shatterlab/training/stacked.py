"""Training several models as one stack: each parameter has a first dimension for the runs.

A step of the stack is then a handful of batched products, where separate models would need a handful each. Every run
sees its own images, labels, learning rate and weight decay, and ends, within float32 rounding, where it would have
ended alone (tests/training/test_stacking.py).
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models.dropout import Dropout, layer_key
from .learner import Batch, Learner
from .optimizer import MomentumSGD
from .precision import rounding


class Stacked(Learner):
    """The parameters and velocities of several models that share architecture and momentum."""

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD]) -> None:
        self.runs = len(models)
        self.in_place = self.runs == 1  # the parameters are the model's own
        self.models, self.optimizers = list(models), list(optimizers)
        self.momentum = optimizers[0].momentum
        first = next(models[0].parameters())
        self.device, self.dtype = first.device, first.dtype
        self.decays = torch.tensor(
            [optimizer.weight_decay for optimizer in optimizers], device=self.device, dtype=self.dtype
        )
        self.decaying = any(optimizer.weight_decay for optimizer in optimizers)
        stack = _view if self.in_place else torch.stack
        self.parameters = [stack(group) for group in zip(*(_tensors(model) for model in models), strict=True)]
        self.velocities = [stack(group) for group in zip(*(o.velocities for o in optimizers), strict=True)]

    @torch.no_grad()
    def write_back(self) -> None:
        """See `Learner`."""
        if self.in_place:
            return
        for member, (model, optimizer) in enumerate(zip(self.models, self.optimizers, strict=True)):
            own = [*_tensors(model), *optimizer.velocities]
            torch._foreach_copy_(own, [stacked[member] for stacked in (*self.parameters, *self.velocities)])

    def keep(self, members: Sequence[int]) -> None:
        """See `Learner`."""
        chosen = list(members)
        self.parameters = [parameter.detach()[chosen] for parameter in self.parameters]
        self.velocities = [velocity[chosen] for velocity in self.velocities]
        self.models = [self.models[i] for i in chosen]
        self.optimizers = [self.optimizers[i] for i in chosen]
        self.decays = self.decays[chosen]
        self.runs = len(chosen)

    def _descend(self, i: int, rates: torch.Tensor) -> None:
        """Sets v <- v + weight_decay w and w <- w - rate v for the i-th parameter of every run."""
        parameter, velocity = self.parameters[i], self.velocities[i]
        if self.decaying:
            velocity.addcmul_(parameter, _over_runs(self.decays, parameter))
        parameter.addcmul_(velocity, _over_runs(rates.to(self.dtype), parameter), value=-1)


class Vmapped(Stacked):
    """Models of any kind, which vmap turns into one model with batched operators."""

    def __init__(
        self, models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD], bf16: bool, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(models, optimizers)
        self.bf16, self.label_smoothing = bf16, label_smoothing
        self.model = copy.deepcopy(models[0]).train()
        self.names = [name for name, _ in models[0].named_parameters()]
        self.buffers = {
            name: torch.stack([dict(model.named_buffers())[name] for model in models])
            for name, _ in models[0].named_buffers()
        }
        self.keys = [f"{name}.key" for name, module in models[0].named_modules() if isinstance(module, Dropout)]
        self._require_gradients()

    def _require_gradients(self) -> None:
        self.parameters = [parameter.detach().requires_grad_() for parameter in self.parameters]

    def _apply(self, images: torch.Tensor, parameters: Sequence[torch.Tensor], buffers: dict[str, Any]) -> torch.Tensor:
        def apply(parameters: dict[str, Any], buffers: dict[str, Any], images: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(self.model, (parameters, buffers), (images.permute(0, 3, 1, 2),))

        with rounding(images.device, self.bf16):
            named = dict(zip(self.names, parameters, strict=True))
            predicted: torch.Tensor = torch.func.vmap(apply)(named, buffers, images)
        return predicted.float() if self.bf16 else predicted

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        for i, name in enumerate(self.keys):
            self.buffers[name].copy_(layer_key(batch.keys, i))
        predicted = self._apply(batch.images, self.parameters, self.buffers)
        losses = F.cross_entropy(
            predicted.flatten(0, 1), batch.labels.flatten(), reduction="sum", label_smoothing=self.label_smoothing
        )
        loss = losses / batch.labels.shape[1]
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            torch._foreach_mul_(self.velocities, self.momentum)
            torch._foreach_add_(self.velocities, gradients)
            for i in range(len(self.parameters)):
                self._descend(i, batch.rates)
        return predicted.detach()

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        chosen = list(members)
        self.model.eval()
        predicted = self._apply(
            images, [p[chosen] for p in self.parameters], {name: b[chosen] for name, b in self.buffers.items()}
        )
        self.model.train()
        return predicted

    @torch.no_grad()
    def write_back(self) -> None:
        """See `Learner`."""
        super().write_back()
        for member, model in enumerate(self.models):
            for name, own in model.named_buffers():
                own.copy_(self.buffers[name][member])

    def keep(self, members: Sequence[int]) -> None:
        """See `Learner`."""
        super().keep(members)
        self.buffers = {name: buffer[list(members)] for name, buffer in self.buffers.items()}
        self._require_gradients()


def _over_runs(values: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Gives one number for each run the shape that multiplies a stacked parameter."""
    return values.view(-1, *[1] * (parameter.ndim - 1))


def _tensors(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


def _view(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Stacks a single tensor without a copy."""
    return tensors[0][None]
