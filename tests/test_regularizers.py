"""Dropout for any model, the validation split, and that both survive a kill."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import MODEL_NAMES, noise_data
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shatterlab import ShatterlabError, Store, build, corrupt, make_spec, run
from shatterlab.data import hold_out
from shatterlab.models import MODELS, Model
from shatterlab.models.dropout import Dropout, kept, with_dropout
from shatterlab.preparation import prepare

DROPOUTS = {"mlp-1x512": 1, "mlp-3x512": 3, "alexnet": 3, "inception": 1, "inception-no-bn": 1, "mlp-2x16": 2}


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_dropout_acts_in_training_only_and_costs_no_parameters(name: str) -> None:
    plain, dropped = (build(name, (8, 8, 3), 4, dropout=p) for p in (0.0, 0.5))
    assert sum(isinstance(module, Dropout) for module in dropped.modules()) == DROPOUTS[name]
    assert not any(isinstance(module, Dropout) for module in plain.modules())
    assert [p.shape for p in plain.parameters()] == [p.shape for p in dropped.parameters()]
    images = torch.randn(16, 3, 8, 8)
    torch.testing.assert_close(plain.eval()(images), dropped.eval()(images))
    dropped.train()
    assert not torch.equal(dropped(images), dropped(images))


def test_dropout_keeps_the_expected_input_and_spares_the_pixels() -> None:
    model = with_dropout(nn.Sequential(nn.Linear(6, 200), nn.Linear(200, 1, bias=False)), 0.25)
    hidden = model[0](torch.ones(1, 6))
    passed = model[1].dropout(hidden.expand(4_000, -1))
    assert (passed == 0).double().mean() == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / passed.numel()) ** 0.5)
    torch.testing.assert_close(passed[passed != 0], (hidden / 0.75).expand_as(passed)[passed != 0])


def hashed(place: int, key: int) -> int:
    """The hash of `models.dropout.kept`, written with Python's unbounded integers."""

    def mixed(number: int) -> int:
        number ^= number >> 16
        number = number * 0x7FEB352D % 2**32
        number ^= number >> 15
        number = number * 0x846CA68B % 2**32
        return number ^ number >> 16

    first = mixed((place * 0x9E3779B9 + key) % 2**32)
    return mixed(first ^ (key >> 32) % 2**32) % 2**31


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1), st.floats(0.01, 0.99))
def test_what_dropout_keeps_is_the_hash_it_says(place: int, key: int, probability: float) -> None:
    found = kept(torch.tensor([place], dtype=torch.int32), torch.tensor(key), probability)
    assert found.item() == (hashed(place, key) >= int(probability * 2**31))


def test_dropout_drops_its_share_independently_of_place_and_key() -> None:
    n = 200_000
    places, keys = torch.arange(n, dtype=torch.int32), torch.tensor([[5], [6], [2**32 + 5]])
    drops = (~kept(places, keys, 0.3)).double()
    error = (0.3 * 0.7 / n) ** 0.5
    assert (drops.mean(1) - 0.3).abs().max() < 4.5 * error
    centred = drops - 0.3
    pairs = [(0, 1, 0), (0, 2, 0), (0, 0, 1), (0, 0, 64), (0, 0, 512)]  # two keys, or a place and a later one
    for one, other, later in pairs:
        product = (centred[one, : n - later] * centred[other, later:]).mean()
        assert abs(product) < 4.5 * 0.3 * 0.7 / (n - later) ** 0.5


def test_dropout_outside_our_loop_draws_anew_in_every_pass() -> None:
    layer = Dropout(0.5)
    first, second = layer(torch.ones(1000)), layer(torch.ones(1000))
    assert 350 < (first == second).sum() < 650


def test_a_linear_model_has_no_place_for_dropout() -> None:
    with pytest.raises(
        ShatterlabError, match="Sequential has no linear layer above its first for dropout to act on; use dropout=0"
    ):
        with_dropout(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), 0.5)


