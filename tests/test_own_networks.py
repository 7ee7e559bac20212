"""A user's own network: found, identified by its content, tried on a batch, trained, taken up again, kept apart."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from own_networks import Attentive, Convolutional, Odd, Tabular
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn

from shatterlab import ShatterlabError, Store, make_spec, run
from shatterlab.models.own import own_model
from shatterlab.own import on_own


def digits():
    x, y = load_digits(return_X_y=True)
    return (
        x[:240].reshape(-1, 8, 8, 1).astype(np.uint8) * 15,
        y[:240],
        x[240:300].reshape(-1, 8, 8, 1).astype(np.uint8) * 15,
        y[240:300],
    )


def tokens():
    """Each digit as a text of 64 grey levels."""
    x, y = load_digits(return_X_y=True)
    return x[:120].astype(np.int64), y[:120], x[120:160].astype(np.int64), y[120:160]


def table():
    x, y = load_breast_cancer(return_X_y=True)
    return x[:200], y[:200], x[200:260], y[200:260]


CASES = {
    "convolutional": (Convolutional, digits),
    "table": (Tabular, table),
    "attention": (Attentive, tokens),
    "odd": (Odd, table),
}


def resnet18(num_classes: int) -> nn.Module:
    models = pytest.importorskip("torchvision.models")
    return models.resnet18(num_classes=num_classes)


def rgb():
    return tuple(part.repeat(3, axis=3)[:60] if part.ndim == 4 else part[:60] for part in digits())


CASES["resnet18"] = (resnet18, rgb)


class Kill(Exception):
    pass


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("corruption", ["true-labels", "random-labels"])
@pytest.mark.parametrize("case", CASES)
def test_it_trains_and_resumes_to_the_same_bits(tmp_path: Path, monkeypatch, case, corruption, optimizer) -> None:
    if case == "resnet18" and (optimizer == "adamw" or corruption == "true-labels"):
        pytest.skip("once is enough")
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    model, data = CASES[case]
    spec = make_spec(corruption=corruption, epochs=3, batch_size=20, evaluate_every=1, optimizer=optimizer)
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    result = run(spec, whole, model=model, data=data())

    def kill(row) -> None:
        if row.epoch == 2:
            raise Kill

    with pytest.raises(Kill):
        run(spec, broken, model=model, data=data(), on_row=kill)
    again = run(spec, broken, model=model, data=data())
    clocks = {"seconds", "evaluation_seconds"}
    assert again.id == result.id
    assert again.last.model_dump(exclude=clocks) == result.last.model_dump(exclude=clocks)
    assert whole.checkpoint(result.spec).read_bytes() == broken.checkpoint(result.spec).read_bytes()
    rows = whole.rows(result.spec)
    assert rows[-1].online_loss != rows[0].online_loss  # something was learned


@pytest.mark.parametrize("case", ["convolutional", "table", "attention"])
def test_it_fits_random_labels_of_real_data(tmp_path: Path, case: str) -> None:
    model, data = CASES[case]
    x, y, x_test, y_test = data()
    spec = make_spec(
        corruption="random-labels", epochs=300, batch_size=10, stop="fit", optimizer="adam", learning_rate=0.003
    )
    result = run(spec, tmp_path, model=model, data=(x[:40], y[:40], x_test, y_test))
    assert result.last.train_accuracy == 1.0


def test_frozen_and_tied_weights_stay_frozen_and_tied() -> None:
    spec, network, data = on_own(make_spec(epochs=2), Odd, table())
    assert data is not None
    from helpers import trained

    from shatterlab.preparation import model_for, prepare
    from shatterlab.training import OPTIMIZERS

    ready = prepare(spec, data=data)
    model = model_for(spec, ready, network)
    frozen, unused = model.frozen.weight.clone(), model.unused.weight.clone()
    list(trained(spec, ready, model, OPTIMIZERS["sgd"](model.parameters(), spec)))
    assert torch.equal(model.frozen.weight, frozen)
    assert torch.equal(model.unused.weight, unused)
    assert model.first.weight is model.second.weight
    assert not torch.equal(model.filter, torch.ones_like(model.filter))


SOURCE = """
import torch
from torch import nn

SCALE = 1.0


def block(width):
    return nn.Linear(width, WIDTH)


WIDTH = 8


class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.first = block(shape[0])
        self.last = nn.Linear(WIDTH, classes)

    def forward(self, rows):
        return SCALE * self.last(torch.relu(self.first(rows)))
