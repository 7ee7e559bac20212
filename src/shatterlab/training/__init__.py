"""Training: the paper's recipe as a generator of what each epoch leaves. Everything here needs torch."""

from .choice import learner_for, learner_of
from .learner import Batch
from .loop import Epoch, evaluation_interval, stack_key, train_together
from .optimizer import OPTIMIZERS, MomentumSGD

__all__ = [
    "OPTIMIZERS",
    "Batch",
    "Epoch",
    "MomentumSGD",
    "evaluation_interval",
    "learner_for",
    "learner_of",
    "stack_key",
    "train_together",
]
