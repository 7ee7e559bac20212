"""What somebody sees who works from Python or a notebook."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


def test_the_bare_name_says_what_to_do_next() -> None:
    done = subprocess.run([sys.executable, "-m", "shatterlab"], capture_output=True, text=True, check=True)
    for command in ("shatterlab run all", "shatterlab watch", "shatterlab report", "--help"):
        assert command in done.stdout
