"""Dials: defaults from the paper, ids, and errors that hand over the fix."""

import pytest
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
        ({"seed": 2**63}, "seed: input should be less than or equal to 9223372036854775807, got 9223372036854775808"),
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
