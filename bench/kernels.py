"""Claim: solving a Gaussian kernel for 20,000 points is at least 1.5 times as fast as scikit-learn's KernelRidge.

And takes at most half its peak memory. Both fit the same one-hot targets of MNIST in float32, each in a process of its
own, in turns; the last line is of medians, as a machine that hands out fresh memory slowly gives seconds of noise. The
peak is the whole process's, data and libraries included, and beside it without them. The rate of a large matrix product
is taken in the same process, right before.

    python bench/kernels.py [--n 20000] [--gamma 0.02] [--repeats 3] [--ours-only]
"""

import argparse
import json
import subprocess
import sys
from statistics import median
from time import perf_counter

import numpy as np


def measure(which: str, n: int, gamma: float) -> None:
    from shatterlab.data import at_most, load
    from shatterlab.machine import peak_memory, processor
    from shatterlab.theory import KernelInterpolator

    some = at_most(load("mnist"), n, 2_000, 0)
    X, X_test = some.train.flat(), some.test.flat()
    y = np.eye(10, dtype=np.float32)[some.train.labels]
    square = np.ones((4_096, 4_096), np.float32)
    square @ square
    start = perf_counter()
    square @ square
    rate = 2 * len(square) ** 3 / (perf_counter() - start)
    del square
    if which == "sklearn":
        from sklearn.kernel_ridge import KernelRidge

        # Without a ridge its solver finds the matrix singular in float32; 1e-6 is the least that it takes quietly.
        model = KernelRidge(alpha=1e-6, kernel="rbf", gamma=gamma)
    else:
        model = KernelInterpolator("gaussian", gamma, 1e-6, "float32")
    with peak_memory() as peak:
        before = peak()
        start = perf_counter()
        model.fit(X, y)
        seconds = perf_counter() - start
        memory = peak()
    wrong = float((model.predict(X_test).argmax(axis=1) != some.test.labels).mean())
    assert before is not None, "needs Linux"
    assert memory is not None
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak": memory,
                "beside": memory - before,
                "share": (n**3 / 3 + n**2 * X.shape[1]) / seconds / rate,
                "error": wrong,
                "machine": processor(),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--gamma", type=float, default=0.02)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--measure", choices=("ours", "sklearn"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.n, options.gamma)
        return
    found: dict[str, list[dict[str, float]]] = {"ours": []} if options.ours_only else {"ours": [], "sklearn": []}
    for repeat in range(options.repeats):
        for which, results in found.items():
            dials = ["--measure", which, "--n", str(options.n), "--gamma", str(options.gamma)]
            done = subprocess.run([sys.executable, __file__, *dials], check=True, capture_output=True, text=True)
            results.append(r := json.loads(done.stdout))
            if repeat == 0 and which == "ours":
                print(f"{r['machine']}; MNIST, n = {options.n:,}, float32, ridge 1e-6\n")
                print(
                    f"{'':10}{'seconds':>10}{'peak GB':>10}{'beside data':>13}{'of matrix rate':>16}{'test error':>12}"
                )
            print(
                f"{which:10}{r['seconds']:10.1f}{r['peak'] / 1e9:10.2f}{r['beside'] / 1e9:13.2f}{r['share']:16.0%}"
                f"{r['error']:12.2%}"
            )
    if len(found) == 2:
        ours, theirs = (
            {dial: median(r[dial] for r in found[which]) for dial in ("seconds", "peak")} for which in found
        )
        print(
            f"\n{theirs['seconds'] / ours['seconds']:.2f} times as fast (goal 1.5), "
            f"{ours['peak'] / theirs['peak']:.2f} of its peak memory (goal 0.5)"
        )


if __name__ == "__main__":
    main()
