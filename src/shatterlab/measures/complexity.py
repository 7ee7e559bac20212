"""Complexity measures of a trained network, which might tell how well it generalizes (Jiang et al., 2020, arXiv
1912.02178; Dziugaite et al., 2020, arXiv 2010.11924).

Batch normalization is folded into the layer before it, since the weights of a normalized layer have no scale of their
own. A measure of value v on m training examples is reported as sqrt(v / m), the form in which it stands in a bound.
Norms are over weights without biases; the path norm takes a bias as the weight of an input that is one.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse.linalg
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import torch
    from torch import nn

MARGIN_PERCENTILE = 10
"""The margin of a network is this percentile of the margins of its training examples (Jiang et al., 2020)."""

ACCURACY_LOST = 0.1
"""Sharpness is the size of the perturbation that costs this much training accuracy (Jiang et al., 2020, appendix C)."""

PERTURBATIONS = 10
"""So many random directions are averaged over at each size of the perturbation (an assumption)."""

SIGMA_PRECISION = 0.02
"""The size of the perturbation is found to this relative precision."""

SIGMA_RANGE = 2.0**-20, 2.0**10
"""Outside this range of standard deviations no perturbation is looked for."""

MEASURES = (
    "parameters",
    "squared norm",
    "squared distance from the start",
    "log product of spectral norms",
    "inverse margin",
    "path norm",
    "path norm over margin",
    "sharpness",
)
"""The measures by name."""

NORMS = ("squared norm", "squared distance from the start", "log product of spectral norms", "path norm")
"""The measures that are norms of the weights alone and know no data."""


@dataclass(frozen=True)
class Complexity:
    """The complexity measures of one network.

    Args:
        reported: by name of `MEASURES`, sqrt(v / m); of the product of spectral norms the logarithm of that,
            (log v - log m) / 2.
        values: by name, v itself: the number of parameters, sum |W|_F^2, sum |W - W0|_F^2, log prod |W|_2^2,
            1 / gamma^2, the path norm, the path norm over gamma^2, 1 / sigma^2.
        errors: by name, the standard error of `reported` where a measure is estimated by random draws.
        left_out: the measures that this network does not have, each with the reason as a sentence without a full stop.
        m: the number of training examples.
    """

    reported: Mapping[str, float]
    values: Mapping[str, float]
    errors: Mapping[str, float]
    left_out: Mapping[str, str]
    m: int

    def __str__(self) -> str:
        parts = [
            f"{name} {value:.4g}" + (f" (SE {self.errors[name]:.2g})" if name in self.errors else "")
            for name, value in self.reported.items()
        ]
        parts += [f"no {name}, as {reason}" for name, reason in self.left_out.items()]
        return f"Complexity on m = {self.m:,} examples, as sqrt(v / m): {'; '.join(parts)}."


class CannotFold(ValueError):
    """Batch normalization that does not directly follow a layer whose weights it could be folded into."""


@dataclass
class _Found:
    """What has been measured so far."""

    values: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def complexity(
    network: "nn.Module",
    X: "ArrayLike | torch.Tensor",
    y: ArrayLike,
    *,
    initial: "nn.Module | None" = None,
    draws: int = PERTURBATIONS,
    seed: int = 0,
) -> Complexity:
    """Every measure of a network on its training set; what it does not have is left out with its reason.

    Args:
        network: gives logits (n, K), K at least 2. It is left as it is, and measured in evaluation mode.
        X: inputs (m, ...) as the network takes them.
        y: class indices (m,).
        initial: the same network before training, for the distance from the start.
        draws: number of random perturbations for the sharpness.
        seed: seed of the perturbations.

    Raises:
        ValueError: X and y differ in length, or the network does not give one logit a class.
    """
    import torch

    inputs, labels = torch.as_tensor(X), torch.as_tensor(np.asarray(y, dtype=np.int64))
    parameter = next(network.parameters(), torch.zeros(0))
    inputs = inputs.to(parameter) if inputs.is_floating_point() else inputs.to(parameter.device)
    if len(inputs) != len(labels) or not len(labels):
        raise ValueError(f"X and y must hold the same examples, at least one; got {len(inputs)} and {len(labels)}.")
    m, found = len(labels), _Found()
    with _evaluated(network):
        logits = _in_batches(network, inputs)
    if logits.ndim != 2 or logits.shape[1] < 2 or labels.max() >= logits.shape[1] or labels.min() < 0:
        raise ValueError(
            f"the network must give logits (n, K) with K > {int(labels.max())}, got {tuple(logits.shape)}."
        )
    gamma = float(np.percentile(margins(logits.numpy(), labels.numpy()), MARGIN_PERCENTILE))
    if gamma > 0:
        found.values["inverse margin"] = gamma**-2
    else:
        found.left_out["inverse margin"] = (
            f"the {MARGIN_PERCENTILE}th percentile of the margin is {gamma:.3g}, which is not positive"
        )
    try:
        folded = fold_batch_norm(network)
        found.values["parameters"] = float(sum(parameter.numel() for parameter in folded.parameters()))
        _of_weights(folded, initial, inputs[:1].cpu(), found)
        if "path norm" in found.values and gamma > 0:
            found.values["path norm over margin"] = found.values["path norm"] / gamma**2
        elif gamma <= 0:
            found.left_out["path norm over margin"] = found.left_out["inverse margin"]
        _sharpness(folded, inputs.cpu(), labels, draws, seed, found)
    except CannotFold as error:
        found.left_out |= {name: str(error) for name in MEASURES if name not in found.values | found.left_out}
    return Complexity(
        {name: _reported(name, found.values[name], m) for name in MEASURES if name in found.values},
        {name: found.values[name] for name in MEASURES if name in found.values},
        found.errors,
        {name: found.left_out[name] for name in MEASURES if name in found.left_out},
        m,
    )


def _reported(name: str, value: float, m: int) -> float:
    return float((value - np.log(m)) / 2 if name.startswith("log ") else (value / m) ** 0.5)


def margins(logits: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """The margin f_y - max_{j != y} f_j of each example, negative where it is misclassified.

    Args:
        logits: numbers (n, K), K at least 2.
        y: class indices (n,).

    Returns:
        Numbers (n,).
    """
    scores, labels = np.array(logits, dtype=np.float64), np.asarray(y)
    rows = np.arange(len(labels))
    own = scores[rows, labels].copy()
    scores[rows, labels] = -np.inf
    return own - scores.max(axis=1)


def fold_batch_norm(network: "nn.Module") -> "nn.Module":
    """A copy of the network in evaluation mode, in double precision, with batch normalization folded away.

    Each batch normalization has to follow a linear layer or a convolution whose output goes nowhere else. The weights
    become W g / sqrt(v + e) and the bias (b - mean) g / sqrt(v + e) + shift, with g, shift, mean and v those of the
    normalization. The copy computes the same function.

    Args:
        network: any module; where it has batch normalization, one that `torch.fx` can trace.

    Raises:
        CannotFold: there is batch normalization that does not stand where it can be folded, or keeps no statistics, or
            the network's path cannot be traced.
    """
    from torch import fx, nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    network = copy.deepcopy(network).eval().cpu().double()
    normalizations = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if not any(isinstance(module, normalizations) for module in network.modules()):
        return network
    try:
        traced = fx.symbolic_trace(network)
    except Exception as error:  # whatever a user's forward raises when it is handed a proxy
        raise CannotFold(
            f"batch normalization is not folded, since torch.fx cannot trace the network: {error}"
        ) from None
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        normalization = modules.get(node.target) if node.op == "call_module" else None
        if not isinstance(normalization, normalizations):
            continue
        before = node.args[0]
        layer = modules.get(before.target) if before.op == "call_module" else None
        alone = len(before.users) == 1 and sum(other.target == before.target for other in traced.graph.nodes) == 1
        if not isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)) or not alone:
            raise CannotFold(f"the batch normalization {node.target!r} does not follow a layer of its own")
        if normalization.running_mean is None:
            raise CannotFold(f"the batch normalization {node.target!r} keeps no statistics")
        parent, _, name = before.target.rpartition(".")
        fused: nn.Module
        if isinstance(layer, nn.Linear):
            fused = fuse_linear_bn_eval(layer, normalization)
        else:
            fused = fuse_conv_bn_eval(layer, normalization)
        setattr(modules[parent], name, fused)
        modules[before.target] = fused
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced


def _of_weights(folded: "nn.Module", initial: "nn.Module | None", example: "torch.Tensor", found: _Found) -> None:
    """The measures of the weights alone, as far as every layer with weights is linear or a convolution."""
    layers = _layers(folded)
    others = sorted(
        {
            type(module).__name__
            for module in folded.modules()
            if list(module.parameters(recurse=False)) and module not in layers.values()
        }
    )
    if others or not layers:
        what = f"{' and '.join(others)} with weights of its own" if others else "no linear layer or convolution"
        for name in (*NORMS, "path norm over margin"):
            found.left_out[name] = f"the network has {what}"
        return
    found.values["squared norm"] = sum(float(layer.weight.detach().square().sum()) for layer in layers.values())
    if initial is None:
        found.left_out["squared distance from the start"] = "the network before training was not handed in"
    else:
        before = _layers(fold_batch_norm(initial))
        if [layer.weight.shape for layer in before.values()] != [layer.weight.shape for layer in layers.values()]:
            raise ValueError("initial has other layers than the network; hand in the same network before training.")
        found.values["squared distance from the start"] = sum(
            float((layer.weight - before[name].weight).detach().square().sum()) for name, layer in layers.items()
        )
    norms = spectral_norms(folded, example)
    if min(norms.values()) > 0:
        found.values["log product of spectral norms"] = float(2 * np.log(list(norms.values())).sum())
    else:
        found.left_out["log product of spectral norms"] = "a layer is zero"
    found.values["path norm"] = path_norm(folded, example)


def _layers(network: "nn.Module") -> "dict[str, Any]":
    from torch import nn

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def path_norm(network: "nn.Module", example: "torch.Tensor") -> float:
    """The sum of the outputs of the network with squared weights and biases on an input of ones.

    For ReLU networks it is the sum over paths from an input or a bias to an output of the product of squared weights
    (Neyshabur et al., 2015, arXiv 1503.00036). For other activations and for pooling it is what the network computes.

    Args:
        network: without batch normalization, in evaluation mode.
        example: an input of the right shape (1, ...), whose values do not matter.
    """
    import torch

    squared = copy.deepcopy(network).double()
    with torch.no_grad():
        for parameter in squared.parameters():
            parameter.square_()
        return float(squared(torch.ones(example.shape, dtype=torch.float64)).sum())


def spectral_norms(network: "nn.Module", example: "torch.Tensor") -> dict[str, float]:
    """The true operator norm of each linear layer and convolution, by name.

    That of a convolution is the largest singular value of the linear map, without its bias, on inputs of the size that
    it sees in the network, with its padding and stride, and not that of its weights reshaped to a matrix.

    Args:
        network: in evaluation mode.
        example: an input (1, ...), which tells the size of each layer's input.
    """
    import torch

    layers, shapes = _layers(network), {}
    hooks = [
        layer.register_forward_hook(lambda module, args, output, name=name: shapes.update({name: args[0].shape[1:]}))
        for name, layer in layers.items()
    ]
    dtype = next(network.parameters()).dtype
    try:
        with torch.no_grad():
            network(example.to(dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _operator_norm(layers[name], shape) for name, shape in shapes.items()}


def _operator_norm(layer: Any, shape: tuple[int, ...]) -> float:
    import torch
    from torch import nn

    if isinstance(layer, nn.Linear):
        return float(torch.linalg.matrix_norm(layer.weight.detach().double(), 2))
    bare = copy.deepcopy(layer).double().requires_grad_(False)
    bare.bias = None
    zero = torch.zeros(1, *shape, dtype=torch.float64, requires_grad=True)
    image = bare(zero)

    def forward(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            return bare(torch.from_numpy(np.array(vector)).reshape(zero.shape)).flatten().numpy()

    def back(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        (result,) = torch.autograd.grad(
            image, zero, torch.from_numpy(np.array(vector)).reshape(image.shape), retain_graph=True
        )
        return result.flatten().numpy()

    size = image.numel(), zero.numel()
    if min(size) < 3 or not layer.weight.any():  # too small for the iteration, or nothing to find
        return float(np.linalg.norm(np.stack([forward(row) for row in np.eye(size[1])]), 2))
    operator = scipy.sparse.linalg.LinearOperator(size, matvec=forward, rmatvec=back, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(min(size))
    return float(scipy.sparse.linalg.svds(operator, k=1, v0=start, tol=1e-6, return_singular_vectors=False)[0])


def _sharpness(
    folded: "nn.Module", inputs: "torch.Tensor", labels: "torch.Tensor", draws: int, seed: int, found: _Found
) -> None:
    """1 / sigma^2, with sigma the largest standard deviation of Gaussian noise on all parameters that costs
    `ACCURACY_LOST` of the training accuracy on average; found by bisection in log sigma over shared directions.
    """
    import torch

    network = copy.deepcopy(folded).to(inputs.dtype if inputs.is_floating_point() else torch.float32)
    centre = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    directions = [
        {name: torch.from_numpy(rng.standard_normal(value.shape)).to(value) for name, value in centre.items()}
        for rng in (np.random.default_rng([seed, draw]) for draw in range(draws))
    ]

    def accuracy() -> float:
        return float((_in_batches(network, inputs).argmax(1) == labels).double().mean())

    exact = accuracy()

    def lost(sigma: float) -> NDArray[np.float64]:
        losses = []
        for direction in directions:
            moved = {name: value + sigma * direction[name] for name, value in centre.items()}
            network.load_state_dict(moved, strict=False)
            losses.append(exact - accuracy())
        return np.array(losses)

    low, high = _bracket(lambda sigma: float(lost(sigma).mean()) > ACCURACY_LOST)
    if low == 0 or not np.isfinite(high):
        found.left_out["sharpness"] = (
            f"no perturbation between {SIGMA_RANGE[0]:.1g} and {SIGMA_RANGE[1]:.1g} costs just {ACCURACY_LOST:g} of "
            "the training accuracy"
        )
        return
    while high > low * (1 + SIGMA_PRECISION):
        middle = (low * high) ** 0.5
        if float(lost(middle).mean()) > ACCURACY_LOST:
            high = middle
        else:
            low = middle
    sigma = (low * high) ** 0.5
    found.values["sharpness"] = sigma**-2
    if draws > 1:
        # The error of the mean loss becomes one of log sigma through the slope of the loss there.
        step = 1.25
        below, above = lost(sigma / step), lost(sigma * step)
        slope = float((above - below).mean()) / (2 * np.log(step))
        of_loss = float(((above + below) / 2).std(ddof=1)) / draws**0.5
        reported = sigma**-1 / len(labels) ** 0.5
        found.errors["sharpness"] = reported * of_loss / slope if slope > 0 else float("inf")


def _bracket(too_far: Any) -> tuple[float, float]:
    """Two sizes, one twice the other, of which only the second is too far; 0 or infinity where there is none."""
    sigma = 2.0**-6
    if too_far(sigma):
        while sigma > SIGMA_RANGE[0]:
            sigma /= 2
            if not too_far(sigma):
                return sigma, 2 * sigma
        return 0.0, sigma
    while sigma < SIGMA_RANGE[1]:
        sigma *= 2
        if too_far(sigma):
            return sigma / 2, sigma
    return sigma, float("inf")


@contextmanager
def _evaluated(network: "nn.Module") -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _in_batches(network: "nn.Module", inputs: "torch.Tensor", batch: int = 1_000) -> "torch.Tensor":
    """Logits (n, K) without gradients."""
    import torch

    with torch.no_grad():
        return torch.cat([network(inputs[start : start + batch]) for start in range(0, len(inputs), batch)]).cpu()
