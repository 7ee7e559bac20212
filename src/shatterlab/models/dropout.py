"""Dropout for any network, without a change of the network's own code."""

import torch
from torch import nn

from ..errors import ShatterlabError


class Dropout(nn.Module):
    """Zeroes each input with probability p and divides the others by 1 - p (Srivastava et al., 2014).

    Whether an input is zeroed depends on `key` and its place alone and not on a random generator: it is the same on
    every device, for a run alone and in a stack, and in a run that is taken up again. `training` sets `key` before
    each step; elsewhere every pass in training mode adds one to it.

    Args:
        probability: p, in (0, 1).
    """

    first: int
    """The place of the first input in its batch."""
    key: torch.Tensor

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.first = 0
        self.register_buffer("key", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The same shape; in evaluation mode the inputs themselves."""
        if not self.training:
            return inputs
        places = torch.arange(inputs.numel(), dtype=torch.int32, device=inputs.device).view(inputs.shape)
        if self.first:  # this is a later part of a batch that several processes share
            places += self.first * inputs.shape[1:].numel()
        keeps = kept(places, self.key, self.probability)
        self.key += 1
        return inputs * (keeps / (1 - self.probability)).to(inputs.dtype)


def kept(places: torch.Tensor, key: torch.Tensor, probability: float) -> torch.Tensor:
    """Tells which places dropout keeps, by comparing a hash of key and place with the probability.

    The 32-bit finalizer "lowbias32" (C. Wellons, hash-prospector) is applied twice, with the two halves of the key.

    Args:
        places: int32, of any shape.
        key: int64, of a shape that broadcasts with that of `places`.
        probability: probability that a place is dropped, in [0, 1).

    Returns:
        bool, of the broadcast shape.
    """
    mixed = _mixed(places * _signed(0x9E3779B9) + key.int())
    mixed = _mixed(mixed ^ (key >> 32).int())
    return (mixed & 0x7FFFFFFF) >= int(probability * 2**31)


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    # torch shifts int32 with the sign, hence the masks; products wrap around.
    numbers = numbers ^ ((numbers >> 16) & 0xFFFF)
    numbers = numbers * _signed(0x7FEB352D)
    numbers = numbers ^ ((numbers >> 15) & 0x1FFFF)
    numbers = numbers * _signed(0x846CA68B)
    return numbers ^ ((numbers >> 16) & 0xFFFF)


def _signed(word: int) -> int:
    """Returns the int32 that has the bits of a 32-bit word."""
    return word - 2**32 if word >= 2**31 else word


def layer_key(key: torch.Tensor, i: int) -> torch.Tensor:
    """The key of the i-th dropout layer of a model in a step, from the key of the step, int64 of any shape."""
    return key + (i << 32)


def with_dropout(model: nn.Module, probability: float) -> nn.Module:
    """Puts dropout on the inputs of every linear layer but one that sees the pixels.

    No layer is replaced, as other code may look at them: a transformer reads the weights of its linear layers. A layer
    whose weights are used without calling it, such as those inside an attention, drops nothing.

    In a perceptron dropout acts on all hidden layers, in AlexNet on the inputs of its three linear layers as in
    Krizhevsky et al. (2012), in Inception on the features before the classifier as in Szegedy et al. (2015).

    Args:
        model: changed in place; each such `nn.Linear` gets a part `dropout`, which acts before it.
        probability: in [0, 1); 0 changes nothing.

    Returns:
        `model`.

    Raises:
        ShatterlabError: the model has no layer to put dropout before.
    """
    if probability == 0:
        return model
    weighted = [module for module in model.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)]
    layers = [module for module in weighted if isinstance(module, nn.Linear) and module is not weighted[0]]
    if not layers:
        raise ShatterlabError(
            f"{type(model).__name__} has no linear layer above its first for dropout to act on; use dropout=0."
        )
    for layer in layers:
        layer.add_module("dropout", Dropout(probability))
        layer.register_forward_pre_hook(_drop)
    return model


def _drop(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (layer.dropout(inputs[0]), *inputs[1:])  # type: ignore[operator]
