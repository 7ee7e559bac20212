"""A run that was stopped inside an epoch goes on there and ends with the bits of one that never stopped."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from own_networks import Attentive, Odd
from torch import nn

from shatterlab import ShatterlabError, Spec, Store, load, make_spec, run
from shatterlab.models.generators import put_back, seeded, states
from shatterlab.spine import run_together
from shatterlab.training.alone import Alone

SMALL = {"data": "digits", "n": 60, "n_test": 30, "epochs": 2, "batch_size": 8, "learning_rate": 0.02}
CHANGED = {"random_crop": True, "crop": 6, "flip": 0.5, "rotation": 10.0, "brightness": 0.2}


class Kill(Exception):
    pass


class Killed(Store):
    """A store whose process is killed when it has saved so many times."""

    def __init__(self, path: Path, saves: int) -> None:
        super().__init__(path)
        self.saves = saves

    def save(self, checkpoints) -> None:
        super().save(checkpoints)
        self.saves -= 1
        if not self.saves:
            raise Kill


@pytest.fixture(autouse=True)
def _after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is written after each step."""
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr("shatterlab.training.inside.LOOK_SECONDS", 0)


def left(store: Store, specs: Sequence[Spec]) -> list:
    """What is left of runs, but for their clocks."""
    rows = [row.model_dump(exclude={"seconds", "evaluation_seconds"}) for spec in specs for row in store.rows(spec)]
    names = ("checkpoint.safetensors", "examples.npz")
    return [rows, *((store.folder(spec) / name).read_bytes() for spec in specs for name in names)]


def never_stopped(path: Path, monkeypatch: pytest.MonkeyPatch, *arguments, **options) -> Store:
    """A store in which a run was never interrupted, not even to save."""
    with monkeypatch.context() as patched:
        patched.setattr("shatterlab.spine.CHECKPOINT_SECONDS", 1_000)
        run(arguments[0], path, *arguments[1:], **options)
    return Store(path)


@pytest.mark.parametrize(
    "dials",
    [
        {"model": "mlp-1x16", "dropout": 0.3, "weight_decay": 0.01},
        {"model": "mlp-1x16", "precision": "bf16"},
        {"model": "alexnet", "dropout": 0.5, "n": 24, "n_test": 8} | CHANGED,
        {"model": "inception", "n": 24, "n_test": 8, "optimizer": "rmsprop"},
        {"model": "mlp-2x8", "optimizer": "adamw", "label_smoothing": 0.1},
    ],
    ids=["perceptron", "bf16", "augmented", "normalized", "adamw"],
)
@pytest.mark.parametrize("saves", [1, 2, 10])
def test_a_run_stopped_inside_an_epoch_ends_with_the_same_bits(tmp_path: Path, monkeypatch, dials, saves: int) -> None:
    spec = make_spec(**SMALL | dials)
    whole = never_stopped(tmp_path / "whole", monkeypatch, spec)
    saves = min(saves, 3) if spec.n == 24 else saves
    for killed in (saves, 1):
        with pytest.raises(Kill):
            run(spec, Killed(tmp_path / "broken", killed))
    broken = Store(tmp_path / "broken")
    assert len(broken.rows(spec)) == (saves + 1) // (3 if spec.n == 24 else 8)  # only finished epochs have rows
    result = run(spec, broken)
    assert result.provenance.resumed_from == (saves + 1) // (3 if spec.n == 24 else 8)
    assert left(broken, [spec]) == left(whole, [spec])
    assert all(row.seconds > 0 for row in broken.rows(spec))


class Drawing(nn.Module):
    """A user's network that draws from the global generators of torch, numpy and Python."""

    def __init__(self, shape, classes) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            images = images * random.uniform(0.9, 1.1) + 0.1 * np.random.standard_normal()  # noqa: NPY002
        return self.layers(images)


def drawn(kind: str, columns: int, classes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    parts = [(rng.integers(17, size=(n, columns)).astype(kind), np.arange(n) % classes) for n in (50, 30)]
    return tuple(array for part in parts for array in part)


@pytest.mark.parametrize(
    ("network", "data"),
    [(Drawing, "digits"), (Attentive, drawn("int64", 12, 3)), (Odd, drawn("float32", 10, 25))],
    ids=["drawing", "attentive", "odd, top five"],
)
def test_a_users_network_goes_on_with_the_random_numbers_that_come_next(tmp_path, monkeypatch, network, data) -> None:
    spec = make_spec(**SMALL | {"optimizer": "adam", "n": None, "n_test": None, "data": "digits"}, evaluate_every=1)
    if data == "digits":
        spec = spec.on(n=60, n_test=30)
    whole = never_stopped(tmp_path / "whole", monkeypatch, spec, model=network, data=data)
    with pytest.raises(Kill):
        run(spec, Killed(tmp_path / "broken", 10), model=network, data=data)
    before = states()
    result = run(spec, tmp_path / "broken", model=network, data=data)
    assert states() == before
    assert result.provenance.resumed_from == 1
    assert left(Store(tmp_path / "broken"), [result.spec]) == left(whole, [result.spec])


def test_data_on_disk_are_read_on_from_the_next_batch(tmp_path: Path, monkeypatch) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for place in range(40):
        path = tmp_path / "photos" / f"class{place % 4}" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (14, 12, 3)).astype(np.uint8)).save(path)
    monkeypatch.setattr("shatterlab.data.photographs._cache", lambda: tmp_path)
    monkeypatch.setattr("shatterlab.data.stored.LARGEST_RESIDENT", 1_000)
    monkeypatch.setattr("shatterlab.data.splitting.LARGEST_RESIDENT", 1_000)
    spec = make_spec(model="mlp-1x8", batch_size=4, epochs=2, flip=0.5)
    data = load(f"folder:{tmp_path / 'photos'}?side=8")
    assert data.train.on_disk
    whole = never_stopped(tmp_path / "whole", monkeypatch, spec, data=data)
    with pytest.raises(Kill):
        run(spec, Killed(tmp_path / "broken", 3), data=data)
    result = run(spec, tmp_path / "broken", data=data)
    assert left(Store(tmp_path / "broken"), [result.spec]) == left(whole, [result.spec])


