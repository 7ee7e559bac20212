"""Networks in an audit: trained as `run` trains them, with a fixed number of steps, alone or as a stack."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audit_learners import blobs
from torch import nn

import shatterlab as sl
from shatterlab import Store
from shatterlab.auditing.fits import Asked, Subject, computation
from shatterlab.auditing.pool import pool_of
from shatterlab.auditing.session import _subject
from shatterlab.engines import local
from shatterlab.learners import given_learner
from shatterlab.learners.networks import Networks, Task, is_sequence
from shatterlab.measures.fitting import finished, probabilities_of
from shatterlab.spec import make_spec


def fast() -> float:
    """A clock on which real seconds count three times."""
    return 3 * time.monotonic()


class Small(nn.Module):
    """A network that is no sequence, so that it cannot be stacked."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(shape[0], 32), nn.Linear(32, classes)

    def forward(self, x: Any) -> Any:
        return self.two(torch.relu(self.one(x)))


def sequence(shape: tuple[int, ...], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 32), nn.ReLU(), nn.Linear(32, classes))


def subject_of(learner: Any, data: Any, steps: int = 200, **dials: Any) -> Subject:
    given = given_learner(learner)
    pool, found = pool_of(data, given)
    subject = _subject(given, pool, found, dials, time.monotonic, "cpu")
    return Subject(given, subject.pool, subject.version, _with_steps(subject.networks, steps))


def _with_steps(networks: Any, steps: int) -> Any:
    return Networks(
        networks.spec, networks.network, networks.shape, networks.classes, steps, networks.bytes, networks.device
    )


@pytest.mark.parametrize("learner", [Small, sequence, "mlp-1x16"])
def test_networks_of_a_user_and_of_the_house_are_audited(tmp_path: Path, learner: Any) -> None:
    found = sl.audit(learner, blobs(), "12s", store=tmp_path, quiet=True, clock=fast, batch_size=16, learning_rate=0.05)
    assert found.answer in ("memorizes", "not within this budget, still falling", "cannot")
    assert any("steps, whatever n is" in sentence for sentence in found.cut)
    assert found.scores()["loss"].is_not_null().all()
    capacities = [part for part in found.record["parts"] if part["id"] == "capacity"]
    assert "parameters" in " ".join(capacities[0]["sentences"]) or capacities[0]["rows"] == []


@pytest.mark.parametrize("learner", [sequence, "mlp-1x32"])
def test_a_stack_gives_what_separate_fits_give(tmp_path: Path, learner: Any) -> None:
    subject = subject_of(learner, blobs(n=120), learning_rate=0.02, batch_size=32)
    assert subject.networks.stacks
    jobs = [computation(Asked("subset", {"index": i}), subject, 0, 60.0) for i in range(6)]
    apart = {e.job.id: e.kept.records[0] for e in local.do(jobs, Store(tmp_path / "apart"))}
    stacked = {e.job.id: e.kept.records[0] for e in local.do(jobs, Store(tmp_path / "stacked"), units=[jobs])}
    assert apart.keys() == stacked.keys()
    for id, alone in apart.items():
        assert alone["correct"] == stacked[id]["correct"]
        np.testing.assert_allclose(alone["held_out"], stacked[id]["held_out"], atol=2e-3)


def test_a_sequence_on_images_is_stacked_with_its_channels_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 256, (60, 6, 6, 3), dtype=np.uint8), np.arange(60) % 3
    subject = subject_of(sequence, (images, y), steps=60)
    tasks = [Task(np.arange(30) + 5 * i, subject.pool.y[np.arange(30) + 5 * i], i) for i in range(3)]
    together = subject.networks.fit_together(subject.pool.X, tasks)
    for task, fit in zip(tasks, together, strict=True):
        alone = subject.networks.fit(subject.pool.X[task.rows], task.labels, task.seed)
        np.testing.assert_allclose(fit.probabilities(subject.pool.X), alone.probabilities(subject.pool.X), atol=1e-4)


