"""The choice of the learner that trains given models the fastest."""

from collections.abc import Sequence
from typing import cast

from torch import nn

from ..ranks import processes
from ..spec import Spec
from .alone import Alone
from .captured import Captured, CUDAGraphs
from .learner import Learner
from .optimizer import MomentumSGD, Optimizer
from .perceptrons import Perceptrons, is_perceptron
from .stacked import Vmapped


def learner_of(spec: Spec, models: Sequence[nn.Module], optimizers: Sequence[Optimizer], *, own: bool) -> Learner:
    """Returns `learner_for` with the dials of a spec, so that no caller can forget one."""
    bf16 = spec.precision == "bf16"
    return learner_for(models, optimizers, bf16=bf16, label_smoothing=spec.label_smoothing, own=own)


def learner_for(
    models: Sequence[nn.Module],
    optimizers: Sequence[Optimizer],
    *,
    bf16: bool = False,
    label_smoothing: float = 0.0,
    own: bool = False,
) -> Learner:
    """Returns the learner that trains these models the fastest.

    Args:
        models: models of one architecture on one device; there may be several only with momentum SGD.
        optimizers: the optimizer of each model, all with the same momentum.
        bf16: whether the models compute under bfloat16 autocast.
        label_smoothing: see `losses.training_loss`.
        own: whether the model is a user's, see `Alone`.
    """
    learner: Learner
    plain = cast(Sequence[MomentumSGD], optimizers) if all(type(o) is MomentumSGD for o in optimizers) else None
    if processes() > 1:
        from .parallel import Parallel

        if len(models) > 1:
            raise ValueError("several processes train one model at a time.")
        return Parallel(models[0], optimizers[0], bf16, label_smoothing, own)
    if plain and not own and not label_smoothing and all(map(is_perceptron, models)):
        learner = Perceptrons(models, plain, bf16)
    elif len(models) == 1:
        learner = Alone(models[0], optimizers[0], bf16, label_smoothing, own)
    else:
        assert plain is not None
        learner = Vmapped(models, plain, bf16, label_smoothing)
    return Captured(learner, CUDAGraphs()) if learner.device.type == "cuda" else learner
