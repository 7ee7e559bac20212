"""Which learner takes the steps of which models."""

from collections.abc import Sequence

from torch import nn

from .alone import Alone
from .captured import Captured, CUDAGraphs
from .learner import Learner
from .optimizer import MomentumSGD
from .perceptrons import Perceptrons, is_perceptron
from .stacked import Vmapped


def learner(models: Sequence[nn.Module], optimizers: Sequence[MomentumSGD], *, bf16: bool = False) -> Learner:
    """The fastest way to train these models.

    Args:
        models: of one architecture, on one device, in any state.
        optimizers: theirs, with one momentum.
        bf16: under bfloat16 autocast.
    """
    made: Learner
    if all(map(is_perceptron, models)):
        made = Perceptrons(models, optimizers, bf16)
    elif len(models) == 1:
        made = Alone(models[0], optimizers[0], bf16)
    else:
        made = Vmapped(models, optimizers, bf16)
    return Captured(made, CUDAGraphs()) if made.device.type == "cuda" else made
