"""Engines do the missing runs of a list: here (`local`), later on a cluster."""

from .local import Settings, run_all, threads_for

__all__ = ["Settings", "run_all", "threads_for"]
