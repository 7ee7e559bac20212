"""One HTML page that needs nothing but itself: claims, figures, verdicts, runs, the paper's numbers beside ours."""

from .library import chart_library
from .page import Section, live_section, page, sections, write
from .prints import Format, write_figures

__all__ = ["Format", "Section", "chart_library", "live_section", "page", "sections", "write", "write_figures"]
