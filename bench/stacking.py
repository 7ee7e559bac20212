"""Claim: many runs that share a shape train faster stacked than one after another, or are not stacked.

Convolutional networks are here to show that on a processor they are not: a step of theirs leaves no overhead to save.
On a GPU, where there is one, everything runs there.

    python bench/stacking.py
"""

import numpy as np
import torch

from shatterlab import build, make_spec
from shatterlab.data import Data, Dataset, image_shape, load, subset
from shatterlab.machine import processor
from shatterlab.training import Epoch, MomentumSGD, learner_for, train_together

N, BATCH, EPOCHS, ROUNDS = 512, 64, 5, 3
RUNS = 64
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pixels(side: int, channels: int = 1) -> Data:
    """Random square images; time does not depend on what they show."""
    rng = np.random.default_rng(0)
    shape = side, side, channels
    train, test = (
        Dataset(rng.integers(256, size=(n, *shape), dtype=np.uint8), rng.integers(10, size=n), classes=10)
        for n in (N, 100)
    )
    return Data(train, test)


def seconds(model: str, data: Data, runs: int, together: int) -> float:
    """Of an epoch of every run, the median of the epochs after the first of each stack, best of `ROUNDS`."""
    best = float("inf")
    for _ in range(ROUNDS):
        total = 0.0
        for first in range(0, runs, together):
            specs = [
                make_spec(
                    model=model, data="digits", epochs=1 + EPOCHS, batch_size=BATCH, evaluate_every=10**6, seed=seed
                )
                for seed in range(first, first + together)
            ]
            models = [build(model, image_shape(data.train.shape), 10, spec.seed).to(DEVICE) for spec in specs]
            stack = learner_for(models, [MomentumSGD(m.parameters(), 0.9, 0.0) for m in models])
            took: list[float] = []
            for ends in train_together(specs, [data] * together, stack):
                took.append(sum(end.row.seconds for end in ends.values() if isinstance(end, Epoch)))
            total += float(np.median(took[1:]))
        best = min(best, total)
    return best


def main() -> None:
    where = (
        torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"{processor()}, {torch.get_num_threads()} threads"
    )
    print(f"{where}; torch {torch.__version__}; n = {N}, batch {BATCH}")
    digits = subset(load("digits"), N, 100, seed=0)
    cases = [
        ("mlp-1x64", "digits, 64", digits, RUNS),
        ("mlp-1x64", "784", pixels(28), RUNS),
        ("mlp-1x64", "2,304", pixels(48), RUNS),
        ("mlp-1x512", "784", pixels(28), RUNS),
        ("mlp-1x512", "2,352", pixels(28, 3), RUNS),
        ("alexnet", "digits, 64", digits, 8),
        ("inception", "digits, 64", digits, 8),
    ]
    for model, inputs, data, runs in cases:
        few = min(runs, 8)
        alone = seconds(model, data, few, 1) * runs / few
        for together in sorted({few, 16, runs} & set(range(runs + 1))):
            stacked = seconds(model, data, runs, together)
            print(
                f"{model:<12} inputs {inputs:<12} stacks of {together:3}: {alone / stacked:5.2f} times as fast; "
                f"{runs} runs {stacked * 1e3:.1f} ms an epoch, {alone * 1e3:.1f} ms one after another",
                flush=True,
            )


if __name__ == "__main__":
    main()
