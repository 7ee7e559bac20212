"""Networks as measures know them: trained as `run` trains, alone or as a stack, with equally many steps at any n."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from ..data import Data, Dataset
from ..errors import ShatterlabError
from ..measures.convergence import falling
from ..models.own import OwnModel
from ..preparation import model_for, pick_device
from ..row import Row
from ..spec import Spec
from ..training import OPTIMIZERS, learner_of, train_together
from ..training.alone import as_seen
from ..training.augment import augment, draw
from ..training.learner import Learner
from ..training.perceptrons import Perceptrons, is_perceptron
from ..training.precision import rounding
from ..training.preprocess import crop_box, preprocess, whiten
from ..training.sets import Rows

BLOCK = 500
"""This many examples are predicted at a time."""
OVERFIT_LOSS = 0.1
"""Labels count as overfitted from the epoch on whose mean online loss is below this, as in the learning curves."""
LARGEST_STACK = 64
"""At most this many perceptrons are trained as one stack."""


class Task(NamedTuple):
    """One fit: the places of its examples in the pool, their labels, and the seed of weights and order."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    seed: int


@dataclass(frozen=True)
class Networks:
    """An architecture with all dials of its training; each fit builds and trains a network of its own.

    Args:
        spec: the dials of the training; epochs, seed and stop are those of a fit.
        network: a user's network, None for the one of the house that the spec names.
        shape: the shape of one input of the pool.
        classes: number of classes.
        steps: optimizer steps of a fit, the same however many examples it has; fewer once all labels are fitted.
        bytes: whether the pool holds bytes.
        device: see `preparation.pick_device`.
    """

    spec: Spec
    network: OwnModel | None
    shape: tuple[int, ...]
    classes: int
    steps: int
    bytes: bool = False
    device: str = "auto"

    def build(self, seed: int) -> nn.Module:
        """The network with fresh weights."""
        empty = Dataset(np.zeros((1, *self.shape), np.float32), np.zeros(1, np.int64), self.classes)
        spec = self.spec.model_copy(update={"seed": seed})
        model: nn.Module = model_for(spec, Data(empty, empty), self.network).to(pick_device(self.device))
        if self.network is None:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model

    @cached_property
    def stacks(self) -> bool:
        """Whether fits are faster together: true of perceptrons, whereas stacks of small convolutions are slower."""
        plain = self.spec.optimizer == "sgd" and not self.spec.augments and not self.spec.label_smoothing
        return plain and (is_perceptron(model := self.build(0)) or is_sequence(model))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64], seed: int) -> "Trained":
        """One fit to all of X, see `measures.fitting.Fit`.

        Raises:
            ShatterlabError: the training diverged.
        """
        (trained,) = self.fit_together(X, [Task(np.arange(len(y)), y, seed)])
        if isinstance(trained, ShatterlabError):
            raise trained
        return trained

    def fit_together(
        self, pool: NDArray[Any], tasks: Sequence[Task], *, watch: bool = False
    ) -> "list[Trained | ShatterlabError]":
        """Several fits to equally many examples of a pool, which is not copied for each.

        Args:
            pool: inputs (any number, ...) of the shape of `shape`.
            tasks: the fits; more than one only where `stacks`.
            watch: whether the loss of every training example is recorded after each epoch; of a single task only.

        Returns:
            Each fit, or the error that ended it.
        """
        n = len(tasks[0].rows)
        epochs = max(1, ceil(self.steps / ceil(n / self.spec.batch_size)))
        fixed: dict[str, Any] = {"epochs": epochs, "evaluate_every": epochs, "stop": "fit"}
        flat = self.network is not None and self.stacks
        whole = pool
        if flat:
            whole, fixed = _flat(pool, self.spec.crop), fixed | {"crop": None}
        specs = [self.spec.model_copy(update=fixed | {"seed": task.seed}) for task in tasks]
        models = [self.build(task.seed) for task in tasks]
        optimizers = [OPTIMIZERS[spec.optimizer](m.parameters(), spec) for spec, m in zip(specs, models, strict=True)]
        few = np.arange(1)  # the loop scores a test set, and there is none
        data = [
            Data(
                Dataset(Rows(whole, task.rows), task.labels, self.classes),  # type: ignore[arg-type]
                Dataset(Rows(whole, few), task.labels[few], self.classes),  # type: ignore[arg-type]
            )
            for task in tasks
        ]
        stack: Learner = (
            Perceptrons(models, optimizers, self.spec.precision == "bf16")  # type: ignore[arg-type]
            if flat
            else learner_of(self.spec, models, optimizers, own=self.network is not None)
        )
        fits: list[Trained | ShatterlabError] = [Trained(self, model, []) for model in models]
        for ends in train_together(specs, data, stack):
            for place, end in ends.items():
                fit = fits[place]
                if isinstance(end, ShatterlabError):
                    fits[place] = end
                elif isinstance(fit, Trained):
                    fit.rows.append(end.row)
            stack.write_back()
            if watch and isinstance(only := fits[0], Trained):
                only.watched.append(only.losses(pool[tasks[0].rows], tasks[0].labels))
        return fits


