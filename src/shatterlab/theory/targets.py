"""The targets that an estimator may fit: one or several numbers for each point, or class labels."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

Task = Literal["auto", "regression", "classification"]


class AnyTarget(BaseEstimator):
    """The base of estimators that fit numbers or classes, as their argument `task` says.

    `task="auto"` takes strings and booleans for classes and numbers for numbers, so integer labels are fitted as
    the values they are; `task="classification"` takes every target for a class.
    """

    task: Task

    def __sklearn_tags__(self) -> Tags:
        """Tells scikit-learn, before it has seen data, whether this is a classifier or a regressor."""
        tags = super().__sklearn_tags__()
        classifies = self.task == "classification"
        tags.estimator_type = "classifier" if classifies else "regressor"
        tags.classifier_tags = ClassifierTags() if classifies else None
        tags.regressor_tags = None if classifies else RegressorTags()
        tags.target_tags.required = True
        tags.target_tags.multi_output = not classifies
        tags.target_tags.single_output = True
        return tags

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy for classes, R² for numbers (uniform average over outputs)."""
        predicted = self.predict(X)
        return float((r2_score if self.classes_ is None else accuracy_score)(y, predicted))

    def _read(self, X: ArrayLike, y: ArrayLike, dtype: type) -> tuple[NDArray, NDArray]:
        """Checks X and y; returns X as (n, d) of `dtype`, and y unchanged."""
        if self.task not in ("auto", "regression", "classification"):
            raise ValueError(f"task must be 'auto', 'regression' or 'classification', got {self.task!r}.")
        X, y = validate_data(self, X, y, dtype=dtype, multi_output=True, y_numeric=False)
        if self.task == "classification" and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _classes_of(self, y: NDArray) -> NDArray | None:
        """The distinct classes, sorted, or None where y holds numbers."""
        wordy = y.dtype.kind in "USb" or (y.dtype.kind == "O" and any(isinstance(value, str) for value in y.flat))
        if self.task == "regression" and wordy:
            raise ValueError("y holds class labels, not numbers; use task='classification'.")
        if self.task == "regression" or not (wordy or self.task == "classification"):
            return None
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"y has shape {y.shape}, but classes need one label a row; pass y of shape ({len(y)},).")
        check_classification_targets(y)
        return np.unique(y)


def numbers(y: NDArray) -> NDArray[np.float64]:
    """Targets as float64 of shape (n, outputs)."""
    return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
