"""A rehearsal of trainings: each network is built and takes a step, before anybody waits or pays for the whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..data import Data, as_data, load
from ..data.dataset import Dataset
from ..errors import ShatterlabError
from ..jobs import Training
from ..preparation import model_for, pick_device, prepare
from ..training import OPTIMIZERS, learner_of, train_together
from ..training.loop import Epoch

EXAMPLES, CLASSES = 4, 1_000
"""A rehearsal trains and scores so many examples; noise in the place of data that are not here has so many classes."""


class Rehearsed(NamedTuple):
    """What a rehearsal found.

    Args:
        parameters: the number of trainable numbers of the network.
        loss: the loss before the step, in nats.
        seconds: the time of building, one step and scoring.
        noise: whether the data were not here, so that noise of their shape stood in for them.
    """

    parameters: int
    loss: float
    seconds: float
    noise: bool


def rehearse(
    jobs: Sequence[Training], device: str = "auto", data_dir: Path | None = None, side: int | None = None
) -> Iterator[Rehearsed]:
    """Builds each network and takes one step of its training on a few examples; nothing is kept.

    Args:
        jobs: the trainings.
        device, data_dir: see `spine.run`.
        side: pixels a side of the noise that stands in for pictures that are not here.

    Raises:
        ShatterlabError: a network cannot be built or take a step; the message says why.
    """
    target = pick_device(device)
    for job in jobs:
        start = perf_counter()
        whole, noise = _data_of(job, data_dir, side)
        few = {"n": min(EXAMPLES, len(whole.train)), "n_test": min(EXAMPLES, len(whole.test)), "n_validation": 0}
        spec = job.spec.model_copy(update={**few, "batch_size": EXAMPLES, "epochs": 1, "stop": "never"})
        data = prepare(spec, data=whole)
        model = model_for(spec, data, job.model).to(target)
        optimizer = OPTIMIZERS[spec.optimizer](model.parameters(), spec)
        learner = learner_of(spec, [model], [optimizer], own=job.model is not None)
        (ends,) = train_together([spec], [data], learner)
        end = ends[0]
        if not isinstance(end, Epoch):
            raise end
        parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        yield Rehearsed(parameters, end.row.online_loss, perf_counter() - start, noise)


def _data_of(job: Training, data_dir: Path | None, side: int | None) -> tuple[Data, bool]:
    """The data of a training, or noise in the place of pictures that are not here, and whether it is noise."""
    try:
        return load(job.spec.data, data_dir) if job.data is None else as_data(job.data), False
    except ShatterlabError:
        if side is None:
            raise
    rng = np.random.default_rng(0)
    train, test = (
        Dataset(
            rng.integers(256, size=(EXAMPLES, side, side, 3), dtype=np.uint8),
            rng.integers(CLASSES, size=EXAMPLES),
            CLASSES,
        )
        for _ in range(2)
    )
    return Data(train, test), True
