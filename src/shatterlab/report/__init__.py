"""One HTML page that needs nothing but itself: figures, verdicts, runs, and the paper's numbers where they apply."""

from .library import chart_library
from .page import write

__all__ = ["chart_library", "write"]
