"""The engine for clusters, on a cluster of this machine alone; tests that need Ray are skipped without it."""

import builtins
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import noise_data, square

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.cli import main
from shatterlab.engines import do as do_here
from shatterlab.engines import ray as engine
from shatterlab.engines.local import Where
from shatterlab.engines.ray import Capacity
from shatterlab.jobs import Computation, Job, Training
from shatterlab.models.own import own_model

SHORT = [make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, seed=seed) for seed in range(3)]
LONG = make_spec(data="digits", model="mlp-1x256", epochs=1_200, batch_size=16, evaluate_every=200)
TASK = "ray::_do_unit"


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


def test_the_run_of_a_killed_worker_goes_on_from_its_checkpoint(cluster, tmp_path: Path) -> None:
    store, killed = Store(tmp_path), False
    told: list[int] = []

    def tell(job: Job, row: Any) -> None:
        nonlocal killed
        told.append(row.epoch)
        if not killed and (store.folder(LONG) / "checkpoint.safetensors").exists() and row.epoch > 50:
            killed = True
            for pid in workers():
                os.kill(pid, signal.SIGKILL)

    (ended,) = engine.do([Training(LONG)], store, tell=tell)
    assert killed
    assert not ended.error
    assert told[-1] == LONG.epochs
    assert [row.epoch for row in store.rows(LONG)] == list(range(1, LONG.epochs + 1))
    again = [at for at, epoch in enumerate(told[1:], 1) if epoch <= told[at - 1]]
    assert len(again) <= 1
    assert not again or told[again[0]] > 1, "it did not begin anew"


def test_a_command_that_is_stopped_leaves_no_work_behind(cluster, tmp_path: Path) -> None:
    store = Store(tmp_path)

    def stop(job: Job, row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(engine.do([Training(LONG.model_copy(update={"seed": 1}))], store, tell=stop))
    eventually(lambda: not workers())


def test_a_killed_command_leaves_no_work_behind_and_its_runs_are_taken_up_again(cluster, tmp_path: Path) -> None:
    spec, store = LONG.model_copy(update={"seed": 2}), Store(tmp_path)
    code = (
        "import sys; from pathlib import Path; from shatterlab import Store; from shatterlab.spec import Spec\n"
        "from shatterlab.engines import ray; from shatterlab.jobs import Training\n"
        "job = Training(Spec.model_validate_json(sys.argv[1]))\n"
        "list(ray.do([job], Store(Path(sys.argv[2])), address=sys.argv[3]))\n"
    )
    address = cluster.get_runtime_context().gcs_address
    command = [sys.executable, "-c", code, spec.model_dump_json(), str(tmp_path), address]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as driver:
        eventually((store.folder(spec) / "checkpoint.safetensors").exists, 60)
        driver.kill()
    eventually(lambda: not workers())
    reached = [row.epoch for row in store.rows(spec)]
    assert reached
    assert store.result(spec) is None
    told: list[int] = []
    (ended,) = engine.do([Training(spec)], store, tell=lambda job, row: told.append(row.epoch))
    assert not ended.error
    assert told[0] > 1, "it did not begin anew"
    assert [row.epoch for row in store.rows(spec)] == list(range(1, spec.epochs + 1))


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


def test_a_card_is_asked_for_only_by_trainings_and_only_where_there_are_any() -> None:
    training, computation = Training(SHORT[0]), Computation("squares", "a square", {"number": 1}, square)
    with_cards, without = Capacity(16, 4), Capacity(2, 0)
    assert with_cards.slots("auto") == 4
    assert with_cards.slots("cpu") == 16
    assert without.slots("auto") == 2
    assert engine._options(training, with_cards, "auto")["num_gpus"] == 1
    assert engine._options(computation, with_cards, "auto")["num_gpus"] == 0
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


def test_an_address_without_the_engine_and_a_missing_ray_say_what_to_do(tmp_path: Path, monkeypatch) -> None:
    for flags in (["--address", "auto"], ["--engine", "ray", "--jobs", "2"]):
        with pytest.raises(SystemExit):
            main(["run", "bias-variance", *flags, "--store", str(tmp_path)])
    real = builtins.__import__

    def without_ray(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(ShatterlabError, match=r"shatterlab\[ray\]"), engine.connected(None):
        pass


def test_a_study_on_this_machine_imports_no_ray(tmp_path: Path) -> None:
    code = (
        "import sys; from shatterlab.cli import main; "
        f"main(['run', 'lemma', '--data', 'digits', '--store', {str(tmp_path)!r}]); "
        "sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
