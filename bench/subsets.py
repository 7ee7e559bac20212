"""Claim: 64 subsets of a small perceptron train at least six times faster as a stack, and memorization is the same.

The perceptrons have 64 hidden units and are fitted to 70 % subsets of 512 of the digits, 300 steps each, as an audit
does it. Stacked and separate fits alternate; the best of three rounds counts.

    python bench/subsets.py
"""

import time

import numpy as np

from shatterlab.data import at_most, load
from shatterlab.learners.networks import Networks, Task, Trained
from shatterlab.machine import processor
from shatterlab.measures import memorization
from shatterlab.spec import make_spec

N, RUNS, STEPS, BATCH, ROUNDS = 512, 64, 300, 64, 3


def main() -> None:
    train = at_most(load("digits"), N, 10, 0).train
    pool, y = train.as_images(), train.labels
    spec = make_spec(model="mlp-1x64", data="digits", batch_size=BATCH)
    networks = Networks(spec, None, pool.shape[1:], 10, STEPS, pool.dtype == np.uint8, "cpu")
    requests = memorization.requests(N, draws=RUNS)
    tasks = [Task(request.rows, y[request.rows], request.fit_seed) for request in requests]
    print(f"{processor()}; {RUNS} subsets of n = {N}, {STEPS} steps, batch {BATCH}")
    times: dict[int, list[float]] = {}
    scores = {}
    for _ in range(ROUNDS):
        for together in (1, 8, 16, 32, 64):
            start = time.perf_counter()
            fits = []
            for first in range(0, RUNS, together):
                fits += networks.fit_together(pool, tasks[first : first + together])
            times.setdefault(together, []).append(time.perf_counter() - start)
            seen = [
                memorization.observe(fit, task.rows, pool, y)
                for fit, task in zip(fits, tasks, strict=True)
                if isinstance(fit, Trained)
            ]
            scores[together] = memorization.estimate(seen).scores
    for together, seconds in times.items():
        difference = np.nanmax(np.abs(scores[together] - scores[1]))
        print(
            f"stacks of {together:2}: best {min(seconds):6.2f} s, median {np.median(seconds):6.2f}, "
            f"{min(times[1]) / min(seconds):4.1f} times as fast; largest difference of a score {difference:.3f}"
        )


if __name__ == "__main__":
    main()
