"""Checks of what callers hand over: a value that is no number, or outside its range, is refused before it is used."""

from math import inf, isfinite
from numbers import Real
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from .errors import shown


def number(
    name: str, value: object, *, least: float = 0.0, most: float = inf, above: bool = False, below: bool = False
) -> float:
    """Returns a finite number in the interval from `least` to `most`.

    Args:
        name: the name of the argument, for the message.
        value: what the caller gave.
        least, most: the ends of the interval.
        above, below: whether the number has to be strictly above `least`, and strictly below `most`.

    Raises:
        ValueError: the value is text, NaN, infinite, a truth value, an array, or outside the range.
    """
    if isinstance(value, Real) and not isinstance(value, bool):  # numpy's truth values are no Real, Python's are
        try:
            given = float(value)
        except OverflowError:
            given = inf
        if (
            isfinite(given)
            and (given > least if above else given >= least)
            and (given < most if below else given <= most)
        ):
            return given
    if most == inf:
        raise ValueError(
            f"{name} must be a finite number {'above' if above else 'of at least'} {least:g}, got {shown(repr(value))}."
        )
    interval = f"{'(' if above else '['}{least:g}, {most:g}{')' if below else ']'}"
    advice = "; for ten percent write 0.1" if most == 1 else ""
    raise ValueError(f"{name} must lie in {interval}, got {shown(repr(value))}{advice}.")


def fraction(name: str, value: object) -> float:
    """Returns a number strictly between 0 and 1.

    Raises:
        ValueError: the value is anything else.
    """
    return number(name, value, most=1, above=True, below=True)


def is_whole(value: object, *, least: int = 1) -> TypeGuard[int | np.integer]:
    """Whether a value is a whole number of Python or of numpy, no truth value, and at least `least`."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def whole(name: str, value: object, *, least: int = 1) -> int:
    """Returns a whole number of at least `least`, of Python or of numpy.

    Raises:
        ValueError: the value is anything else.
    """
    if is_whole(value, least=least):
        return int(value)
    raise ValueError(f"{name} must be a whole number of at least {least}, got {shown(repr(value))}.")


def scale_of_pixels(images: NDArray) -> float:
    """The number that stands for white: 255 in bytes, 1 in floats.

    Raises:
        ValueError: the images are of another type, in which white may be anything.
    """
    if not isinstance(images, np.ndarray) or (images.dtype.kind != "f" and images.dtype != np.uint8):
        kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"images must be an array of uint8 or of floats in [0, 1], got {kind}.")
    return 255.0 if images.dtype == np.uint8 else 1.0
