"""Training: the paper's recipe as a generator of one row an epoch. Everything here needs torch."""

from .loop import evaluation_interval, train
from .optimizer import MomentumSGD

__all__ = ["MomentumSGD", "evaluation_interval", "train"]
