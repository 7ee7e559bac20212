"""Claim: many runs that share a shape train faster stacked than one after another, or are not stacked.

python bench/stacking.py [model ...]
"""

import numpy as np
import torch

from shatterlab import build, make_spec
from shatterlab.data import Data, Dataset, load, subset
from shatterlab.results import processor
from shatterlab.row import Row
from shatterlab.training import MomentumSGD, learner, train_together

N, BATCH, EPOCHS, ROUNDS = 512, 64, 5, 3
RUNS = 64


def pixels(inputs: int) -> Data:
    """Random grey images of `inputs` pixels; time does not depend on what they show."""
    rng = np.random.default_rng(0)
    side = round(inputs**0.5)
    train, test = (
        Dataset(rng.integers(256, size=(n, side, side, 1), dtype=np.uint8), rng.integers(10, size=n), classes=10)
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
            models = [build(model, data.train.shape, 10, spec.seed) for spec in specs]
            stack = learner(models, [MomentumSGD(m.parameters(), 0.9, 0.0) for m in models])
            took: list[float] = []
            for rows in train_together(specs, [data] * together, stack):
                took.append(sum(row.seconds for row in rows.values() if isinstance(row, Row)))
            total += float(np.median(took[1:]))
        best = min(best, total)
    return best


def main() -> None:
    print(f"{processor()}; torch {torch.__version__}, {torch.get_num_threads()} threads; n = {N}, batch {BATCH}")
    digits = subset(load("digits"), N, 100, seed=0)
    cases = [
        ("mlp-1x64", "digits, 64", digits),
        ("mlp-1x64", "784", pixels(784)),
        ("mlp-1x64", "2,304", pixels(2304)),
        ("mlp-1x512", "784", pixels(784)),
    ]
    for model, inputs, data in cases:
        alone = seconds(model, data, 8, 1) * RUNS / 8
        for together in (8, 16, 64):
            stacked = seconds(model, data, RUNS, together)
            print(
                f"{model:<12} inputs {inputs:<12} stacks of {together:3}: {alone / stacked:5.2f} times as fast; "
                f"{RUNS} runs {stacked * 1e3:.1f} ms an epoch, {alone * 1e3:.1f} ms one after another",
                flush=True,
            )


if __name__ == "__main__":
    main()
