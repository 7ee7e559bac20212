"""Stochastic gradient descent with momentum, the paper's optimizer, with the learning rate given at each step."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim.sgd import sgd


def sgd_(
    parameters: Sequence[torch.Tensor],
    gradients: Sequence[torch.Tensor],
    velocities: Sequence[torch.Tensor],
    learning_rate: float | torch.Tensor,
    *,
    momentum: float,
    weight_decay: float,
) -> None:
    """The update of `MomentumSGD`, in place and in one pass over memory.

    torch's own fused kernel, called directly: on small networks `torch.optim.SGD.step` spends more time around the
    kernel than in it (bench/epoch.py).

    Args:
        parameters, gradients, velocities: of equal shapes and dtype, each lying in memory as its parameter does.
        learning_rate: a number, or float32 () on their device, for which no step waits.
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


class MomentumSGD:
    """v <- momentum v + (gradient + weight_decay w);  w <- w - learning_rate v.

    Args:
        parameters: changed in place by `step`.
        momentum: in [0, 1).
        weight_decay: at least 0; applies to weights and biases alike.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.momentum = momentum
        self.weight_decay = weight_decay

    def zero_grad(self) -> None:
        """Forgets the gradients, so that the next backward pass writes instead of adding."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float | torch.Tensor) -> None:
        """One update with the gradients that the backward pass has left; for the rate see `sgd_`."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        sgd_(
            self.parameters, gradients, self.velocities, learning_rate,
            momentum=self.momentum, weight_decay=self.weight_decay,
        )  # fmt: skip
