"""Reading ahead: something is done in threads for what comes next, while what came before is being used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from ..machine import cores

AHEAD = 2
"""So many more things than there are threads are done before they are needed."""

A = TypeVar("A")
B = TypeVar("B")


@cache
def _threads() -> ThreadPoolExecutor:
    """The threads, the same ones for all data: each new thread would get a heap of its own from the system, which keeps
    what is freed there.
    """
    return ThreadPoolExecutor(cores(), thread_name_prefix="reader")


def ahead(do: Callable[[A], B], wanted: Iterable[A]) -> Iterator[B]:
    """Does something for each of the things wanted; yields what came of each, in their order.

    Decoding and resizing pictures leaves Python's lock to others, so that threads do as well as processes and nothing
    has to be sent between these (bench/feed.py).
    """
    doing: deque[Future[B]] = deque()
    try:
        for one in wanted:
            doing.append(_threads().submit(do, one))
            if len(doing) == cores() + AHEAD:
                yield doing.popleft().result()
        while doing:
            yield doing.popleft().result()
    finally:  # whoever takes them may stop early, or one may have failed
        for future in doing:
            future.cancel()
