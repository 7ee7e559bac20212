"""The corollary: the same points fitted by a network of depth k, width O(n / k) and O(n + d) weights.

The thresholds are dealt out over the hidden layers. Each layer passes the projected point on, adds the ramps of its
share of the thresholds, and passes the sum on as a positive and a negative part, since a ReLU keeps no sign.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_X_y

from ..arguments import whole
from .ramps import sum_of_ramps
from .relu_interpolation import project, slopes_between, sorted_line
from .targets import numbers

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeepReLU:
    """A ReLU network of depth k, see `deep_relu_interpolator`.

    Args:
        a: projection, (d,).
        start: the point from which the projection is passed on as max(a'x - start, 0).
        b: thresholds of each hidden layer.
        w: output weights of each hidden layer's thresholds, (len(b), outputs) each.
        one_output: whether the targets were a vector.
    """

    a: NDArray[np.float64]
    start: float
    b: tuple[NDArray[np.float64], ...]
    w: tuple[NDArray[np.float64], ...]
    one_output: bool

    @property
    def depth(self) -> int:
        """The number of layers of weights, one more than there are hidden layers."""
        return len(self.b) + 1

    @property
    def widths(self) -> list[int]:
        """The hidden units of each layer: ramps, the projection (if a layer follows), the sums (after the first)."""
        outputs, last = self.w[0].shape[1], len(self.b) - 1
        return [len(b) + (i < last) + 2 * outputs * (i > 0) for i, b in enumerate(self.b)]

    @property
    def n_weights(self) -> int:
        """The number of connections and offsets, with the projection counted once as in the theorem."""
        outputs, last = self.w[0].shape[1], len(self.b) - 1
        count = self.a.size
        for i, b in enumerate(self.b):
            ramps = len(b) * (1 if i == 0 else 2)  # each has an offset; after the first layer also a weight of 1
            passed = 0 if i == last else 1  # the projection: an offset at first, then a weight of 1
            into_sums = len(b) * outputs * (1 if i == last else 2)  # both signs, but for the output
            sums = 0 if i == 0 else 2 * outputs * (1 if i == last else 2)
            count += ramps + passed + into_sums + sums
        return count

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """The output, layer by layer: (n,) or (n, outputs) float64; a layer's ramps are added up by prefix sums."""
        X = check_array(X, dtype=np.float64)
        if X.shape[1] != len(self.a):
            raise ValueError(f"X has {X.shape[1]} features, but the network was built for {len(self.a)}.")
        z = project(X, self.a)
        total = sum_of_ramps(z, self.b[0], self.w[0])
        passed = np.maximum(z - self.start, 0)
        for b, w in zip(self.b[1:], self.w[1:], strict=True):
            total = total + sum_of_ramps(passed, b - self.start, w)
        return total[:, 0] if self.one_output else total

    def to_torch(self) -> "torch.nn.Module":
        """The network as a `torch.nn.Module` in float64, a ReLU after every hidden layer."""
        from .networks import Deep

        return Deep(self)


def deep_relu_interpolator(X: ArrayLike, y: ArrayLike, depth: int, *, random_state: int | None = 0) -> DeepReLU:
    """A network of a given depth that fits n points.

    Args:
        X: (n, d) finite numbers; equal rows with equal targets are merged.
        y: (n,) or (n, outputs) numbers.
        depth: number of layers of weights, at least 2; 2 is the theorem itself.
        random_state: seed of the projection.

    Returns:
        A network of width at most ceil(n / (depth - 1)) + 4 for one output, with at most 4n + d + 9 depth weights.

    Each layer's ramps level off at its last point, where the sum is that point's target, so that the sums stay as
    small as the targets however steep the slopes are.

    Raises:
        ValueError: the depth is below 2, equal rows have different targets, float64 cannot tell some rows apart, or the
            slope between two targets overflows.

    Source: Zhang et al. (2017), corollary 1, which leaves the construction of the layers open.

    >>> net = deep_relu_interpolator([[0.0], [1.0], [3.0], [4.0]], [5, -1, 2, 2], depth=3)
    >>> net.predict([[1.0], [3.0], [0.0]]).round(12), net.depth
    (array([-1.,  2.,  5.]), 3)
    """
    depth = whole("depth, in layers of weights,", depth, least=2)
    X, y = check_X_y(X, y, dtype=np.float64, multi_output=True, y_numeric=True)
    line = sorted_line(X, numbers(y), random_state)
    knots, outputs = line.knots, line.y.shape[1]
    # After the first layer the projection has been passed on, less its start: its rounding moves the knots a little.
    first_slopes, later_slopes = slopes_between(knots, line.y), slopes_between(knots - knots[0], line.y)
    bounds = np.linspace(0, len(line.z), min(depth - 1, len(line.z)) + 1).round().astype(int)
    b, w = [], []
    for first, end in pairwise(bounds):
        slopes = later_slopes if first else first_slopes
        closing = [] if end == len(line.z) else [np.zeros((1, outputs))]
        changes = np.diff(np.concatenate([slopes[first:end], *closing]), axis=0, prepend=0.0)
        w.append(changes)
        b.append(knots[first : first + len(changes)])
    # A network deeper than it has points passes its sums through layers without ramps.
    empty = depth - 1 - len(b)
    b += [np.zeros(0)] * empty
    w += [np.zeros((0, outputs))] * empty
    return DeepReLU(line.a, float(knots[0]), tuple(b), tuple(w), y.ndim == 1)
