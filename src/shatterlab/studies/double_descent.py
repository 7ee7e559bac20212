"""Beyond the classical picture: the test error peaks at as many features as points, and falls again."""

from collections.abc import Mapping
from itertools import combinations
from math import exp, log, log1p
from statistics import fmean
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .outcome import NO_RUNS, Outcome, State, all_of, cannot_tell
from .rules import FITS, not_finite
from .sentences import count_of, display, mean_of, percent, sentence, with_error
from .statistics import EQUIVALENCE_LEVEL, LEVEL, Estimate, above, corrected, no_gain, over_seeds
from .study import Cells, Claim, Scale, Study, Tables

# The numbers of features are these multiples of n, which are dense around 1, where the peak is to be located.
RATIOS = (0.1, 0.2, 1 / 3, 0.5, 0.67, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
RIDGES = (0.0, *(10.0**k for k in range(-7, 3)))
NOISE = 0.15
PEAK = 0.1
"""The peak counts as lying at n if it is within this share of n (an assumption)."""
LEAST_CHANGE = 0.01
"""The test error rises towards n, and falls again beyond, by more than this share of the test points (an assumption).

Where a draw takes the whole test set, all draws share it, and its sampling error is not in their spread. For two shares
of 10,000 points it is at most 0.7 points.
"""
BUMP = 0.1
"""The best ridge has removed the peak if its squared loss nowhere rises by this share (an assumption)."""
ERROR_BUMP = 0.02
"""Nor may its test error rise by this share of the test points anywhere (an assumption).

On CIFAR-10 the test error of the least-norm fit rises by 10 points towards n (n = 300, 600 test points, five draws).
"""
SETTINGS: dict[Scale, dict[str, int]] = {
    "demo": {"n": 300, "n_test": 600, "repeats": 5},
    "cpu": {"n": 1_000, "n_test": 5_000, "repeats": 10},
    "paper": {"n": 3_000, "n_test": 10_000, "repeats": 5},
}
KINDS = {"least norm": "least_norm", "best ridge": "ridged"}


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A sweep over the number of features for each repeat, which has its own data, label noise and features."""
    dials = {name: value for name, value in SETTINGS[scale].items() if name != "repeats"}
    memory = 8 * max(RATIOS) * dials["n"] * (2 * dials["n"] + dials["n_test"])
    return [
        Computation("double-descent", f"double descent, draw {repeat + 1}",
                    {"data": data, "noise": NOISE, "seed": repeat} | dials, sweep, memory=memory)
        for repeat in range(SETTINGS[scale]["repeats"] * seeds)
    ]  # fmt: skip


def sweep(data: Any, n: int, n_test: int, noise: float, seed: int) -> list[dict[str, Any]]:
    """Errors of the fit of least norm and of the fit with the ridge that is best on validation data.

    Labels of the training points are replaced by a wrong class with probability `noise`; the ridge is chosen on a
    validation set of n points with labels as noisy.
    """
    import numpy as np

    from ..corruption import corrupt
    from ..data import at_most, hold_out
    from ..theory import random_relu_features, ridge_path

    n = min(n, len(data.train) // 2)
    subset = hold_out(
        corrupt(at_most(data, 2 * n, n_test, seed), "partial-labels", noise, seed, label_noise="symmetric"), n, seed
    )
    assert subset.validation is not None
    parts = [part.flat().astype(float) for part in (subset.train, subset.validation, subset.test)]
    mean, deviation = parts[0].mean(), parts[0].std()
    X, X_validation, X_test = ((part - mean) / deviation for part in parts)
    one_hot = np.eye(data.train.classes)
    y, y_validation, y_test = (one_hot[part.labels] for part in (subset.train, subset.validation, subset.test))

    def scores(F: Any, w: Any, target: Any) -> tuple[float, float]:
        fitted = F @ w
        return (
            float((fitted.argmax(axis=1) != target.argmax(axis=1)).mean()),
            float(((fitted - target) ** 2).sum(axis=1).mean()),
        )

    records = []
    weights_seed = int(stream(seed, "double-descent", "weights").integers(2**31))
    counts = sorted({max(1, round(ratio * n)) for ratio in RATIOS})
    most = counts[-1]
    # The features of a smaller model are the first ones of a larger model.
    every = [random_relu_features(part, most, weights_seed) * most**0.5 for part in (X, X_validation, X_test)]
    for count in counts:
        F, F_validation, F_test = (part[:, :count] / count**0.5 for part in every)
        path = ridge_path(F, y, RIDGES)
        chosen = min(range(len(RIDGES)), key=lambda i: scores(F_validation, path[i], y_validation)[1])
        for kind, index in (("least norm", 0), ("best ridge", chosen)):
            error, loss = scores(F_test, path[index], y_test)
            records.append(
                {
                    "kind": kind,
                    "features": count,
                    "n": n,
                    "ridge": RIDGES[index],
                    "test_error": error,
                    "test_loss": loss,
                    "train_error": scores(F, path[index], y)[0],
                    "norm": float(np.linalg.norm(path[index])),
                }
            )
    return records


def draws_of(tables: Tables, kind: str, quantity: str) -> dict[int, list[float]]:
    """A quantity at each number of features, in every draw; the draws stand in the same order."""
    found: dict[int, list[float]] = {}
    for r in sorted(tables.records, key=lambda r: (r["features"], r["seed"])):
        if r["kind"] == kind:
            found.setdefault(r["features"], []).append(r[quantity])
    return found


def geometric_mean(values: list[float]) -> float:
    """The geometric mean, as single draws have losses at the peak that are many times those of others; 0 if one is."""
    return exp(fmean(map(log, values))) if all(value > 0 for value in values) else 0.0


def table(tables: Tables) -> list[Cells]:
    """Mean test errors and geometric means of the losses over draws, at each number of features."""
    bare, ridged = (draws_of(tables, kind, "test_error") for kind in KINDS)
    losses, ridged_losses = (draws_of(tables, kind, "test_loss") for kind in KINDS)
    n = tables.records[0]["n"]
    return [
        {
            "features": features,
            "features / n": f"{features / n:.2f}",
            "draws": len(bare[features]),
            "least norm: mean test error": percent(fmean(bare[features])),
            "squared loss (geometric mean)": f"{geometric_mean(losses[features]):.3g}",
            "best ridge: mean test error": percent(fmean(ridged[features])),
            "its squared loss (geometric mean)": f"{geometric_mean(ridged_losses[features]):.3g}",
        }
        for features in bare
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Test error and squared loss against the number of features."""
    first = tables.records[0]
    draws = len({r["seed"] for r in tables.records})
    parts = (
        display(first["data"]),
        f"n = {first['n']:,}",
        f"{percent(first['noise'])} of labels wrong",
        count_of(draws, "draw"),
        "means with SD" if draws > 1 else "",
    )
    shared: dict[str, Any] = {
        "log_x": True,
        "subtitle": ", ".join(part for part in parts if part),
        "x_title": "random ReLU features",
        "rules": {"n": first["n"]},
    }
    return {
        "error": lines(tables.records, "features", "test_error", "kind", y_format="%",
                       title="Test error against the size of the model", y_title="test error", **shared),
        "loss": lines(tables.records, "features", "test_loss", "kind", log_y=True,
                      title="Squared test loss against the size of the model", y_title="squared loss", **shared),
    }  # fmt: skip


class Descent(NamedTuple):
    """What the curves do at as many features as points, at fewer and at more; differences are paired by draw."""

    n: int
    draws: int
    largest: int
    """The largest number of features."""
    below: int
    """The number of features under n with the least mean test error, and how many there are to choose from."""
    choices: int
    peak: int
    """The number of features at which the squared loss of the least-norm fit is largest, by its geometric mean."""
    error: dict[int, list[float]]
    """The test errors of the least-norm fit at each number of features, in every draw."""
    loss: dict[int, list[float]]
    ridged_error: dict[int, list[float]]
    unfitted: float
    """The largest mean train error of the least-norm fit from n features on."""
    located: Estimate
    """The logarithm of the squared loss at n less that at the largest of all numbers of features that are off by more
    than `PEAK`."""
    top: Estimate
    """The test error at n less the largest of all numbers of features that are off by more than `PEAK`."""
    rise: Estimate
    """The test error at n less that at `below`."""
    fall: Estimate
    """The test error at n less that at the most features."""
    bump: Estimate
    """The largest rise of the logarithm of the squared loss with the best ridge, as features are added."""
    error_bump: Estimate
    """The same of its test error."""


def unready(tables: Tables) -> Outcome | None:
    """The outcome `cannot tell` where the records do not hold all that a descent is read from, or None."""
    if not tables.records:
        return NO_RUNS
    if broken := not_finite(tables.records, ("test_error", "test_loss", "train_error")):
        return broken
    n = tables.records[0]["n"]
    fits: dict[int, set[tuple[str, int]]] = {}
    for r in tables.records:
        if r["test_loss"] <= 0:
            return cannot_tell(f"The squared loss of draw {r['seed'] + 1} is 0 at {r['features']:,} features")
        fits.setdefault(r["seed"], set()).add((r["kind"], r["features"]))
    every = set.union(*fits.values())
    for seed, found in sorted(fits.items()):
        for kind, features in sorted(every - found):
            return cannot_tell(f"Draw {seed + 1} lacks the {kind} fit at {features:,} features", "finish")
    sizes = {features for _, features in every}
    if every != {(kind, features) for kind in KINDS for features in sizes} or not (min(sizes) < n < max(sizes)):
        return cannot_tell(UNCOVERED, "finish")
    if n not in sizes or all(abs(features - n) <= PEAK * n for features in sizes):
        return cannot_tell(UNCOVERED, "finish")
    return None


UNCOVERED = "There are no fits below, at and beyond as many features as points"


def descent(tables: Tables) -> Descent:
    """The descent that the records show, where nothing is `unready`."""
    error, loss, train = (draws_of(tables, "least norm", name) for name in ("test_error", "test_loss", "train_error"))
    ridged_error, ridged = (draws_of(tables, "best ridge", name) for name in ("test_error", "test_loss"))
    n = tables.records[0]["n"]
    under = [features for features in error if features < n]
    off = [features for features in loss if abs(features - n) > PEAK * n]
    largest = max(error)
    logs, ridged_logs = (
        {features: [log(value) for value in values] for features, values in losses.items()} for losses in (loss, ridged)
    )
    below = min(under, key=lambda features: fmean(error[features]))
    rival = max(off, key=lambda features: fmean(logs[features]))
    highest = max(off, key=lambda features: fmean(error[features]))
    return Descent(
        n=n,
        draws=len(error[n]),
        largest=largest,
        below=below,
        choices=len(under),
        peak=max(logs, key=lambda features: fmean(logs[features])),
        error=error,
        loss=loss,
        ridged_error=ridged_error,
        unfitted=max(fmean(values) for features, values in train.items() if features >= n),
        located=_less(logs[n], logs[rival]),
        top=_less(error[n], error[highest]),
        rise=_less(error[n], error[below]),
        fall=_less(error[n], error[largest]),
        bump=_bump_of(ridged_logs),
        error_bump=_bump_of(ridged_error),
    )


def _bump_of(curve: dict[int, list[float]]) -> Estimate:
    """The largest mean rise from a number of features to a larger one."""
    rises = [_less(curve[more], curve[fewer]) for fewer, more in combinations(curve, 2)]
    return max(rises, key=lambda rise: rise.value)


def _less(first: list[float], second: list[float]) -> Estimate:
    """The mean difference over draws, each of which has its own data, noise, features and test points."""
    return over_seeds([a - b for a, b in zip(first, second, strict=True)])


def states(found: Descent) -> dict[str, State]:
    """Whether the peak lies at n, the error rises up to it and falls beyond it, and the best ridge removes it."""
    top = above(found.top, 0)
    return {
        "peak": above(found.located, 0),
        "top": "confirmed" if top == "not shown" and found.top.value >= 0 else top,
        "rise": _clearly(found.rise, corrected(found.choices)),
        "fall": _clearly(found.fall, LEVEL),
        "ridge": no_gain(found.bump, log1p(BUMP)),
        "ridged error": no_gain(found.error_bump, ERROR_BUMP),
    }


def _clearly(change: Estimate, level: float) -> State:
    """Whether a change is larger than `LEAST_CHANGE`; it is contradicted only where it has the other sign."""
    state = above(change, 0, level)
    return "not shown" if state == "confirmed" and above(change, LEAST_CHANGE, level) != "confirmed" else state


SAYS: dict[str, str] = {"confirmed": "", "contradicted": "not ", "not shown": "not clearly "}


def verdict(tables: Tables) -> list[str]:
    """Where is the peak, does the error fall again, and does the best ridge remove the peak?"""
    if short := unready(tables):
        return [f"{short.reason}."] if tables.records else ["No run is finished yet."]
    d = descent(tables)
    found = states(d)
    fall = SAYS[found["fall"]]
    ridge = SAYS[all_of(Outcome(found[name], "") for name in ("ridge", "ridged error")).state]
    return [
        sentence(
            f"The test error of the least-norm fit {'falls' if not fall else f'does {fall}fall'} again beyond n = "
            f"{d.n:,} features: at n it is",
            f"{_error(d.error[d.n])}, at {d.below:,} features, the least below n, {_error(d.error[d.below])}, at "
            f"{d.largest:,} {_error(d.error[d.largest])}",
            _highest(d),
            _peak(d),
        ),
        sentence(
            f"A ridge chosen on held-out data {'removes' if not ridge else f'does {ridge}remove'} the peak:",
            _bump(d),
            f"the test error at n features is {_error(d.ridged_error[d.n])}",
        ),
    ]


def _error(values: list[float]) -> str:
    return mean_of(values, percent).replace("seeds", "draws")


def _highest(d: Descent) -> str:
    """Where the test error is largest, if that is not near n."""
    highest = max(d.error, key=lambda features: fmean(d.error[features]))
    return "" if abs(highest - d.n) <= PEAK * d.n else f"at {highest:,}, the most, {_error(d.error[highest])}"


def _peak(d: Descent) -> str:
    top, end = (geometric_mean(d.loss[features]) for features in (d.peak, d.largest))
    rest = "" if d.peak == d.largest else f" against {end:.3g} at {d.largest:,}"
    return f"its squared loss is largest at {d.peak:,} features, {top:.3g}{rest} (geometric means)"


def _bump(d: Descent) -> str:
    rise = exp(d.bump.value) - 1
    loss = f"rises by at most {percent(rise)}" if rise > 0 else "never rises"
    points = 100 * d.error_bump.value
    error = f"rises by at most {points:.2g} points" if points > 0 else "never rises"
    return f"its mean squared loss {loss} as features are added, its mean test error {error}"


def _descends_again(tables: Tables) -> Outcome:
    if short := unready(tables):
        return short
    d = descent(tables)
    highest = f"{most}; " if (most := _highest(d)) else ""
    numbers = (
        f"test error {_error(d.error[d.n])} at n = {d.n:,} features, {_apart(d.rise)} against {d.below:,} features, "
        f"{_apart(d.fall)} against {d.largest:,}; {highest}{_peak(d)}; with the best ridge {_bump(d)}"
    )
    if d.draws < 2:
        return cannot_tell("One draw has no spread", "seeds", numbers)
    if d.unfitted > 1 - FITS:
        return cannot_tell(
            f"The least-norm fit misses {percent(d.unfitted)} of its training labels with n features or more",
            numbers=numbers,
        )
    return all_of(Outcome(state, numbers) for state in states(d).values())


def _apart(difference: Estimate) -> str:
    return with_error(difference).replace("seed", "draw")


STUDY = Study(
    question="What becomes of the test error when a model grows beyond the point where it fits every label?",
    source="Belkin et al. (2019), Nakkiran et al. (2021); the lecture's question after overparameterization",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Beyond as many features as points the test error falls again, and the best ridge removes the peak "
            "(Belkin et al., 2019; Nakkiran et al., 2021).",
            "Confirmed if, over draws with data, noise and features of their own, the squared test loss of the "
            f"least-norm fit is larger at n features than at any number that is off by more than {percent(PEAK)}, its "
            f"test error at n lies more than {100 * LEAST_CHANGE:g} percentage point above the least below n and above "
            f"that at the most features ({percent(LEVEL)} intervals of paired differences) and is on average the "
            f"largest but for numbers within {percent(PEAK)} of n, and with the best ridge the loss rises by less than "
            f"{percent(BUMP)} and the test error by less than {100 * ERROR_BUMP:g} points between any two numbers of "
            f"features ({percent(EQUIVALENCE_LEVEL)} interval of the largest mean rise). "
            "Contradicted if one of these is the other way round, beyond its error. The fit has to reach a "
            f"train accuracy of {percent(FITS)} from n features on.",
            _descends_again,
        ),
    ),
)
