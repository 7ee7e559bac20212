"""The images and labels of several runs on the device, and the scores of a stack of models on them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..data.dataset import Dataset
from ..spec import Spec
from .learner import Learner
from .preprocess import preprocess

BATCH, LEAST = 500, 50
"""A pass for evaluation takes `BATCH` images at a time of all runs together, but at least `LEAST` of each run."""


def cross_entropies(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The cross-entropies (runs, n), in nats, of logits (runs, n, classes) against labels (runs, n)."""
    return F.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def accuracies(outputs: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """The share of examples that each run's logits (runs, n, classes) predict as labelled."""
    return (outputs.argmax(-1) == labels).double().mean(1).tolist()


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

    def block(self, span: slice, members: Sequence[int]) -> torch.Tensor:
        """Returns a span of the images of some runs, (runs, span, height, width, channels)."""
        if self.same:
            return self.images[None, span].expand(len(members), *[-1] * self.images.ndim)
        return self.images[self.rows[list(members), span]]

    def keep(self, members: Sequence[int]) -> None:
        """Forgets all runs but `members`."""
        self.rows = self.rows if self.same else self.rows[list(members)]


def _equal(images: np.ndarray, other: np.ndarray) -> bool:
    # The first image tells most sets apart.
    return images is other or (np.array_equal(images[:1], other[:1]) and np.array_equal(images, other))


class Prepared:
    """One set of each run (train, validation or test), preprocessed for the networks and put on the device."""

    def __init__(self, parts: Sequence[Dataset], spec: Spec, device: torch.device) -> None:
        self.pool = Pool(
            [part.inputs for part in parts],
            device,
            lambda images: preprocess(images, spec.crop, spec.preprocessing, device),
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
        """Returns loss and accuracy of some runs against the labels of the set, and the classes that they predict.

        For a training set the scores hold the share of corrupted examples that are fitted, too.
        """
        if not members:
            return []
        chosen = list(members)
        outputs = self._outputs(stack, chosen)
        labels, corrupted = self.labels[chosen], self.corrupted[chosen]
        predicted = outputs.argmax(-1)
        scores: list[dict[str, float | None]] = [
            {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
            for loss, accuracy in zip(
                cross_entropies(outputs, labels).mean(1).tolist(), accuracies(outputs, labels), strict=True
            )
        ]
        if name == "train":
            right = (predicted == labels) & corrupted
            shares = (right.sum(1).double() / corrupted.sum(1)).tolist()
            for score, share in zip(scores, shares, strict=True):
                score["corrupted_fitted"] = None if share != share else share  # not a number where none is corrupted
        return list(zip(scores, predicted, strict=True))

    def _outputs(self, stack: Learner, chosen: list[int]) -> torch.Tensor:
        """Returns logits (runs, n, classes); how many images are taken at a time changes them by rounding only."""
        size = max(BATCH // len(chosen), LEAST)
        parts = [
            stack.outputs(inputs.to(stack.dtype) if inputs.is_floating_point() else inputs, chosen)
            for first in range(0, self.labels.shape[1], size)
            for inputs in [self.pool.block(slice(first, first + size), chosen)]
        ]
        return torch.cat(parts, dim=1)
