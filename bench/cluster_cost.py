"""What table 1 at the paper's size with five seeds takes on many graphics cards: simulated from measured times.

Each run is a task with a card of its own, as `shatterlab run table1 --scale paper --seeds 5 --engine ray` hands them
out, the longest first; nothing is stacked. Epochs are the means of docs/measured/paper-size.csv, seconds an epoch those
of one H100 on which nothing else runs (NOTEBOOK.md), in bf16.

    python bench/cluster_cost.py [DOLLARS AN HOUR AND CARD]
"""

import heapq
import sys
from pathlib import Path

import polars as pl

from shatterlab.paper import TABLE_1, Table1Row

MEASURED = Path(__file__).resolve().parent.parent / "docs" / "measured" / "paper-size.csv"
SECONDS = {"inception": 1.06, "inception-no-bn": 0.97, "alexnet": 0.26, "mlp-3x512": 0.13, "mlp-1x512": 0.13}
"""Seconds an epoch of training. MLP 3x512 was not timed alone on the card and is taken for as slow as MLP 1x512."""
EVALUATION = 0.1
"""Scoring takes at most this share of a run, see `training.loop.EVALUATION_SHARE`."""
START = 20.0
"""A task needs about these seconds until its worker has imported torch, read the data and captured its steps."""
SEEDS = 5
CARDS = (1, 8, 64)


def epochs_of(row: Table1Row, runs: pl.DataFrame) -> float:
    """The mean number of epochs of a row's runs; of the row without weight decay where it was never run."""
    found = runs.filter(
        (pl.col("model") == row.model)
        & (pl.col("corruption") == ("random-labels" if row.random_labels else "true-labels"))
        & (pl.col("random_crop") == row.crop)
        & (pl.col("flip") == 0)
        & (pl.col("n") == 50_000)
    )
    exact = found.filter((pl.col("weight_decay") > 0) == row.weight_decay)
    mean = (exact if len(exact) else found)["epochs"].mean()
    assert isinstance(mean, float)
    return mean


def makespan(tasks: list[float], cards: int) -> float:
    """When the last task ends if a card that is free takes the longest that is left."""
    free = [0.0] * cards
    for seconds in sorted(tasks, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free)


def main() -> None:
    """Prints the work, and for each number of cards how long it takes, runs an hour, and what it costs."""
    price = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    runs = pl.read_csv(MEASURED, infer_schema_length=None).filter(pl.col("precision") == "bf16")
    work = [SECONDS[row.model] * epochs_of(row, runs) * (1 + EVALUATION) for row in TABLE_1]
    tasks = [START + seconds for seconds in work for _ in range(SEEDS)]
    print(f"{len(tasks)} runs, {sum(tasks) / 3600:.2f} card hours, the longest {max(tasks):.0f} s")
    for cards in CARDS:
        seconds = makespan(tasks, cards)
        print(
            f"{cards} cards: {seconds / 60:.1f} min, {3600 * len(tasks) / seconds:,.0f} runs an hour, "
            f"{100 * sum(tasks) / seconds / cards:.0f} % busy, {price * cards * seconds / 3600:.2f} dollars at "
            f"{price:g} an hour and card"
        )


if __name__ == "__main__":
    main()
