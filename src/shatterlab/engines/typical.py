"""What computations took on another machine, and how much slower this one is now: all that a fresh store can go by."""

import json
from functools import cache
from importlib.resources import files
from time import perf_counter
from typing import Any

import numpy as np

from ..jobs import Computation

SIZE = 400
"""The side of the matrices of the probe."""
TURNS = 40
"""The probe multiplies so many pairs of matrices, about a tenth of a second, so that other work has had its turns."""


@cache
def _table() -> dict[str, Any]:
    """The file of `bench/typical.py`: the seconds of its probe, and those of computations by study and title."""
    table: dict[str, Any] = json.loads(files("shatterlab.engines").joinpath("typical.json").read_text("utf-8"))
    return table


def typical_seconds(job: Computation) -> float | None:
    """The seconds that a computation with this title took on the machine of `typical.json`, if it was done there."""
    seconds: float | None = _table()["studies"].get(job.study, {}).get(job.title)
    return seconds


def probe() -> float:
    """The seconds of some work of one thread like that of computations: products, sorting, and Python itself."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    a = rng.standard_normal((SIZE, SIZE))
    with threadpool_limits(1):
        began = perf_counter()
        for _ in range(TURNS):
            b = a @ a
            np.sort(b, axis=1)
            sum(i * i for i in range(SIZE))
        return perf_counter() - began


def slowness() -> float:
    """How many times the seconds of the machine of `typical.json` the same work takes here, at this moment."""
    return probe() / float(_table()["probe"])
