"""The processes that share the batches of one training: their number, and what all of them have to agree on.

`torchrun` starts a process for each graphics card, or for some cores, and gives each a number, its rank. Without it,
and without a process group that somebody else has made, there is one process of rank 0 and nothing here does anything.
"""

import atexit
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""The others wait so long for rank 0, which alone does what is no training; a process that dies is noticed at once."""


def joined() -> bool:
    """Whether this process is one of several that train together; the first call connects it with them."""
    started = "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not started and "torch" not in sys.modules:
        return False
    import torch
    from torch import distributed

    if not started:
        # Whoever has made a process group, such as Ray Train, wants it to be used.
        made = distributed.is_available() and distributed.is_initialized()
        return made and distributed.get_world_size() > 1
    if not distributed.is_initialized():
        on_cards = torch.cuda.is_available()
        if on_cards:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if on_cards else "gloo", timeout=PATIENCE)
        atexit.register(distributed.destroy_process_group)  # or its threads may abort a process that exits
    return True


def started_rank() -> int:
    """The rank that torchrun has given this process, without a connection to the others; 0 where it has given none."""
    return int(os.environ.get("RANK", "0")) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def processes() -> int:
    """The number of processes that train together, at least 1."""
    if not joined():
        return 1
    from torch import distributed

    return distributed.get_world_size()


def rank() -> int:
    """The number of this process among them, from 0. Rank 0 owns the store: nobody else writes to it."""
    if not joined():
        return 0
    from torch import distributed

    return distributed.get_rank()


def agreed(value: T) -> T:
    """What rank 0 has as this value, in every process. All have to come here; it has to be picklable."""
    if not joined():
        return value
    from torch import distributed

    box: list[Any] = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def gathered(value: T) -> list[T]:
    """What each process has as this value, by rank, in every process. All have to come here; it has to be picklable."""
    if not joined():
        return [value]
    from torch import distributed

    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


@contextmanager
def first_of_node_first() -> Iterator[None]:
    """Lets one process of each machine do a block before its others do, which then find what it has left there."""
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0
    if not first:
        agreed(None)
    yield
    if first:
        agreed(None)


def spread(tensors: "Iterable[torch.Tensor]") -> None:
    """Overwrites tensors with those of rank 0, in every process."""
    if not joined():
        return
    from torch import distributed

    for tensor in tensors:
        dense = tensor.contiguous()
        distributed.broadcast(dense, src=0)
        if dense is not tensor:
            tensor.copy_(dense)


def shares(spans: Sequence[slice]) -> list[slice]:
    """The part of each span that is this process's own: the parts follow one another and differ by one at most."""
    parts, mine = processes(), rank()
    ends = [[span.start + (span.stop - span.start) * place // parts for place in (mine, mine + 1)] for span in spans]
    return [slice(first, last) for first, last in ends]
