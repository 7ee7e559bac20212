"""Keeps glibc from handing memory back to the system after every step."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
_LIMIT = 2**30


def keep_freed_memory() -> None:
    """Lets this process reuse the blocks it frees; without effect where the C library is not glibc.

    By default glibc maps every block over 32 MiB anew and unmaps it when freed. A training step
    allocates its activations each time, so the system clears the same pages over and over: a third
    of AlexNet's step at batch 128 (NOTEBOOK.md).
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, _LIMIT)
    mallopt(_TRIM_THRESHOLD, _LIMIT)
