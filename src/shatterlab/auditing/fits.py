"""The fits of an audit: each is a computation of the store, named by JSON values and answered by JSON values."""

import base64
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError
from ..jobs import Computation
from ..learners import Given, fit_of
from ..measures import capacity, certificate, critical_samples, label_errors, memorization, rademacher
from ..measures.fitting import Fit, Predict, finished, generator, length, predicted, probabilities_of, seed_of, take
from .pool import Pool

NAME = "audit"
"""Fits are kept under this name of a study."""
RADII = (0.01, 0.03, 0.1)
"""Critical samples are looked for within these distances in each coordinate: shares of the range of a pixel, or
standard deviations of a column (an assumption)."""
CRITICAL_POINTS = 200
"""At most this many points are searched for critical samples."""
RANDOM_TRIES = 25
"""A learner without gradients is asked about so many places around each point."""
TEST_POINTS = 300
"""The influence of training examples on at most this many test points is measured."""
DECIMALS = 4
"""Probabilities are kept with so many decimals."""


@dataclass(frozen=True)
class Subject:
    """What is audited, and all that its fits need.

    Args:
        given: the learner as the user named it.
        pool: the examples, already as few as the audit takes.
        version: a hash of the content of the learner, with all dials of its training.
        networks: the learner as networks that can be trained as a stack; None for all others.
        seconds: the clock by which fits are timed.
        unlabelled: inputs without labels for a certificate; None without.
        unlabelled_version: a hash of their content.
    """

    given: Given
    pool: Pool
    version: str
    networks: Any = None
    seconds: Callable[[], float] = monotonic
    unlabelled: Any = None
    unlabelled_version: str = ""

    @property
    def fit(self) -> Fit:
        """The learner as measures know it."""
        fit: Fit = self.networks.fit if self.networks is not None else fit_of(self.given, self.pool.classes)
        return fit


class Asked(NamedTuple):
    """A fit that an audit asks for: what kind of fit, and its settings beside those that all fits share."""

    kind: str
    settings: Mapping[str, Any]


def computation(asked: Asked, subject: Subject, seed: int, limit: float) -> Computation:
    """The computation of a fit.

    Args:
        asked: which fit.
        subject: what is fitted.
        seed: seed of everything that is drawn.
        limit: seconds after which the fit is given up.
    """
    shared = {"learner": subject.version, "data_version": subject.pool.version, "n": len(subject.pool), "seed": seed}
    if subject.networks is not None:
        shared["steps"] = subject.networks.steps
    return Computation(
        NAME,
        f"{subject.given.name}: {describe(asked)}",
        {"kind": asked.kind, **asked.settings, **shared},
        compute,
        objects={"subject": subject, "limit": limit},
        together=compute_together if stackable(asked, subject) else None,
        trains=subject.networks is not None,
    )


def describe(asked: Asked) -> str:
    """A fit in a few words for people."""
    told = {
        "timing": "a fit to true labels",
        "condition": "a fit under {condition}",
        "probe": "random labels of {size} examples",
        "signs": "random signs {index}",
        "relabelling": "some labels replaced by random ones",
        "subset": "subset {index}",
        "fold": "fold {index}",
        "critical": "critical samples after {condition}",
    }[asked.kind]
    return told.format(**asked.settings)


def stackable(asked: Asked, subject: Subject) -> bool:
    """Whether a fit can be one of a stack of networks."""
    return subject.networks is not None and asked.kind in ("probe", "signs", "subset") and subject.networks.stacks


def compute(subject: Subject, limit: float, **settings: Any) -> list[dict[str, Any]]:
    """Does one fit, and says what came of it.

    Args:
        subject: what is fitted.
        limit: seconds after which the fit is given up.
        settings: the settings of the computation.

    Returns:
        A single record with `seconds` and what the kind of fit asks for; `failed` with a sentence where it failed.
    """
    began = subject.seconds()
    try:
        with deadline(limit):
            record = KINDS[settings["kind"]](subject, settings)
    except TimeoutError:
        return [{"failed": f"a fit was given up after {limit:.0f} s", "hung": True,
                 "seconds": subject.seconds() - began}]  # fmt: skip
    except Exception as error:
        text = str(error).strip().splitlines()
        kind = "" if isinstance(error, ShatterlabError) else f"{type(error).__name__}: "
        return [{"failed": f"{kind}{text[0].rstrip('.') if text else 'no message'}",
                 "seconds": subject.seconds() - began}]  # fmt: skip
    return [record | {"seconds": subject.seconds() - began}]


