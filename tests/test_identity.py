"""What counts as the same network: the cases in which content was missed, or counted twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from shatterlab.models.content import content_of
from shatterlab.models.own import own_model

FORWARDS = {
    "a function imported inside": "from helper import act\n        return act(self.layer(rows))",
    "a module imported inside": "import helper\n        return helper.act(self.layer(rows))",
    "a module under another name": "h = helper\n        return h.act(self.layer(rows))",
    "an attribute by its name": 'return getattr(helper, "act")(self.layer(rows))',
}
NET = """
from torch import nn
import {helper} as helper


class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.layer = nn.Linear(shape[0], classes)

    def forward(self, rows):
        {forward}
"""


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_a_helper_edited_in_another_module_is_another_network(tmp_path: Path, monkeypatch, forward: str) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for i, factor in enumerate((2, 3)):
        helper = f"helper_{abs(hash(forward)) % 10**6}_{i}"
        (tmp_path / f"{helper}.py").write_text(f"def act(x):\n    return x * {factor}\n")
        text = NET.format(helper=helper, forward=forward.replace("helper import", f"{helper} import"))
        (tmp_path / "net.py").write_text(text.replace("import helper\n", f"import {helper} as helper\n"))
        os.utime(tmp_path / "net.py", ns=(time.time_ns() + i * 10**9,) * 2)
        versions.append(own_model(f"{tmp_path}/net.py:Net").version((4,), 2))
    assert versions[0] != versions[1]


def test_a_file_named_as_one_of_pythons_own_counts_by_its_content(tmp_path: Path) -> None:
    versions = []
    for i, factor in enumerate((2, 3)):
        path = tmp_path / "trace.py"
        path.write_text(
            NET.replace("import {helper} as helper", "").format(forward=f"return self.layer(rows) * {factor}")
        )
        os.utime(path, ns=(time.time_ns() + i * 10**9,) * 2)
        versions.append(own_model(f"{path}:Net").version((4,), 2))
    assert versions[0] != versions[1]


def hooked(scale: int):
    def make(shape, classes):
        layer = nn.Linear(shape[0], classes)
        layer.register_forward_hook(lambda module, inputs, output: output * scale)
        return layer

    return own_model(make).version((4,), 2)


def test_hooks_count_by_what_they_do_and_not_by_their_number() -> None:
    assert hooked(2) == hooked(2)
    assert hooked(2) != hooked(3)


def plain(x):
    return None if x is None else x + 1


def documented(x):
    """Adds one."""
    return None if x is None else x + 1


def other(x):
    return None if x is None else x + 2


def test_a_docstring_says_nothing_of_what_code_does() -> None:
    assert content_of(plain) == content_of(documented) != content_of(other)


def test_functions_of_a_library_count_by_name() -> None:
    class Net(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act = act

    assert content_of(Net(torch.relu)) == content_of(Net(torch.relu)) != content_of(Net(torch.tanh))


def test_a_network_that_writes_into_its_input_trains_on_the_data_as_they_are(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    from shatterlab import make_spec, run

    class Doubles(nn.Module):
        def __init__(self, shape, classes, *, in_place):
            super().__init__()
            self.layer, self.in_place = nn.Linear(shape[0], classes), in_place

        def forward(self, rows):
            if self.in_place:
                rows *= 2
                return self.layer(rows)
            return self.layer(rows * 2)

    ends = [
        run(make_spec(epochs=3, evaluate_every=1), tmp_path, data=load_iris(return_X_y=True),
            model=lambda shape, classes, how=how: Doubles(shape, classes, in_place=how)).last
        for how in (True, False)
    ]  # fmt: skip
    assert ends[0].test_loss == ends[1].test_loss
    assert ends[0].train_loss == ends[1].train_loss


@pytest.mark.parametrize(
    ("folder", "library"), [("dist-packages", "True"), ("site-packages", "True"), ("own", "False")]
)
def test_a_package_is_a_library_wherever_it_is_installed(tmp_path: Path, folder: str, library: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "some_package.py").write_text("def act(x):\n    return x\n")
    code = "import some_package, shatterlab.models.content as c; print(c.is_library(some_package.act))"
    paths = os.pathsep.join([str(tmp_path / folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, check=False
    )
    assert done.stdout.decode().strip() == library, done.stderr
