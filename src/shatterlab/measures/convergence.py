"""Whether a loss was still falling when training ended, so that "did not fit" can be told from "was not finished"."""

from collections.abc import Sequence

import numpy as np

STANDS = 0.02
"""A loss has stopped falling if, over the last quarter of the epochs, it falls by less than this share of itself, with
two standard errors added: an assumption."""


def falling(losses: Sequence[float]) -> bool | None:
    """Whether a loss was still falling over the last quarter of its epochs, at least four.

    A straight line is fitted to the quarter. The loss is falling if the line falls by more than three of its standard
    errors, and by more than a thousandth of the loss, as a learning rate that dies leaves a fall without an end. It has
    stopped if the fall, with two standard errors added, is less than `STANDS` of the loss.

    Returns:
        None where neither is shown, where there are fewer than four epochs, or where losses are not finite.
    """
    tail = np.array(losses[-max(4, -(-len(losses) // 4)) :], dtype=float)
    if len(tail) < 4 or not np.isfinite(tail).all():
        return None
    time = np.linspace(-0.5, 0.5, len(tail))
    slope = float(time @ tail / (time @ time))
    residuals = tail - tail.mean() - slope * time
    error = (float(residuals @ residuals) / (len(tail) - 2) / float(time @ time)) ** 0.5
    if -slope > max(3 * error, 1e-3 * float(tail.mean())):
        return True
    return False if -slope + 2 * error < STANDS * float(tail.mean()) else None
