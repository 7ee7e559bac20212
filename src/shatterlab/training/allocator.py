"""Keeps glibc from handing memory back to the system after every step."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
_LIMIT = 2**30


def keep_freed_memory() -> None:
    """Lets this process reuse the blocks that it frees; this has no effect where the C library is not glibc.

    By default glibc maps every block over 32 MiB anew and unmaps it when it is freed. A training step allocates its
    activations each time, so that the system clears the same pages over and over; with AlexNet at batch 128 this takes
    a third of the step (NOTEBOOK.md).
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, _LIMIT)
    mallopt(_TRIM_THRESHOLD, _LIMIT)
