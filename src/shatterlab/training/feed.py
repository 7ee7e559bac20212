"""The feed of data that stay on disk: batches are read in threads, ahead of the steps that take them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from ..data.stored import Stored
from ..machine import cores


@cache
def _readers() -> ThreadPoolExecutor:
    """The threads that read, the same ones for all data: each new thread would get a heap of its own from the system,
    which keeps what is freed there.
    """
    return ThreadPoolExecutor(cores(), thread_name_prefix="reader")


AHEAD = 2
"""So many batches more than there are reading threads are read before they are needed."""


class Streamed:
    """Images on disk in the place of a `Pool`: with the same methods, but read when they are needed.

    Decoding and resizing leave Python's lock to others, so that threads do as well as processes and nothing has to be
    sent between these (bench/feed.py).

    Args:
        images: the images of each run.
        device: where batches are put.
        change: what is done to a batch, uint8 (any number, height, width, channels), once it is on the device.
    """

    def __init__(
        self,
        images: Sequence[Stored],
        device: torch.device,
        change: Callable[[torch.Tensor], torch.Tensor] = lambda batch: batch,
    ) -> None:
        self.shape = images[0].shape[1:]
        self.of_runs, self.device, self.change = list(images), device, change

    def places(self, indices: torch.Tensor) -> torch.Tensor:
        """Returns the indices (runs, any number) themselves, which `batches` looks up in each run's images."""
        return indices

    def batches(self, places: torch.Tensor, spans: Sequence[slice]) -> Iterator[torch.Tensor]:
        """Yields for each span the images at the places (runs, any number) in it, see `Pool.take`."""
        host = places.cpu().numpy()
        yield from self._ahead([(range(len(host)), host[:, span]) for span in spans])

    def blocks(self, spans: Sequence[slice], members: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yields spans of the images of some runs, (runs, span, height, width, channels)."""
        yield from self._ahead([(members, np.arange(span.start, span.stop)[None]) for span in spans])

    def _ahead(self, wanted: Sequence[tuple[Sequence[int], np.ndarray]]) -> Iterator[torch.Tensor]:
        ahead = cores() + AHEAD
        reading: deque[Future[np.ndarray]] = deque()
        try:
            for members, rows in wanted:
                reading.append(_readers().submit(self._read, members, rows))
                if len(reading) == ahead:
                    yield self._put(reading.popleft().result())
            while reading:
                yield self._put(reading.popleft().result())
        finally:  # an epoch may end in an error
            for future in reading:
                future.cancel()

    def _read(self, members: Sequence[int], rows: np.ndarray) -> np.ndarray:
        of_members = np.broadcast_to(rows, (len(members), rows.shape[1]))
        return np.stack([self.of_runs[run][mine] for run, mine in zip(members, of_members, strict=True)])

    def _put(self, examples: np.ndarray) -> torch.Tensor:
        batch = torch.from_numpy(examples)
        if self.device.type == "cuda":
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        return self.change(batch.flatten(0, 1)).unflatten(0, examples.shape[:2])

    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`."""
        self.of_runs = [self.of_runs[run] for run in members]
