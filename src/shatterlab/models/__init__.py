"""The networks. A new one is a file and a line in `MODELS`; torch is imported only when one is built."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..arguments import is_whole, number, whole
from ..errors import ShatterlabError, one_of, shown, unknown
from ..spec import LARGEST_SEED, STARTS
from .layouts import (
    INCEPTION_V3_SMALLEST,
    Shape,
    alexnet_parameters,
    inception_parameters,
    inception_v3_parameters,
    mlp_parameters,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MODELS", "Model", "build", "lookup"]


@dataclass(frozen=True)
class Model:
    """An architecture: its description, its parameter count, and its torch module, for any image shape and classes.

    Images have at least `smallest` pixels a side.
    """

    summary: str
    parameters: Callable[[Shape, int], int]
    module: Callable[[Shape, int], "nn.Module"]
    smallest: int = 1


def _mlp(*widths: int) -> Model:
    def module(shape: Shape, classes: int) -> "nn.Module":
        from .mlp import MLP

        return MLP(shape, classes, widths)

    hidden = "one hidden layer" if len(widths) == 1 else f"{len(widths)} hidden layers"
    return Model(
        f"multilayer perceptron, {hidden} of {widths[0]} ReLUs",
        lambda shape, classes: mlp_parameters(shape, classes, widths),
        module,
    )


def _alexnet(shape: Shape, classes: int) -> "nn.Module":
    from .alexnet import AlexNet

    return AlexNet(shape, classes)


def _inception(shape: Shape, classes: int) -> "nn.Module":
    from .inception import Inception

    return Inception(shape, classes)


def _inception_no_bn(shape: Shape, classes: int) -> "nn.Module":
    from .inception import Inception

    return Inception(shape, classes, normalize=False)


def _inception_v3(shape: Shape, classes: int) -> "nn.Module":
    from .inception_v3 import inception_v3

    return inception_v3(shape, classes)


MODELS = {
    "mlp-1x512": _mlp(512),
    "mlp-3x512": _mlp(512, 512, 512),
    "alexnet": Model("small AlexNet, two convolutions", alexnet_parameters, _alexnet),
    "inception": Model("small Inception, batch normalization", inception_parameters, _inception),
    "inception-no-bn": Model("small Inception without batch normalization", inception_parameters, _inception_no_bn),
    "inception-v3": Model(
        f"Inception V3, for images of at least {INCEPTION_V3_SMALLEST} pixels a side",
        inception_v3_parameters,
        _inception_v3,
        INCEPTION_V3_SMALLEST,
    ),
}


def lookup(name: str) -> Model:
    """The entry of `MODELS` called `name`, or a perceptron of L layers of W units for `mlp-LxW`.

    Raises:
        ShatterlabError: there is no such model; the message names the nearest one.
    """
    if not isinstance(name, str):
        raise unknown("model", name, [*MODELS, "mlp-LxW"])
    if name in MODELS:
        return MODELS[name]
    if match := re.fullmatch(r"mlp-(\d+)x(\d+)", name):
        layers, width = map(int, match.groups())
        if layers == 0 or width == 0:
            raise ShatterlabError(f"{name} has no hidden units; write mlp-LxW with L and W at least 1.")
        if layers > 1_000 or width > 1_000_000:
            raise ShatterlabError(f"{name} is too large to build; write mlp-LxW with L up to 1000 and W up to 1000000.")
        return _mlp(*[width] * layers)
    if name.endswith(".py"):
        raise ShatterlabError(f"{name} is a file; name the network in it as well: {name}:Net.")
    raise unknown("model", name, [*MODELS, "mlp-LxW", "file.py:NAME", "package.module:NAME"])


def build(
    name: str, shape: Shape, classes: int, seed: int = 0, *, initialization: str | None = None, dropout: float = 0.0
) -> "nn.Module":
    """A network with its weights drawn (see `initialization`).

    Args:
        name: a key of `MODELS`, or `mlp-LxW`.
        shape: height, width, channels of the images it will see.
        classes: number of outputs.
        seed: seed from which the weights are drawn.
        initialization: a key of `initialization.INITIALIZATIONS`; by default the one that `spec.STARTS` has for it.
        dropout: probability that dropout zeroes an input, see `dropout.with_dropout`.

    Returns:
        A float32 module that takes images (batch, channels, height, width) to logits (batch, classes).

    Raises:
        ShatterlabError: there is no such model or initialization, the images are too small for the model, or a number
            is out of its range.
    """
    from .dropout import with_dropout
    from .initialization import INITIALIZATIONS

    entry = lookup(name)
    if not isinstance(shape, Sequence) or len(shape) != 3 or not all(map(is_whole, shape)):
        raise ShatterlabError(
            f"shape must be a tuple of height, width and channels, as (32, 32, 3), got {shown(repr(shape))}."
        )
    shape = (int(shape[0]), int(shape[1]), int(shape[2]))
    try:
        classes, seed = whole("classes", classes), whole("seed", seed, least=0)
        dropout = number("dropout", dropout, most=1, below=True)
    except ValueError as error:
        raise ShatterlabError(str(error)) from None
    if seed > LARGEST_SEED:
        raise ShatterlabError(f"seed must be at most {LARGEST_SEED:,}, got {seed}; write a smaller one.")
    if min(shape[:2]) < entry.smallest:
        raise ShatterlabError(
            f"{name} needs images of at least {entry.smallest} x {entry.smallest} pixels, got {shape[0]} x {shape[1]}; "
            f"give it larger ones, as in --data folder:PATH?side={entry.smallest}, or take another model."
        )
    model = entry.module(shape, classes)
    start = STARTS.get(name, "he") if initialization is None else initialization
    INITIALIZATIONS[one_of("initialization", start, INITIALIZATIONS)](model, seed)
    return with_dropout(model, dropout)