def test_steps_stay_the_same_whatever_n_is() -> None:
    networks = subject_of("mlp-1x16", blobs(n=200), steps=100, batch_size=20).networks
    rng = np.random.default_rng(0)
    for n in (10, 40, 160):
        X, y = rng.normal(size=(n, 1, 4, 1)).astype(np.float32), rng.integers(3, size=n)
        fit = networks.fit(X, y, 0)
        assert fit.rows[-1].fitted or fit.rows[-1].step == pytest.approx(100, abs=8)


def test_a_fit_that_is_cut_short_is_not_finished() -> None:
    networks = subject_of("mlp-1x64", blobs(n=200), steps=60, batch_size=20, learning_rate=0.001).networks
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 1, 4, 1)).astype(np.float32)
    fit = networks.fit(X, (X[:, 0, 0, 0] > 0).astype(np.int64), 0)
    assert not finished(fit)
    probabilities = probabilities_of(fit)
    assert probabilities is not None
    np.testing.assert_allclose(probabilities(X).sum(axis=1), 1)


def test_the_losses_of_one_training_are_kept_for_each_example() -> None:
    networks = subject_of(Small, blobs(n=60), steps=40, batch_size=16).networks
    X, y = blobs(n=48)
    (fit,) = networks.fit_together(X, [Task(np.arange(48), y, 0)], watch=True)
    assert len(fit.watched) == len(fit.rows)
    assert fit.watched[0].shape == (48,)
    assert fit.watched[-1].mean() < fit.watched[0].mean()


def test_preprocessing_is_differentiable_and_the_same() -> None:
    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8), np.arange(20) % 2
    subject = subject_of("mlp-1x16", (images, y), steps=5)
    fit = subject.networks.fit(subject.pool.X, subject.pool.y, 0)
    raw = torch.from_numpy(subject.pool.X.astype(np.float32)).requires_grad_()
    logits = fit.differentiable(raw)
    torch.testing.assert_close(logits.detach(), fit.logits(subject.pool.X), atol=1e-4, rtol=1e-4)
    logits.sum().backward()
    assert raw.grad is not None
    assert raw.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("layers", "stacks"),
    [
        ([nn.Flatten(), nn.Linear(4, 3)], True),
        ([nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)], True),
        ([nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)], False),
        ([nn.Linear(4, 3, bias=False)], False),
        ([nn.Linear(4, 3), nn.Flatten(), nn.Linear(3, 2)], False),
        ([nn.Linear(4, 3), nn.ReLU()], False),
    ],
)
def test_only_plain_perceptrons_count_as_sequences(layers: list[nn.Module], stacks: bool) -> None:
    assert is_sequence(nn.Sequential(*layers)) is stacks


def test_a_network_that_diverges_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(sl.ShatterlabError, match="diverged in epoch"):
        sl.audit(Small, blobs(), "10s", store=tmp_path, quiet=True, learning_rate=1e9)


def test_other_dials_are_another_learner() -> None:
    one, two = (subject_of(Small, blobs(), learning_rate=rate) for rate in (0.01, 0.02))
    assert one.version != two.version
    assert make_spec(learning_rate=0.01).learning_rate == 0.01


@pytest.mark.parametrize("learner", [Small, sequence, "mlp-1x16"])
def test_label_smoothing_makes_an_audited_network_less_sure(learner: Any) -> None:
    sure = {}
    for smoothing in (0.0, 0.4):
        dials = {"batch_size": 16, "learning_rate": 0.05, "label_smoothing": smoothing}
        subject = subject_of(learner, blobs(), **dials)
        fit = subject.networks.fit(subject.pool.X, subject.pool.y, 0)
        sure[smoothing] = fit.probabilities(subject.pool.X).max(1).mean()
    assert sure[0.4] < sure[0.0] - 0.1
