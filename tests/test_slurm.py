"""The engine for Slurm, with submitit's local cluster in its place, and with commands that play Slurm on this machine."""

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

from shatterlab import ShatterlabError, Store, make_spec, spine
from shatterlab.cli import main
from shatterlab.engines import do as do_here
from shatterlab.engines import slurm as engine
from shatterlab.jobs import Computation, Job, Training
from shatterlab.models.own import own_model

pytest.importorskip("submitit")

SHORT = [make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, seed=seed) for seed in range(2)]
LONG = make_spec(data="digits", model="mlp-1x256", epochs=1_200, batch_size=16, evaluate_every=200)

# Commands that play Slurm: sbatch starts the tasks of an array side by side, srun drops its options, scancel kills.
PLAYED = {
    "sbatch": """
        n=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
        [ "$SBATCH_PARTITION" = no-such ] && { echo "sbatch: error: invalid partition specified: no-such" >&2; exit 1; }
        cp "$1" "$PLAYED/submitted.$$"
        export SLURM_JOB_ID=$$ SLURM_NTASKS=1 SLURM_PROCID=0
        if [ -z "$n" ]; then setsid bash "$1" > /dev/null 2>&1 & echo $! >> "$PLAYED/$$"; fi
        for i in $(seq 0 ${n:--1}); do
            SLURM_ARRAY_JOB_ID=$$ SLURM_ARRAY_TASK_ID=$i setsid bash "$1" > /dev/null 2>&1 & echo $! >> "$PLAYED/$$"
        done
        echo "Submitted batch job $$"
    """,
    "srun": """
        while [ "${1#--}" != "$1" ]; do
            case "$1" in --output) out=$2; shift;; --error) err=$2; shift;; esac
            shift
        done
        name() { echo "$1" | sed "s/%A/$SLURM_ARRAY_JOB_ID/;s/%a/$SLURM_ARRAY_TASK_ID/;s/%j/$SLURM_JOB_ID/;s/%t/0/"; }
        exec "$@" >> "$(name "$out")" 2>> "$(name "$err")"
    """,
    "scancel": 'for array; do while read -r pid; do kill -9 -- "-$pid"; done < "$PLAYED/$array"; done',
    "sacct": "echo 'JobID|State|NodeList'",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, and tasks that find these tests' own functions."""
    monkeypatch.setattr(engine, "PAUSE", 0.1)
    monkeypatch.setattr(engine, "GRACE", 1.0)
    monkeypatch.setattr(
        spine, "CHECKPOINT_SECONDS", spine.CHECKPOINT_SECONDS
    )  # to be put back, as a network below changes it
    folders = [str(Path(__file__).parent), *sys.path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folder for folder in folders if folder))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the commands, which is the first on the path and takes what was submitted."""
    folder = tmp_path / "played"
    folder.mkdir()
    for name, script in PLAYED.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("PLAYED", str(folder))
    for variable in [name for name in os.environ if name.startswith(("SLURM_", "SBATCH_"))]:
        monkeypatch.delenv(variable)
    yield folder
    for array in folder.glob("[0-9]*"):
        subprocess.run([folder / "scancel", array.name], capture_output=True, check=False)


def tasks(store: Store) -> list[int]:
    """The processes that are doing units of a store."""
    found = subprocess.run(
        ["pgrep", "-f", f"submitit.core._submit {store.path}"], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def eventually(happens: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.1)


def test_slurm_finds_what_this_machine_finds_and_a_job_that_fails_says_why(tmp_path: Path) -> None:
    trainings: list[Job] = [Training(spec) for spec in SHORT]
    here = {ended.job.id: ended.kept for ended in do_here(trainings, Store(tmp_path / "here"), device="cpu")}
    negative = Computation("squares", "the square of -1", {"number": -1, "seed": 0}, square)
    told: list[tuple[str, int]] = []
    there = {}
    store = Store(tmp_path / "there")
    for ended in engine.do(
        [*trainings, negative],
        store,
        units=[trainings, [negative]],
        tell=lambda job, row: told.append((job.id, row.epoch if row else 0)),
        cluster="local",
    ):
        if ended.job.id == negative.id:
            assert "-1 is negative" in ended.error
            continue
        assert not ended.error
        # All that a job has told is told before it ends.
        assert [epoch for id, epoch in told if id == ended.job.id] == [1, 2, 3]
        there[ended.job.id] = ended.kept
    assert (negative.id, 0) in told
    assert there.keys() == here.keys()
    for id, result in here.items():
        assert there[id].last.test_accuracy == result.last.test_accuracy
        assert there[id].last.train_loss == pytest.approx(result.last.train_loss, rel=1e-5)
    assert list(engine.do(trainings, store, cluster="local")) == []
    # The folder of the logs is no run.
    assert (store.path / ".slurm").is_dir()
    assert {result.id for result in store.results()} == here.keys()
    assert store.begun() == []


def test_a_run_goes_on_from_its_checkpoint_when_its_task_is_preempted_and_when_it_is_killed(tmp_path: Path) -> None:
    # The file of the network is read by each task, which then saves more often.
    (tmp_path / "mine.py").write_text(
        "import shatterlab.spine\nfrom torch import nn\n\nshatterlab.spine.CHECKPOINT_SECONDS = 0.5\n\n"
        "def net(classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, classes))\n"
    )
    job = Training(
        make_spec(data="digits", model="net", n=400, epochs=200, batch_size=10),
        own_model(f"{tmp_path / 'mine.py'}:net"),
    ).pinned()
    store, spec = Store(tmp_path / "store"), job.spec
    told: list[int] = []
    stopped: list[int] = []
    reached = 0

    def tell(job: Job, row: Any) -> None:
        nonlocal reached
        told.append(row.epoch)
        # The second task is killed once it has gone on where the first was preempted.
        if store.checkpoint(spec).exists() and len(stopped) < 2 and (not stopped or row.epoch > reached + 20):
            for pid in {*tasks(store)} - {*stopped}:
                os.kill(pid, signal.SIGKILL if stopped else signal.SIGUSR2)
                stopped.append(pid)
                reached = len(store.rows(spec))

    (ended,) = engine.do([job], store, tell=tell, cluster="local")
    assert len(stopped) == 2, "preemption began a second task, which was killed"
    assert "came to no end in the Slurm job" in ended.error
    assert "run the same command again: it goes on from the last checkpoint" in ended.error
    (ended,) = engine.do([job], store, tell=tell, cluster="local")
    assert not ended.error
    assert ended.kept.provenance.resumed_from > 1
    assert told == list(range(1, spec.epochs + 1))
    assert [row.epoch for row in store.rows(spec)] == told


def test_a_command_that_is_stopped_cancels_its_tasks(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def stop(job: Job, row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(engine.do([Training(LONG)], store, tell=stop, cluster="local"))
    eventually(lambda: not tasks(store))
    assert store.result(LONG) is None


def test_a_users_network_and_data_travel_with_the_job(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n"
        "def net(shape, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))\n"
    )
    spec = make_spec(data="arrays", model="net", epochs=2, batch_size=10)
    job = Training(spec, own_model(f"{tmp_path / 'mine.py'}:net"), noise_data()).pinned()
    (ended,) = engine.do([job], Store(tmp_path / "store"), cluster="local")
    assert not ended.error
    assert ended.kept.spec.model_version == job.spec.model_version


def test_arrays_ask_for_what_their_tasks_need() -> None:
    training = Training(SHORT[0])
    small, large = (Computation("squares", "a square", {"n": n}, square, memory=n * 1e9) for n in (0, 15))
    on_cards = list(engine._arrays([[training], [small], [large]], "cuda"))
    assert [(asked.card, asked.memory) for asked, _ in on_cards] == [(True, 0), (False, 0), (False, 15)]
    (asked, units), *others = engine._arrays([[training]] * 1_001, "cpu")
    assert not asked.card
    assert [len(units), *(len(group) for _, group in others)] == [1_000, 1]


def test_a_study_runs_on_slurm(played: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = str(tmp_path / "store")
    main(
        [
            "run",
            "timeline",
            "--data",
            "digits",
            "--engine",
            "slurm",
            "--store",
            store,
            "--only",
            "seed 0",
            "--jobs",
            "2",
        ]
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "Slurm job" in said
    assert "its test accuracy is" in said
    submitted = "".join(path.read_text() for path in played.glob("submitted.*"))
    for line in ("job-name=shatterlab", "cpus-per-task=1", "time=60", "requeue", "signal=USR2@90"):
        assert f"#SBATCH --{line}\n" in submitted
    assert "gpus" not in submitted


def test_a_command_that_is_stopped_cancels_its_arrays_and_a_refusal_says_what_to_do(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    jobs: list[Job] = [Training(LONG), Training(LONG.model_copy(update={"seed": 1}))]

    def stop(job: Job, row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(engine.do(jobs, store, tell=stop, workers=7))
    eventually(lambda: not tasks(store))
    assert "#SBATCH --array=0-1%2\n" in next(played.glob("submitted.*")).read_text()
    monkeypatch.setenv("SBATCH_PARTITION", "no-such")
    with pytest.raises(ShatterlabError, match=r"\(invalid partition specified: no-such\); say .*SBATCH_PARTITION"):
        list(engine.do(jobs, store))


def test_the_tasks_of_a_killed_command_go_on_and_are_not_done_twice(played: Path, tmp_path: Path) -> None:
    spec, store = LONG.model_copy(update={"epochs": 200}), Store(tmp_path / "store")
    code = (
        "import sys; from pathlib import Path; from shatterlab import Store; from shatterlab.spec import Spec\n"
        "from shatterlab.engines import slurm; from shatterlab.jobs import Training\n"
        "list(slurm.do([Training(Spec.model_validate_json(sys.argv[1]))], Store(Path(sys.argv[2]))))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, spec.model_dump_json(), str(store.path)]) as driver:
        eventually(lambda: len(store.rows(spec)) > 5, 60)
        driver.kill()
    told: list[int] = []
    (ended,) = engine.do([Training(spec)], store, tell=lambda job, row: told.append(row.epoch))
    assert len(list(played.glob("submitted.*"))) == 2
    assert not ended.error
    assert ended.kept.provenance.resumed_from == 0, "the first task has done it all"
    assert told == list(range(told[0], spec.epochs + 1))
    assert told[0] > 5


def test_a_machine_without_slurm_says_what_to_do(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        main(["run", "lemma", "--data", "digits", "--engine", "slurm", "--store", str(tmp_path)])
    assert stopped.value.code == 2
    assert "there is no sbatch on this machine" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ShatterlabError, match=r"shatterlab\[slurm\]"):
        engine.check()
    with pytest.raises(SystemExit):
        main(["run", "lemma", "--engine", "slurm", "--address", "auto", "--store", str(tmp_path)])


def test_the_parts_of_a_study_are_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = Store(tmp_path)
    command = ["run", "bias-variance", "--data", "digits", "--seeds", "3", "--store", str(tmp_path)]
    done: list[int] = []
    for part in (1, 2):
        main([*command, "--part", f"{part}/2"])
        done.append(len(list((store.path / "measured").glob("*.json"))))
    assert 0 < done[0] < done[1]
    capsys.readouterr()
    main(command)
    assert f"{done[1]} computations, {done[1]} already in" in " ".join(capsys.readouterr().out.split())
    for wrong in ("0/2", "3/2", "2", "half"):
        with pytest.raises(SystemExit):
            main([*command, "--part", wrong])
        assert "--part must be two numbers such as 3/16" in capsys.readouterr().err
