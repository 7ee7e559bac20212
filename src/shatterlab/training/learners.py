"""What takes the steps of one run, or of many at once: autograd, perceptrons by hand, or any model under vmap.

Runs that share architecture, shapes and schedule are stacked: each parameter becomes one tensor with a first
dimension for the runs, so that a step of all of them is a handful of batched products and not a handful for
each. Every run sees its own images, labels, learning rate and weight decay, and ends, within float32 rounding,
where it would have ended alone (tests/training/test_stacking.py).
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models.mlp import MLP
from .optimizer import MomentumSGD


class Learner(ABC):
    """Models in training, with their velocities.

    Images are (runs, batch, height, width, channels) and logits (runs, batch, classes), of the models' dtype, labels
    int64 (runs, batch). What is learned may live in stacked tensors until `write_back`.
    """

    runs: int
    device: torch.device
    dtype: torch.dtype

    @abstractmethod
    def step(self, images: torch.Tensor, labels: torch.Tensor, rates: Sequence[float]) -> torch.Tensor:
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


def learner(models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD], *, bf16: bool = False) -> Learner:
    """The fastest way to train these models.

    Args:
        models: of one architecture, on one device, in any state.
        optimizers: theirs, with one momentum.
        bf16: under bfloat16 autocast.
    """
    if not bf16 and all(map(_linear_layers, models)):
        return Perceptrons(models, optimizers)
    if len(models) == 1:
        return Alone(models[0], optimizers[0], bf16)
    return Vmapped(models, optimizers, bf16)


class Alone(Learner):
    """One model of any kind, by autograd."""

    runs = 1

    def __init__(self, model: nn.Module, optimizer: MomentumSGD, bf16: bool) -> None:
        self.model, self.optimizer, self.bf16 = model, optimizer, bf16
        first = next(model.parameters())
        self.device, self.dtype = first.device, first.dtype
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # The fused update walks through memory, so that velocities must lie as their parameters do.
        pairs = zip(optimizer.parameters, optimizer.velocities, strict=True)
        optimizer.velocities = [torch.empty_like(parameter).copy_(velocity).detach() for parameter, velocity in pairs]
        model.train()

    def step(self, images: torch.Tensor, labels: torch.Tensor, rates: Sequence[float]) -> torch.Tensor:
        """See `Learner`."""
        predicted = self._apply(images)
        loss = F.cross_entropy(predicted, labels[0])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(rates[0])
        return predicted.detach()[None]

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        self.model.eval()
        predicted = self._apply(images)[None]
        self.model.train()
        return predicted

    def _apply(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            predicted: torch.Tensor = self.model(images[0].permute(0, 3, 1, 2))
        return predicted.float() if self.bf16 else predicted

    def write_back(self) -> None:
        """Nothing to do: the model is trained in place."""

    def keep(self, members: Sequence[int]) -> None:
        """Nothing to do: there is one run."""


class _Stacked(Learner):
    """Parameters and velocities of several models, each with a first dimension for the runs."""

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
        self.decaying = bool(self.decays.any())
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

    def over_runs(self, values: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
        """One number a run, in a shape that multiplies a stacked parameter."""
        return values.view(-1, *[1] * (parameter.ndim - 1))

    def descend(self, rates: Sequence[float]) -> None:
        """w <- w - rate v for every run."""
        if len(set(rates)) == 1:
            torch._foreach_add_(self.parameters, self.velocities, alpha=-rates[0])
            return
        each = torch.tensor(rates, device=self.device, dtype=self.dtype)
        for parameter, velocity in zip(self.parameters, self.velocities, strict=True):
            parameter.addcmul_(velocity, self.over_runs(each, parameter), value=-1)


class Perceptrons(_Stacked):
    """Perceptrons of linear layers and ReLUs, with the backward pass by hand.

    The product that makes a gradient adds it to the velocity in the same pass over memory, v <- momentum v + g,
    which no gradient tensor has to be made for. On small batches autograd and the extra passes take longer than
    the products (bench/epoch.py).
    """

    @torch.no_grad()
    def step(self, images: torch.Tensor, labels: torch.Tensor, rates: Sequence[float]) -> torch.Tensor:
        """See `Learner`."""
        seen = self._forward(images.flatten(2), self.parameters)
        logits = seen.pop()
        # The gradient of the mean cross-entropy: what the softmax gives, less one at the label, over the batch.
        slope = torch.softmax(logits, -1)
        slope.scatter_add_(-1, labels[..., None], slope.new_full((1, 1, 1), -1.0).expand(*labels.shape, 1))
        slope /= labels.shape[1]
        below = slope
        for layer in reversed(range(len(seen))):
            weight, offset = self.parameters[2 * layer : 2 * layer + 2]
            if layer:
                below = torch.ops.aten.threshold_backward(_product(slope, weight), seen[layer], 0)
            self._accelerate(2 * layer, slope.transpose(1, 2), seen[layer])
            self.velocities[2 * layer + 1].mul_(self.momentum).add_(slope.sum(1))
            if self.decaying:
                for velocity, parameter in (
                    (self.velocities[2 * layer], weight),
                    (self.velocities[2 * layer + 1], offset),
                ):
                    velocity.addcmul_(parameter, self.over_runs(self.decays, parameter))
            slope = below
        self.descend(rates)
        return logits

    def _accelerate(self, i: int, left: torch.Tensor, right: torch.Tensor) -> None:
        """v <- momentum v + left right."""
        velocity = self.velocities[i]
        if self.runs == 1:
            velocity[0].addmm_(left[0], right[0], beta=self.momentum)
        else:
            velocity.baddbmm_(left, right, beta=self.momentum)

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        some = self.parameters if len(members) == self.runs else [p[list(members)] for p in self.parameters]
        return self._forward(images.flatten(2), some)[-1]

    @staticmethod
    def _forward(images: torch.Tensor, parameters: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What each layer sees, and the logits."""
        seen = [images]
        for layer in range(0, len(parameters), 2):
            weight, offset = parameters[layer : layer + 2]
            if len(weight) == 1:
                passed = torch.addmm(offset[0], seen[-1][0], weight[0].t())[None]
            else:
                passed = torch.baddbmm(offset[:, None], seen[-1], weight.transpose(1, 2))
            seen.append(passed if layer == len(parameters) - 2 else passed.relu_())
        return seen


