"""What can go wrong with a learner or data: a sentence, or the part left out with its reason and the rest kept."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from audit_learners import Clock, blobs, nearest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

import shatterlab as sl


def fast() -> float:
    """A clock on which each second of work counts ten times, however busy the machine is."""
    return 10 * time.process_time()


def audited(learner: Any, data: Any, store: Path, **more: Any) -> sl.Audit:
    return sl.audit(learner, data, 10, store=store, quiet=True, **({"clock": fast} | more))


def test_a_learner_that_raises_ends_in_a_sentence(tmp_path: Path) -> None:
    def broken(X: Any, y: Any, seed: int) -> Any:
        raise RuntimeError("no licence found")

    with pytest.raises(sl.ShatterlabError, match="broken cannot be audited on arrays: RuntimeError: no licence found"):
        audited(broken, blobs(), tmp_path)


def test_a_learner_that_raises_on_some_fits_loses_that_part_alone(tmp_path: Path) -> None:
    clock = Clock()
    good, tick = nearest(clock), clock.tick

    def picky(X: Any, y: Any, seed: int) -> Any:
        tick(0.0)
        if len(y) in range(45, 60):  # the subsets
            raise ValueError("an odd number of examples")
        return good(X, y, seed)

    found = sl.audit(picky, blobs(), 60, store=tmp_path, quiet=True, clock=clock)
    assert found.answer == "memorizes"
    assert any("an odd number of examples" in sentence for sentence in found.cut)
    assert found.findings.signs is not None
    assert "Which examples to look at is not known" in found.card[3]


def test_a_subset_that_fails_is_left_out_alone(tmp_path: Path) -> None:
    clock = Clock()
    good, tick = nearest(clock), clock.tick

    def unlucky(X: Any, y: Any, seed: int) -> Any:
        tick(0.0)
        if len(y) in range(45, 60) and seed % 3 == 0:
            raise ValueError("singular matrix")
        return good(X, y, seed)

    found = sl.audit(unlucky, blobs(), 60, store=tmp_path, quiet=True, clock=clock)
    assert any("were left out (ValueError: singular matrix)" in sentence for sentence in found.cut)
    assert found.findings.subsets
    assert "memorized" in found.card[1]


def test_a_fit_that_hangs_is_given_up(tmp_path: Path) -> None:
    def asleep(X: Any, y: Any, seed: int) -> Any:
        time.sleep(600)

    began = time.monotonic()
    with pytest.raises(sl.ShatterlabError, match="a fit was given up after 3 s; give it a larger budget"):
        audited(asleep, blobs(), tmp_path, clock=time.monotonic)
    assert time.monotonic() - began < 12


def test_a_fit_that_hangs_later_loses_that_part_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shatterlab.auditing.driver.PATIENCE", 1.0)
    monkeypatch.setattr("shatterlab.auditing.driver.HOPELESS", 1)
    clock = Clock()
    good = nearest(clock)

    def dozing(X: Any, y: Any, seed: int) -> Any:
        if len(y) > 50 and len(np.unique(y)) == 2:  # random signs
            time.sleep(600)
        return good(X, y, seed)

    found = sl.audit(dozing, blobs(), 20, store=tmp_path, quiet=True, clock=clock)
    assert any("given up" in sentence for sentence in found.cut)
    assert found.answer == "memorizes"


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (lambda X: np.zeros((len(X), 2)), "predict must give one class for each of"),
        (lambda X: np.zeros(3, int), "predict must give one class for each of"),
        (lambda X: np.full(len(X), 0.5), "class indices, which are integers"),
        (lambda X: np.full(len(X), np.nan), "class indices, which are integers"),
        (lambda X: np.full(len(X), 7), "it predicts the class 7, and there are 3"),
        ("nothing", "must return a function predict"),
    ],
)
def test_wrong_predictions_end_in_a_sentence(tmp_path: Path, predict: Any, message: str) -> None:
    def odd(X: Any, y: Any, seed: int) -> Any:
        return predict

    with pytest.raises(sl.ShatterlabError, match=message):
        audited(odd, blobs(), tmp_path)


class Unsure(KNeighborsClassifier):
    """Its probabilities are no numbers."""

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), len(self.classes_)), np.nan)


class Narrow(KNeighborsClassifier):
    """Its probabilities lack a class."""

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, :-1]


@pytest.mark.parametrize("learner", [Unsure(1), Narrow(1)])
def test_probabilities_that_are_of_no_use_are_left_out(tmp_path: Path, learner: Any) -> None:
    found = audited(learner, blobs(), tmp_path)
    assert found.answer == "memorizes"
    assert any("probabilities are left out" in sentence for sentence in found.cut)
    assert found.scores()["suspicion"].is_not_null().all()


def test_a_class_that_a_subset_lacks_keeps_its_place(tmp_path: Path) -> None:
    X, y = blobs(n=60, classes=3)
    y[y == 2] = 1
    y[:2], X[:2] = 2, X[:2] + 50  # a class of two examples
    found = audited(GaussianNB(), (X, y, X[2:30], y[2:30]), tmp_path)
    assert found.record["classes"] == 3
    assert set(found.scores()["label"].to_list()) == {"0", "1", "2"}


def test_two_examples_a_class_are_enough(tmp_path: Path) -> None:
    X, y = blobs(n=20, classes=10)
    found = audited(KNeighborsClassifier(1), (X, y, X + 0.1, y), tmp_path)
    assert found.answer == "memorizes"


def test_measurements_as_labels_end_in_a_sentence(tmp_path: Path) -> None:
    X, _ = blobs(n=100)
    with pytest.raises(sl.ShatterlabError, match="if the labels are"):
        audited(KNeighborsClassifier(1), (X, np.arange(100) % 45), tmp_path)


def test_one_class_ends_in_a_sentence(tmp_path: Path) -> None:
    X, _ = blobs()
    with pytest.raises(sl.ShatterlabError, match="at every example"):
        audited(KNeighborsClassifier(1), (X, np.zeros(len(X), int)), tmp_path)


@pytest.mark.parametrize("shape", ["texts", "column", "one-hot", "booleans"])
def test_labels_of_any_kind_and_shape_are_taken(tmp_path: Path, shape: str) -> None:
    X, y = blobs(classes=2)
    labels = {
        "texts": np.array(["ill", "well"])[y],
        "column": y[:, None],
        "one-hot": np.eye(2)[y],
        "booleans": y.astype(bool),
    }[shape]
    found = audited(DecisionTreeClassifier(), (X, labels), tmp_path)
    assert found.record["classes"] == 2
    if shape == "texts":
        assert set(found.scores()["label"]) == {"ill", "well"}


def test_missing_values_reach_a_learner_that_takes_them(tmp_path: Path) -> None:
    X, y = blobs()
    X[::7, 1] = np.nan
    found = audited(make_pipeline(SimpleImputer(), KNeighborsClassifier(1)), (X, y), tmp_path)
    assert found.answer == "memorizes"
    assert any("conditions of the inputs" in sentence for sentence in found.cut)


def test_missing_values_that_a_learner_does_not_take_end_in_a_sentence(tmp_path: Path) -> None:
    X, y = blobs()
    X[::7, 1] = np.nan
    with pytest.raises(sl.ShatterlabError, match="ValueError: Input X contains NaN"):
        audited(KNeighborsClassifier(1), (X, y), tmp_path)


def test_a_learner_that_refuses_a_handful_of_examples_has_a_capacity_all_the_same(tmp_path: Path) -> None:
    found = audited(KNeighborsClassifier(5), blobs(), tmp_path)
    assert found.findings.capacities is not None
    assert any("it refuses 2 examples" in sentence for sentence in found.cut)


def test_constant_columns_do_no_harm(tmp_path: Path) -> None:
    X, y = blobs()
    X[:, 0] = 3
    assert audited(KNeighborsClassifier(1), (X, y), tmp_path).answer == "memorizes"


def test_inputs_of_many_dimensions_reach_those_who_take_them_and_are_rows_for_others(tmp_path: Path) -> None:
    X, y = blobs(d=12)
    cubes = X.reshape(-1, 2, 3, 2)
    shapes = set()

    def looking(inputs: Any, labels: Any, seed: int) -> Any:
        shapes.add(inputs.shape[1:])
        most = int(np.bincount(labels).argmax())
        return lambda asked: np.full(len(asked), most)

    audited(looking, (cubes, y), tmp_path / "function")
    assert shapes == {(2, 3, 2)}
    assert audited(KNeighborsClassifier(1), (cubes, y), tmp_path / "estimator").answer == "memorizes"


def test_a_torch_data_set_is_taken(tmp_path: Path) -> None:
    import torch

    X, y = blobs()
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    assert audited(KNeighborsClassifier(1), data, tmp_path).answer == "memorizes"


def test_texts_reach_a_pipeline(tmp_path: Path) -> None:
    words = np.array(["red", "blue", "green", "fast", "slow", "tall", "short", "old"])
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 6)) for _ in range(80)]
    y = np.array(["red" in text for text in texts])
    found = audited(
        make_pipeline(TfidfVectorizer(), LogisticRegression(C=100)),
        (texts, y),
        tmp_path,
        clock=lambda: 5 * time.process_time(),
    )
    assert "TfidfVectorizer + LogisticRegression" in found.record["title"]
    (suspects,) = [part for part in found.record["parts"] if part["id"] == "suspects"]
    assert suspects["examples"][0]["row"] in texts


def test_unlabelled_inputs_may_be_words_as_those_of_the_data(tmp_path: Path) -> None:
    words = np.random.default_rng(0).choice(["red", "blue"], (80, 3))
    learner = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier())
    found = audited(learner, (words, np.arange(80) % 2), tmp_path, unlabelled=words[:20])
    assert found.findings.certificate is not None
    assert found.findings.certificate["relabelled"] == 20


def test_sparse_matrices_stay_sparse(tmp_path: Path) -> None:
    from scipy.sparse import csr_matrix

    X, y = blobs()
    kinds = set()

    def looking(inputs: Any, labels: Any, seed: int) -> Any:
        kinds.add(type(inputs).__name__)
        most = int(np.bincount(labels).argmax())
        return lambda asked: np.full(asked.shape[0], most)

    audited(looking, (csr_matrix(np.maximum(X, 0)), y), tmp_path)
    assert kinds == {"csr_matrix"}


def test_a_csv_with_texts_and_gaps_reaches_an_estimator_as_a_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    note = [" ".join(rng.choice(["good", "bad", "fine", "dull", "odd"], 4)) for _ in range(60)]
    pl.DataFrame({"note": note, "ill": ["yes" if "bad" in n else "no" for n in note]}).write_csv(tmp_path / "t.csv")
    learner = make_pipeline(TfidfVectorizer(), LogisticRegression())
    found = audited(learner, f"csv:{tmp_path / 't.csv'}?label=ill", tmp_path / "runs")
    assert found.record["data"] == "csv:t.csv"
    assert set(found.scores()["label"]) == {"yes", "no"}


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (3, "a learner is whatever has fit"),
        ("mine", "unknown model 'mine'"),
        ("sklearn.ensemble:RandomForest", "unknown name in sklearn.ensemble"),
        ("nowhere.py:Net", "is no file"),
    ],
)
def test_what_is_no_learner_ends_in_a_sentence(tmp_path: Path, learner: Any, message: str) -> None:
    with pytest.raises(sl.ShatterlabError, match=message):
        audited(learner, blobs(), tmp_path)


def test_dials_of_networks_are_refused_for_others(tmp_path: Path) -> None:
    with pytest.raises(sl.ShatterlabError, match="epochs is a dial of a network's training"):
        audited(KNeighborsClassifier(1), blobs(), tmp_path, epochs=3)


def test_unlabelled_inputs_must_agree_with_the_data(tmp_path: Path) -> None:
    with pytest.raises(sl.ShatterlabError, match="unlabelled inputs have the shape"):
        audited(KNeighborsClassifier(1), blobs(), tmp_path, unlabelled=np.zeros((5, 9)))


def test_unlabelled_inputs_give_a_certificate_of_their_own(tmp_path: Path) -> None:
    X, y = blobs(n=200)
    found = audited(KNeighborsClassifier(1), (X[:120], y[:120]), tmp_path, unlabelled=X[120:])
    assert found.findings.certificate is not None
    assert found.findings.certificate["relabelled"] == 80
    assert found.findings.certificate["known_wrong"] is None
