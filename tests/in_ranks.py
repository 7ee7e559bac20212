"""What tests/test_ranks.py runs in each of several processes."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from helpers import noise_data
from torch import nn

from shatterlab import build, make_spec, run, spine
from shatterlab.ranks import processes, rank, shares
from shatterlab.results import Store
from shatterlab.training import OPTIMIZERS, inside
from shatterlab.training.alone import Alone
from shatterlab.training.learner import Batch
from shatterlab.training.parallel import Parallel
from shatterlab.training.sets import Prepared


class Own(nn.Module):
    """A user's network: normalization of features, dropout of ours, a weight that no step reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(192, 20), nn.BatchNorm1d(20, momentum=None), nn.ReLU(), nn.Linear(20, 4)
        )
        self.unused = nn.Parameter(torch.zeros(3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images)


def built(name: str) -> nn.Module:
    if name == "own":
        torch.manual_seed(0)
        return Own().double()
    return build(name, (8, 8, 3), 4, 0, dropout=0.3).double()


def steps() -> None:
    """Parallel steps on parts of a batch leave the weights of steps on whole batches, in float64."""
    rng = torch.Generator().manual_seed(1)
    for name in ("inception", "mlp-1x16", "own"):
        for optimizer in ("sgd", "rmsprop"):
            spec = make_spec(model="inception", optimizer=optimizer, learning_rate=0.05, weight_decay=0.01)
            models = [built(name), built(name)]
            kinds = (Alone, Parallel)
            learners = [
                kind(model, OPTIMIZERS[optimizer](model.parameters(), spec), False, 0.1, name == "own")
                for kind, model in zip(kinds, models, strict=True)
            ]
            for key, size in enumerate((8, 5, 3)):
                images = torch.randn(1, size, 8, 8, 3, dtype=torch.float64, generator=rng)
                labels = torch.randint(4, (1, size), generator=rng)
                batch = Batch(images, labels, torch.tensor([0.05]), torch.tensor([key]))
                (mine,) = shares([slice(0, size)])
                part = Batch(images[:, mine], labels[:, mine], batch.rates, batch.keys, mine.start, size)
                whole, own = learners[0].step(batch), learners[1].step(part)
                torch.testing.assert_close(own, whole[:, mine], rtol=1e-9, atol=1e-9)
            state = models[1].state_dict()
            for tensor, value in models[0].state_dict().items():
                torch.testing.assert_close(state[tensor], value, rtol=1e-9, atol=1e-9)


def scores() -> None:
    """Each example is scored once, none is repeated to fill a part, and all processes know all scores."""
    for n in (1_203, 3, 1):
        data, spec = noise_data(n=max(n, 8), n_test=n), make_spec(model="inception", data="noise")
        model = built("inception").float()
        learner = Alone(model, OPTIMIZERS["sgd"](model.parameters(), spec), False)
        part = Prepared([data.test], spec, torch.device("cpu"))
        ((found, predicted),) = part.scores(learner, [0], "test")
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model(chunk.permute(0, 3, 1, 2)) for chunk in part.pool.images.split(200)])
        loss = nn.functional.cross_entropy(logits, part.labels[0]).item()
        assert abs(found["test_loss"] - loss) < 1e-4 * abs(loss), (found, loss)
        assert torch.equal(predicted, logits.argmax(1))


def drawing(classes: int) -> nn.Module:
    """A network with dropout of torch's, and with normalization."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20), nn.Dropout(0.3), nn.ReLU(), nn.Linear(20, classes)
    )


def train(store: str, **dials: Any) -> None:
    """Trains on the digits.

    `kill` is the epoch at which the last rank is killed; `saves` the number of checkpoints after which rank 0 is, which
    writes one after every step then; `own` stands for a network that draws from torch's generator.
    """
    spine.CHECKPOINT_SECONDS = 0
    kill, saves, own = int(dials.pop("kill", 0)), int(dials.pop("saves", 0)), dials.pop("own", False)
    if saves:
        inside.LOOK_SECONDS, save, left = 0, Store.save, [saves]

        def save_and_die(store: Store, checkpoints: Any) -> None:
            save(store, checkpoints)
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        Store.save = save_and_die  # type: ignore[method-assign]

    def on_row(row: Any) -> None:
        if row.epoch == kill and rank() == processes() - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    result = run(make_spec(data="digits", **dials), Path(store), model=drawing if own else None, on_row=on_row)
    assert result.last.epoch == dials["epochs"]


if __name__ == "__main__":
    assert processes() == int(os.environ["WORLD_SIZE"])
    what, *arguments = sys.argv[1:]
    if what == "train":
        train(arguments[0], **json.loads(arguments[1]))
    else:
        steps()
        scores()