@pytest.mark.parametrize("dials", [{"model": "mlp-1x16"}, {"model": "alexnet", "n": 24, "n_test": 8, "dropout": 0.2}])
def test_a_stack_stopped_inside_an_epoch_ends_with_the_same_bits(tmp_path: Path, monkeypatch, dials) -> None:
    specs = [make_spec(**SMALL | dials | CHANGED, seed=seed) for seed in range(3)]
    run_together(specs, tmp_path / "whole", device="cpu")
    with pytest.raises(Kill):
        run_together(specs, Killed(tmp_path / "broken", 2), device="cpu")
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    ends = run_together(specs, broken, device="cpu")
    assert not [end for end in ends if isinstance(end, ShatterlabError)]
    assert left(broken, specs) == left(whole, specs)
    assert broken.rows(specs[0])[0].seconds > 0


def test_members_of_a_stack_may_go_on_alone(tmp_path: Path) -> None:
    specs = [make_spec(**SMALL, model="mlp-1x16", seed=seed) for seed in range(2)]
    run_together(specs, tmp_path / "whole", device="cpu")
    with pytest.raises(Kill):
        run_together(specs, Killed(tmp_path / "broken", 2), device="cpu")
    for spec in specs:
        last = run(spec, tmp_path / "broken", device="cpu").last
        assert last.online_loss == pytest.approx(Store(tmp_path / "whole").rows(spec)[-1].online_loss, rel=1e-4)


SLOW = """
import time
from torch import nn

class Slow(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def forward(self, images):
        time.sleep(0.003)
        return self.layers(images)
"""


def test_a_slow_epoch_that_is_killed_is_not_begun_anew(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    dials = {"data": "digits", "n": 500, "n_test": 30, "epochs": 1, "batch_size": 1}
    spec, model = make_spec(**dials), str(tmp_path / "slow.py:Slow")
    script = (
        "import torch; import shatterlab.spine as spine; from shatterlab import make_spec\n"
        "torch.set_num_threads(1); spine.CHECKPOINT_SECONDS = 0.05\n"
        f"spine.run(make_spec(**{dials}), {str(tmp_path / 'broken')!r}, model={model!r}, device='cpu')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    seen: set[int] = set()
    while len(seen) < 3 and process.poll() is None:
        seen |= {path.stat().st_mtime_ns for path in tmp_path.glob("broken/*/checkpoint.safetensors")}
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list(tmp_path.glob("broken/*/rows.jsonl"))  # the first epoch was not over
    steps, step = [], Alone.step
    monkeypatch.setattr(Alone, "step", lambda learner, batch: (steps.append(1), step(learner, batch))[1])
    result = run(spec, tmp_path / "broken", model=model, device="cpu")
    assert 0 < len(steps) < 500
    whole = never_stopped(tmp_path / "whole", monkeypatch, spec, model=model, device="cpu")
    assert left(Store(tmp_path / "broken"), [result.spec]) == left(whole, [result.spec])


def test_the_states_of_the_generators_come_back_from_text() -> None:
    import json

    def numbers() -> tuple:
        return random.gauss(0, 1), np.random.standard_normal(), torch.randn(3).tolist()  # noqa: NPY002

    with seeded(5):
        numbers()  # a second normal number is kept for later
        kept = json.loads(json.dumps(states()))
        expected = numbers()
        numbers()
        put_back(kept)
        assert numbers() == expected


def test_a_stack_whose_members_end_apart_is_taken_up_with_the_same_bits(tmp_path: Path, monkeypatch) -> None:
    """Stacks of two and more give a run the same bits, but alone another kernel multiplies."""
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", 1_000)
    dials = SMALL | {"model": "mlp-1x512", "epochs": 300, "stop": "fit", "batch_size": 64, "n": 120}
    specs = [make_spec(**dials | {"learning_rate": rate}) for rate in (0.04, 0.02, 0.01)]
    run_together(specs, tmp_path / "whole", device="cpu")
    whole = Store(tmp_path / "whole")
    ends = [whole.rows(spec)[-1].epoch for spec in specs]
    assert len(set(ends)) == 3, ends
    for saves in (1, 2):
        path = tmp_path / f"broken{saves}"
        with pytest.raises(Kill):
            run_together(specs, Killed(path, saves), device="cpu")
        run_together(specs, path, device="cpu")
        assert left(Store(path), specs) == left(whole, specs)