class Vmapped(_Stacked):
    """Models of any kind, of which vmap makes one with batched operators."""

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD], bf16: bool) -> None:
        super().__init__(models, optimizers)
        self.bf16 = bf16
        self.model = copy.deepcopy(models[0]).train()
        self.names = [name for name, _ in models[0].named_parameters()]
        self.buffers = {
            name: torch.stack([dict(model.named_buffers())[name] for model in models])
            for name, _ in models[0].named_buffers()
        }
        self._require_gradients()

    def _require_gradients(self) -> None:
        self.parameters = [parameter.detach().requires_grad_() for parameter in self.parameters]

    def _apply(self, images: torch.Tensor, parameters: Sequence[torch.Tensor], buffers: dict[str, Any]) -> torch.Tensor:
        def one(parameters: dict[str, Any], buffers: dict[str, Any], images: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(self.model, (parameters, buffers), (images.permute(0, 3, 1, 2),))

        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            named = dict(zip(self.names, parameters, strict=True))
            predicted: torch.Tensor = torch.func.vmap(one)(named, buffers, images)
        return predicted.float() if self.bf16 else predicted

    def step(self, images: torch.Tensor, labels: torch.Tensor, rates: Sequence[float]) -> torch.Tensor:
        """See `Learner`."""
        predicted = self._apply(images, self.parameters, self.buffers)
        loss = F.cross_entropy(predicted.flatten(0, 1), labels.flatten(), reduction="sum") / labels.shape[1]
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            torch._foreach_mul_(self.velocities, self.momentum)
            torch._foreach_add_(self.velocities, gradients)
            if self.decaying:
                for velocity, parameter in zip(self.velocities, self.parameters, strict=True):
                    velocity.addcmul_(parameter, self.over_runs(self.decays, parameter))
            self.descend(rates)
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


def _linear_layers(model: nn.Module) -> bool:
    """Whether a model is a perceptron of nothing but linear layers and ReLUs; dropout is something else."""
    return isinstance(model, MLP) and all(isinstance(layer, nn.Linear | nn.ReLU) for layer in model.layers)


def _tensors(model: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


def _view(one: Sequence[torch.Tensor]) -> torch.Tensor:
    """A stack of one, which shares its memory with it."""
    return one[0][None]


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return (left[0] @ right[0])[None] if len(left) == 1 else left @ right