def compute_together(many: Sequence[Mapping[str, Any]], subject: Subject, limit: float) -> list[list[dict[str, Any]]]:
    """Does several fits of networks as one stack; each has its share of the seconds. See `compute`."""
    from ..errors import ShatterlabError
    from ..learners.networks import Task

    began = subject.seconds()
    requests = [REQUESTS[settings["kind"]](subject, settings) for settings in many]
    tasks = [Task(request.rows, np.asarray(request.labels), request.fit_seed) for request in requests]
    with deadline(limit * len(tasks)):
        fits = subject.networks.fit_together(subject.pool.X, tasks)
    records = [
        {"failed": str(fit)} if isinstance(fit, ShatterlabError) else OBSERVED[settings["kind"]](subject, request, fit)
        for settings, request, fit in zip(many, requests, fits, strict=True)
    ]
    share = (subject.seconds() - began) / len(many)
    return [[record | {"seconds": share}] for record in records]


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds, where the operating system can: in the main thread.

    A fit that computes in foreign code is interrupted when that code returns to Python.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Which fit is requested: rows, labels and seed.


@dataclass(frozen=True)
class Plain:
    """A fit to given rows with given labels."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    fit_seed: int


def _probe(subject: Subject, settings: Mapping[str, Any]) -> Any:
    total = len(subject.pool)
    return capacity.Probe(settings["size"], settings["draw"], total, subject.pool.classes, settings["seed"])


def _signs(subject: Subject, settings: Mapping[str, Any]) -> Any:
    return rademacher.SignDraw(len(subject.pool), settings["index"], settings["seed"])


def _subset(subject: Subject, settings: Mapping[str, Any]) -> Any:
    n = len(subject.pool)
    subset = memorization.SubsetFit(n, round(memorization.SHARE * n), settings["index"], settings["seed"])
    rows = subset.rows
    return Plain(rows, subject.pool.y[rows], subset.fit_seed)


REQUESTS: dict[str, Callable[[Subject, Mapping[str, Any]], Any]] = {
    "probe": _probe,
    "signs": _signs,
    "subset": _subset,
}

# What is observed of a fit.


def _outcome(subject: Subject, request: Any, predict: Predict) -> dict[str, Any]:
    labels = request.labels
    wrong = int((predicted(predict, take(subject.pool.X, request.rows)) != labels).sum())
    return {"wrong": wrong, "of": len(labels), "finished": finished(predict)}


def _split(subject: Subject, request: Any, predict: Predict) -> dict[str, Any]:
    """What `memorization.observe` sees, packed; a learner whose probabilities are of no use is asked for classes."""
    pool, rows = subject.pool, request.rows
    points = test_points(pool, 0)
    note = ""
    try:
        seen = memorization.observe(predict, rows, pool.X, pool.y, take(pool.X_test, points), pool.y_test[points])
    except ValueError as error:
        if "probabilities" not in str(error) and "predict_proba" not in str(error):
            raise
        note = f"its probabilities are left out ({str(error).rstrip('.')})"
        seen = memorization.observe(
            partial(_classes_alone, predict), rows, pool.X, pool.y, take(pool.X_test, points), pool.y_test[points]
        )
    return {
        "pool": seen.n,
        "inside": _packed(seen.inside),
        "correct": _packed(seen.correct),
        "correct_test": _packed(seen.correct_test),
        "n_test": seen.n_test,
        "held_out": np.round(seen.held_out.astype(np.float64), DECIMALS).tolist(),
        "has_probabilities": probabilities_of(predict) is not None and not note,
        "note": note,
    }


def _classes_alone(predict: Predict, X: Any) -> NDArray[np.int64]:
    return predict(X)


OBSERVED: dict[str, Callable[[Subject, Any, Predict], dict[str, Any]]] = {
    "probe": _outcome,
    "signs": _outcome,
    "subset": _split,
}


def _requested(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    kind = settings["kind"]
    request = REQUESTS[kind](subject, settings)
    predict = subject.fit(take(subject.pool.X, request.rows), np.asarray(request.labels), request.fit_seed)
    return OBSERVED[kind](subject, request, predict)


def _timing(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A fit to some examples, true labels and random ones, to learn how long fits take."""
    pool, seed = subject.pool, settings["seed"]
    size = settings["size"]
    rows = generator(seed, "timing", 0).permutation(len(pool))[:size]
    labels = pool.y[rows]
    if settings["random"]:
        labels = generator(seed, "timing labels", 0).integers(pool.classes, size=size)
    predict = subject.fit(take(pool.X, rows), labels, seed_of(seed, "weights of timing", size))
    _check_kinds(subject, predict)
    wrong = int((predicted(predict, take(pool.X, rows)) != labels).sum())
    return {"wrong": wrong, "of": size, "finished": finished(predict)} | facts_of(predict)


