"""Runs trained together end where each ends alone: for every model, augmentation, condition and dial that may differ."""

import copy

import numpy as np
import pytest
import torch
from helpers import MODEL_NAMES, noise_data, trained

from shatterlab import ShatterlabError, build, make_spec
from shatterlab.corruption import CORRUPTIONS, corrupt
from shatterlab.data import Data, hold_out, subset
from shatterlab.models.mlp import MLP
from shatterlab.spec import AUGMENTATIONS, Spec
from shatterlab.training import Batch, MomentumSGD, learner_for, products
from shatterlab.training.alone import Alone
from shatterlab.training.loop import stack_key, train_together
from shatterlab.training.perceptrons import Perceptrons, is_perceptron
from shatterlab.training.stacked import Vmapped


def material(specs: list[Spec], data: Data):
    """Data, models and optimizers of some runs, in float64, in which a wrong sum is told from rounding."""
    parts = []
    for spec in specs:
        part = corrupt(subset(data, spec.n, spec.n_test, spec.seed), spec.corruption, spec.amount, spec.seed)
        parts.append(hold_out(part, spec.n_validation, spec.seed))
    side = specs[0].crop or data.train.shape[0]
    shape = side, side, data.train.shape[2]
    models = [build(s.model, shape, data.train.classes, s.seed, dropout=s.dropout).double() for s in specs]
    optimizers = [MomentumSGD(m.parameters(), s.momentum, s.weight_decay) for m, s in zip(models, specs, strict=True)]
    return parts, models, optimizers


