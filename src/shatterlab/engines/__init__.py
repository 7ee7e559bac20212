"""Engines do jobs and hand out what came of each: here (`local`), later on a cluster.

An engine is a function like `local.do`: it gets jobs, which travel as data and a reference to code, and lets some
process call `jobs.do` on each unit of them.
"""

from .local import Ended, do, threads_for

__all__ = ["Ended", "do", "threads_for"]
