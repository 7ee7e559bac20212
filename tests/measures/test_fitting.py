"""What measures see of a learner: classes that mean the same in every fit, seeds, and an honest count of errors."""

import warnings

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shatterlab.measures.fitting import finished, from_sklearn, generator, predicted, probabilities_of, take

X = np.random.default_rng(0).standard_normal((60, 5))


def test_classes_that_a_subset_lacks_keep_their_columns() -> None:
    y = np.array([0, 2, 5] * 20)
    predict = from_sklearn(LogisticRegression(), n_classes=7)(X, y, 0)
    probabilities = probabilities_of(predict)(X)
    assert probabilities.shape == (60, 7)
    assert (probabilities[:, [1, 3, 4, 6]] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert set(predict(X)) <= {0, 2, 5}
    np.testing.assert_array_equal(probabilities.argmax(axis=1), predict(X))


def test_without_a_number_of_classes_the_columns_end_with_the_largest_of_the_fit() -> None:
    predict = from_sklearn(LogisticRegression())(X, np.array([0, 2, 5] * 20), 0)
    assert probabilities_of(predict)(X).shape == (60, 6)


def test_a_subset_of_one_class_is_predicted_as_that_class_by_learners_that_refuse_it() -> None:
    with pytest.raises(ValueError, match="class"):
        LogisticRegression().fit(X, np.full(60, 3))
    predict = from_sklearn(LogisticRegression(), n_classes=5)(X, np.full(60, 3), 0)
    assert (predict(X) == 3).all()
    np.testing.assert_array_equal(probabilities_of(predict)(X[:1]), [[0, 0, 0, 1, 0]])


def test_a_learner_without_probabilities_has_none() -> None:
    assert probabilities_of(from_sklearn(SGDClassifier())(X, np.arange(60) % 2, 0)) is None
    assert probabilities_of(lambda X: np.zeros(len(X), dtype=np.int64)) is None


def test_the_estimator_itself_stays_unfitted_and_every_fit_is_of_its_own() -> None:
    estimator = KNeighborsClassifier(1)
    fit = from_sklearn(estimator)
    first, second = fit(X, np.arange(60) % 2, 0), fit(X, np.arange(60) % 3, 0)
    assert not hasattr(estimator, "classes_")
    assert (first(X) == np.arange(60) % 2).all()
    assert (second(X) == np.arange(60) % 3).all()


@pytest.mark.parametrize("wrap", [lambda learner: learner, lambda learner: make_pipeline(StandardScaler(), learner)])
def test_the_seed_reaches_every_random_state_whatever_the_user_set(wrap) -> None:
    fit = from_sklearn(wrap(RandomForestClassifier(5, max_depth=2, random_state=0)))
    y, new = generator(0, "labels", 0).integers(2, size=60), np.random.default_rng(1).standard_normal((500, 5))
    one, same, other = (probabilities_of(fit(X, y, seed))(new) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.5


def test_a_learner_that_scikit_learn_cannot_clone_is_copied() -> None:
    class Bare:
        seen = 0

        def fit(self, X, y) -> None:
            self.seen += len(y)

        def predict(self, X):
            return np.full(len(X), self.seen == 60)

    bare = Bare()
    fit = from_sklearn(bare)
    assert [fit(X, np.arange(60) % 2, 0)(X)[0] for _ in range(2)] == [1, 1]
    assert bare.seen == 0


def test_a_fit_that_has_not_converged_is_not_finished_and_says_nothing_else() -> None:
    y = generator(0, "labels", 0).integers(2, size=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert not finished(from_sklearn(LogisticRegression(C=1e8, max_iter=2))(X, y, 0))
        assert finished(from_sklearn(LogisticRegression())(X, y, 0))


def test_other_warnings_of_a_fit_are_shown() -> None:
    class Warns(DummyClassifier):
        def fit(self, X, y):
            warnings.warn("careful", UserWarning, stacklevel=1)
            return super().fit(X, y)

    with pytest.warns(UserWarning, match="careful"):
        from_sklearn(Warns())(X, np.arange(60) % 2, 0)


def test_a_regressor_is_refused_in_a_sentence() -> None:
    predict = from_sklearn(LinearRegression())(X, np.arange(60) % 2, 0)
    with pytest.raises(ValueError, match="predict must give class indices, which are integers"):
        predict(X)


@pytest.mark.parametrize("given", [np.zeros((60, 2)), np.zeros(59), np.float64(0)])
def test_predictions_of_another_shape_are_refused(given) -> None:
    with pytest.raises(ValueError, match="one class for each of 60 inputs"):
        predicted(lambda X: given, X)


def test_probabilities_of_another_number_of_classes_are_refused() -> None:
    class Short(DummyClassifier):
        def predict_proba(self, X):
            return np.ones((len(X), 1))

    predict = from_sklearn(Short())(X, np.arange(60) % 2, 0)
    with pytest.raises(ValueError, match="a column for each of 2 classes"):
        probabilities_of(predict)(X)


@pytest.mark.parametrize(
    "inputs",
    [np.arange(10), pl.DataFrame({"a": np.arange(10)}), scipy.sparse.eye(10).tocsr(), list("0123456789")],
    ids=["array", "frame", "sparse", "list"],
)
def test_inputs_are_chosen_by_place_whatever_holds_them(inputs) -> None:
    chosen = take(inputs, np.array([7, 0, 7]))
    assert type(chosen) is type(inputs)
    values = (
        np.asarray(chosen.toarray().argmax(axis=1) if scipy.sparse.issparse(chosen) else chosen).astype(int).ravel()
    )
    np.testing.assert_array_equal(values, [7, 0, 7])


def test_a_pandas_frame_is_chosen_from_by_place_and_not_by_its_index() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.arange(3)}, index=[2, 1, 0])
    assert list(take(frame, np.array([0, 0, 2])).a) == [0, 0, 2]


def test_draws_differ_by_seed_name_and_index_and_not_otherwise() -> None:
    def numbers(*key) -> bytes:
        return generator(*key).integers(2**60, size=2).tobytes()

    keys = [(0, "signs", 0), (1, "signs", 0), (0, "order", 0), (0, "signs", 1)]
    assert len({numbers(*key) for key in keys}) == 4
    assert numbers(*keys[0]) == numbers(*keys[0])
