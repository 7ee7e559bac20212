"""Stochastic gradient descent with momentum, the paper's optimizer, with the learning rate given at each step."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.sgd import sgd


class MomentumSGD:
    """v <- momentum v + (gradient + weight_decay w);  w <- w - learning_rate v.

    The update is torch's own fused kernel, called directly: on small networks `torch.optim.SGD.step`
    spends more time around the kernel than in it (bench/epoch.py).

    Args:
        parameters: changed in place by `step`.
        momentum: in [0, 1).
        weight_decay: at least 0; applies to weights and offsets alike.
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
        """One update with the gradients that the backward pass has left.

        Args:
            learning_rate: a number, or float32 () on the device of the parameters, for which no step waits.
        """
        sgd(
            list(self.parameters),
            [parameter.grad for parameter in self.parameters if parameter.grad is not None],
            list(self.velocities),
            fused=True,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=learning_rate,  # type: ignore[arg-type]  # the kernel takes either
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
