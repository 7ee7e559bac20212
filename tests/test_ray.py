"""The engine for clusters, on a cluster of this machine alone; tests that need Ray are skipped without it."""

import builtins
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from audit_learners import blobs
from helpers import noise_data, square
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import shatterlab
from shatterlab import ShatterlabError, Store, make_spec, spine
from shatterlab.auditing import driver
from shatterlab.auditing.fits import Asked, Subject, computation
from shatterlab.auditing.pool import pool_of
from shatterlab.auditing.session import _subject
from shatterlab.cli import main
from shatterlab.engines import do as do_here
from shatterlab.engines import ray as engine
from shatterlab.engines.local import Where
from shatterlab.engines.ray import Capacity
from shatterlab.jobs import Computation, Job, Training
from shatterlab.learners import given_learner
from shatterlab.models.own import own_model

SHORT = [make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, seed=seed) for seed in range(3)]
SAVES_OFTEN = """
import shatterlab.spine
from torch import nn

shatterlab.spine.CHECKPOINT_SECONDS = 0.2  # the file is read by each process that trains the network

def net(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, classes))
"""
TASK = "ray::_do_unit"


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what the network of these tests changes when its file is read."""
    monkeypatch.setattr(spine, "CHECKPOINT_SECONDS", spine.CHECKPOINT_SECONDS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two processors; started once."""
    ray = pytest.importorskip("ray")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield ray
    ray.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def workers() -> list[int]:
    """The processes that are doing units."""
    found = subprocess.run(["pgrep", "-f", TASK], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in found]


def eventually(happens: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.1)


def test_a_cluster_finds_what_this_machine_finds_and_tells_every_epoch(cluster, tmp_path: Path) -> None:
    jobs: list[Job] = [Training(spec) for spec in SHORT]
    here = {ended.job.id: ended.kept for ended in do_here(jobs, Store(tmp_path / "here"), device="cpu")}
    told: list[tuple[str, int]] = []
    there = {}
    for ended in engine.do(jobs, Store(tmp_path / "there"), tell=lambda job, row: told.append((job.id, row.epoch))):
        assert not ended.error
        # All that a job has told is told before it ends.
        assert [epoch for id, epoch in told if id == ended.job.id] == [1, 2, 3]
        there[ended.job.id] = ended.kept
    assert there.keys() == here.keys()
    for id, result in here.items():
        assert there[id].last.test_accuracy == result.last.test_accuracy
        assert there[id].last.train_loss == pytest.approx(result.last.train_loss, rel=1e-5)
    assert list(engine.do(jobs, Store(tmp_path / "there"))) == []


def test_a_job_that_fails_says_why_and_the_others_are_done(cluster, tmp_path: Path) -> None:
    jobs = [Computation("squares", f"the square of {n}", {"number": n, "seed": 0}, square) for n in (-1, 2)]
    ended = {one.job.title: one for one in engine.do(jobs, Store(tmp_path))}
    assert ended["the square of 2"].kept.records[0]["square"] == 4
    assert "-1 is negative" in ended["the square of -1"].error


def long_run(folder: Path) -> Training:
    """A run of some seconds with a checkpoint every fifth of one."""
    (folder / "mine.py").write_text(SAVES_OFTEN)
    spec = make_spec(data="digits", model="net", n=400, epochs=250, batch_size=10, evaluate_every=50)
    return Training(spec, own_model(f"{folder / 'mine.py'}:net")).pinned()


def test_the_run_of_a_killed_worker_goes_on_from_its_checkpoint(cluster, tmp_path: Path) -> None:
    store, job, killed = Store(tmp_path / "store"), long_run(tmp_path), False
    told: list[int] = []

    def tell(_: Job, row: Any) -> None:
        nonlocal killed
        told.append(row.epoch)
        if not killed and store.checkpoint(job.spec).exists() and row.epoch > 20:
            killed = True
            for pid in workers():
                os.kill(pid, signal.SIGKILL)

    (ended,) = engine.do([job], store, tell=tell)
    assert killed
    assert not ended.error
    assert told[-1] == job.spec.epochs
    assert [row.epoch for row in store.rows(job.spec)] == list(range(1, job.spec.epochs + 1))
    again = [at for at, epoch in enumerate(told[1:], 1) if epoch <= told[at - 1]]
    assert len(again) <= 1
    assert not again or told[again[0]] > 1, "it did not begin anew"


