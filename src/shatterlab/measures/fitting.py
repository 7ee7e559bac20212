"""What a measure sees of a learner: a function that fits and gives back a function that predicts.

Classes are indices 0 .. K-1 everywhere, and they mean the same whichever examples a fit has seen.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Predict = Callable[[Any], NDArray[np.int64]]
"""Inputs to class indices, (n,) int64.

It may carry two attributes: `probabilities(X)`, (n, K) float of which column j belongs to class j, and `finished`,
which is False where the fit ended although it would still have improved.
"""
Fit = Callable[[Any, NDArray[np.int64], int], Predict]
"""Inputs, class indices (n,) and the seed of whatever the learner draws at random, to a `Predict`."""


class Request(Protocol):
    """A fit that a measure asks for: some examples, labels for them, and a seed."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """The places of the examples in the pool, (n,)."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class indices to be fitted, (n,), in the order of `rows`."""

    @property
    def fit_seed(self) -> int:
        """The seed that the fit is given, from 0 to 2³¹ - 1."""


@dataclass(frozen=True)
class Outcome:
    """How well a fit reproduces the labels that it was given.

    Args:
        wrong: number of training examples that are not predicted as labelled.
        n: number of training examples.
        finished: whether the fit ended because it could not improve; False where it ran out of steps before.
    """

    wrong: int
    n: int
    finished: bool = True

    @property
    def error(self) -> float:
        """The share of training examples that are not predicted as labelled, from 0 to 1."""
        return self.wrong / self.n


def do(request: Request, fit: Fit, X: Any) -> Outcome:
    """Fits what is requested and counts the training errors.

    Args:
        request: which examples, with which labels.
        fit: the learner.
        X: the pool of inputs that `request.rows` counts in.
    """
    inputs, labels = take(X, request.rows), request.labels
    predict = fit(inputs, labels, request.fit_seed)
    return Outcome(int((predicted(predict, inputs) != labels).sum()), len(labels), finished(predict))


def predicted(predict: Predict, X: Any) -> NDArray[np.int64]:
    """The predicted classes, refused where they are not one integer for each input.

    Raises:
        ValueError: the shape is not (n,), or a number is not an integer.
    """
    classes, n = np.asarray(predict(X)), length(X)
    if classes.shape != (n,):
        raise ValueError(f"predict must give one class for each of {n} inputs, shape ({n},), got {classes.shape}.")
    if classes.dtype.kind not in "iub" and not (classes.dtype.kind == "f" and (classes == np.rint(classes)).all()):
        raise ValueError(
            f"predict must give class indices, which are integers, got {classes.dtype}; a regressor has to be read as "
            "classes, and texts as their places."
        )
    return classes.astype(np.int64)


def probabilities_of(predict: Predict) -> Callable[[Any], NDArray[np.float64]] | None:
    """The function that gives class probabilities (n, K), or None where the learner has none."""
    return getattr(predict, "probabilities", None)


def finished(predict: Predict) -> bool:
    """Whether the fit ended because it could not improve, which is taken for granted where it does not say."""
    return bool(getattr(predict, "finished", True))


def length(X: Any) -> int:
    """The number of inputs in an array, a sparse matrix, a frame or a list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def take(X: Any, rows: NDArray[np.int64]) -> Any:
    """The chosen inputs, in the order of `rows`, as what they came in: array, sparse matrix, frame or list."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if hasattr(X, "shape"):
        return X[rows]
    return [X[row] for row in rows]


def generator(seed: int, name: str, index: int) -> np.random.Generator:
    """The random numbers of draw `index` for the purpose `name`, which do not depend on how many draws there are."""
    return np.random.default_rng([seed, index, *name.encode()])


def seed_of(seed: int, name: str, index: int) -> int:
    """A seed for a learner, from 0 to 2³¹ - 1, as `generator` draws it."""
    return int(generator(seed, name, index).integers(2**31))


@dataclass(frozen=True)
class _Fitted:
    """An estimator with its classes counted as the measures count them."""

    estimator: Any
    classes: NDArray[np.int64]
    finished: bool

    def __call__(self, X: Any) -> NDArray[np.int64]:
        places = predicted(self.estimator.predict, X)
        if len(places) and not 0 <= places.min() <= places.max() < len(self.classes):
            raise ValueError(f"the estimator was given {len(self.classes)} classes and predicts others.")
        return self.classes[places]


@dataclass(frozen=True)
class _FittedWithProbabilities(_Fitted):
    n_classes: int

    def probabilities(self, X: Any) -> NDArray[np.float64]:
        given = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
        if given.shape != (length(X), len(self.classes)):
            raise ValueError(
                f"predict_proba must give a column for each of {len(self.classes)} classes, got shape {given.shape}."
            )
        full = np.zeros((len(given), self.n_classes))
        full[:, self.classes] = given
        return full


class _OneClass:
    """What follows from training examples of one class only, which many estimators refuse."""

    def predict(self, X: Any) -> NDArray[np.int64]:
        return np.zeros(length(X), dtype=np.int64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        return np.ones((length(X), 1))


def from_sklearn(estimator: Any, n_classes: int | None = None) -> Fit:
    """Makes a `Fit` of an estimator, which itself stays as it is: each fit has a clone.

    Every parameter called `random_state`, also of the steps of a pipeline, is set to the seed of the fit. The
    estimator sees the classes of its training examples as 0 .. K'-1, because some accept nothing else; predictions and
    probabilities are translated back. Examples of one class only are not fitted: that class is the prediction. A fit
    that warns that it has not converged is one that is not finished; the warning is not shown.

    Args:
        estimator: anything with `fit(X, y)` and `predict(X)`; copied if scikit-learn cannot clone it.
        n_classes: number K of classes, which is the number of columns of the probabilities. If None, the columns end
            with the largest class of the fit, so give K wherever training examples may lack classes.

    Returns:
        The function to be handed to measures.

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> predict = from_sklearn(KNeighborsClassifier(1), n_classes=4)([[0.0], [1.0]], np.array([0, 2]), 0)
    >>> predict([[0.9]]), probabilities_of(predict)([[0.9]])
    (array([2]), array([[0., 0., 1., 0.]]))
    """
    from sklearn.base import clone

    def fit(X: Any, y: NDArray[np.int64], seed: int) -> Predict:
        classes, places = np.unique(y, return_inverse=True)
        done = True
        if len(classes) == 1:
            fresh: Any = _OneClass()
        else:
            fresh = clone(estimator, safe=False)
            draws = [name for name in _parameters(fresh) if name.rpartition("__")[2] == "random_state"]
            if draws:
                fresh.set_params(**dict.fromkeys(draws, seed % 2**32))
            done = _fit_watched(fresh, X, places)
        if hasattr(fresh, "predict_proba"):
            return _FittedWithProbabilities(fresh, classes, done, n_classes or int(classes[-1]) + 1)
        return _Fitted(fresh, classes, done)

    return fit


def _parameters(estimator: Any) -> list[str]:
    return list(estimator.get_params()) if hasattr(estimator, "get_params") else []


def _fit_watched(estimator: Any, X: Any, y: NDArray[np.int64]) -> bool:
    """Fits and returns whether the fit has converged, as far as it says; other warnings are passed on."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(X, y)
    converged = True
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            converged = False
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return converged
