"""The theorem's networks as torch modules, which can be trained, pruned and inspected."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from .deep_relu import DeepReLU


def project(x: Tensor, a: Tensor) -> Tensor:
    """x a, (batch,), to the same bits as `relu_interpolation.project`: a product of BLAS adds up in another order."""
    terms = x * a
    while (width := terms.shape[1]) > 1:
        half = (width + 1) // 2
        terms = terms[:, :half] + nn.functional.pad(terms[:, half:], (0, 2 * half - width))
    return terms[:, 0]


class TwoLayer(nn.Module):
    """f(x) = sum_j w_j max(a'x - b_j, 0): (batch, d) -> (batch, outputs), float64."""

    def __init__(self, a: NDArray[np.float64], b: NDArray[np.float64], w: NDArray[np.float64]) -> None:
        super().__init__()
        self.a, self.b, self.w = (nn.Parameter(torch.tensor(array)) for array in (a, b, w))

    def forward(self, x: Tensor) -> Tensor:
        """The output of the network; the hidden layer is (batch, n)."""
        return torch.relu(project(x, self.a)[:, None] - self.b) @ self.w


class Deep(nn.Module):
    """The network of the corollary with a ReLU after every hidden layer: (batch, d) -> (batch, outputs), float64.

    Weights fixed at one, which pass the projection and the sums on, are not parameters.
    """

    def __init__(self, net: "DeepReLU") -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(net.a))
        self.start = nn.Parameter(torch.tensor(net.start, dtype=torch.float64))
        after = [b - net.start for b in net.b[1:]]  # thresholds of the projection that is passed on
        self.b = nn.ParameterList([nn.Parameter(torch.tensor(b)) for b in (net.b[0], *after)])
        self.w = nn.ParameterList([nn.Parameter(torch.tensor(w)) for w in net.w])

    def forward(self, x: Tensor) -> Tensor:
        """The output of the network."""
        z = project(x, self.a)[:, None]
        total = torch.relu(z - self.b[0]) @ self.w[0]
        passed = torch.relu(z - self.start)
        for b, w in zip(list(self.b)[1:], list(self.w)[1:], strict=True):
            positive, negative = torch.relu(total), torch.relu(-total)
            total = positive - negative + torch.relu(passed - b) @ w
        return total
