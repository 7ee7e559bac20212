"""Training one model with several processes, each with a part of every batch, by torch's DistributedDataParallel.

The weights go through the same values as in one process with the whole batch, within rounding. Batch normalization
therefore takes its statistics over the whole batch, too, and not over each process's part of it.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..models.blocks import WithAuxiliary
from ..models.inception import BatchNorm
from .alone import Alone, as_seen
from .learner import Batch
from .losses import training_loss
from .marks import Marks
from .optimizer import Optimizer
from .precision import rounding


class Parallel(Alone):
    """A learner that trains a single model together with the other processes, see `ranks`.

    Each process gets its part of a batch, computes the gradient of that part's share of the loss, and makes the update
    with the sum of all gradients.

    Args:
        model, optimizer, bf16, label_smoothing, own: see `Alone`; the weights are those of rank 0 in the beginning.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, bf16: bool, label_smoothing: float = 0.0, own: bool = False
    ) -> None:
        super().__init__(model, optimizer, bf16, label_smoothing, own)
        synchronize_normalization(model)
        # A user's network may have weights that a step does not reach, which would be waited for.
        self.wrapped = DistributedDataParallel(model, forward_sync_buffers=False, find_unused_parameters=own)

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`; the batch is this process's part."""
        self._set_dropout(batch)
        with rounding(batch.images.device, self.bf16):
            predicted: torch.Tensor | WithAuxiliary = self.wrapped(as_seen(batch.images[0], own=self.own))
        # DistributedDataParallel takes the mean over the processes of gradients that are to be summed.
        whole = (batch.whole or len(batch.labels[0])) / distributed.get_world_size()
        loss, logits = training_loss(self._in_float32(predicted), batch.labels[0], self.label_smoothing, of=whole)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(batch.rates[0])
        return logits[None]


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(context: Any, tensor: torch.Tensor, group: Any) -> torch.Tensor:
        context.group = group
        return _summed(tensor, group)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _summed(gradients[0], context.group), None


def _summed(tensor: torch.Tensor, group: Any = None) -> torch.Tensor:
    total = tensor.clone()
    distributed.all_reduce(total, group=group)
    return total


def synchronize_normalization(model: nn.Module) -> None:
    """Lets the batch normalizations of a model take their statistics over the parts of all processes.

    torch's own `SyncBatchNorm` needs a graphics card.
    """
    layers = [module for module in model.modules() if isinstance(module, BatchNorm | nn.modules.batchnorm._BatchNorm)]
    group = distributed.new_group() if layers else None  # apart from the sums of gradients, which overlap with them
    for layer in layers:
        if isinstance(layer, nn.SyncBatchNorm):
            continue
        alone: Callable[[torch.Tensor], torch.Tensor] = layer.forward

        def forward(layer: Any, inputs: torch.Tensor, alone: Callable[..., torch.Tensor] = alone) -> torch.Tensor:
            return normalized(layer, inputs, group) if layer.training else alone(inputs)

        layer.forward = MethodType(forward, layer)  # type: ignore[method-assign]


def normalized(layer: Any, inputs: torch.Tensor, group: Any) -> torch.Tensor:
    """What batch normalization in training mode makes of a process's part of a batch, (part, channels, ...)."""
    if isinstance(layer, BatchNorm):
        variances, weight, bias, momentum, eps = layer.running_variance, layer.scale, layer.offset, 0.1, 1e-5
    else:
        variances, weight, bias, eps = layer.running_var, layer.weight, layer.bias, layer.eps
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
        momentum = 1 / int(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    seen = inputs.float() if inputs.dtype == torch.bfloat16 else inputs
    axes = [axis for axis in range(seen.ndim) if axis != 1]
    over = [1, -1] + [1] * (seen.ndim - 2)
    count = seen.new_full((1,), seen.numel() // seen.shape[1])
    sums = _Sum.apply(torch.cat([seen.sum(axes), count]), group)
    n = sums[-1].detach()
    mean = sums[:-1] / n
    centred = seen - mean.view(over)
    variance = _Sum.apply(centred.square().sum(axes), group) / n
    scaled = centred * (variance + eps).rsqrt().view(over)
    if weight is not None:
        scaled = scaled * weight.view(over)
    if bias is not None:
        scaled = scaled + bias.view(over)
    if variances is not None:
        with torch.no_grad():
            layer.running_mean.lerp_(mean, momentum)
            variances.lerp_(variance * n / (n - 1), momentum)
    return scaled.to(inputs.dtype)


def whole_marks(marks: Marks, spans: list[slice], n: int) -> Marks:
    """The marks of all `n` examples, from each process's marks of the spans that it has."""
    places = torch.cat([torch.arange(span.start, span.stop) for span in spans]).to(marks.losses.device)

    def spread(values: torch.Tensor) -> torch.Tensor:
        kind = values.dtype
        whole = torch.zeros(len(values), n, dtype=torch.int64 if kind == torch.bool else kind, device=values.device)
        whole[:, places] = values.to(whole.dtype)
        distributed.all_reduce(whole)
        return whole.to(kind)

    return Marks(*(None if part is None else spread(part) for part in marks))  # type: ignore[arg-type]
