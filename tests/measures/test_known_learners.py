"""Learners whose capacity everybody knows, on handwritten digits: every measure must tell them apart."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from shatterlab.measures import capacity, certificate, rademacher
from shatterlab.measures.fitting import from_sklearn

X = load_digits().data[:500] / 16
Y = load_digits().target[:500].astype(np.int64)
LEARNERS = {
    # 1 - 2 error on random signs, number of random labels fitted exactly, verdict of the labels known to be wrong
    "1-nearest neighbour": (KNeighborsClassifier(1), (1, 1), (500, 500), "vacuous"),
    "constant": (DummyClassifier(strategy="constant", constant=1), (-0.1, 0.1), (0, 0), "no better than guessing"),
    "stump": (DecisionTreeClassifier(max_depth=1), (0.05, 0.25), (2, 12), "better than guessing"),
    "linear": (LogisticRegression(), (0.15, 0.45), (10, 130), "better than guessing"),
}
each = pytest.mark.parametrize(("learner", "signs", "fitted", "verdict"), LEARNERS.values(), ids=LEARNERS)


@each
def test_rademacher_complexity(learner, signs, fitted, verdict) -> None:
    result = rademacher.measure(from_sklearn(learner), X)
    assert signs[0] <= result.value <= signs[1]
    assert ("vacuous" in result.verdict) == (signs == (1, 1))


@each
def test_capacity(learner, signs, fitted, verdict) -> None:
    result = capacity.measure(from_sklearn(learner), X, draws=3, curve_draws=1, fresh=1)
    assert fitted[0] <= result.exact.value <= fitted[1]
    assert (result.exact.all_fitted == 3) == (fitted == (500, 500))


@each
def test_certificate(learner, signs, fitted, verdict) -> None:
    result = certificate.measure(from_sklearn(learner), X, Y % 2, relabelled=0.4)
    assert result.known_wrong.verdict == verdict
    assert result.test_error <= result.known_wrong.bound
