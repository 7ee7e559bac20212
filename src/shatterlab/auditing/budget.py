"""Seconds: what a budget says, how long a fit will take, and how the budget is shared among the parts of an audit."""

import re
from collections.abc import Callable
from math import log
from statistics import fmean

from ..arguments import number
from ..errors import ShatterlabError

SHARES = {
    "randomization": 0.15,
    "capacity": 0.20,
    "rademacher": 0.10,
    "certificate": 0.10,
    "critical": 0.05,
    "subsets": 0.40,
}
"""The share of the budget that each part may take; what a part leaves goes to the subsets, which come last."""
LEAST = 10.0
"""The seconds of the smallest budget."""
MOST = 365 * 86_400.0
"""The seconds of the largest budget, a year."""
RESERVE = 0.02
"""This share is kept for what follows the last fit: bootstraps and tables."""
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def seconds_of(budget: str | float) -> float:
    """The seconds of a budget such as `300`, `"90s"`, `"5m"`, `"2h"` or `"1h30m"`.

    Raises:
        ShatterlabError: it is not understood, less than `LEAST` or more than `MOST`.

    >>> seconds_of("1h30m")
    5400.0
    """
    if isinstance(budget, str):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])", budget.strip().lower())
        whole = "".join(f"{number}{unit}" for number, unit in parts)
        if re.fullmatch(r"\d+(\.\d+)?", budget.strip()):
            parts = [(budget.strip(), "s")]
        elif not parts or whole != re.sub(r"\s", "", budget.lower()):
            raise ShatterlabError(f"the budget {budget!r} is not understood; write seconds, or 90s, 5m, 2h, 1h30m.")
        budget = sum(float(number) * UNITS[unit] for number, unit in parts)
    try:
        return number("budget", budget, least=LEAST, most=MOST)
    except ValueError:
        raise ShatterlabError(
            f"a budget is {LEAST:.0f} seconds to a year, got {budget!r}; write budget='5m', for example."
        ) from None


def told(seconds: float) -> str:
    """Seconds for people.

    >>> told(45), told(300), told(5400)
    ('45 s', '5 min', '1.5 h')
    """
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 3_600 else f"{seconds / 3_600:.3g} h"


class Costs:
    """What fits have cost, and what the next one will: a power of the number of examples, for each kind of label."""

    def __init__(self) -> None:
        self.seen: dict[bool, dict[int, list[float]]] = {False: {}, True: {}}

    def learn(self, random: bool, size: int, seconds: float) -> None:
        """Notes what a fit to so many examples took, with random labels or true ones."""
        self.seen[random].setdefault(size, []).append(max(seconds, 1e-4))

    def power(self, random: bool) -> float:
        """By which power of n the seconds grow, between 0 and 3; 1 as long as a single n has been seen."""
        sizes = self.seen[random]
        if len(sizes) < 2:
            return 1.0
        low, high = min(sizes), max(sizes)
        return min(3.0, max(0.0, log(fmean(sizes[high]) / fmean(sizes[low])) / log(high / low)))

    def of(self, size: int, *, random: bool) -> float:
        """The seconds that a fit to so many examples is expected to take."""
        sizes = self.seen[random] or self.seen[not random]
        kind = random if self.seen[random] else not random
        nearest = min(sizes, key=lambda one: abs(log(one / size)))
        return fmean(sizes[nearest]) * (size / nearest) ** self.power(kind)


class Purse:
    """The seconds of an audit: what is spent, those of earlier sessions included, and what each part may still take.

    Args:
        budget: all seconds.
        clock: seconds now.
    """

    def __init__(self, budget: float, clock: Callable[[], float]) -> None:
        self.budget, self.clock, self.start, self.kept = budget, clock, clock(), 0.0

    @property
    def spent(self) -> float:
        """Seconds since the start, and those of the fits that an earlier session did."""
        return self.clock() - self.start + self.kept

    @property
    def left(self) -> float:
        """Seconds until the budget is spent, less what follows the last fit."""
        return self.budget * (1 - RESERVE) - self.spent

    def of(self, part: str) -> float:
        """The time, on the scale of `spent`, at which a part that begins now has to end."""
        return min(self.spent + SHARES[part] * self.budget, self.budget * (1 - RESERVE))
