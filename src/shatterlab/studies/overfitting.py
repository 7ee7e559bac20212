"""How many times the steps of some runs others take to overfit, and which runs never began to learn."""

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np
import polars as pl

from .statistics import Estimate, over_seeds

STEPS_SPREAD = 0.15
"""The standard deviation over seeds of the logarithm of a ratio of steps, assumed where there is one seed (see
`ASSUMPTIONS`)."""

DEAD = 0.95
"""A network that is still at this share of log K, the loss of guessing, has not begun to learn (an assumption)."""


class Ratio(NamedTuple):
    """The steps that some runs take to overfit over those that others take, paired by seed."""

    factors: list[float]
    """For each seed that both have and have overfitted in both."""
    logarithm: Estimate
    """The mean of the logarithms, with the spread over seeds and the resolution at which steps are recorded."""


def ratio_of(clean: pl.DataFrame, other: pl.DataFrame) -> Ratio | None:
    """The steps to overfit of the other runs over those of the clean ones; None where no seed has overfitted in both.

    Args:
        clean, other: tables of runs of one network, with a line for each seed.
    """
    pairs = (
        clean.join(other, on="seed", suffix="_other").drop_nulls(["overfit_step", "overfit_step_other"]).sort("seed")
    )
    pairs = pairs.filter(pl.col("overfit_step") > 0)
    if pairs.is_empty():
        return None
    steps, others = pairs["overfit_step"], pairs["overfit_step_other"]
    factors = (others / steps).to_list()
    logarithms = [log(factor) for factor in factors]
    estimate = over_seeds(logarithms) if len(factors) > 1 else Estimate(logarithms[0], STEPS_SPREAD)
    # A step that is known up to its resolution has the variance of a uniform distribution. As the steps of all seeds
    # may be rounded alike, the mean over seeds has the variance of one.
    rounded = (pairs["overfit_resolution"] / steps).to_list() + (pairs["overfit_resolution_other"] / others).to_list()
    variance = sum(share**2 for share in rounded if share is not None) / 12 / len(factors)
    return Ratio(factors, estimate._replace(error=(estimate.error**2 + variance) ** 0.5))


def dead(losses: Sequence[float], classes: int) -> bool:
    """Whether a network has not left the loss of guessing in the last quarter of its epochs.

    A network whose units have died at the start, or that took too large a step, says nothing about what it can fit.

    Args:
        losses: the online loss of each epoch, in nats; without any, it is not known that the network has learned.
        classes: the number K of classes.
    """
    tail = losses[-max(1, len(losses) // 4) :]
    return not tail or not float(np.mean(tail)) < DEAD * log(classes)