def assert_equal_together_and_alone(specs: list[Spec], data: Data) -> None:
    parts, models, optimizers = material(specs, data)
    alone_models, alone_optimizers = copy.deepcopy(models), copy.deepcopy(optimizers)
    for optimizer, model in zip(alone_optimizers, alone_models, strict=True):
        optimizer.parameters = list(model.parameters())
    stack = learner_for(models, optimizers, bf16=specs[0].precision == "bf16")
    together: list[list] = [[] for _ in specs]
    for rows in train_together(specs, parts, stack):
        stack.write_back()
        for i, end in rows.items():
            together[i].append(end.row)
    for i, spec in enumerate(specs):
        alone = list(trained(spec, parts[i], alone_models[i], alone_optimizers[i]))
        assert [row.epoch for row in alone] == [row.epoch for row in together[i]]
        for one, other in zip(alone, together[i], strict=True):
            for name, value in one.model_dump(exclude={"seconds", "evaluation_seconds"}).items():
                assert getattr(other, name) == (value if value is None else pytest.approx(value, rel=1e-7, abs=1e-9))
        state = models[i].state_dict()
        for name, tensor in alone_models[i].state_dict().items():
            torch.testing.assert_close(state[name], tensor, rtol=1e-6, atol=1e-9)
        for one, other in zip(alone_optimizers[i].velocities, optimizers[i].velocities, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("model", [*MODEL_NAMES, "mlp-2x8"])
def test_runs_of_every_model_end_together_as_they_do_alone(model: str) -> None:
    varied = [
        {"seed": 0, "corruption": "true-labels"},
        {"seed": 1, "corruption": "random-labels", "weight_decay": 0.01},
        {"seed": 2, "corruption": "gaussian-pixels", "learning_rate": 0.002},
    ]
    specs = [make_spec(**{"model": model, "data": "noise", "learning_rate": 0.004, "n": 20, "n_test": 8, "epochs": 2,
                          "batch_size": 8, "n_validation": 0} | some) for some in varied]  # fmt: skip
    assert_equal_together_and_alone(specs, noise_data(n=24, n_test=10))


@pytest.mark.parametrize("model", [*MODEL_NAMES, "mlp-2x8"])
def test_runs_of_every_model_with_dropout_end_together_as_they_do_alone(model: str) -> None:
    specs = [
        make_spec(model=model, data="noise", n=20, epochs=2, batch_size=8, learning_rate=0.004, seed=s, dropout=0.5)
        for s in range(3)
    ]
    assert_equal_together_and_alone(specs, noise_data(n=24, n_test=10))


@pytest.mark.parametrize("dial", ["random_crop", *AUGMENTATIONS])
@pytest.mark.parametrize("model", ["mlp-1x16", "alexnet"])
def test_runs_with_every_augmentation_end_together_as_they_do_alone(model: str, dial: str) -> None:
    dials = {"random_crop": {"random_crop": True, "crop": 6}, "rotation": {"rotation": 25.0}}.get(dial, {dial: 0.3})
    specs = [
        make_spec(model=model, data="noise", epochs=2, batch_size=10, learning_rate=0.005, seed=seed, **dials)
        for seed in range(2)
    ]
    assert_equal_together_and_alone(specs, noise_data(n=24, n_test=10))


def test_every_condition_and_a_validation_split_train_together() -> None:
    specs = [
        make_spec(model="mlp-1x16", data="noise", corruption=c, epochs=3, batch_size=8, seed=i, n_validation=4)
        for i, c in enumerate(CORRUPTIONS)
    ]
    assert_equal_together_and_alone(specs, noise_data(n=24, n_test=10))


def test_runs_leave_the_stack_as_they_fit() -> None:
    specs = [
        make_spec(model="mlp-1x64", data="noise", corruption="random-labels", epochs=200, batch_size=8, seed=seed,
                  learning_rate=rate, stop="fit")
        for seed, rate in enumerate((0.02, 0.01, 0.05))
    ]  # fmt: skip
    data = noise_data(n=24, n_test=10)
    parts, models, optimizers = material(specs, data)
    last = {}
    for rows in train_together(specs, parts, learner_for(models, optimizers)):
        last |= rows
    alone = [list(trained(s, p, *rest))[-1] for s, p, *rest in zip(specs, *material(specs, data), strict=True)]
    assert len({row.epoch for row in alone}) > 1
    for i, row in enumerate(alone):
        assert abs(last[i].row.epoch - row.epoch) <= 1  # rounding may move the threshold by an epoch
        assert last[i].row.fitted


def test_a_run_that_diverges_takes_no_other_with_it() -> None:
    specs = [
        make_spec(model="mlp-1x16", data="noise", epochs=4, batch_size=8, seed=0, learning_rate=rate)
        for rate in (0.01, 1e30, 0.01)
    ]
    parts, models, optimizers = material(specs, noise_data(n=24, n_test=10))
    seen = list(train_together(specs, parts, learner_for(models, optimizers)))
    assert isinstance(next(rows[1] for rows in seen if isinstance(rows.get(1), ShatterlabError)), ShatterlabError)
    assert [sorted(rows) for rows in seen][-1] == [0, 2]
    assert seen[-1][0].row.online_loss == pytest.approx(seen[-1][2].row.online_loss)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_hand_written_perceptron_equals_autograd_under_vmap(dropout: float) -> None:
    models = [build("mlp-2x16", (4, 4, 1), 3, seed, dropout=dropout).double() for seed in range(3)]
    others = copy.deepcopy(models)
    decays = (0.0, 0.1, 0.01)
    by_hand = Perceptrons(
        models, [MomentumSGD(m.parameters(), 0.9, d) for m, d in zip(models, decays, strict=True)], False
    )
    by_vmap = Vmapped(others, [MomentumSGD(m.parameters(), 0.9, d) for m, d in zip(others, decays, strict=True)], False)
    torch.manual_seed(0)
    for step in range(5):
        images, labels = torch.randn(3, 7, 4, 4, 1, dtype=torch.float64), torch.randint(3, (3, 7))
        batch = Batch(images, labels, torch.tensor([0.1, 0.2 / (step + 1), 0.3]), torch.tensor([step, 5, 2**40]))
        one, other = (stack.step(batch) for stack in (by_hand, by_vmap))
        torch.testing.assert_close(one, other.double(), rtol=1e-5, atol=1e-6)
    by_hand.write_back(), by_vmap.write_back()
    for model, other_model in zip(models, others, strict=True):
        for one, other in zip(model.parameters(), other_model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize("runs", [1, 2])
def test_large_layers_in_float32_move_as_in_float64(monkeypatch, onednn: bool, runs: int) -> None:
    monkeypatch.setattr(products, "onednn_is_faster", lambda: onednn)
    models = [build("mlp-2x300", (12, 12, 3), 10, seed) for seed in range(runs)]
    exact = [copy.deepcopy(model).double() for model in models]
    stacks = [
        Perceptrons(some, [MomentumSGD(m.parameters(), 0.9, 0.01) for m in some], False) for some in (models, exact)
    ]
    torch.manual_seed(0)
    for _ in range(3):
        batch = Batch(torch.randn(runs, 40, 12, 12, 3), torch.randint(10, (runs, 40)), torch.full((runs,), 0.01),
                      torch.zeros(runs, dtype=torch.int64))  # fmt: skip
        stacks[0].step(batch)
        stacks[1].step(batch._replace(images=batch.images.double()))
    for one, other in zip(*(s.parameters + s.velocities for s in stacks), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


def test_only_perceptrons_as_we_build_them_are_trained_by_hand() -> None:
    class Other(MLP):
        pass

    def tanh(model: torch.nn.Module) -> torch.nn.Module:
        model.layers[1] = torch.nn.Tanh()
        return model

    def uneven(model: torch.nn.Module) -> torch.nn.Module:
        model.layers[2].dropout.probability = 0.1
        return model

    for model in ("mlp-1x16", "mlp-3x8"):
        assert is_perceptron(build(model, (4, 4, 1), 3))
        assert is_perceptron(build(model, (4, 4, 1), 3, dropout=0.5))
        assert not is_perceptron(tanh(build(model, (4, 4, 1), 3)))
    assert not is_perceptron(uneven(build("mlp-2x8", (4, 4, 1), 3, dropout=0.5)))
    assert not is_perceptron(Other((4, 4, 1), 3, (8,)))
    assert not is_perceptron(build("alexnet", (8, 8, 1), 3))


def test_the_hand_written_perceptron_rounds_as_autocast_does() -> None:
    model = build("mlp-2x64", (8, 8, 1), 10, 0)
    other = copy.deepcopy(model)
    by_hand = Perceptrons([model], [MomentumSGD(model.parameters(), 0.9, 0.01)], True)
    by_autocast = Alone(other, MomentumSGD(other.parameters(), 0.9, 0.01), True)
    exact = Alone(third := copy.deepcopy(model), MomentumSGD(third.parameters(), 0.9, 0.01), False)
    torch.manual_seed(0)
    rates, keys = torch.tensor([0.05]), torch.zeros(1, dtype=torch.int64)
    for _ in range(5):
        batch = Batch(torch.randn(1, 32, 8, 8, 1), torch.randint(10, (1, 32)), rates, keys)
        one, two, three = (stack.step(batch) for stack in (by_hand, by_autocast, exact))
    assert one.dtype == two.dtype == torch.float32
    rounding = (two - three).abs().max()
    assert (one - two).abs().max() < 2 * rounding  # they round alike, but add in another order
    assert rounding > 1e-3


def test_runs_that_differ_only_in_what_may_differ_share_a_key() -> None:
    plain = make_spec(data="digits")
    for dials in ({"seed": 1}, {"corruption": "random-labels"}, {"learning_rate": 1.0}, {"weight_decay": 0.1}):
        assert stack_key(make_spec(data="digits", **dials)) == stack_key(plain)
    for dials in ({"n": 10}, {"batch_size": 3}, {"model": "mlp-1x8"}, {"epochs": 3}, {"flip": 0.5}, {"stop": "fit"}):
        assert stack_key(make_spec(data="digits", **dials)) != stack_key(plain)


def test_images_that_runs_share_lie_in_memory_once() -> None:
    from shatterlab.training.sets import Pool

    one, other = np.zeros((5, 2, 2, 1), np.uint8), np.ones((5, 2, 2, 1), np.uint8)
    pool = Pool([one, other, one.copy()], torch.device("cpu"))
    assert len(pool.images) == 10
    taken = pool.take(pool.places(torch.tensor([[4], [0], [2]])))
    assert taken.flatten(1).double().mean(1).tolist() == [0, 1, 0]
