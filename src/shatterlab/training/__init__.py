"""Training: the paper's recipe as a generator of one row an epoch. Everything here needs torch."""

from .learner import Batch
from .learners import learner
from .loop import evaluation_interval, stack_key, train, train_together
from .optimizer import MomentumSGD

__all__ = ["Batch", "MomentumSGD", "evaluation_interval", "learner", "stack_key", "train", "train_together"]