"""


def version_of(path: Path, text: str, name: str = "net.py") -> str:
    path.mkdir(exist_ok=True)
    (path / name).write_text(text)
    return own_model(f"{path / name}:Net").version((4,), 3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIDTH = 8", "WIDTH = 9"),
        ("torch.relu", "torch.tanh"),
        ("SCALE = 1.0", "SCALE = 2.0"),
        ("nn.Linear(WIDTH, classes)", "nn.Linear(WIDTH, classes, bias=False)"),
        ("        self.last = nn", "        nn.init.zeros_(self.first.weight)\n        self.last = nn"),
        ("        self.last = nn", "        self.first.weight.requires_grad_(False)\n        self.last = nn"),
        ("        self.last = nn", "        self.extra = 0.5\n        self.last = nn"),
    ],
    ids=["width", "forward", "constant", "structure", "first weights", "frozen", "attribute"],
)
def test_a_network_edited_in_place_is_another_run(tmp_path: Path, old: str, new: str) -> None:
    assert old in SOURCE
    before = version_of(tmp_path, SOURCE)
    import os
    import time

    edited = SOURCE.replace(old, new)
    (tmp_path / "net.py").write_text(edited)
    os.utime(tmp_path / "net.py", ns=(time.time_ns() + 10**9,) * 2)
    assert own_model(f"{tmp_path / 'net.py'}:Net").version((4,), 3) != before


@pytest.mark.parametrize(
    "text",
    [
        SOURCE,
        "# moved\n" + SOURCE,
        SOURCE.replace("class Net(nn.Module):", 'class Net(nn.Module):\n    """What it is."""\n'),
        SOURCE.replace("        return SCALE", "\n        # a comment\n        return SCALE"),
        SOURCE + "\n\nUNUSED = 3\n",
    ],
    ids=["as it is", "a line more above", "a docstring", "a comment", "something else"],
)
def test_unchanged_code_in_another_file_is_the_same_network(tmp_path: Path, text: str) -> None:
    assert version_of(tmp_path / "a", SOURCE) == version_of(tmp_path / "b", text, "other.py")


def test_the_id_of_a_run_depends_on_content_and_not_on_names(tmp_path: Path) -> None:
    version_of(tmp_path / "a", SOURCE)
    version_of(tmp_path / "b", SOURCE, "other.py")
    x, y, *_ = table()
    np.savez(tmp_path / "one.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    np.savez(tmp_path / "two.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    one, *_ = on_own(make_spec(), f"{tmp_path}/a/net.py:Net", f"npz:{tmp_path}/one.npz")
    two, *_ = on_own(make_spec(), f"{tmp_path}/b/other.py:Net", f"npz:{tmp_path}/two.npz")
    assert one.id == two.id
    assert (one.model, one.data, two.data) == ("Net", "npz:one.npz", "npz:two.npz")


def test_a_users_alexnet_is_not_the_papers(tmp_path: Path) -> None:
    def alexnet(shape, classes):
        return nn.Linear(shape[0], classes)

    result = run(make_spec(epochs=1), tmp_path, model=alexnet, data=table())
    assert result.spec.model == "own alexnet"


class Bad(nn.Module):
    def __init__(self, shape, classes, how):
        super().__init__()
        self.layer, self.how, self.classes = nn.Linear(shape[0], classes), how, classes

    def forward(self, rows):
        logits = self.layer(rows)
        return {
            "wide": lambda: torch.cat([logits, logits], 1),
            "flat": lambda: logits.sum(1),
            "tuple": lambda: (logits, rows),
            "integers": lambda: logits.argmax(1, keepdim=True).expand(-1, self.classes),
            "detached": logits.detach,
            "matrix": lambda: logits @ rows,
        }[self.how]()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("wide", r"Bad returned the shape \(50, 4\); expected logits of shape \(50, 2\), .* its last layer has 4 outputs where the data have 2 classes"),
        ("flat", r"Bad returned the shape \(50,\); expected logits .* flatten or pool"),
        ("tuple", r"Bad returned tuple; expected logits .*: return the tensor alone"),
        ("integers", r"Bad returned numbers of type int64; expected logits"),
        ("detached", r"the logits of Bad depend on no parameter that requires a gradient; leave out what cuts the graph"),
        ("matrix", r"Bad failed on a batch of shape \(50, 30\) and type float32: RuntimeError: mat1 and mat2 shapes cannot be multiplied .* a layer expects another size"),
    ],
)  # fmt: skip
def test_a_misshapen_network_ends_in_a_sentence_before_anything_is_trained(tmp_path, how, message) -> None:
    with pytest.raises(ShatterlabError, match=message) as error:
        run(
            make_spec(epochs=1, batch_size=50),
            tmp_path / "store",
            model=lambda shape, classes: Bad(shape, classes, how),
            data=table(),
        )
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(3, 2), "Linear is a network that is built already, .* model=lambda: Linear"),
        (3, "the model is of type int; a model is a name of"),
        (lambda: 3, "lambda returned int where an nn.Module was expected"),
        (lambda shape: nn.Linear(shape, 2), r"lambda could not be built for inputs of shape \(30,\) and 2 classes: TypeError"),
        ("missing.py:Net", r"missing\.py is no file; name the one that holds your network"),
        ("no.such.module:Net", "there is no module no for the model"),
        ("shatterlab.models.mlp:MPL", "unknown name in shatterlab.models.mlp 'MPL'; did you mean 'MLP'?"),
        (lambda: nn.ParameterList([nn.Parameter(torch.from_numpy(np.random.default_rng().random(3)))]), "draws 0 from a source that no seed reaches"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_one_sentence(tmp_path: Path, model, message: str) -> None:
    with pytest.raises(ShatterlabError, match=message):
        run(make_spec(epochs=1), tmp_path, model=model, data=table())


def test_batch_normalization_on_a_last_batch_of_one_says_what_helps(tmp_path: Path) -> None:
    def net(shape, classes):
        return nn.Sequential(nn.Linear(*shape, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))

    x, y, x_test, y_test = table()
    with pytest.raises(ShatterlabError, match="choose a batch size that leaves no single example over"):
        run(make_spec(epochs=1, batch_size=20), tmp_path, model=net, data=(x[:41], y[:41], x_test, y_test))


def test_outputs_that_are_probabilities_are_told_once(tmp_path: Path, capsys) -> None:
    def soft(shape, classes):
        return nn.Sequential(nn.Linear(*shape, classes), nn.Softmax(1))

    def plain(shape, classes):
        return nn.Sequential(nn.Linear(*shape, classes), nn.Sigmoid())

    for model in (plain, soft):
        for seed in range(2):
            run(make_spec(epochs=1, seed=seed), tmp_path, model=model, data=table())
    assert capsys.readouterr().err.count("look like probabilities") == 1


# ruff: noqa: NPY002
def test_the_callers_random_state_is_as_it_was(tmp_path: Path) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    run(make_spec(epochs=2), tmp_path, model=Odd, data=table())
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_data_and_training_have_seeds_of_their_own(tmp_path: Path) -> None:
    def examples(**seeds):
        spec = make_spec(model="mlp-1x8", data="digits", corruption="random-labels", n=50, epochs=1, **seeds)
        store = Store(tmp_path)
        run(spec, store)
        return store.examples(spec)["train"], store.rows(spec)[0].online_loss

    (base, loss), (data, _), (training, other), (both, _) = (
        examples(**seeds)
        for seeds in ({"seed": 3}, {"seed": 3, "data_seed": 4}, {"seed": 3, "training_seed": 4}, {"seed": 4})
    )
    assert not np.array_equal(base.index, data.index)
    assert np.array_equal(data.labels, both.labels)
    assert np.array_equal(base.labels, training.labels)
    assert loss != other
    assert make_spec(seed=3, data_seed=3).id == make_spec(seed=3).id


def test_every_example_is_kept_in_the_original_order(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), make_spec(
        model="mlp-1x32", data="digits", corruption="partial-labels", n=100, n_validation=20, epochs=3
    )  # fmt: skip
    result = run(spec, store)
    sets = store.examples(spec)
    from shatterlab import load

    true = load("digits").train.labels
    assert {name: len(part.labels) for name, part in sets.items()} == {"train": 100, "validation": 20, "test": 360}
    train = sets["train"]
    assert (np.diff(train.index) > 0).all()
    assert np.array_equal(train.true_labels, true[train.index])
    assert train.right.mean() == result.last.train_accuracy
    assert sets["test"].right.mean() == result.last.test_accuracy
    assert train.wrong_labels.mean() == result.wrong_labels
    assert (train.assigned | ~train.wrong_labels).all()  # a wrong label was assigned at random
    assert train.assigned.sum() > train.wrong_labels.sum()  # and some of those are right by chance
    assert (train.right & train.wrong_labels).sum() == pytest.approx(
        result.last.corrupted_fitted * train.wrong_labels.sum()
    )


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_steps_as_torchs(name: str) -> None:
    from shatterlab.training import OPTIMIZERS

    spec = make_spec(optimizer=name, weight_decay=0.01)
    assert spec.learning_rate == 0.001
    ours, theirs = (nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    optimizer = OPTIMIZERS[name](ours.parameters(), spec)
    reference = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](
        theirs.parameters(), lr=0.01, weight_decay=0.01
    )
    for _ in range(5):
        inputs = torch.randn(7, 5)
        for model, step in ((ours, lambda: optimizer.step(0.01)), (theirs, reference.step)):
            model.zero_grad()
            model(inputs).pow(2).sum().backward()
            step()
    torch.testing.assert_close(ours.weight, theirs.weight)


def test_dropout_reaches_the_layers_of_a_transformer(tmp_path: Path) -> None:
    result = run(make_spec(epochs=1, dropout=0.2, batch_size=20), tmp_path, model=Attentive, data=tokens())
    assert result.last.test_accuracy is not None


def test_the_command_line_takes_files_and_names_the_labels(tmp_path: Path) -> None:
    version_of(tmp_path, SOURCE, "mine.py")
    x, y, *_ = table()
    lines = [",".join([*(f"c{i}" for i in range(4)), "ill"])]
    lines += [",".join([*map(str, row[:4]), "yes" if label else "no"]) for row, label in zip(x, y, strict=True)]
    (tmp_path / "patients.csv").write_text("\n".join(lines) + "\n")
    command = [
        sys.executable,
        "-m",
        "shatterlab",
        "train",
        "--model",
        "mine.py:Net",
        "--data",
        "csv:patients.csv?label=ill",
    ]
    done = subprocess.run(
        [*command, "--epochs", "2", "--store", "runs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "labels 'no', 'yes' became 0, 1" in done.stderr
    (result,) = Store(tmp_path / "runs").results()
    assert result.names == ("no", "yes")
    assert result.spec.model == "Net"
    assert result.spec.data == "csv:patients.csv"