def _check_kinds(subject: Subject, predict: Predict) -> None:
    """Predicted classes have to be those that there are."""
    few = np.arange(min(50, len(subject.pool.y_test)))
    classes = predicted(predict, take(subject.pool.X_test, few))
    if len(classes) and not 0 <= classes.min() <= classes.max() < subject.pool.classes:
        raise ValueError(f"it predicts the class {classes.max()}, and there are {subject.pool.classes}, from 0")


def _condition(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    pool, repeat, seed = subject.pool, settings["repeat"], settings["seed"]
    X, y, X_test = pool.under(settings["condition"], settings["amount"], seed_of(seed, "condition", repeat))
    fit_seed = seed_of(seed, "weights of condition", repeat)
    first = settings["condition"] == "true-labels" and repeat == 0
    losses: dict[str, Any] = {}
    if subject.networks is not None and first:
        predict, losses = _watched(subject.networks, X, y, fit_seed)
    else:
        predict = subject.fit(X, y, fit_seed)
    fitted, tested = predicted(predict, X), predicted(predict, X_test)
    changed = y != pool.y
    return (
        {
            "train_wrong": int((fitted != y).sum()),
            "of": len(y),
            "test_wrong": int((tested != pool.y_test).sum()),
            "of_test": len(tested),
            "changed": int(changed.sum()),
            "changed_fitted": int((fitted == y)[changed].sum()),
            "finished": finished(predict),
        }
        | losses
        | facts_of(predict)
    )


def _watched(networks: Any, X: Any, y: NDArray[np.int64], seed: int) -> tuple[Predict, dict[str, Any]]:
    """One training of a network, and the loss of each example summed over its epochs."""
    from ..learners.networks import Task

    (trained,) = networks.fit_together(X, [Task(np.arange(len(y)), y, seed)], watch=True)
    if isinstance(trained, Exception):
        raise trained
    total = np.sum(trained.watched, axis=0, dtype=np.float64)
    return trained, {"losses": np.round(total, DECIMALS).tolist()}


def _relabelling(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    pool, seed = subject.pool, settings["seed"]
    X, y = pool.X, pool.y
    if subject.unlabelled is not None:
        X, y = _joined(pool.X, subject.unlabelled), np.append(y, np.full(length(subject.unlabelled), -1))
    asked = certificate.request(y, k=pool.classes, held=0.0, seed=seed)
    inputs = take(X, asked.rows)
    predict = subject.fit(inputs, asked.labels, asked.fit_seed)
    # The test set is held out; the request takes its examples out of the pool alone.
    held = predicted(predict, pool.X_test)
    full = replace(asked, held=np.arange(len(held)), truth=np.append(asked.truth, pool.y_test))
    found = certificate.estimate(full, predicted(predict, inputs), held, finished=finished(predict))
    return {
        name: _certificate(getattr(found, name)) for name in ("held_out", "published", "rigorous", "known_wrong")
    } | {
        "assumption": None if found.assumption is None else str(found.assumption),
        "assumption_holds": None if found.assumption is None else found.assumption.holds,
        "clean_error": found.clean_error,
        "random_error": found.random_error,
        "labelled": found.n,
        "relabelled": found.m,
        "finished": found.finished,
    }


def _certificate(one: certificate.Certificate | None) -> dict[str, Any] | None:
    if one is None:
        return None
    bound = one.bound if np.isfinite(one.bound) else None
    return {"bound": bound, "verdict": one.verdict, "points": one.points, "enough": one.enough, "text": str(one)}


def _fold(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    pool = subject.pool
    fold = label_errors.requests(pool.y, folds=settings["folds"], seed=settings["seed"])[settings["index"]]
    predict = subject.fit(take(pool.X, fold.rows), pool.y[fold.rows], fold.fit_seed)
    return _split(subject, Plain(fold.rows, pool.y[fold.rows], fold.fit_seed), predict)


def _critical(subject: Subject, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fits under a condition and looks for critical samples among the training inputs, the same places under each."""
    seed = settings["seed"]
    X, y, _ = subject.pool.under(settings["condition"], None, seed_of(seed, "condition", 0))
    predict = subject.fit(X, y, seed_of(seed, "weights of condition", 0))
    rows = generator(seed, "critical points", 0).permutation(len(X))[:CRITICAL_POINTS]
    points = np.asarray(X)[rows].astype(np.float32)
    unit: Any = np.float32(1)
    low, high = None, None
    if subject.pool.pictures is not None:
        unit = np.float32(255 if np.asarray(X).dtype == np.uint8 else 1)
        low, high = 0.0, 1.0
        points = np.clip(points, 0, unit)
    elif points.ndim == 2:  # a column is measured in its standard deviations
        deviations = np.asarray(X).std(axis=0)
        unit = np.where(deviations > 0, deviations, 1).astype(np.float32)
    if subject.networks is not None:
        trained: Any = predict  # a network gives back more than a measure needs
        found = critical_samples.gradient_search(
            trained.on_inputs(unit), points / unit, RADII, low=low, high=high, seed=seed
        )
    else:

        def classes(inputs: Any) -> NDArray[np.int64]:
            return predicted(predict, (inputs * unit).astype(np.asarray(X).dtype))

        found = critical_samples.random_search(
            classes, points / unit, RADII, low=low, high=high, draws=RANDOM_TRIES, seed=seed
        )
    return {
        "found": [
            {"radius": one.radius, "share": one.share, "error": one.error, "n": one.n, "method": one.method}
            for one in found
        ]
    }


KINDS: dict[str, Callable[[Subject, Mapping[str, Any]], dict[str, Any]]] = {
    "timing": _timing,
    "condition": _condition,
    "probe": _requested,
    "signs": _requested,
    "relabelling": _relabelling,
    "subset": _requested,
    "fold": _fold,
    "critical": _critical,
}


def facts_of(predict: Predict) -> dict[str, Any]:
    """What a fitted learner says of itself: parameters, steps, dimensions of a linear model."""
    facts = dict(getattr(predict, "facts", {}))
    estimator = getattr(predict, "estimator", None)
    steps = getattr(estimator, "steps", None)
    last = steps[-1][1] if steps else estimator
    weights = getattr(last, "coef_", None)
    if isinstance(weights, np.ndarray) and not hasattr(last, "dual_coef_"):
        offsets = np.size(getattr(last, "intercept_", 0))
        facts |= {"parameters": int(weights.size + offsets), "weights": list(weights.shape)}
    return facts


def test_points(pool: Pool, seed: int) -> NDArray[np.int64]:
    """The places of the test points whose predictions are watched."""
    return np.sort(generator(seed, "test points", 0).permutation(len(pool.y_test))[:TEST_POINTS])


def outcome_of(record: Mapping[str, Any]) -> memorization.SubsetOutcome:
    """The `SubsetOutcome` that a record of a subset or a fold holds."""
    return memorization.SubsetOutcome(
        n=record["pool"],
        inside=_bytes(record["inside"]),
        correct=_bytes(record["correct"]),
        correct_test=_bytes(record["correct_test"]),
        n_test=record["n_test"],
        held_out=np.asarray(record["held_out"], dtype=np.float32),
    )


def _packed(bits: NDArray[np.uint8]) -> str:
    return base64.b64encode(bits.tobytes()).decode()


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text), np.uint8)


def _joined(X: Any, more: Any) -> Any:
    if hasattr(X, "tocsr"):
        from scipy.sparse import vstack

        return vstack([X, more]).tocsr()
    if hasattr(X, "iloc"):
        import pandas  # type: ignore[import-untyped]

        return pandas.concat([X, more])
    if hasattr(X, "vstack"):
        return X.vstack(more)
    return np.concatenate([X, more]) if isinstance(X, np.ndarray) else [*X, *more]
