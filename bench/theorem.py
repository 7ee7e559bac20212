"""Claim: the theorem's network meets the labels 0 to 9 of a million Gaussian points to 1e-6 in float64.

The table of NOTEBOOK.md: largest errors of the same network with weights that are rounded in several ways and sums that
are taken in several orders. `python bench/theorem.py [--n 1000 10000 100000 1000000] [--d 50] [--seed 0]`
"""

import argparse
import math
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from shatterlab.theory.ramps import sum_of_ramps
from shatterlab.theory.relu_interpolation import ReLUInterpolator, project, slopes_between, sorted_line

SAMPLE = 1_000
"""Sums of n ramps are taken at so many points, drawn at random."""


def two_sum(x: float, y: float) -> tuple[float, float]:
    """x + y and the rounding error of it (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def fed_back(knots: NDArray, y: NDArray) -> tuple[NDArray, float]:
    """Weights of which each is rounded after it was chosen to meet its label beside all before it, and their error.

    The slope and the value so far are kept as sums of two floats; each label is met to the rounding of one weight.
    """
    weights, worst = [], 0.0
    slope, slope_rest, value, value_rest = 0.0, 0.0, 0.0, 0.0
    for gap, label in zip(np.diff(knots).tolist(), y.tolist(), strict=True):
        weight = ((label - value) - value_rest) / gap - slope - slope_rest
        slope, rest = two_sum(slope, weight)
        slope, slope_rest = two_sum(slope, slope_rest + rest)
        value, rest = two_sum(value, slope * gap)
        value, value_rest = two_sum(value, value_rest + rest + slope_rest * gap)
        weights.append(weight)
        worst = max(worst, abs(value - label + value_rest))
    return np.array(weights), worst


def by_prefix_sums(knots: NDArray, w: NDArray, kind: type = np.float64) -> NDArray:
    """The values at all knots but the first; in numpy's long double 64 bits of each number are kept."""
    return np.cumsum(np.cumsum(w.astype(kind)) * np.diff(knots.astype(kind)))


def as_written(z: NDArray, b: NDArray, w: NDArray, exactly: bool = False) -> NDArray:
    """The sum of ramps of each point; `exactly` adds the rounded ramps up without further rounding."""
    if exactly:
        return np.array([math.fsum(np.maximum(point - b, 0) * w) for point in z])
    return np.array([np.maximum(point - b, 0) @ w for point in z])


def measure(n: int, d: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.integers(10, size=n)
    start = perf_counter()
    net = ReLUInterpolator().fit(X, y)
    fitted = perf_counter()
    error = np.abs(net.predict(X) - y).max()
    predicted = perf_counter()
    line = sorted_line(X, y[:, None].astype(float))
    knots, labels = line.knots, line.y[:, 0]
    some = rng.permutation(n)[:SAMPLE]
    z = project(X, line.a)
    sharing = np.diff(slopes_between(knots, line.y)[:, 0], prepend=0.0)
    plain = np.diff(np.diff(labels, prepend=0.0) / np.diff(knots), prepend=0.0)
    rest = plain.copy()
    for _ in range(3):  # each pass corrects what is left, and rounds the sum
        left = np.diff((labels - by_prefix_sums(knots, rest, np.longdouble)), prepend=0.0) / np.diff(knots)
        rest = (rest + np.diff(left, prepend=0.0)).astype(np.float64)
    begun = perf_counter()
    _, fed = fed_back(knots, labels)
    feeding = perf_counter() - begun
    with torch.no_grad():
        module = net.to_torch()
        parts = np.array_split(some, SAMPLE // 4)
        torch_error = max(np.abs(module(torch.tensor(X[few]))[:, 0].numpy() - y[few]).max() for few in parts)
    blas = X @ line.a
    moved = sum_of_ramps(blas, knots[:-1], sharing[:, None])[:, 0]
    return {
        "nearest points, of a range of 1": float(np.diff(line.z).min() / np.ptp(line.z)),
        "each weight rounded; exact sums": float(np.abs(by_prefix_sums(knots, plain, np.longdouble) - labels).max()),
        "each weight rounded; prefix sums": float(np.abs(by_prefix_sums(knots, plain) - labels).max()),
        "each weight rounded, three refinements; exact sums": float(
            np.abs(by_prefix_sums(knots, rest, np.longdouble) - labels).max()
        ),
        "each weight rounded; as written": float(np.abs(as_written(z[some], knots[:-1], plain) - y[some]).max()),
        "each weight rounded; as written, a'x by BLAS": float(
            np.abs(as_written(blas[some], knots[:-1], plain) - y[some]).max()
        ),
        "errors fed on, weight by weight; exact sums": fed,
        "a shared grid; exact sums": float(np.abs(by_prefix_sums(knots, sharing, np.longdouble) - labels).max()),
        "a shared grid; prefix sums (predict)": float(error),
        "a shared grid; prefix sums, a'x by BLAS": float(np.abs(moved - y).max()),
        "a shared grid; as written (to_torch)": float(torch_error),
        "a shared grid; rounded ramps added up exactly": float(
            np.abs(as_written(z[some[:50]], knots[:-1], sharing, True) - y[some[:50]]).max()
        ),
        "seconds to fit": fitted - start,
        "seconds to predict": predicted - fitted,
        "seconds to feed errors on": feeding,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    columns = {n: measure(n, given.d, given.seed) for n in given.n}
    print("| | " + " | ".join(f"n = {n:,}" for n in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(f"{column[name]:.1e}" for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
