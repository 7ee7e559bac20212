"""How time and memory of a run grow with the number of images, the width of the network and the runs in a stack.

Every line is a process of its own, so that its peak memory is that of the run alone: CIFAR-10 loaded, corrupted,
trained for three epochs on the processor, scored. Beside the measured numbers stands what `shatterlab run` would have
announced.

    python bench/scaling.py
"""

import multiprocessing
import tempfile
from pathlib import Path
from time import perf_counter

from shatterlab.machine import processor
from shatterlab.spec import Spec, make_spec

EPOCHS = 3
N, WIDTH, STACK_N = 10_000, 512, 1_000


def measured(specs: list[Spec]) -> tuple[float, float, float]:
    """Seconds of an epoch of every run (the median), seconds from start to end, peak resident bytes."""
    from shatterlab.machine import peak_memory
    from shatterlab.results import Store
    from shatterlab.spine import run_together

    took: dict[int, float] = {}

    def note(_: Spec, row: object) -> None:
        took[row.epoch] = took.get(row.epoch, 0.0) + row.seconds  # type: ignore[attr-defined]

    with tempfile.TemporaryDirectory() as folder, peak_memory() as peak:
        began = perf_counter()
        run_together(specs, Store(Path(folder)), device="cpu", on_row=note)
        whole = perf_counter() - began
        memory = peak() or float("nan")
    return sorted(took.values())[len(took) // 2], whole, memory


def announced(specs: list[Spec]) -> tuple[float, float]:
    """Seconds and bytes of main memory as estimated before the start."""
    import torch

    from shatterlab.engines.estimate import estimate
    from shatterlab.jobs import Training

    found = estimate([[Training(spec) for spec in specs]], threads=torch.get_num_threads(), device="cpu")
    return found.seconds, found.memory


def line(what: str, specs: list[Spec]) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        epoch, whole, memory = pool.apply(measured, (specs,))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, expected = pool.apply(announced, (specs,))
    print(
        f"{what:<34}{epoch:>10.3f}{whole:>10.1f}{memory / 1e9:>10.2f}{seconds:>14.1f}{expected / 1e9:>10.2f}",
        flush=True,
    )


def spec(n: int, model: str, seed: int = 0, batch_size: int = 128) -> Spec:
    return make_spec(
        model=model, data="cifar10", corruption="random-labels", n=n, n_test=1_000, epochs=EPOCHS, seed=seed,
        batch_size=batch_size,
    )  # fmt: skip


def main() -> None:
    print(f"{processor()}; CIFAR-10, random labels, {EPOCHS} epochs")
    print(f"{'':<34}{'s/epoch':>10}{'s in all':>10}{'GB':>10}{'announced s':>14}{'GB':>10}")
    for n in (1_000, 5_000, 10_000, 50_000):
        line(f"mlp-1x512, n = {n:,}", [spec(n, "mlp-1x512")])
    for n in (1_000, 5_000):
        line(f"alexnet, n = {n:,}", [spec(n, "alexnet")])
    for n in (500, 1_000):
        line(f"inception, n = {n:,}", [spec(n, "inception")])
    for width in (64, 256, 1_024, 4_096):
        line(f"mlp-1x{width}, n = {N:,}", [spec(N, f"mlp-1x{width}")])
    for runs in (1, 4, 16, 64):
        line(
            f"{runs} stacked mlp-1x64, n = {STACK_N:,}",
            [spec(STACK_N, "mlp-1x64", seed, batch_size=64) for seed in range(runs)],
        )


if __name__ == "__main__":
    main()
