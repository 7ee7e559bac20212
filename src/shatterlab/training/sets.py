"""The images and labels of several runs on the device, and the scores of a stack of models on them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.dataset import Dataset
from ..data.stored import Stored
from ..ranks import processes, shares
from ..spec import Spec
from .feed import Streamed
from .learner import Learner
from .marks import Gathering, Marks
from .preprocess import preprocess, preprocess_batch

BATCH, LEAST = 500, 50
"""A pass for evaluation takes `BATCH` images at a time of all runs together, but at least `LEAST` of each run."""


class Rows:
    """Inputs that are some rows of a larger array, which many runs share; it is never copied.

    Args:
        whole: the larger array, (any number, ...).
        rows: the places of the inputs in it, int64 (n,).
    """

    def __init__(self, whole: np.ndarray, rows: NDArray[np.int64]) -> None:
        self.whole, self.rows = whole, rows
        self.shape, self.dtype, self.ndim = (len(rows), *whole.shape[1:]), whole.dtype, whole.ndim

    def __len__(self) -> int:
        return len(self.rows)


def of_all(marks: Marks, spans: Sequence[slice], n: int) -> Marks:
    """The marks of all `n` examples, from those of the spans that this process has, see `ranks`."""
    if processes() == 1:
        return marks
    from .parallel import whole_marks

    return whole_marks(marks, [*spans], n)


class Pool:
    """The images of several runs on the device; images that runs have in common are stored once.

    Args:
        images: the images of each run, of equal shape (n, height, width, channels): arrays, or `Rows` of arrays.
        device: where they are put.
        change: what is done to each distinct array before it is put there.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray | Rows],
        device: torch.device,
        change: Callable[[np.ndarray], torch.Tensor] = lambda array: torch.from_numpy(array.copy()),
    ) -> None:
        distinct: list[np.ndarray] = []
        firsts, of_runs = [], []
        for given in images:
            array, rows = (given.whole, given.rows) if isinstance(given, Rows) else (given, np.arange(len(given)))
            place = next((i for i, other in enumerate(distinct) if _equal(array, other)), len(distinct))
            if place == len(distinct):
                distinct.append(array)
            firsts.append(sum(map(len, distinct[:place])))
            of_runs.append(rows)
        pooled = [change(array).to(device) for array in distinct]
        self.images = pooled[0] if len(pooled) == 1 else torch.cat(pooled)
        self.shape = tuple(self.images.shape[1:])
        self.same = len(pooled) == 1 and all(not isinstance(given, Rows) for given in images)
        placed = [torch.from_numpy(rows + first) for rows, first in zip(of_runs, firsts, strict=True)]
        # The rows of each run in the pool, (runs, n); a single line where all runs have all of it.
        self.rows = (placed[0][None] if self.same else torch.stack(placed)).to(device)

    def places(self, indices: torch.Tensor) -> torch.Tensor:
        """Returns the places in the pool of the images at `indices` (runs, any number) of each run's set."""
        return indices if self.same else self.rows.gather(1, indices)

    def take(self, places: torch.Tensor) -> torch.Tensor:
        """Returns the images (runs, batch, height, width, channels) at `places` (runs, batch) of the pool."""
        return self.images.index_select(0, places.flatten()).unflatten(0, tuple(places.shape))

    def batches(self, places: torch.Tensor, spans: Sequence[slice]) -> Iterator[torch.Tensor]:
        """Yields for each span the images at the places (runs, any number) in it, see `take`."""
        for span in spans:
            yield self.take(places[:, span])

    def blocks(self, spans: Sequence[slice], members: Sequence[int]) -> Iterator[torch.Tensor]:
        """Yields spans of the images of some runs, (runs, span, height, width, channels)."""
        for span in spans:
            if self.same:
                yield self.images[None, span].expand(len(members), *[-1] * self.images.ndim)
            else:
                yield self.images[self.rows[list(members), span]]

    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`."""
        self.rows = self.rows if self.same else self.rows[list(members)]


def _equal(images: np.ndarray, other: np.ndarray) -> bool:
    # The first image tells most sets apart.
    return images is other or (np.array_equal(images[:1], other[:1]) and np.array_equal(images, other))


def pool_of(
    images: Sequence[Any],
    device: torch.device,
    change: Callable[[np.ndarray], torch.Tensor] = lambda array: torch.from_numpy(array.copy()),
    change_batch: Callable[[torch.Tensor], torch.Tensor] = lambda batch: batch,
) -> Pool | Streamed:
    """Images that are put on the device once, or read from disk when they are needed where they are `Stored`.

    Args:
        images: the images of each run.
        device: see `Pool`.
        change: what is done to arrays before they are put there.
        change_batch: what is done to a batch that was read.
    """
    on_disk = [inputs for inputs in images if isinstance(inputs, Stored)]
    if on_disk:
        return Streamed(on_disk, device, change_batch)
    return Pool(images, device, change)


class Prepared:
    """One set of each run (train, validation or test), preprocessed for the networks and put on the device."""

    def __init__(self, parts: Sequence[Dataset], spec: Spec, device: torch.device) -> None:
        self.pool = pool_of(
            [part.inputs for part in parts],
            device,
            lambda images: preprocess(images, spec.crop, spec.preprocessing, device),
            lambda batch: preprocess_batch(batch, spec.crop, spec.preprocessing),
        )
        self.labels = torch.stack([torch.from_numpy(part.labels.copy()) for part in parts]).to(device)
        self.corrupted = torch.stack([torch.from_numpy(part.corrupted.copy()) for part in parts]).to(device)

    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`."""
        chosen = list(members)
        self.pool.keep(chosen)
        self.labels, self.corrupted = self.labels[chosen], self.corrupted[chosen]

    def scores(
        self, stack: Learner, members: Sequence[int], name: str
    ) -> list[tuple[dict[str, float | None], torch.Tensor]]:
        """Returns loss and accuracies of some runs against the labels of the set, and the classes that they predict.

        For a training set the scores hold the share of corrupted examples that are fitted, too.
        """
        if not members:
            return []
        chosen = list(members)
        marks = self._marks(stack, chosen)
        scores = marks.shares(name)
        if name == "train":
            corrupted = self.corrupted[chosen]
            right = marks.right & corrupted
            shares = (right.sum(1).double() / corrupted.sum(1)).tolist()
            for score, share in zip(scores, shares, strict=True):
                score["corrupted_fitted"] = None if share != share else share  # not a number where none is corrupted
        return list(zip(scores, marks.predicted, strict=True))

    def _marks(self, stack: Learner, chosen: list[int]) -> Marks:
        """How some runs do on the set; how many images are taken at a time changes losses by rounding only."""
        n = self.labels.shape[1]
        size = max(BATCH // len(chosen), LEAST)
        spans = shares([slice(first, min(first + size, n)) for first in range(0, n, size)])
        gathering = Gathering(sum(span.stop - span.start for span in spans))
        for span, inputs in zip(spans, self.pool.blocks(spans, chosen), strict=True):
            logits = stack.outputs(inputs.to(stack.dtype) if inputs.is_floating_point() else inputs, chosen)
            gathering.add(logits, self.labels[chosen, span])
        return of_all(gathering.marks(), spans, n)