class Trained:
    """A trained network, see `measures.fitting.Predict`.

    Args:
        networks: the architecture.
        model: the network.
        rows: what each epoch of its training left.
    """

    def __init__(self, networks: Networks, model: nn.Module, rows: list[Row]) -> None:
        self.networks, self.model, self.rows = networks, model, rows
        self.watched: list[NDArray[np.float32]] = []

    def __call__(self, X: NDArray[Any]) -> NDArray[np.int64]:
        """Class indices (n,)."""
        return self.logits(X).argmax(1).numpy()

    def probabilities(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Class probabilities (n, K)."""
        return self.logits(X).double().softmax(1).numpy()

    def losses(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cross-entropy of each example, (n,)."""
        return F.cross_entropy(self.logits(X), torch.from_numpy(y), reduction="none").numpy()

    @torch.no_grad()
    def logits(self, X: NDArray[Any]) -> torch.Tensor:
        """Logits (n, K), float32 on the processor, in evaluation mode."""
        self.model.eval()
        parts = [self.apply(X[start : start + BLOCK]) for start in range(0, len(X), BLOCK)]
        self.model.train()
        return torch.cat(parts).float().cpu()

    def apply(self, X: NDArray[Any]) -> torch.Tensor:
        """Logits of inputs as they are in the pool, in the mode that the network is in."""
        spec, device = self.networks.spec, next(self.model.parameters()).device
        seen = as_seen(preprocess(X, spec.crop, spec.preprocessing, device), own=self.networks.network is not None)
        with rounding(device, spec.precision == "bf16"):
            logits: torch.Tensor = self.model(seen)
        return logits

    def differentiable(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of floats in the units of the pool, preprocessing included, so that inputs have gradients.

        Pixels that are bytes in the pool are floats from 0 to 255 here.
        """
        spec = self.networks.spec
        seen = inputs[(slice(None), *crop_box(tuple(inputs.shape[1:]), spec.crop))]
        if self.networks.bytes and spec.preprocessing in ("whiten", "scale"):
            seen = seen / 255
        if spec.preprocessing == "whiten":
            seen = whiten(seen)
        logits: torch.Tensor = self.model(as_seen(seen, own=self.networks.network is not None))
        return logits

    def on_inputs(self, unit: float | NDArray[np.float32] = 1.0) -> nn.Module:
        """The network as a module that takes floats in a unit of one's own, preprocessing included.

        Args:
            unit: what an input is multiplied by to be in the units of the pool, a number or one for each column.
        """
        return _OnInputs(self, torch.as_tensor(unit, dtype=torch.float32))

    @property
    def finished(self) -> bool:
        """Whether all labels were fitted, or the loss is not shown to have been still falling."""
        return self.rows[-1].fitted or falling([row.online_loss for row in self.rows]) is not True

    @property
    def facts(self) -> dict[str, Any]:
        """What a network can say of itself: parameters, steps taken, steps until its labels were overfitted."""
        overfit = next((row.step for row in self.rows if row.online_loss < OVERFIT_LOSS), None)
        count = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        return {"parameters": count, "steps": self.rows[-1].step, "steps_to_overfit": overfit}


class _OnInputs(nn.Module):
    """A trained network behind its preprocessing, see `Trained.differentiable`."""

    def __init__(self, trained: Trained, unit: torch.Tensor) -> None:
        super().__init__()
        self.model, self.trained, self.unit = trained.model, trained, unit

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.trained.differentiable(inputs * self.unit.to(inputs.device))


def is_sequence(model: nn.Module) -> bool:
    """Whether a user's network is a sequence of linear layers with offsets and ReLUs, perhaps behind a `Flatten`."""
    if type(model) is not nn.Sequential:
        return False
    layers = [layer for layer in model if type(layer) is not nn.Flatten]
    if len(list(model)) - len(layers) > 1 or (len(list(model)) > len(layers) and type(model[0]) is not nn.Flatten):
        return False
    return len(layers) % 2 == 1 and all(
        type(layer) is nn.ReLU if i % 2 else type(layer) is nn.Linear and layer.bias is not None
        for i, layer in enumerate(layers)
    )


def _flat(pool: NDArray[Any], crop: int | None) -> NDArray[Any]:
    """The inputs as rows in the order in which a user's `Flatten` sees them, images with their channels first."""
    pool = pool[(slice(None), *crop_box(pool.shape[1:], crop))]
    return np.ascontiguousarray(np.moveaxis(pool, 3, 1) if pool.ndim == 4 else pool).reshape(len(pool), -1)


def as_trained_on(images: NDArray[Any], spec: Spec, epoch: int = 1) -> NDArray[np.float32]:
    """Images as a network sees them in an epoch of its training, each with changes of its own.

    Args:
        images: (n, height, width, channels), uint8 or float32 in [0, 1].
        spec: the dials of the training: crop, augmentation, preprocessing and seed.
        epoch: the number of the epoch, counted from 1.

    Returns:
        (n, crop, crop, channels).
    """
    changes = draw(spec, len(images), images.shape[1:], epoch, torch.device("cpu"))
    return augment(torch.from_numpy(np.ascontiguousarray(images)), changes, spec).numpy()
