"""Claim: two processes train Inception V3 on photographs to the losses of one.

Rounding grows in such a network: its upper layers see single pixels at 75 pixels a side, so that batch normalization
divides by the spread of few numbers, and at a rate of 0.003 a difference grows some thirtyfold a step. One process with
another number of threads, which adds up in another order, is therefore the control.

    python bench/ranks.py FOLDER-OF-PHOTOGRAPHS
"""

import json
import os
import subprocess
import sys
from itertools import product
from typing import Any

import torch

from shatterlab import make_spec
from shatterlab.data import load
from shatterlab.machine import processor
from shatterlab.preparation import model_for, prepare
from shatterlab.ranks import rank
from shatterlab.training import OPTIMIZERS, learner_for, train_together

DIALS: dict[str, Any] = {
    "model": "inception-v3", "n": 96, "n_test": 50, "batch_size": 32, "epochs": 2,
    "evaluate_every": 1, "flip": 0.5, "dropout": 0.2, "corruption": "random-labels",
}  # fmt: skip
LOSSES = ("online_loss", "train_loss", "test_loss")


RATES = (3e-5, 0.003)


def train(data: str, kind: str, rate: float) -> None:
    """Trains in this process, together with others if torchrun has started them, and prints the losses as JSON."""
    spec = make_spec(data=data, learning_rate=rate, **DIALS)
    made = prepare(spec, data=load(data)).as_images()
    model = model_for(spec, made).to(torch.float64 if kind == "float64" else torch.float32)
    optimizer = OPTIMIZERS[spec.optimizer](model.parameters(), spec)
    rows = []
    for ends in train_together([spec], [made], learner_for([model], [optimizer])):
        row = ends[0].row  # type: ignore[union-attr]
        rows.append([getattr(row, name) for name in LOSSES])
    if rank() == 0:
        print("losses", json.dumps(rows))


def losses(data: str, kind: str, rate: float, processes: int, threads: int) -> torch.Tensor:
    """The losses (epochs, 3) of a training with so many processes of so many threads each."""
    joint = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *joint, __file__, data, kind, str(rate)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("losses "))
    return torch.tensor(json.loads(line.removeprefix("losses ")), dtype=torch.float64)


def main() -> None:
    """Prints the losses of one process, and how far those of two, and of another number of threads, are from them."""
    data = f"folder:{sys.argv[1]}?side=75"
    print(f"{processor()}; {DIALS}")
    for kind, rate in product(("float64", "float32"), RATES):
        one = losses(data, kind, rate, 1, 2)
        print(f"{kind}, rate {rate:g}, one process of two threads, {', '.join(LOSSES)} by epoch: {one.tolist()}")
        others = {
            "two processes": losses(data, kind, rate, 2, 1),
            "one process with one thread": losses(data, kind, rate, 1, 1),
        }
        for name, other in others.items():
            apart = ((other - one).abs() / one).amax(0).tolist()
            print(f"{kind}, rate {rate:g}, {name}: largest relative differences {apart}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        train(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    else:
        main()
