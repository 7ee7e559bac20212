"""The optimizers, with the learning rate given at each step: the paper's momentum SGD, Adam, and RMSProp."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from ..spec import Spec


def sgd_(
    parameters: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    velocities: Sequence[torch.Tensor],
    learning_rate: float | torch.Tensor,
    *,
    momentum: float,
    weight_decay: float,
) -> None:
    """Makes the update of `MomentumSGD` in place and in one pass over memory.

    It calls torch's own fused kernel directly: on small networks `torch.optim.SGD.step` spends more time around the
    kernel than in it (bench/epoch.py).

    Args:
        parameters, gradients, velocities: tensors of equal shapes and dtype, with the memory layout of the parameters.
        learning_rate: a number, or a float32 tensor () on the device of the parameters, for which no step waits.
        momentum: in [0, 1).
        weight_decay: at least 0.
    """
    sgd(
        list(parameters),
        list(gradients),
        list(velocities),
        fused=True,
        weight_decay=weight_decay,
        momentum=momentum,
        lr=learning_rate,  # type: ignore[arg-type]  # the kernel takes either
        dampening=0.0,
        nesterov=False,
        maximize=False,
    )


class Optimizer(ABC):
    """Moves the trainable parameters of one model and leaves frozen ones alone.

    Args:
        parameters: the parameters that `step` changes in place; those that require no gradient are left out.
        weight_decay: at least 0; applies to weights and biases alike.

    The state consists of named lists of tensors, one tensor for each parameter and with its memory layout. Complex
    parameters are moved as pairs of real numbers.
    """

    state: dict[str, list[torch.Tensor]]

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.weight_decay = weight_decay

    def zero_grad(self) -> None:
        """Forgets the gradients, so that the next backward pass writes instead of adding."""
        for parameter in self.parameters:
            parameter.grad = None

    def lie_as_parameters(self) -> None:
        """Lays the state out anew after the parameters have moved: a fused update walks through memory."""
        for tensors in self.state.values():
            tensors[:] = [
                torch.empty_like(_real(parameter.detach())).copy_(tensor) if tensor.ndim else tensor
                for parameter, tensor in zip(self.parameters, tensors, strict=True)
            ]

    def _zeros(self) -> list[torch.Tensor]:
        return [torch.zeros_like(_real(parameter.detach())) for parameter in self.parameters]

    def _with_gradients(self) -> tuple[list[torch.Tensor], list[torch.Tensor], list[list[torch.Tensor]]]:
        """Returns the parameters that the backward pass has reached, their gradients, and their part of each state."""
        reached = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        return (
            [_real(self.parameters[i].detach()) for i in reached],
            [_real(gradient) for i in reached if (gradient := self.parameters[i].grad) is not None],
            [[tensors[i] for i in reached] for tensors in self.state.values()],
        )

    @abstractmethod
    def step(self, learning_rate: float | torch.Tensor) -> None:
        """Makes one update with the gradients that the backward pass has left; for the rate see `sgd_`."""


class MomentumSGD(Optimizer):
    """v <- momentum v + (gradient + weight_decay w);  w <- w - learning_rate v, the paper's optimizer.

    Args:
        parameters, weight_decay: see `Optimizer`.
        momentum: in [0, 1).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, weight_decay)
        self.momentum = momentum
        self.state = {"velocity": self._zeros()}

    @property
    def velocities(self) -> list[torch.Tensor]:
        """The state: the velocity of each parameter."""
        return self.state["velocity"]

    @torch.no_grad()
    def step(self, learning_rate: float | torch.Tensor) -> None:
        """See `Optimizer`."""
        parameters, gradients, (velocities,) = self._with_gradients()
        sgd_(
            parameters, gradients, velocities, learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )  # fmt: skip


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015) with torch's usual constants, or AdamW (Loshchilov and Hutter, 2019).

    Args:
        parameters, weight_decay: see `Optimizer`.
        decoupled: weight decay shrinks the weights themselves, as in AdamW, and not through the gradient.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float, *, decoupled: bool) -> None:
        super().__init__(parameters, weight_decay)
        self.decoupled = decoupled
        counts = [torch.zeros((), device=parameter.device) for parameter in self.parameters]
        self.state = {"mean": self._zeros(), "square": self._zeros(), "count": counts}

    @torch.no_grad()
    def step(self, learning_rate: float | torch.Tensor) -> None:
        """See `Optimizer`."""
        parameters, gradients, (means, squares, counts) = self._with_gradients()
        update = adamw if self.decoupled else adam
        update(
            parameters, gradients, means, squares, [], counts,
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, eps=1e-8,
            lr=learning_rate, weight_decay=self.weight_decay, maximize=False,
        )  # fmt: skip


RMSPROP_DECAY, RMSPROP_EPSILON = 0.9, 1.0
"""Szegedy et al. (2016), section 8, train Inception V3 with these."""


class RMSProp(Optimizer):
    """RMSProp as TensorFlow has it, with which Inception V3 was trained (Szegedy et al., 2016, section 8).

    With the gradient g, weight decay included: s <- 0.9 s + 0.1 g²;  v <- momentum v + learning_rate g / sqrt(s + 1);
    w <- w - v. The mean square s starts at one, as it does there; torch's own adds its epsilon outside of the root and
    starts at zero, which are other steps.

    Args:
        parameters, weight_decay: see `Optimizer`.
        momentum: in [0, 1).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float, weight_decay: float) -> None:
        super().__init__(parameters, weight_decay)
        self.momentum = momentum
        self.state = {"velocity": self._zeros(), "square": [torch.ones_like(zeros) for zeros in self._zeros()]}

    @torch.no_grad()
    def step(self, learning_rate: float | torch.Tensor) -> None:
        """See `Optimizer`."""
        parameters, gradients, (velocities, squares) = self._with_gradients()
        if self.weight_decay:
            gradients = torch._foreach_add(gradients, parameters, alpha=self.weight_decay)
        torch._foreach_mul_(squares, RMSPROP_DECAY)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - RMSPROP_DECAY)
        roots = torch._foreach_add(squares, RMSPROP_EPSILON)
        torch._foreach_sqrt_(roots)
        steps = torch._foreach_div(gradients, roots)
        torch._foreach_mul_(steps, learning_rate)
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_add_(velocities, steps)
        torch._foreach_sub_(parameters, velocities)


OPTIMIZERS: dict[str, Callable[[Any, Spec], Optimizer]] = {
    "sgd": lambda parameters, spec: MomentumSGD(parameters, spec.momentum, spec.weight_decay),
    "adam": lambda parameters, spec: Adam(parameters, spec.weight_decay, decoupled=False),
    "adamw": lambda parameters, spec: Adam(parameters, spec.weight_decay, decoupled=True),
    "rmsprop": lambda parameters, spec: RMSProp(parameters, spec.momentum, spec.weight_decay),
}
"""The values of the dial `optimizer`, each with a function that makes an optimizer of parameters and a run's spec."""


def _real(tensor: torch.Tensor) -> torch.Tensor:
    """Returns a view of a tensor as real numbers."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
