"""An audit: the paper's questions, and its closing ones, asked of a user's own learner and data under a budget."""

from .audit import Audit
from .session import audit

__all__ = ["Audit", "audit"]
