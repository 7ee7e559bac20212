"""The targets that an estimator may fit: one or several numbers for each point, or class labels."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

Task = Literal["auto", "regression", "classification"]


class AnyTarget(BaseEstimator):
    """The base of estimators that fit numbers or classes, as their argument `task` says.

    `task="auto"` takes strings and booleans for classes and numbers for numbers, so integer labels are fitted as
    the values they are; `task="classification"` takes every target for a class.
    """

    task: Task
    _classes: NDArray | None = None

    @property
    def classes_(self) -> NDArray:
        """The sorted classes; there is no such attribute before `fit`, nor after numbers were fitted."""
        if self._classes is None:
            raise AttributeError(f"this {type(self).__name__} has fitted no classes, so that it has no classes_.")
        return self._classes

    def _classifies(self) -> bool:
        return self.task == "classification" or self._classes is not None

    def __sklearn_tags__(self) -> Tags:
        """Tells scikit-learn whether this is a classifier or a regressor; `task="auto"` is one or other once fitted."""
        tags = super().__sklearn_tags__()
        classifies = self._classifies()
        tags.estimator_type = "classifier" if classifies else "regressor"
        tags.classifier_tags = ClassifierTags() if classifies else None
        tags.regressor_tags = None if classifies else RegressorTags()
        tags.target_tags.required = True
        tags.target_tags.multi_output = not classifies
        tags.target_tags.single_output = True
        return tags

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """How much speaks for each class; `predict` names the one for which the most does.

        Args:
            X: (m, d) finite numbers.

        Returns:
            float64, (m, classes); for two classes (m,), positive where the second one is predicted.
        """
        return self._decisions(X)

    def _decisions(self, X: ArrayLike) -> NDArray[np.float64]:
        raise NotImplementedError

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy for classes, R² for numbers (uniform average over outputs).

        Args:
            X: (m, d) finite numbers.
            y: the targets, as in `fit`.
            sample_weight: (m,) weights of the points; by default all the same.
        """
        predicted = self.predict(X)
        measure = r2_score if self._classes is None else accuracy_score
        return float(measure(as_booleans(y), predicted, sample_weight=sample_weight))

    def _read(self, X: ArrayLike, y: ArrayLike, dtype: type) -> tuple[NDArray, NDArray]:
        """Checks X and y; returns X as (n, d) of `dtype`, and y unchanged."""
        if self.task not in ("auto", "regression", "classification"):
            raise ValueError(f"task must be 'auto', 'regression' or 'classification', got {self.task!r}.")
        X, y = validate_data(self, X, as_booleans(y), dtype=dtype, multi_output=True, y_numeric=False)
        if self.task == "classification" and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _classes_of(self, y: NDArray) -> NDArray | None:
        """The distinct classes, sorted, or None where y holds numbers."""
        wordy = y.dtype.kind in "USb" or (
            y.dtype.kind == "O" and any(isinstance(value, str | bytes | bool | np.bool_) for value in y.flat)
        )
        if self.task == "regression" and wordy:
            raise ValueError("y holds class labels, not numbers; use task='classification'.")
        if self.task == "regression" or not (wordy or self.task == "classification"):
            return None
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"y has shape {y.shape}, but classes need one label a row; pass y of shape ({len(y)},).")
        check_classification_targets(y)
        return np.unique(y)


def as_booleans(y: Any) -> Any:
    """Targets that are truth values and nothing else, in whatever holds them, as an array of bool; others as they are.

    A pandas Series of the dtype `boolean` would be made numbers by scikit-learn, and a list of objects left objects.
    """
    if getattr(getattr(y, "dtype", None), "kind", "O") not in "Ob" or not hasattr(y, "__len__"):
        return y  # numbers and words of numpy, and sparse matrices
    try:
        values = np.asarray(y)
    except (ValueError, TypeError):  # rows of different lengths, say, of which scikit-learn says more
        return y
    if values.dtype == object and values.size and all(isinstance(value, bool | np.bool_) for value in values.flat):
        values = values.astype(bool)
    return values if values.dtype == bool else y


def numbers(y: NDArray) -> NDArray[np.float64]:
    """Targets as float64 of shape (n, outputs)."""
    return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
