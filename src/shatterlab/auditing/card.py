"""The card: what an audit found, in five sentences of plain words, each number with its error and its n."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean, stdev
from typing import Literal

from ..measures.capacity import Capacity
from ..measures.linear import LinearCapacity

FITTED = 0.99
"""Random labels count as memorized from this share of them on, on average over the draws (an assumption)."""
NEARLY = 0.9
"""From this share of random labels on a learner that does not fit them all is said to nearly memorize (an
assumption)."""
POOR = 0.5
"""A learner whose test error exceeds this share of that of always guessing the largest class generalizes poorly (an
assumption)."""
GUESSING = 0.9
"""A learner whose test error is at least this share of that of always guessing the largest class predicts hardly better
than guessing (an assumption)."""
UNFITTED = 0.05
"""A learner that misses more than this share of its own training labels is limited by what it can fit (an
assumption)."""

Answer = Literal["memorizes", "not within this budget, still falling", "cannot"]


@dataclass(frozen=True)
class Share:
    """A share of examples with its standard error.

    Args:
        value: the share, in [0, 1].
        error: its standard error: the binomial one over examples and that over repeats together.
        n: number of examples.
        repeats: number of repeats.
    """

    value: float
    error: float
    n: int
    repeats: int

    @classmethod
    def of(cls, counts: Sequence[int], n: int) -> "Share":
        """The share of counts out of n in each repeat."""
        shares = [count / n for count in counts]
        value = fmean(shares)
        inward = (sum(counts) + 1) / (n * len(counts) + 2)
        over_repeats = stdev(shares) / sqrt(len(shares)) if len(shares) > 1 else 0.0
        error = sqrt(inward * (1 - inward) / n + over_repeats**2)
        return cls(value, error, n, len(counts))

    def __str__(self) -> str:
        return f"{percent(self.value)} ± {percent(self.error)}"


@dataclass(frozen=True)
class Facts:
    """What the card is made of; None for what was left out.

    Args:
        random_fitted: share of random labels that are fitted.
        unfinished: whether a fit to random labels ended while its loss was still falling.
        slowdown: how many times the steps, or seconds, of true labels random ones take; None where these are not
            fitted.
        slowdown_in: "steps" or "seconds".
        train_error, test_error: errors after training on true labels.
        majority_error: the test error of always guessing the largest class.
        capacity: the exact capacity.
        linear: what theory says of a binary linear model of these inputs.
        memorized: mean memorization and its standard error, number of fits.
        changed_fitted: share of half-random labels that were replaced wrongly and fitted all the same.
        rademacher: its value and error, and its number of draws.
        bound: guaranteed test error at 95 %, by hold-out.
        random_bound: the bound by random labels, or by labels known to be wrong, and its verdict.
        suspects: how many labels are expected to be wrong: low, expected, high, of how many.
        look_at: the places of the most suspect examples.
        memorized_at: the places of the most memorized ones.
        classes, n: numbers of classes and of training examples.
    """

    random_fitted: Share
    unfinished: bool
    slowdown: float | None
    slowdown_in: str
    train_error: Share
    test_error: Share
    majority_error: float
    classes: int
    n: int
    capacity: Capacity | None = None
    linear: LinearCapacity | None = None
    memorized: tuple[float, float, int] | None = None
    changed_fitted: Share | None = None
    rademacher: tuple[float, float, int] | None = None
    bound: float | None = None
    random_bound: tuple[float | None, str] | None = None
    suspects: tuple[float, float, float, int] | None = None
    look_at: Sequence[int] = ()
    memorized_at: Sequence[int] = ()

    @property
    def answer(self) -> Answer:
        """Whether random labels are memorized."""
        if self.random_fitted.value >= FITTED:
            return "memorizes"
        return "not within this budget, still falling" if self.unfinished else "cannot"


def card(facts: Facts) -> list[str]:
    """Five sentences: what it can memorize, what it did, what is guaranteed, where to look, what to do next."""
    return [_can(facts), _did(facts), _guaranteed(facts), _look(facts), _next(facts)]


def _can(facts: Facts) -> str:
    share, n = facts.random_fitted, facts.random_fitted.n
    draws = "one draw" if share.repeats == 1 else f"{share.repeats} draws"
    if facts.answer == "memorizes":
        all_of = f"all {n:,} random labels" if share.value == 1 else f"{percent(share.value)} of {n:,} random labels"
        times = ""
        if facts.slowdown:
            times = f", in {facts.slowdown:.2g} times the {facts.slowdown_in} of true ones"
        text = f"Memorizes {all_of}{times} ({draws})."
    elif facts.answer == "cannot":
        verdict = "Nearly memorizes" if share.value >= NEARLY else "Cannot memorize"
        text = f"{verdict}: fits {share} of {n:,} random labels ({draws}, {facts.classes} classes)."
    else:
        text = (
            f"Did not memorize within this budget: fits {share} of {n:,} random labels ({draws}), and its loss was "
            "still falling."
        )
    if facts.capacity is not None and facts.answer != "memorizes":
        text += f" {facts.capacity}"
    if facts.linear is not None:
        theory = facts.linear
        text += f" A plane of its dimension separates {theory.mean:.0f} in theory ({theory.low} to {theory.high})."
    return text


def _did(facts: Facts) -> str:
    text = f"On the true labels it errs on {facts.train_error} of {facts.n:,} training and {facts.test_error} of " + (
        f"{facts.test_error.n:,} test examples"
    )
    if facts.memorized is not None:
        mean, error, fits = facts.memorized
        text += f"; on average {percent(mean)} ± {percent(error)} of a label was memorized ({fits} fits)"
    elif facts.changed_fitted is not None:
        text += f"; of {facts.changed_fitted.n:,} wrong labels among right ones it fits {facts.changed_fitted}"
    return f"{text}."


def _guaranteed(facts: Facts) -> str:
    if facts.bound is None:
        return "Nothing is guaranteed: no test examples were left to bound the error with."
    text = (
        f"Error <= {percent(facts.bound)} with 95 % confidence (hold-out, n = {facts.test_error.n:,}; measured "
        f"{facts.test_error})"
    )
    if facts.bound >= 1 - 1 / facts.classes:
        text += ", no better than guessing"
    if facts.random_bound is not None:
        bound, verdict = facts.random_bound
        shown = verdict if bound is None or verdict == "vacuous" else f"{percent(bound)}, {verdict}"
        text += f"; by random labels alone: {shown}"
    return f"{text}."


def _look(facts: Facts) -> str:
    if facts.suspects is not None and facts.look_at:
        low, expected, high, of = facts.suspects
        first = ", ".join(map(str, facts.look_at[:5]))
        if facts.test_error.value >= GUESSING * facts.majority_error:
            return (
                f"Which labels are wrong cannot be told, as it predicts test examples (n = {facts.test_error.n:,}) "
                f"hardly better than guessing; the most suspect are {first}."
            )
        if high < 1:
            return (
                f"No label of {of:,} looks wrong (90 % interval {low:.0f} to {high:.0f}); the least sure are {first}."
            )
        if low < 1:
            return (
                f"At most {high:,.0f} of {of:,} labels look wrong, perhaps none (90 % interval {low:.0f} to "
                f"{high:.0f}); look at examples {first} first."
            )
        return (
            f"Between {low:,.0f} and {high:,.0f} of {of:,} labels look wrong (90 % interval around {expected:,.0f}); "
            f"look at examples {first} first."
        )
    if facts.look_at:
        first = ", ".join(map(str, facts.look_at[:5]))
        return (
            f"Look at examples {first} first: fits without them contradict their labels most often (n = {facts.n:,})."
        )
    if facts.memorized_at:
        return f"Look at the most memorized examples first: {', '.join(map(str, facts.memorized_at[:5]))}."
    return "Which examples to look at is not known, as the fits to parts of the examples were left out."


def _next(facts: Facts) -> str:
    poor = facts.test_error.value > POOR * facts.majority_error
    test, n = percent(facts.test_error.value), facts.n
    if facts.answer == "not within this budget, still falling":
        return (
            "Nothing can be concluded yet: let the learner train longer or at a larger rate, and give the audit a "
            "larger budget, which then begins anew."
        )
    if facts.linear is not None and facts.capacity is not None and facts.capacity.value < facts.linear.low:
        return (
            "Regularization, not dimension, limits it: it fits fewer random labels than a plane of its dimension can "
            "separate; regularize less if it also errs in training."
        )
    if facts.answer == "memorizes":
        if poor:
            return (
                f"It errs on {test} of new examples although it can fit anything: too little data (n = {n:,}), not too "
                "little capacity; get more examples, augment, or start from a pretrained model."
            )
        if facts.suspects is not None and facts.suspects[0] >= 1:
            return f"It can fit anything yet errs on {test} of new examples: check the labels above before more data."
        return f"It can fit anything yet errs on {test} of new examples: capacity is no argument against it here."
    if facts.train_error.value > UNFITTED:
        return (
            f"It misses {percent(facts.train_error.value)} of its own training labels: a larger model or less "
            "regularization comes first."
        )
    if poor:
        return "It fits what it is shown and errs on new examples: more data or other features come first."
    guessed = 1 / facts.classes
    if facts.random_fitted.value > (1 + guessed) / 2:
        return (
            f"It fits {percent(facts.random_fitted.value)} even of random labels, so that its training error says "
            "little about its test error; trust the test error."
        )
    return "It fits what can be learnt and little else: its training error says much about its test error."


def percent(share: float) -> str:
    """A share as a percentage with one or two digits.

    >>> percent(0.0423), percent(0.5), percent(0.0004)
    ('4.2 %', '50 %', '0.04 %')
    """
    if not isfinite(share):
        return "an unknown share"
    value = 100 * share
    if 0 < value < 0.005:
        return "under 0.01 %"
    digits = 0 if abs(value) >= 10 or value == 0 else 1 if abs(value) >= 1 else 2
    if abs(value) >= 10 and abs(value - round(value)) > 0.05:
        digits = 1
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"
