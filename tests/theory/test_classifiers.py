"""The estimators as classifiers among scikit-learn's tools: scorers, meta-estimators, displays, sample weights."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shatterlab.theory import KernelInterpolator, ReLUInterpolator

RNG = np.random.default_rng(0)
THREE = np.arange(60) % 3
TWO = (THREE > 0).astype(int)
X = RNG.standard_normal((60, 8)) + 4 * THREE[:, None]
WORDS = np.array(["no", "yes"])[TWO]
WEIGHTS = RNG.random(60)
NUMBERS = X[:, 0] + 0.1 * RNG.standard_normal(60)
both = pytest.mark.parametrize("estimator", [ReLUInterpolator, KernelInterpolator])


@both
@pytest.mark.parametrize(("y", "task"), [(TWO, "classification"), (WORDS, "auto"), (TWO == 1, "auto")])
@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
def test_scorers_of_a_ranking_have_one(estimator, y, task: str, scoring: str) -> None:
    if scoring == "average_precision" and y is WORDS:
        pytest.skip("scikit-learn itself wants to know which word is the positive one")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = cross_val_score(estimator(task=task), X, y, scoring=scoring, cv=3)
    assert (scores > 0.4).all()


@both
@pytest.mark.parametrize("y", [TWO, THREE, WORDS], ids=["two", "three", "words"])
def test_the_class_with_the_largest_decision_is_the_predicted_one(estimator, y) -> None:
    fitted = estimator(task="classification").fit(X[:40], y[:40])
    decisions = fitted.decision_function(X)
    if len(fitted.classes_) == 2:
        assert decisions.shape == (60,)
        chosen = (decisions > 0).astype(int)
    else:
        assert decisions.shape == (60, 3)
        chosen = decisions.argmax(axis=1)
    np.testing.assert_array_equal(fitted.classes_[chosen], fitted.predict(X))


def test_halfway_between_two_classes_decision_and_prediction_agree() -> None:
    fitted = ReLUInterpolator(task="classification").fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 3])
    halves = np.array([[0.5], [1.5], [2.5]])
    np.testing.assert_array_equal(fitted.predict(halves), fitted.decision_function(halves).argmax(axis=1))


@both
@pytest.mark.parametrize(
    "around",
    [
        OneVsRestClassifier,
        OneVsOneClassifier,
        OutputCodeClassifier,
        lambda inner: CalibratedClassifierCV(inner, cv=3),
        lambda inner: StackingClassifier([("inner", inner)], cv=3),
        lambda inner: GridSearchCV(make_pipeline(StandardScaler(), inner), {}, cv=3),
    ],
    ids=["one against rest", "one against one", "codes", "calibration", "stacking", "search"],
)
def test_meta_estimators_take_them(estimator, around: Any) -> None:
    fitted = around(estimator(task="classification")).fit(X, THREE)
    assert fitted.score(X, THREE) > 0.4


@both
def test_a_threshold_is_tuned_and_the_calibrated_probabilities_rank(estimator) -> None:
    classifier = estimator(task="classification")
    assert np.isfinite(TunedThresholdClassifierCV(classifier, cv=3).fit(X, TWO).best_threshold_)
    probabilities = CalibratedClassifierCV(classifier, cv=3).fit(X, TWO).predict_proba(X)[:, 1]
    assert roc_auc_score(TWO, probabilities) > 0.8


@both
def test_only_what_has_fitted_classes_has_classes_and_decisions(estimator) -> None:
    numbers, words = estimator().fit(X, NUMBERS), estimator().fit(X, WORDS)
    assert not hasattr(numbers, "classes_")
    assert not hasattr(numbers, "decision_function")
    assert (is_regressor(numbers), is_classifier(words)) == (True, True)
    assert list(words.classes_) == ["no", "yes"]
    assert not hasattr(words.fit(X, NUMBERS), "classes_")
    assert hasattr(estimator(task="classification"), "decision_function")


@both
def test_scores_take_sample_weights(estimator) -> None:
    classes, numbers = estimator(task="classification").fit(X[:40], TWO[:40]), estimator().fit(X[:40], NUMBERS[:40])
    assert classes.score(X, TWO, WEIGHTS) == accuracy_score(TWO, classes.predict(X), sample_weight=WEIGHTS)
    assert numbers.score(X, NUMBERS, sample_weight=WEIGHTS) == r2_score(
        NUMBERS, numbers.predict(X), sample_weight=WEIGHTS
    )


@both
def test_a_boundary_is_drawn_after_regression_too(estimator) -> None:
    pytest.importorskip("matplotlib")
    from sklearn.inspection import DecisionBoundaryDisplay

    plane = X[:, :2]
    for fitted in (estimator().fit(plane, NUMBERS), estimator().fit(plane, WORDS)):
        assert DecisionBoundaryDisplay.from_estimator(fitted, plane, grid_resolution=5).response.shape == (5, 5)


TRUTHS = TWO == 1
HOLDERS = {
    "array": TRUTHS,
    "list": TRUTHS.tolist(),
    "objects": TRUTHS.astype(object),
    "column": TRUTHS[:, None],
    "objects in a column": TRUTHS.astype(object)[:, None],
    "numpy's truth values": np.array([np.bool_(value) for value in TRUTHS], dtype=object),
}


@both
@pytest.mark.parametrize("held", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_booleans_are_classes_whatever_holds_them(estimator, held) -> None:
    fitted = estimator().fit(X, held)
    assert fitted.classes_.tolist() == [False, True]
    assert fitted.predict(X).dtype == bool
    assert fitted.score(X, held) == 1


@both
@pytest.mark.parametrize("dtype", ["bool", "boolean", "category", "object"])
def test_booleans_of_pandas_are_classes(estimator, dtype: str) -> None:
    pd = pytest.importorskip("pandas")
    held = pd.Series(TRUTHS).astype(dtype)
    for y in (held, held.to_frame()):
        fitted = estimator().fit(X, y)
        assert fitted.classes_.tolist() == [False, True]
        assert fitted.score(X, y) == 1


@both
def test_booleans_of_polars_are_classes(estimator) -> None:
    import polars as pl

    assert estimator().fit(X, pl.Series(TRUTHS)).classes_.tolist() == [False, True]


@both
def test_booleans_cannot_be_regressed_on(estimator) -> None:
    with pytest.raises(ValueError, match="class labels, not numbers; use task='classification'"):
        estimator(task="regression").fit(X, TRUTHS.astype(object))
