"""Results: the records of finished runs and computations, their store, and tables of many of them."""

from .examples import Examples
from .measurement import Measurement, measurement_id
from .provenance import Provenance, commit, versions
from .reader import Reader
from .result import Diverged, Result
from .store import DEFAULT_STORE, Asked, Store

__all__ = [
    "DEFAULT_STORE",
    "Asked",
    "Diverged",
    "Examples",
    "Measurement",
    "Provenance",
    "Reader",
    "Result",
    "Store",
    "commit",
    "measurement_id",
    "versions",
]
