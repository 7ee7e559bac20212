"""Numbers and settings in words, as the verdicts, tables and charts of several studies say them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from .statistics import Estimate


DISPLAY_NAMES = {
    "inception": "Inception",
    "inception-no-bn": "Inception without BN",
    "inception-v3": "Inception V3",
    "alexnet": "AlexNet",
    "cifar10": "CIFAR-10",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
}


def display(name: str) -> str:
    """The name of a network or a data set for people: `mlp-1x512` -> `MLP 1x512`, `alexnet` -> `AlexNet`."""
    return DISPLAY_NAMES.get(name) or re.sub(r"^mlp-", "MLP ", name)


def class_names(data: str) -> tuple[str, ...]:
    """The names of the classes of a data set of the house; none where these are its labels, or the data a user's."""
    from ..data import DATASETS

    source = DATASETS.get(data)
    return source.names if source else ()


def sentence(subject: str, number: str, *more: str, compared: str = "", caveat: str = "") -> str:
    """A sentence of a verdict: subject, number, comparison, further numbers, caveat.

    >>> sentence("With all labels random, MLP 1x512 has a test error of", "92 %", "fitting takes 1.3 times the steps",
    ...          compared="62 % with true labels", caveat="one seed")
    'With all labels random, MLP 1x512 has a test error of 92 % (62 % with true labels); fitting takes 1.3 times the \
steps; one seed.'
    """
    first = f"{subject} {number}{f' ({compared})' if compared else ''}"
    return "; ".join(part for part in (first, *more, caveat) if part) + "."


def percent(share: float) -> str:
    """0.9934 -> 99.3 %, 1 -> 100 %; what is not 0 or 100 % is never rounded to it."""
    if abs(share) < 1e-9:
        return "0 %"  # rounding of a computation, also below zero
    for digits in range(1, 5):
        text = f"{100 * share:.{digits}f}"
        if float(text) not in (0.0, 100.0):
            break
    if share != 1.0 and float(text) in (0.0, 100.0):
        return "over 99.9999 %" if share > 0.5 else "less than 0.0001 %"
    return f"{text.rstrip('0').rstrip('.')} %"


def times(factor: float) -> str:
    """19.0 -> 19 times, 1.34 -> 1.3 times, 0.04 -> 0.04 times."""
    return f"{f'{factor:.1f}'.removesuffix('.0') if factor >= 0.95 else f'{factor:.2g}'} times"


def points_of(share: float) -> str:
    """A difference of shares in percentage points, with its sign: 0.0123 -> +1.23 points."""
    return f"{100 * share:+.2f} points"


def with_error(estimate: "Estimate") -> str:
    """A difference of shares with its standard error, where known, and its seeds: +1.23 points (SE 0.40, 3 seeds).

    Where a spread over seeds is assumed, both errors are given: +0.20 points (SE 0.14; 1.42 with an assumed spread over
    seeds; 1 seed).
    """
    error = "" if estimate.error == float("inf") else f"SE {100 * estimate.error:.2f}, "
    if error and estimate.measured is not None:
        error = f"SE {100 * estimate.measured:.2f}; {100 * estimate.error:.2f} with an assumed spread over seeds; "
    return f"{points_of(estimate.value)} ({error}{count_of(estimate.seeds, 'seed')})"


def count_of(number: int, noun: str) -> str:
    """1, seed -> 1 seed; 3, seed -> 3 seeds."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def mean_of(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The mean over seeds, with the standard deviation (SD) and the number of seeds where there are several."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return form(mean)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{form(mean)} (SD {_spread(deviation, form)}, {len(values)} seeds)"


def _spread(deviation: float, form: Callable[[float], str]) -> str:
    """A standard deviation in the unit of a form of numbers, without the unit and sign."""
    text = form(deviation).removeprefix("+").removesuffix(" %")
    return text if text[:1].isdigit() else "under 0.01"


TRAINING_DIALS = {
    "learning_rate": "learning rates",
    "decay_every": "images between decays",
    "decay": "decays",
    "batch_size": "batch sizes",
}


def unlike(runs: pl.DataFrame, base: pl.DataFrame) -> str:
    """A caveat where two groups of runs that are compared were not trained alike, else an empty string."""
    pairs = {text: (runs[dial][0], base[dial][0]) for dial, text in TRAINING_DIALS.items()}
    # Runs that end when they have fitted are trained alike, however many epochs that takes each of them.
    if {*runs["stop"], *base["stop"]} != {"fit"}:
        pairs["epochs"] = max(runs["epochs"].to_list()), max(base["epochs"].to_list())
    apart = [f"{text} {ours:,g} and {theirs:,g}" for text, (ours, theirs) in pairs.items() if ours != theirs]
    return f"not trained alike: {', '.join(apart)}" if apart else ""


def points(values: pl.Series) -> str:
    """A mean in percent, with the standard deviation of several: `62.10 (SD 0.40)`, for a cell of a table."""
    return mean_of(values.to_list(), lambda share: f"{100 * share:.2f}").replace(f", {len(values)} seeds", "")


def setting(runs: pl.DataFrame) -> str:
    """The setting that the runs share, for a subtitle: data, n, epochs, seeds, and a precision other than float32."""
    seeds = runs.group_by("model").agg(pl.col("seed").n_unique())["seed"]
    parts = [str(runs["data"][0]), f"n = {_range(runs['n'])}", f"up to {max(runs['epochs'].to_list())} epochs"]
    precisions = [name for name in runs["precision"].unique(maintain_order=True).to_list() if name != "float32"]
    return ", ".join([*parts, f"{_range(seeds)} seed{'s' * (max(seeds) > 1)}", *precisions])


def seeds_of(records: Sequence[Mapping[str, Any]]) -> str:
    """The number of seeds of the records, for a subtitle, such as `1 seed` or `3 seeds`."""
    return count_of(len({record["seed"] for record in records}), "seed")


def _range(values: pl.Series) -> str:
    unique = sorted(values.unique().to_list())
    return f"{unique[0]:,}" if len(unique) == 1 else f"{unique[0]:,} to {unique[-1]:,}"
