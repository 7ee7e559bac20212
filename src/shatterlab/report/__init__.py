"""One HTML page that needs nothing but itself: claims, figures, verdicts, runs, the paper's numbers beside ours."""

from .library import chart_library
from .live import live_section
from .page import page, sections, write
from .prints import Format, write_figures
from .render import Section

__all__ = ["Format", "Section", "chart_library", "live_section", "page", "sections", "write", "write_figures"]
