"""The numbers that callers hand over: what is none, or lies outside its range, is refused before it is used."""

from numbers import Real

import numpy as np
from numpy.typing import NDArray


def number(name: str, value: object, *, least: float = 0.0, above: bool = False) -> float:
    """Returns a finite number of at least `least`, or above it.

    Raises:
        ValueError: the value is text, NaN, infinite, a truth value, an array, or too small.
    """
    if isinstance(value, Real) and not isinstance(value, bool):  # numpy's truth values are no Real, Python's are
        given = float(value)
        if np.isfinite(given) and (given > least or (given == least and not above)):
            return given
    raise ValueError(f"{name} must be a finite number {'above' if above else 'of at least'} {least:g}, got {value!r}.")


def whole(name: str, value: object, *, least: int = 1) -> int:
    """Returns a whole number of at least `least`, of Python or of numpy.

    Raises:
        ValueError: the value is anything else.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}.")


def scale_of_pixels(images: NDArray) -> float:
    """The number that stands for white: 255 in bytes, 1 in floats.

    Raises:
        ValueError: the images are of another type, in which white may be anything.
    """
    if not isinstance(images, np.ndarray) or (images.dtype.kind != "f" and images.dtype != np.uint8):
        kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(f"images must be an array of uint8 or of floats in [0, 1], got {kind}.")
    return 255.0 if images.dtype == np.uint8 else 1.0
