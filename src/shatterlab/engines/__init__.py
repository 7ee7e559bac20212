"""Engines do the missing runs of a list: here (`local`), later on a cluster."""

from .local import Settings, cores, run_all, threads_for

__all__ = ["Settings", "cores", "run_all", "threads_for"]
