"""Numbers and settings in words, as the verdicts, tables and charts of several studies say them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl


def percent(share: float) -> str:
    """0.9934 -> 99.3 %."""
    return f"{100 * share:.1f} %"


def mean_of(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The mean over seeds, with the standard deviation and the number of seeds where there are several."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return form(mean)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{form(mean)} ± {form(deviation).removeprefix('+')} ({len(values)} seeds)"


def gain(runs: pl.DataFrame, base: pl.DataFrame, column: str = "test_accuracy") -> str:
    """By how many percentage points of `column` the `runs` beat those of `base` with the same seed, in words.

    Several seeds add their standard deviation, a single seed the standard error that its test sets leave.
    """
    pairs = runs.join(base, on="seed", suffix="_base")
    differences = (100 * (pairs[column] - pairs[f"{column}_base"])).to_list()
    if not differences:
        return "an unknown number of"
    if len(differences) > 1:
        return mean_of(differences, "{:+.2f}".format)
    # One seed has no spread, but its test sets have errors, which are added as if the two were independent.
    shares = [pairs[column][0], pairs[f"{column}_base"][0]]
    error = 100 * (sum(share * (1 - share) for share in shares) / pairs["n_test"][0]) ** 0.5
    return f"{differences[0]:+.2f} (1 seed, test set ± {error:.2f})"


TRAINING_DIALS = {
    "learning_rate": "learning rates",
    "decay_every": "images between decays",
    "decay": "decays",
    "batch_size": "batch sizes",
}


def unlike(runs: pl.DataFrame, base: pl.DataFrame) -> str:
    """A reservation where two groups of runs that are compared were not trained alike."""
    pairs = {text: (runs[dial][0], base[dial][0]) for dial, text in TRAINING_DIALS.items()}
    pairs["epochs"] = max(runs["epochs"].to_list()), max(base["epochs"].to_list())
    apart = [f"{text} {ours:,g} and {theirs:,g}" for text, (ours, theirs) in pairs.items() if ours != theirs]
    return f", not trained alike: {', '.join(apart)}" if apart else ""


def points(values: pl.Series) -> str:
    """A mean in percent, with the standard deviation of several, for a cell beside one that counts the seeds."""
    return mean_of(values.to_list(), lambda share: f"{100 * share:.2f}").partition(" (")[0]


def setting(runs: pl.DataFrame) -> str:
    """The setting that the runs share, for a subtitle: data, n, epochs, seeds."""
    seeds = runs.group_by("model").agg(pl.col("seed").n_unique())["seed"]
    parts = [str(runs["data"][0]), f"n = {_range(runs['n'])}", f"up to {max(runs['epochs'].to_list())} epochs"]
    return ", ".join([*parts, f"{_range(seeds)} seed{'s' * (max(seeds) > 1)}"])


def seeds_of(records: Sequence[Mapping[str, Any]]) -> str:
    """The number of seeds of the records, for a subtitle, such as `1 seed` or `3 seeds`."""
    count = len({record["seed"] for record in records})
    return f"{count} seed{'s' * (count > 1)}"


def _range(values: pl.Series) -> str:
    unique = sorted(values.unique().to_list())
    return f"{unique[0]:,}" if len(unique) == 1 else f"{unique[0]:,} to {unique[-1]:,}"
