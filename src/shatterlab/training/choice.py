"""Which learner takes the steps of which models."""

from collections.abc import Sequence
from typing import cast

from torch import nn

from .alone import Alone
from .captured import Captured, CUDAGraphs
from .learner import Learner
from .optimizer import MomentumSGD, Optimizer
from .perceptrons import Perceptrons, is_perceptron
from .stacked import Vmapped


def learner_for(
    models: Sequence[nn.Module], optimizers: Sequence[Optimizer], *, bf16: bool = False, own: bool = False
) -> Learner:
    """The fastest way to train these models.

    Args:
        models: of one architecture, on one device, in any state; several only with momentum SGD.
        optimizers: theirs, with one momentum.
        bf16: under bfloat16 autocast.
        own: the model is a user's, see `Alone`.
    """
    made: Learner
    plain = cast(Sequence[MomentumSGD], optimizers) if all(type(o) is MomentumSGD for o in optimizers) else None
    if plain and not own and all(map(is_perceptron, models)):
        made = Perceptrons(models, plain, bf16)
    elif len(models) == 1:
        made = Alone(models[0], optimizers[0], bf16, own)
    else:
        assert plain is not None
        made = Vmapped(models, plain, bf16)
    return Captured(made, CUDAGraphs()) if made.device.type == "cuda" else made
