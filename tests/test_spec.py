"""Dials: defaults from the paper, ids, and errors that hand over the fix."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shatterlab import ShatterlabError, Spec, make_spec


def test_defaults_are_the_papers() -> None:
    spec = make_spec(model="inception")
    assert (spec.learning_rate, spec.momentum, spec.decay, spec.crop, spec.weight_decay) == (0.1, 0.9, 0.95, 28, 0)
    assert make_spec(model="alexnet").learning_rate == 0.01
    assert make_spec(data="mnist").crop is None


def test_spelling_out_a_default_does_not_change_the_id() -> None:
    assert make_spec().id == make_spec(learning_rate=0.01, amount=0, crop=28).id


@given(seed=st.integers(0, 10**6), n=st.integers(1, 10**5), momentum=st.floats(0, 0.99))
def test_a_spec_survives_json(seed: int, n: int, momentum: float) -> None:
    spec = make_spec(seed=seed, n=n, momentum=momentum)
    again = Spec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.id == spec.id


OTHER = {"data_version": "0", "model": "alexnet", "data": "digits", "corruption": "random-pixels", "amount": 0.3, "label_noise": "symmetric",
         "preprocessing": "scale", "precision": "bf16", "initialization": "tutorial", "optimizer": "adam", "model_version": "0", "stop": "fit", "decay": 0.9, "momentum": 0.5, "weight_decay": 0.1,
         "random_crop": True}  # fmt: skip


@pytest.mark.parametrize("dial", list(Spec.model_fields))
def test_every_dial_changes_the_id(dial: str) -> None:
    base = make_spec(corruption="shuffled-pixels")
    assert base.model_copy(update={dial: OTHER.get(dial, 7)}).id != base.id


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        (
            {"amount": 20, "corruption": "partial-labels"},
            "amount must lie in [0, 1], got 20; for twenty percent write amount=0.2",
        ),
        (
            {"amount": -0.1, "corruption": "gaussian-pixels"},
            "amount must lie in [0, 1], got -0.1; for twenty percent write amount=0.2",
        ),
        (
            {"corruption": "random-labels", "amount": 0.3},
            "random-labels always has amount 1, got 0.3; for a share of the labels write corruption=partial-labels, amount=0.3",
        ),
        ({"flip": 2}, "flip: input should be less than or equal to 1, got 2"),
        ({"dropout": 1}, "dropout: input should be less than 1, got 1"),
        ({"epochs": 0}, "epochs: input should be greater than or equal to 1, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate: input should be a finite number, got nan"),
        ({"l2": 1}, "there is no dial 'l2'; did you mean 'weight_decay'?"),
        ({"lr": 0.1}, "there is no dial 'lr'; did you mean 'learning_rate'?"),
        ({"momentun": 0.1}, "there is no dial 'momentun'; did you mean 'momentum'?"),
        ({"xyzzy": 1}, "there is no dial 'xyzzy'; 'shatterlab train --help' lists all."),
        ({"data": [1, 2]}, "data is a name in a spec, got list; hand the thing itself to run(spec, data=...)."),
        (
            {"seed": 2**63},
            "seed must be at most 9223372036854775807, the largest number that a table holds, got 9223372036854775808",
        ),
    ],
)
def test_a_wrong_dial_is_one_sentence(dials: dict, message: str) -> None:
    with pytest.raises(ShatterlabError) as error:
        make_spec(**dials)
    assert str(error.value) == message


@pytest.mark.parametrize("make", [Spec, make_spec, Spec().on], ids=["Spec", "make_spec", "on"])
def test_the_word_of_another_tool_is_answered_with_ours(make) -> None:
    with pytest.raises(ShatterlabError, match="there is no dial 'lr'; did you mean 'learning_rate'?"):
        make(lr=0.1)


def test_a_file_with_an_unknown_dial_is_of_another_version() -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        Spec.model_validate_json('{"lr": 0.1}')


LARGE = 2**60 + 1


@pytest.mark.parametrize("dial", ["seed", "data_seed", "training_seed", "n", "epochs", "decay_every"])
@pytest.mark.parametrize(
    "made", [int, str, np.int64, np.uint64, Decimal, Fraction, torch.tensor, np.array], ids=lambda made: made.__name__
)
def test_a_large_integer_of_any_kind_keeps_its_last_digit(dial: str, made) -> None:
    first, second = (make_spec(**{dial: made(value)}) for value in (LARGE, LARGE + 2))
    assert (getattr(first, dial), getattr(second, dial)) == (LARGE, LARGE + 2)
    assert type(getattr(first, dial)) is int
    assert first.id != second.id


@pytest.mark.parametrize("dial", ["seed", "n", "batch_size"])
@pytest.mark.parametrize("value", [float(LARGE), np.float64(LARGE), np.longdouble(LARGE), torch.tensor(1e18)], ids=repr)
def test_a_large_float_where_an_integer_belongs_is_refused(dial: str, value) -> None:
    with pytest.raises(ShatterlabError, match=rf"{dial}=.* may have been rounded already, as floats are above 2\*\*53"):
        make_spec(**{dial: value})


@pytest.mark.parametrize("dial", ["seed", "n", "epochs", "data_seed"])
@pytest.mark.parametrize("value", [2**63, np.uint64(2**63), Decimal(2**63)], ids=repr)
def test_an_integer_that_no_table_holds_is_refused(dial: str, value) -> None:
    with pytest.raises(ShatterlabError, match=f"{dial} must be at most 9223372036854775807"):
        make_spec(**{dial: value})


@pytest.mark.parametrize("dial", ["seed", "n", "learning_rate", "amount", "momentum"])
@pytest.mark.parametrize("value", [True, np.True_, torch.tensor(True)], ids=repr)
def test_a_truth_value_is_no_number(dial: str, value) -> None:
    with pytest.raises(ShatterlabError, match=f"{dial} is a number, got True; write {dial}=1 if that is meant"):
        make_spec(**{dial: value})


@pytest.mark.parametrize(
    "value", [np.float64(0.25), np.float32(0.25), torch.tensor(0.25), np.array(0.25), Decimal("0.25")]
)
def test_a_float_of_any_kind_is_the_same_rate(value) -> None:
    assert make_spec(learning_rate=value).id == make_spec(learning_rate=0.25).id


@pytest.mark.parametrize(
    "value", [np.array([3]), torch.tensor([3, 4]), [3], 3.5, 1j, b"x", object()], ids=lambda value: type(value).__name__
)
def test_what_is_no_number_is_one_sentence(value) -> None:
    for dial in ("seed", "learning_rate"):
        if (dial, value if isinstance(value, float) else None) != ("learning_rate", 3.5):
            with pytest.raises(ShatterlabError, match=dial):
                make_spec(**{dial: value})


def test_an_integer_that_no_float_holds_is_refused_as_a_rate() -> None:
    with pytest.raises(ShatterlabError, match="more than a float tells from its neighbours"):
        make_spec(learning_rate=LARGE)


@pytest.mark.parametrize("dial", ["label_noise", "optimizer", "preprocessing", "initialization", "precision", "stop"])
@pytest.mark.parametrize("word", ["Uniform", "ADAM", "", "none ", 3, None])
def test_an_unknown_word_means_nothing_and_the_known_ones_are_named(dial: str, word) -> None:
    if word is None and dial in ("preprocessing", "initialization"):
        pytest.skip("None stands for the usual one")
    with pytest.raises(ShatterlabError, match=f"{dial}: input should be '"):
        make_spec(**{dial: word})
