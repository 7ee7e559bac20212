"""Data registered in Python, as a `Source` in `DATASETS`: left as they are, read anew, looked at."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shatterlab import ShatterlabError, load, make_spec, run
from shatterlab.data import DATASETS, Data, Dataset, Source

X, Y = np.random.default_rng(0).random((60, 5)).astype(np.float32), np.arange(60) % 3


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """A function that registers arrays as "mine" for the time of a test."""

    def register(inputs: Any = X, labels: Any = Y, classes: int = 3) -> None:
        data = Data(Dataset(inputs, labels, classes), Dataset(inputs, labels, classes))
        DATASETS["mine"] = Source("mine", lambda folder: folder, lambda place: data)

    yield register
    del DATASETS["mine"]


def trained(folder: Path):
    return run(make_spec(model="mlp-1x4", data="mine", epochs=1), folder)


def test_the_users_arrays_stay_writable(register) -> None:
    inputs, labels = X.copy(), Y.copy()
    register(inputs, labels)
    data = load("mine")
    assert inputs.flags.writeable
    assert labels.flags.writeable
    assert not data.train.inputs.flags.writeable


def test_a_name_that_is_registered_again_gives_the_new_arrays_and_another_run(register, tmp_path: Path) -> None:
    register()
    before, first = load("mine"), trained(tmp_path)
    register(X + 1)
    np.testing.assert_array_equal(load("mine").train.inputs, before.train.inputs + 1)
    assert trained(tmp_path).id != first.id
    register()
    assert trained(tmp_path).id == first.id


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ((X, Y.astype(np.float32)), "labels must be integers in 0..2"),
        ((X, Y + 5), "train set has label 5 at example 0; labels must be integers in 0..2"),
        ((X, Y[:50]), "train set has 60 examples but labels of shape"),
        ((X * np.nan, Y), "numbers that are not finite"),
        ((X.astype(complex), Y), "entries of type complex"),
        ((X[:, 0], Y), "expected one row an example"),
    ],
    ids=["floats as labels", "labels above", "fewer labels", "NaN", "complex", "one axis"],
)
def test_what_does_not_fit_is_one_sentence(register, wrong, sentence: str, tmp_path: Path) -> None:
    register(*wrong)
    for use in (lambda: load("mine"), lambda: trained(tmp_path)):
        with pytest.raises(ShatterlabError, match=sentence):
            use()


@pytest.mark.parametrize(
    "given",
    [(X.astype(np.float64), Y), (X.tolist(), Y.tolist()), (torch.tensor(X), torch.tensor(Y)), (X, Y.astype(np.int8))],
    ids=["doubles", "lists", "tensors", "small integers"],
)
def test_numbers_of_any_kind_are_taken(register, given, tmp_path: Path) -> None:
    register(*given)
    assert load("mine").train.inputs.dtype == np.float32
    assert trained(tmp_path).n == 60


def test_a_source_that_is_none_is_one_sentence(register) -> None:
    register()
    DATASETS["mine"] = "mine.npz"  # type: ignore[assignment]
    with pytest.raises(ShatterlabError, match="is of type str; make it a Source"):
        load("mine")
    DATASETS["mine"] = Source("mine", lambda folder: folder, lambda place: (X, Y))  # type: ignore[arg-type, return-value]
    with pytest.raises(ShatterlabError, match="loads tuple; let it return Data"):
        load("mine")
