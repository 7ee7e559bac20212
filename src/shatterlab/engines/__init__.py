"""Engines do jobs and yield the outcome of each: here (`local`), on a Ray cluster (`ray`), on Slurm (`slurm`).

An engine is a function like `local.do`: it gets jobs, which travel as data and a reference to code, and lets some
process call `jobs.do` on each unit of them, which is a group of jobs done at once.
"""

from .local import Ended, do, threads_for

__all__ = ["Ended", "do", "threads_for"]
