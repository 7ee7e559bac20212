"""The feed of data that stay on disk: batches are read in threads, ahead of the steps that take them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from ..data.ahead import ahead
from ..data.stored import Stored


class Streamed:
    """Images on disk in the place of a `Pool`: with the same methods, but read when they are needed.

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
        yield from map(self._put, ahead(self._read, [(range(len(host)), host[:, span]) for span in spans]))

    def blocks(self, spans: Sequence[slice], members: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yields spans of the images of some runs, (runs, span, height, width, channels)."""
        wanted = [(members, np.arange(span.start, span.stop)[None]) for span in spans]
        yield from map(self._put, ahead(self._read, wanted))

    def _read(self, wanted: tuple[Sequence[int], np.ndarray]) -> np.ndarray:
        members, rows = wanted
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
