"""Epoch by epoch: what a network knows of the test set while it memorizes wrong labels (Arpit et al., 2017)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import polars as pl

from ..figures.timeline import memorization_timeline
from ..jobs import Training
from ..spec import make_spec
from .outcome import NO_RUNS, Outcome, State, all_of, cannot_tell
from .recipes import for_data
from .rules import few_seeds, mislabelled, small, unfitted
from .sentences import count_of, display, mean_of, percent, sentence, setting, with_error
from .statistics import Estimate, above, over_seeds, unpaired_difference, with_seed_spread
from .study import Cells, Claim, Scale, Study, Tables

AMOUNT = 0.4
"""So many labels are redrawn: enough wrong ones to follow, and a majority of right ones, which are a pattern."""

# The learning rate of the demo lets a perceptron generalize before it memorizes; at 0.01 both happen in a few epochs.
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 5_000, "n_test": 5_000, "epochs": 45, "learning_rate": 0.003}],
    "cpu": [
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
        {"model": "alexnet", "n": 5_000, "batch_size": 64, "epochs": 60},
    ],
    "paper": [
        {"model": "inception", "epochs": 100},
        {"model": "alexnet", "epochs": 100},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
    ],
}

HALF = 0.5
"""A network is looked at before this share of its wrong labels is fitted, in an epoch that no test label chooses."""

SOONER = 0.1
"""Right labels are fitted sooner if the share of them that is fitted by then is larger by this (an assumption)."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Training]:
    """Each network of the scale on partly wrong labels, scored after every epoch until it fits them."""
    return [
        Training(
            make_spec(
                **for_data(dials, data),
                data=data,
                corruption="partial-labels",
                amount=AMOUNT,
                evaluate_every=1,
                stop="fit",
                seed=seed,
            )
        )
        for dials in RUNS[scale]
        for seed in range(seeds)
    ]


@dataclass(frozen=True)
class Moment:
    """A run just before it has fitted half of its wrong labels.

    Args:
        epoch: the last evaluated epoch before that.
        wrong_fitted, right_fitted: the shares of the wrong and of the right labels that are predicted as given.
        test_accuracy: the test accuracy there.
        at_the_end: the test accuracy after the last epoch.
    """

    epoch: int
    wrong_fitted: float
    right_fitted: float
    test_accuracy: float
    at_the_end: float


def moment(run: Mapping[str, Any], epochs: pl.DataFrame) -> Moment | None:
    """The moment of a run; None where half of the wrong labels were fitted by the first evaluation or never, or where
    a number of it is none.

    Args:
        run: a line of the table of runs.
        epochs: its epochs, with the columns epoch, train_accuracy, corrupted_fitted and test_accuracy.
    """
    seen = epochs.drop_nulls(["corrupted_fitted", "train_accuracy", "test_accuracy"]).sort("epoch")
    shares = seen["corrupted_fitted"].to_list()
    half = next((place for place, share in enumerate(shares) if share >= HALF), 0)
    if not half or not 0 < run["wrong_labels"] < 1:
        return None
    before = seen.row(half - 1, named=True)
    wrong = run["wrong_labels"]
    # Of all labels, the wrong ones that are fitted and the right ones that are fitted make up the train accuracy.
    right = (before["train_accuracy"] - wrong * before["corrupted_fitted"]) / (1 - wrong)
    shares = before["corrupted_fitted"], right, before["test_accuracy"], run["test_accuracy"]
    return Moment(before["epoch"], *shares) if all(map(isfinite, shares)) else None


@dataclass(frozen=True)
class Timeline:
    """The runs of one network, and their moments by seed where all have one."""

    runs: pl.DataFrame
    moments: list[Moment] | None

    @property
    def name(self) -> str:
        """The network and n, for people."""
        return f"{display(self.runs['model'][0])}, n = {self.runs['n'][0]:,}"

    def sooner(self) -> Estimate:
        """The share of right labels fitted less that of wrong ones, at the moment."""
        assert self.moments is not None
        return over_seeds([one.right_fitted - one.wrong_fitted for one in self.moments], 1 / int(min(self.runs["n"])))

    def fall(self) -> Estimate:
        """The test accuracy at the moment less that at the end; which examples were right then is not kept."""
        assert self.moments is not None
        first, last = ([getattr(one, when) for one in self.moments] for when in ("test_accuracy", "at_the_end"))
        return with_seed_spread(unpaired_difference(first, last, int(min(self.runs["n_test"]))))


def timelines(tables: Tables) -> list[Timeline]:
    """The timeline of each network."""
    if tables.runs.is_empty():
        return []
    found = []
    for runs in tables.runs.sort("n", "model", "seed", descending=[True, False, False]).partition_by(
        "model", "n", "amount", maintain_order=True
    ):
        epochs = [tables.epochs.filter(pl.col("run_id") == id) for id in runs["run_id"]]
        moments = [moment(run, seen) for run, seen in zip(runs.iter_rows(named=True), epochs, strict=True)]
        whole = [one for one in moments if one is not None]
        found.append(Timeline(runs, whole if len(whole) == len(moments) else None))
    return found


