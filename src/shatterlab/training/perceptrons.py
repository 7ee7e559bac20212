"""Training perceptrons, one or many at once, with a backward pass written by hand."""

from collections.abc import Sequence

import torch
from torch import nn

from ..models.dropout import Dropout, kept, layer_key
from ..models.mlp import MLP
from .learner import Batch
from .optimizer import MomentumSGD, sgd_
from .products import accelerate, backward, by_onednn, forward, weight_gradient
from .stacked import Stacked


class Perceptrons(Stacked):
    """A learner of perceptrons: linear layers and ReLUs, with or without dropout.

    On small batches autograd and its passes over memory take longer than the matrix products (bench/epoch.py), hence
    the backward pass by hand. Activations have the shape (runs, features, batch), see `products`.

    Args:
        models: perceptrons of equal sizes, see `is_perceptron`.
        optimizers: the optimizer of each model.
        bf16: whether the operands of products are rounded to bfloat16, as under autocast; weights and velocities are
            not rounded.
    """

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD], bf16: bool) -> None:
        super().__init__(models, optimizers)
        self.bf16 = bf16
        self.layers = len(self.parameters) // 2
        self.dropout = next((m.probability for m in models[0].modules() if isinstance(m, Dropout)), 0.0)

    @torch.no_grad()
    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        operands = self._operands(self.parameters)
        seen = self._forward(batch.images, operands, batch.keys)
        logits = self._whole(seen.pop())
        # The gradient of the mean cross-entropy is the softmax, less one at the label, divided by the batch size.
        gradient = torch.softmax(logits, 1)
        labels = batch.labels[:, None]
        gradient.scatter_add_(1, labels, gradient.new_full((1, 1, 1), -1.0).expand(labels.shape))
        gradient = self._operands([gradient.div_(labels.shape[2])])[0]
        for layer in reversed(range(self.layers)):
            passed = gradient
            if layer:
                # Where a ReLU or dropout has made an activation zero, no gradient passes.
                passed = torch.ops.aten.threshold_backward(backward(operands[2 * layer], gradient), seen[layer], 0)
                if self.dropout:
                    passed /= 1 - self.dropout
            self._update(layer, gradient, seen[layer], batch.rates)
            gradient = passed
        return logits.transpose(1, 2)

    def _update(self, layer: int, gradient: torch.Tensor, inputs: torch.Tensor, rates: torch.Tensor) -> None:
        """Moves the weight and bias of a layer, given the gradient of its output."""
        weight, bias = 2 * layer, 2 * layer + 1
        if self.runs == 1 and by_onednn(self.parameters[weight], inputs):
            # This is one pass over gradient, velocity and weight.
            sgd_(
                [self.parameters[weight]], [weight_gradient(gradient, inputs)], [self.velocities[weight]], rates[0],
                momentum=self.momentum, weight_decay=self.optimizers[0].weight_decay,
            )  # fmt: skip
        else:
            accelerate(self.velocities[weight], self.momentum, gradient, inputs)
            self._descend(weight, rates)
        self.velocities[bias].mul_(self.momentum).add_(gradient.sum(2, dtype=self.dtype))
        self._descend(bias, rates)

    @torch.no_grad()
    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        parameters = self.parameters if len(members) == self.runs else [p[list(members)] for p in self.parameters]
        return self._whole(self._forward(images, self._operands(parameters), None)[-1]).transpose(1, 2)

    def _forward(
        self, images: torch.Tensor, operands: Sequence[torch.Tensor], keys: torch.Tensor | None
    ) -> list[torch.Tensor]:
        """Returns the inputs of each layer and, last, the logits; dropout acts where there are keys."""
        seen = self._operands([images.flatten(2).transpose(1, 2)])
        for layer in range(self.layers):
            output = forward(operands[2 * layer], operands[2 * layer + 1], seen[-1])
            if layer < self.layers - 1:
                output.relu_()
                if self.dropout and keys is not None:
                    output *= self._kept(output, layer_key(keys, layer)) / (1 - self.dropout)
            seen.append(output)
        return seen

    def _operands(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Rounds tensors for the products, if the learner computes in bfloat16."""
        return [tensor.bfloat16() for tensor in tensors] if self.bf16 else list(tensors)

    def _whole(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.to(self.dtype) if self.bf16 else logits

    def _kept(self, activations: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Tells what `models.dropout.Dropout` keeps of (batch, features) in each run, as (runs, features, batch)."""
        _, features, batch = activations.shape
        places = torch.arange(features * batch, dtype=torch.int32, device=activations.device).view(batch, features)
        return kept(places.t(), keys[:, None, None], self.dropout)


def is_perceptron(model: nn.Module) -> bool:
    """Whether a model is an `MLP` as we build it: linear layers and ReLUs, with one dropout above the first or none."""
    if type(model) is not MLP:
        return False
    layers = list(model.layers)
    if any(type(layer) is not (nn.ReLU if i % 2 else nn.Linear) for i, layer in enumerate(layers)):
        return False
    dropouts = [getattr(layer, "dropout", None) for layer in layers[::2]]
    probabilities = {None if dropout is None else dropout.probability for dropout in dropouts[1:]}
    return dropouts[0] is None and len(probabilities) <= 1
