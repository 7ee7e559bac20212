"""Powers of two that bring numbers near to one, so that their squares neither overflow nor vanish.

Multiplying by a power of two is exact, so that a result for scaled numbers, scaled back, is the result for the numbers.
"""

import numpy as np
from numpy.typing import NDArray


def exponent_of(values: NDArray) -> int:
    """The e for which the largest magnitude of finite `values` lies in [2^(e-1), 2^e); 0 where all are zero."""
    largest = max(values.max(initial=0), -values.min(initial=0))
    return int(np.frexp(largest)[1]) if largest else 0


def times_power(values: NDArray, exponent: int) -> NDArray:
    """values * 2^exponent in a new array; infinite or zero where the type holds no such number."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(values, exponent)