def test_held_out_examples_are_not_trained_on_and_keep_their_wrong_labels() -> None:
    data = noise_data(n=50)
    split = hold_out(data, 20, seed=3)
    assert split.validation is not None
    assert (len(split.train), len(split.validation)) == (30, 20)
    both = np.concatenate([split.train.inputs, split.validation.inputs])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in data.train.inputs}
    random = prepare(make_spec(data="digits", corruption="random-labels", n=300, n_validation=300))
    assert random.validation is not None
    assert 0.8 < (random.validation.labels != random.validation.true_labels).mean() < 1


def test_all_but_the_held_out_examples_are_the_default_n() -> None:
    data = prepare(make_spec(data="digits", n_validation=100))
    assert len(data.train) == 1_437 - 100


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"n": 1_400, "n_validation": 100}, "n=1,400 and n_validation=100 together are more than the 1,437 training"),
        ({"n_validation": 1_437}, "n_validation=1,437 leaves nothing of the 1,437 training examples; ask for at most"),
    ],
)
def test_holding_out_too_much_is_one_sentence(dials: dict, message: str) -> None:
    with pytest.raises(ShatterlabError) as error:
        prepare(make_spec(data="digits", **dials))
    assert str(error.value).startswith(message)


def test_data_are_corrupted_before_examples_are_held_out() -> None:
    with pytest.raises(ShatterlabError, match="corrupt the data first and hold out validation examples then"):
        corrupt(hold_out(noise_data(), 5, seed=0), "random-labels", 1.0)


def test_early_stopping_takes_the_best_validation_epoch_and_does_not_look_at_the_test_set(tmp_path: Path) -> None:
    spec = make_spec(model="mlp-1x32", data="digits", n=200, n_validation=200, epochs=12, batch_size=20,
                     corruption="partial-labels", evaluate_every=1, learning_rate=0.1)  # fmt: skip
    store = Store(tmp_path)
    result, rows = run(spec, store), store.rows(spec)
    best = max(rows, key=lambda row: row.validation_accuracy or 0)
    assert (result.validation_epoch, result.validation_test_accuracy) == (best.epoch, best.test_accuracy)
    assert result.validation_test_accuracy is not None
    assert result.validation_test_accuracy <= result.best_test_accuracy
    assert run(make_spec(model="mlp-1x32", data="digits", n=50, epochs=1), store).validation_epoch is None


@pytest.mark.parametrize(
    "dials",
    [
        {"model": "mlp-2x32", "dropout": 0.5},
        {"model": "alexnet", "crop": 7, "random_crop": True, "flip": 0.5, "rotation": 25, "n_validation": 20},
        {"model": "own"},
    ],
    ids=["dropout", "augmentation", "a layer that draws from torch's generator"],
)
def test_a_stopped_run_with_chance_in_it_ends_with_the_same_bits(dials: dict, tmp_path: Path, monkeypatch) -> None:
    own = Model("", lambda *_: 0, lambda *_: nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10)))
    monkeypatch.setitem(MODELS, "own", own)
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    spec = make_spec(**{"data": "digits", "n": 60, "batch_size": 20, "epochs": 3} | dials)
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    run(spec, whole)

    class Kill(Exception):
        pass

    def kill(row):
        if row.epoch == 2:
            raise Kill

    with pytest.raises(Kill):
        run(spec, broken, on_row=kill)
    torch.rand(5)  # whatever else uses the global generator
    run(spec, broken)
    assert whole.checkpoint(spec).read_bytes() == broken.checkpoint(spec).read_bytes()


def test_the_regularizers_of_a_run_are_named() -> None:
    assert make_spec().regularizers == "none"
    spec = make_spec(model="alexnet", random_crop=True, rotation=25, weight_decay=5e-4, dropout=0.5)
    assert spec.regularizers == "random crop, rotation 25, weight decay 0.0005, dropout 0.5"
    assert spec.title == f"alexnet true-labels + {spec.regularizers} seed 0"
