"""What somebody sees who works from Python or a notebook."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

import shatterlab as sl


def test_load_corrupt_run_and_read_the_table(tmp_path: Path) -> None:
    data = sl.corrupt(sl.load("digits"), "random-labels")
    assert data.train.corrupted.mean() > 0.8
    store = sl.Store(tmp_path / "store")
    spec = sl.make_spec(model="mlp-1x8", data="digits", corruption="random-labels", n=50, n_test=20, epochs=2)
    result = sl.run(spec, store)
    table = store.table()
    assert table["run_id"].to_list() == [result.id]
    assert table["train_accuracy"].to_list() == [result.last.train_accuracy]
    assert store.epochs()["epoch"].to_list() == [1, 2]


def test_results_show_themselves_as_html(tmp_path: Path) -> None:
    store = sl.Store(tmp_path / "store")
    assert store._repr_html_().startswith("<p>0 finished runs")
    result = sl.run(sl.make_spec(model="mlp-1x8", data="digits", n=50, n_test=20, epochs=1), store)
    for html in (result._repr_html_(), store._repr_html_()):
        assert result.id in html
        assert "<td>mlp-1x8</td>" in html


def test_a_damaged_result_is_a_warning_and_the_others_are_there(tmp_path: Path) -> None:
    store = sl.Store(tmp_path / "store")
    for epochs in (1, 2):
        last = sl.run(sl.make_spec(model="mlp-1x8", data="digits", n=50, n_test=20, epochs=epochs), store)
    (store.folder(last.spec) / "result.json").write_text("{")
    with pytest.warns(UserWarning, match="is damaged: it is cut short or no JSON"):
        assert len(store.table()) == 1


def test_a_condition_has_an_amount_of_its_own_and_no_other_than_a_share() -> None:
    data = sl.load("digits")
    half, whole = (sl.corrupt(data, name).train.corrupted.mean() for name in ("partial-labels", "random-labels"))
    assert abs(half - 0.45) < 0.05
    assert abs(whole - 0.9) < 0.05
    assert np.array_equal(sl.corrupt(data, "true-labels").train.labels, data.train.labels)
    for amount in (1.5, -0.1, float("nan")):
        with pytest.raises(sl.ShatterlabError, match=r"amount must lie in \[0, 1\]"):
            sl.corrupt(data, "random-labels", amount)


NO_NAME = (None, 0, 1.5, True, (), [], {}, b"x", object(), np.zeros(3), "no such")
NO_COUNT = (None, "", "x", 0, -1, 1.5, float("nan"), True, (), [], {}, object(), np.zeros(3))
DIGITS = sl.load("digits")
SPEC = sl.make_spec(model="mlp-1x8", data="digits", n=50, n_test=20, epochs=1)


def audited(**given: Any) -> sl.Audit:
    return sl.audit(**{"learner": DecisionTreeClassifier(), "data": "digits", "budget": 10, "quiet": True} | given)


CALLS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "load": (sl.load, NO_NAME),
    "build, name": (lambda v: sl.build(v, (8, 8, 1), 10), NO_NAME),
    "build, shape": (
        lambda v: sl.build("mlp-1x8", v, 10),
        (*NO_COUNT, (8, 8), (8, 8, 0), (8, 8, 1.5), "abc", np.zeros((2, 2))),
    ),
    "build, classes": (lambda v: sl.build("mlp-1x8", (8, 8, 1), v), (*NO_COUNT, np.zeros((3, 3)))),
    "build, seed": (lambda v: sl.build("mlp-1x8", (8, 8, 1), 10, v), (None, "x", -1, 1.5, True, 2**70)),
    "build, start": (lambda v: sl.build("mlp-1x8", (8, 8, 1), 10, initialization=v), NO_NAME[1:]),
    "build, dropout": (lambda v: sl.build("mlp-1x8", (8, 8, 1), 10, dropout=v), (None, "x", -1, 1, np.nan, True)),
    "corrupt, data": (lambda v: sl.corrupt(v, "random-labels"), (*NO_NAME, "digits")),
    "corrupt, name": (lambda v: sl.corrupt(DIGITS, v), NO_NAME),
    "corrupt, amount": (lambda v: sl.corrupt(DIGITS, "random-labels", v), ("x", -1, 1.5, np.nan, True, [], {})),
    "corrupt, seed": (lambda v: sl.corrupt(DIGITS, "random-labels", seed=v), (None, "x", -1, 1.5, True, [], {})),
    "corrupt, convention": (lambda v: sl.corrupt(DIGITS, "random-labels", label_noise=v), (*NO_NAME, "Uniform")),
    "make_spec, optimizer": (lambda v: sl.make_spec(model="mlp-1x8", data="digits", optimizer=v), NO_NAME),
    "run, spec": (sl.run, NO_NAME),
    "run, store": (lambda v: sl.run(SPEC, v), (0, 1.5, True, (), [], {}, b"x", "")),
    "run, device": (lambda v: sl.run(SPEC, device=v), (*NO_NAME, "gpu")),
    "Store": (sl.Store, (None, 0, (), {}, b"x", "")),
    "write_report": (sl.write_report, (None, 0, (), {}, b"x", "")),
    "audit, learner": (lambda v: audited(learner=v), NO_NAME),
    "audit, data": (lambda v: audited(data=v), NO_NAME),
    "audit, budget": (lambda v: audited(budget=v), (*NO_COUNT, 1e30)),
    "audit, seed": (lambda v: audited(seed=v), (None, "x", -1, 1.5, True, [], {}, np.zeros(3))),
    "audit, jobs": (lambda v: audited(jobs=v), NO_COUNT),
    "audit, n": (lambda v: audited(n=v), (*NO_COUNT[1:], 3)),
    "audit, surrogate": (lambda v: audited(surrogate=v), NO_NAME[1:]),
    "audit, engine": (lambda v: audited(engine=v), NO_NAME),
    "audit, unlabelled": (lambda v: audited(unlabelled=v), (*NO_NAME[1:], np.zeros((2, 3)))),
    "audit, device": (lambda v: audited(learner="mlp-1x8", device=v), ("gpu", None, 0)),
}


WORDS = {
    "load": "unknown data set", "build, name": "unknown model", "build, start": "unknown initialization",
    "corrupt, data": "corrupt takes the Data", "corrupt, name": "unknown corruption", "corrupt, convention": "label_noise",
    "run, spec": "spec|Spec", "Store": "store", "write_report": "store", "audit, learner": "learner|model",
}  # fmt: skip
"""What a sentence says of the argument where it is not its name."""


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_argument_is_told_in_one_sentence_and_nothing_is_done(call: str, tmp_path: Path) -> None:
    use, wrong = CALLS[call]
    for value in wrong:
        with pytest.raises(sl.ShatterlabError) as caught:
            use(value)
        sentence = str(caught.value)
        assert len(sentence.splitlines()) == 1
        assert re.search(WORDS.get(call, call.rpartition(", ")[2]), sentence)
    assert not list(tmp_path.rglob("*.json")), "neither a run nor a fit was begun"


def test_numbers_of_numpy_do_as_those_of_python(tmp_path: Path) -> None:
    ours, theirs = (
        sl.build("mlp-1x8", (8, 8, 1), 10, 3),
        sl.build("mlp-1x8", np.array([8, 8, 1]).tolist(), np.int64(10), np.int64(3)),
    )
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    found = audited(
        store=tmp_path, n=np.int64(20), seed=np.int64(0), jobs=np.int64(1), clock=lambda: 6 * time.process_time()
    )
    assert found.record["n"] == 20


def test_the_bare_name_says_what_to_do_next() -> None:
    done = subprocess.run([sys.executable, "-m", "shatterlab"], capture_output=True, text=True, check=True)
    for command in ("shatterlab run all", "shatterlab watch", "shatterlab report", "--help"):
        assert command in done.stdout