def table(tables: Tables) -> list[Cells]:
    """A line for each network: the epoch before half of the wrong labels are fitted, beside the last."""
    return [
        {
            "model": display(one.runs["model"][0]),
            "n": one.runs["n"][0],
            "seeds": len(one.runs),
            "wrong labels": mean_of(one.runs["wrong_labels"].to_list(), percent),
            "epoch": _then(one, "epoch", "{:.0f}".format),
            "right labels fitted then": _then(one, "right_fitted"),
            "wrong labels fitted then": _then(one, "wrong_fitted"),
            "test accuracy then": _then(one, "test_accuracy"),
            "at the end": mean_of(one.runs["test_accuracy"].to_list(), percent),
        }
        for one in timelines(tables)
    ]


def _then(one: Timeline, name: str, form: Callable[[float], str] = percent) -> str:
    """A number of the moments of all seeds."""
    return "—" if one.moments is None else mean_of([getattr(m, name) for m in one.moments], form)


def draw(tables: Tables) -> Mapping[str, Any]:
    """Test accuracy beside the share of wrong labels fitted, by epoch, a line for each network."""
    names = pl.col("model").map_elements(display, return_dtype=pl.String)
    return {
        "memorization": memorization_timeline(
            tables.epochs.with_columns(names.alias("condition")),
            title="What is memorized, and what is known of the test set, epoch by epoch",
            subtitle=f"{setting(tables.runs)}; {percent(tables.runs['amount'][0])} of the labels redrawn",
        )
    }


def verdict(tables: Tables) -> list[str]:
    """What each network knows before half of the wrong labels are fitted, and in the end."""
    return [_in_words(one) for one in timelines(tables)] or ["No run is finished yet."]


def _in_words(one: Timeline) -> str:
    if one.moments is None:
        return sentence(f"{one.name}:", "no epoch was scored in which fewer than half of the wrong labels were fitted")
    return sentence(
        f"{one.name}: in epoch {_then(one, 'epoch', '{:.0f}'.format)}, before half of the wrong labels are fitted, "
        "the network has fitted",
        f"{_then(one, 'right_fitted')} of the right ones and {_then(one, 'wrong_fitted')} of the wrong ones",
        f"its test accuracy is {_then(one, 'test_accuracy')} then",
        f"{mean_of(one.runs['test_accuracy'].to_list(), percent)} in the end, with "
        f"{mean_of(one.runs['train_accuracy'].to_list(), percent)} of all labels fitted",
        caveat=count_of(len(one.runs), "seed"),
    )


def _premise(one: Timeline, numbers: str = "") -> Outcome | None:
    """The outcome `cannot tell` where a network was not followed while it memorized, or None."""
    unready = small(one.runs) or unfitted(one.runs) or mislabelled(one.runs)
    if unready is None and one.moments is None:
        unready = cannot_tell(f"{one.name} was not scored both before and after half of the wrong labels were fitted")
    if unready is None:
        unready = few_seeds(one.runs)
    return unready and replace(unready, numbers=numbers)


def _sooner(tables: Tables) -> Outcome:
    parts = []
    for one in timelines(tables):
        numbers = ""
        if one.moments is not None:
            numbers = (
                f"{one.name}: {_then(one, 'right_fitted')} of the right labels when {_then(one, 'wrong_fitted')} of "
                "the wrong ones were fitted"
            )
        unready = _premise(one, numbers)
        if unready is None:
            low, high = one.sooner().interval()
            state: State = "confirmed" if low > SOONER else "contradicted" if high < 0 else "not shown"
            unready = Outcome(state, numbers)
        parts.append(unready)
    return all_of(parts) if parts else NO_RUNS


def _falls(tables: Tables) -> Outcome:
    parts = []
    for one in timelines(tables):
        numbers = "" if one.moments is None else f"{one.name}: a fall of {with_error(one.fall()).removeprefix('+')}"
        parts.append(_premise(one, numbers) or Outcome(above(one.fall(), 0), numbers))
    return all_of(parts) if parts else NO_RUNS


STUDY = Study(
    question="While a network memorizes wrong labels, what becomes of what it knows?",
    source="Arpit et al. (2017); Zhang et al. (2017), section 2.2",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Networks fit right labels sooner than wrong ones.",
            f"Confirmed if every network that fits all its labels, {percent(AMOUNT)} of them redrawn, has fitted a "
            f"larger share of the right ones than of the wrong ones, by more than {100 * SOONER:g} points, in the last "
            "epoch before half of the wrong ones are fitted, beyond the error of at least two seeds. Contradicted if "
            "for one network the share of right ones is smaller, beyond that error.",
            _sooner,
        ),
        Claim(
            "Test accuracy falls while wrong labels are memorized.",
            "Confirmed if for every network that fits all its labels the test accuracy of the last epoch before half "
            "of the wrong ones are fitted is higher than that in the end, beyond the error of at least two seeds and "
            "of the test set. Contradicted if for one network it is lower. No test label chooses that epoch: the best "
            "epoch on the test set would be higher than the last by luck alone.",
            _falls,
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "partially corrupted labels",
        "number of epochs",
    ),
)
