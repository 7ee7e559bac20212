"""Results: what a run leaves, where it lies, and how to read many of them."""

from .measurement import Measurement, Task
from .provenance import Provenance, commit, processor, versions
from .reader import Reader
from .result import Result
from .store import DEFAULT_STORE, Asked, Store

__all__ = [
    "DEFAULT_STORE",
    "Asked",
    "Measurement",
    "Provenance",
    "Reader",
    "Result",
    "Store",
    "Task",
    "commit",
    "processor",
    "versions",
]