def test_a_command_that_is_stopped_leaves_no_work_behind(cluster, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def stop(job: Job, row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(engine.do([long_run(tmp_path)], store, tell=stop))
    eventually(lambda: not workers())


def test_a_killed_command_leaves_no_work_behind_and_its_runs_are_taken_up_again(cluster, tmp_path: Path) -> None:
    store, job = Store(tmp_path / "store"), long_run(tmp_path)
    code = (
        "import sys; from pathlib import Path; from shatterlab import Store; from test_ray import long_run\n"
        "from shatterlab.engines import ray\n"
        "list(ray.do([long_run(Path(sys.argv[1]))], Store(Path(sys.argv[2])), address=sys.argv[3]))\n"
    )
    address = cluster.get_runtime_context().gcs_address
    command = [sys.executable, "-c", code, str(tmp_path), str(store.path), address]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as driver:
        eventually(store.checkpoint(job.spec).exists, 60)
        driver.kill()
    eventually(lambda: not workers())
    reached = [row.epoch for row in store.rows(job.spec)]
    assert reached
    assert store.result(job.spec) is None
    told: list[int] = []
    (ended,) = engine.do([job], store, tell=lambda _, row: told.append(row.epoch))
    assert not ended.error
    assert told[0] > 1, "it did not begin anew"
    assert [row.epoch for row in store.rows(job.spec)] == list(range(1, job.spec.epochs + 1))


def test_a_users_network_and_data_travel_with_the_job(cluster, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "widths.py").write_text("WIDTH = 12\n")
    (folder / "mine.py").write_text(
        "from torch import nn\nfrom widths import WIDTH\n\n"
        "def net(shape, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], WIDTH), nn.Linear(WIDTH, classes))\n"
    )
    data = noise_data()
    job = Training(
        make_spec(data="arrays", model="net", epochs=2, batch_size=10), own_model(f"{folder / 'mine.py'}:net"), data
    ).pinned()
    sent = engine._Packing(cluster).pack([job])
    for file in folder.glob("*.py"):
        file.unlink()  # another machine does not have them
    store = Store(tmp_path / "store")
    events = cluster.remote(engine._Events).remote()
    done = cluster.remote(engine._do_unit).remote(sent, Where(store.path, "cpu", None), events)
    assert cluster.get(done) == [(job.id, "")]
    assert store.result(job.spec).spec.model_version == job.spec.model_version


MINE = """
import numpy as np
from sklearn.base import BaseEstimator
from rule import nearest

class Nearest(BaseEstimator):
    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        from late import first  # imported once it is needed
        return np.array([self.y_[first(nearest(self.X_, x))] for x in X])
"""
FILES = {
    "mine.py": MINE,
    "rule.py": "def nearest(X, x):\n    return ((X - x) ** 2).sum(axis=1).argsort()\n",
    "late.py": "def first(order):\n    return order[0]\n",
}


@pytest.fixture
def small_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit that ends because nothing is left to ask, not because its time is over."""
    monkeypatch.setattr(driver, "SUBSETS", (15,))
    monkeypatch.setattr(driver, "SIGN_DRAWS", (1, 2))
    monkeypatch.setattr(driver, "REPEATS", (2,))
    monkeypatch.setattr(driver, "STAGES", ((1, 0, 0), (2, 1, 0)))


def told_by(audit: Any) -> Any:
    """All that an audit says but for its seconds."""
    left_out = ("budget", "seconds", "charts")
    return [{k: v for k, v in audit.record.items() if k not in left_out}, audit.scores().to_dicts()]


def test_an_audit_finds_on_a_cluster_what_it_finds_here(cluster, small_audit, tmp_path: Path) -> None:
    learner = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    here, there = (
        shatterlab.audit(learner, "digits", "5m", n=40, store=tmp_path / name, engine=name, quiet=True)
        for name in ("local", "ray")
    )
    assert len(there.findings.subsets) == 15
    assert told_by(there) == told_by(here)
    # Either goes on with what the other one left.
    files = {path.name: path.read_bytes() for path in (tmp_path / "ray" / "measured").glob("*.json")}
    again = shatterlab.audit(learner, "digits", "5m", n=40, store=tmp_path / "ray", quiet=True)
    assert told_by(again) == told_by(here)
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "ray" / "measured").glob("*.json")}


def test_the_command_audits_a_learner_in_a_file_on_a_cluster(
    cluster, small_audit, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [
        "audit",
        f"{tmp_path / 'mine.py'}:Nearest",
        "--n",
        "30",
        "--budget",
        "5m",
        "--store",
        str(tmp_path / "s"),
    ]
    main([*command, "--engine", "ray", "--address", cluster.get_runtime_context().gcs_address])
    said = capsys.readouterr()
    assert "Memorizes all 30 random labels" in said.out
    assert "fits are done on a Ray cluster with 2 cores" in said.err


def test_a_users_learner_travels_with_the_files_beside_it(cluster, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name[:-3]}_2.py").write_text(
            text.replace("from rule", "from rule_2").replace("from late", "from late_2")
        )
    given = given_learner(f"{folder / 'mine_2.py'}:Nearest")
    pool, _ = pool_of(blobs(), given)
    jobs = [
        computation(Asked("subset", {"index": index}), Subject(given, pool, "version"), 0, 60.0) for index in range(2)
    ]
    packing = engine._Packing(cluster)
    sent = [packing.pack([job]) for job in jobs]
    for file in folder.glob("*.py"):
        file.unlink()  # another machine does not have them
    store = Store(tmp_path / "store")
    events = cluster.remote(engine._Events).remote()
    for job, one in zip(jobs, sent, strict=True):
        done = cluster.remote(engine._do_unit).remote(one, Where(store.path, "cpu", None), events)
        assert cluster.get(done) == [(job.id, "")]
        (record,) = store.measured(job.id).records
        assert "failed" not in record, record


def test_networks_of_an_audit_are_trained_on_a_cluster_as_here(cluster, tmp_path: Path) -> None:
    def net(shape: Any, classes: int) -> Any:  # a function that no other process could import
        return nn.Sequential(
            nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], 16), nn.ReLU(), nn.Linear(16, classes)
        )

    given = given_learner(net)
    pool, data = pool_of("digits", given)
    subject = _subject(given, pool, data, {}, time.monotonic, "cpu")
    jobs = [computation(Asked("probe", {"size": 20, "draw": draw}), subject, 0, 60.0) for draw in range(4)]
    found = {}
    with engine.opened(None) as opened:
        for name, do in (("here", do_here), ("there", opened.do)):
            ended = list(do(jobs, Store(tmp_path / name), device="cpu", units=[jobs[:2], jobs[2:]]))
            assert not any(one.error for one in ended)
            found[name] = {one.job.id: {**one.kept.records[0], "seconds": 0} for one in ended}
    assert found["there"] == found["here"]


def test_on_a_cluster_a_fit_that_hangs_is_given_up_and_what_cannot_travel_is_told(cluster, tmp_path: Path) -> None:
    def asleep(X: Any, y: Any, seed: int) -> Any:
        time.sleep(600)

    with pytest.raises(ShatterlabError, match="a fit was given up after 3 s"):
        shatterlab.audit(asleep, "digits", 10, engine="ray", store=tmp_path, quiet=True)
    lock = threading.Lock()

    def locked(X: Any, y: Any, seed: int) -> Any:
        return lock

    with pytest.raises(ShatterlabError, match="cannot be sent to the Ray cluster .*lock"):
        shatterlab.audit(locked, "digits", 10, engine="ray", store=tmp_path, quiet=True)


def test_a_job_whose_code_a_node_lacks_says_so(cluster, tmp_path: Path) -> None:
    package = ModuleType("only_here")
    package.__file__ = None
    exec("def compute(number):\n    return [{}]", package.__dict__)
    sys.modules["only_here"] = package
    try:
        (ended,) = engine.do([Computation("squares", "a square", {"number": 1}, package.compute)], Store(tmp_path))
    finally:
        del sys.modules["only_here"]
    assert "No module named 'only_here'" in ended.error
    assert "install there what it needs" in ended.error


def test_a_card_is_asked_for_only_by_trainings_and_only_where_there_are_any() -> None:
    training, computation = Training(SHORT[0]), Computation("squares", "a square", {"number": 1}, square)
    with_cards, without = Capacity(16, 4), Capacity(2, 0)
    assert with_cards.slots("auto") == 4
    assert with_cards.slots("cpu") == 16
    assert without.slots("auto") == 2
    assert engine._options(training, with_cards, "auto")["num_gpus"] == 1
    assert engine._options(computation, with_cards, "auto")["num_gpus"] == 0
    assert engine._options(replace(computation, trains=True), with_cards, "auto")["num_gpus"] == 1
    assert with_cards.told("auto") == "4 graphics cards"
    assert engine._options(training, with_cards, "cpu")["num_gpus"] == 0
    large = Computation("squares", "a large square", {"number": 1}, square, memory=15e9)
    assert engine._options(large, without, "cpu")["memory"] == 15_000_000_000
    assert engine._options(large, Capacity(2, 0, memory=8e9), "cpu")["memory"] == 8_000_000_000
    with pytest.raises(ShatterlabError, match="--device cpu"):
        without.slots("cuda")


def test_a_study_runs_on_a_cluster(cluster, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    main(
        [
            "run",
            "timeline",
            "--data",
            "digits",
            "--seeds",
            "2",
            "--engine",
            "ray",
            "--store",
            str(tmp_path),
            "--only",
            "seed 0",
        ]
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "on a Ray cluster with 2 cores" in said
    assert "its test accuracy is" in said


def test_an_address_without_the_engine_and_a_missing_ray_say_what_to_do(
    tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture
) -> None:
    said = []
    for flags in (["--address", "auto"], ["--engine", "ray", "--jobs", "2"]):
        for command in (["run", "bias-variance"], ["audit", "mlp-1x16"]):
            with pytest.raises(SystemExit):
                main([*command, *flags, "--store", str(tmp_path)])
            said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    assert said[2] == said[3]
    for wrong, sentence in (
        ({"address": "auto"}, "write engine='ray' beside it"),
        ({"engine": "ray", "jobs": 2}, "leave it out, as a Ray cluster does what it has room for"),
        ({"engine": "rya"}, "did you mean 'ray'"),
    ):
        with pytest.raises(ShatterlabError, match=sentence):
            shatterlab.audit("mlp-1x16", "digits", store=tmp_path, **wrong)
    real = builtins.__import__

    def without_ray(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(ShatterlabError, match=r"shatterlab\[ray\]"):
        shatterlab.audit("mlp-1x16", "digits", engine="ray", store=tmp_path)
    with pytest.raises(ShatterlabError, match=r"shatterlab\[ray\]"), engine.connected(None):
        pass


def test_a_study_and_an_audit_on_this_machine_import_no_ray(tmp_path: Path) -> None:
    code = (
        "import sys; from shatterlab.cli import main; "
        f"main(['run', 'lemma', '--data', 'digits', '--store', {str(tmp_path)!r}]); import shatterlab; "
        "clock = iter(range(10_000)).__next__; from sklearn.naive_bayes import GaussianNB; "
        f"shatterlab.audit(GaussianNB(), 'digits', 60, n=40, store={str(tmp_path)!r}, quiet=True, clock=clock); "
        "sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
