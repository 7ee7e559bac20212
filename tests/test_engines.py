"""Many runs: side by side or one by one, failures, and the estimate."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import HOUSE, computations, count, endless, killed, noise_data, square, train_all

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.engines import do, typical
from shatterlab.engines.estimate import estimate, seconds_of, stacks
from shatterlab.jobs import Computation, Job, Training
from shatterlab.results import Asked, Measurement
from shatterlab.row import Row
from shatterlab.spine import run_together
from shatterlab.studies import STUDIES

SPECS = [make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, seed=seed) for seed in range(4)]


def squares(*numbers: int) -> list[Job]:
    return [Computation("squares", f"the square of {n}", {"number": n, "seed": 0}, square) for n in numbers]


def trainings(specs) -> list[Job]:
    return [Training(spec) for spec in specs]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_missing_job_is_done_and_handed_out_once(tmp_path: Path, workers: int) -> None:
    store = Store(tmp_path)
    jobs = [*trainings(SPECS), *squares(2, 3)]
    ended = list(do([jobs[0], jobs[-1]], store, device="cpu"))
    assert [one.job.id for one in ended] == [jobs[0].id, jobs[-1].id]
    rows: list[tuple[str, int | None]] = []
    ended = list(
        do(jobs, store, device="cpu", workers=workers, tell=lambda job, row: rows.append((job.id, row and row.epoch)))
    )
    expected = [(spec.id, epoch) for spec in SPECS[1:] for epoch in (1, 2, 3)] + [(jobs[4].id, None)]
    assert sorted(rows, key=str) == sorted(expected, key=str)
    assert sorted(one.job.id for one in ended) == sorted(job.id for job in jobs[1:5])
    assert all(one.kept == one.job.kept(store) and not one.error for one in ended)
    squared = next(one.kept for one in ended if isinstance(one.kept, Measurement))
    assert squared.records == [{"square": 4}]
    assert squared.provenance.threads
    assert list(do(jobs, store, device="cpu", workers=workers)) == []


def test_side_by_side_gives_the_numbers_of_one_by_one(tmp_path: Path) -> None:
    for workers in (1, 2):
        assert train_all(SPECS, tmp_path / str(workers), workers=workers) == []
    for spec in SPECS:
        first, second = (Store(tmp_path / str(workers)).rows(spec)[-1] for workers in (1, 2))
        assert first.train_loss == pytest.approx(second.train_loss, rel=1e-5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_fails_does_not_stop_the_others(tmp_path: Path, workers: int) -> None:
    wrong = make_spec(data="digits", model="mlp-1x16", n=10_000)
    jobs = [*trainings([wrong, *SPECS[:2]]), *squares(-1, 1)]
    ended = {one.job.id: one for one in do(jobs, Store(tmp_path), device="cpu", workers=workers)}
    assert ended[wrong.id].error.startswith("n=10,000 is more than the 1,437 examples")
    assert ended[jobs[3].id].error == "the square of -1 failed: ValueError: -1 is negative."
    assert sum(one.kept is not None for one in ended.values()) == 3


def test_a_job_whose_code_cannot_travel_is_refused_before_workers_start(tmp_path: Path) -> None:
    lost = [Computation("lost", f"lambda {n}", {"n": n}, lambda n: [{"n": n}]) for n in range(2)]
    with pytest.raises(ShatterlabError, match="lambda 0 cannot be sent to a worker process; let the job hold"):
        list(do(lost, Store(tmp_path), workers=2))
    assert all(not one.error for one in do(lost, Store(tmp_path), workers=1))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_users_data_reach_the_workers_beside_the_jobs(tmp_path: Path, workers: int) -> None:
    data = noise_data(n=40)
    jobs = [Computation("count", f"{more} more", {"data": "mine", "more": more}, count, data=data) for more in (1, 2)]
    ended = {one.job.id: one for one in do(jobs, Store(tmp_path), workers=workers)}
    assert [ended[job.id].kept.records for job in jobs] == [[{"count": 41}], [{"count": 42}]]
    assert ended[jobs[0].id].kept.provenance.train_fingerprint == data.train.fingerprint()


def test_jobs_that_do_not_fit_beside_others_are_done_alone_at_the_end(tmp_path: Path) -> None:
    large = Computation("squares", "a large square", {"number": 9, "seed": 0}, square, memory=1e12)
    ended = list(do([large, *squares(1, 2)], Store(tmp_path), workers=2))
    assert ended[-1].job is large
    assert len(ended) == 3


def test_two_commands_share_computations_and_none_is_done_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = squares(1, 2)
    with store.hold(first.lock(store), first.title):
        ends = do([first, second], store)
        assert next(ends).job is second
    (left,) = ends
    assert left.job is first


def started_study(store: Path) -> subprocess.Popen:
    """A command that does a study with two workers, in a session of its own, once a run has left a row."""
    command = [sys.executable, "-m", "shatterlab", "run", "label-noise", "--data", "digits", "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--store", str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in store.glob("*/rows.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_ctrl_c_stops_at_once_says_how_to_go_on_and_loses_nothing(tmp_path: Path) -> None:
    process = started_study(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped. Run the same command again to go on" in said
    assert "Traceback" not in said
    kept = [line for path in tmp_path.glob("*/rows.jsonl") for line in path.read_text().splitlines()]
    assert Row.model_validate_json(kept[0]).epoch == 1


def test_the_estimate_grows_with_the_work() -> None:
    few = [make_spec(data="digits", model="mlp-1x256", epochs=10)]
    many = [*few, make_spec(data="digits", model="mlp-1x256", epochs=1_000)]
    small, large = (estimate([[Training(spec)] for spec in specs], device="cpu") for specs in (few, many))
    assert large.seconds > 20 * small.seconds > 0
    assert 0.3e9 < small.memory < 1e9


def test_computations_are_estimated_by_those_of_their_study_that_the_store_holds(tmp_path: Path) -> None:
    store, (done, next_one) = Store(tmp_path), squares(1, 2)
    assert seconds_of([next_one], store) == {}
    (ended,) = do([done], store)
    store.ask(Asked(study="squares", scale="demo", data="digits", seeds=1, run_ids=[], measurement_ids=[done.id]))
    assert seconds_of([next_one], store) == {next_one.id: pytest.approx(ended.kept.seconds)}


def test_a_fresh_store_goes_by_what_computations_took_elsewhere_and_how_fast_this_machine_is(
    tmp_path: Path, monkeypatch
) -> None:
    [job] = computations(STUDIES["bias-variance"], "demo", "cifar10", 1)
    elsewhere = typical.typical_seconds(job)
    assert elsewhere is not None
    monkeypatch.setattr(typical, "probe", lambda: 3 * typical._table()["probe"])
    assert seconds_of([job], Store(tmp_path)) == {job.id: pytest.approx(3 * elsewhere)}


@pytest.mark.parametrize("name", HOUSE)
def test_what_every_computation_of_a_demo_takes_is_known(name: str) -> None:
    jobs = computations(STUDIES[name], "demo", "cifar10", 1)
    assert [job.title for job in jobs if typical.typical_seconds(job) is None] == []


def test_no_worker_outlives_its_killed_command_whether_it_waits_or_computes(tmp_path: Path) -> None:
    store, mark = Store(tmp_path), tmp_path / "begun"
    waits = Computation("squares", "a square", {"number": 2, "seed": 0}, square)
    computes = Computation("endless", "an endless task", {"mark": str(mark)}, endless)
    script = (
        "import sys; from helpers import endless, square; from shatterlab import Store\n"
        "from shatterlab.engines import do; from shatterlab.jobs import Computation\n"
        "if __name__ == '__main__':\n"
        f"    jobs = [Computation('endless', 'an endless task', {{'mark': {str(mark)!r}}}, endless),\n"
        "            Computation('squares', 'a square', {'number': 2, 'seed': 0}, square)]\n"
        f"    list(do(jobs, Store({str(tmp_path)!r}), workers=2))\n"
    )
    (tmp_path / "script.py").write_text(script)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with store.hold(waits.lock(store), waits.title):
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "script.py")],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert process.stderr is not None
        assert "which is doing a square" in process.stderr.readline()
        while not mark.exists():
            time.sleep(0.01)
        assert store.busy(computes.lock(store))
        process.kill()
        process.communicate(timeout=30)  # it ends when nobody is left who could write to stderr
    assert not store.busy(computes.lock(store))


def test_the_death_of_a_worker_costs_its_own_job_alone(tmp_path: Path) -> None:
    dies = Computation("killed", "a task that is too large", {}, killed)
    ended = {one.job.id: one for one in do([dies, *squares(1, 2, 3)], Store(tmp_path), workers=2)}
    assert len(ended) == 4
    assert "a task that is too large: its worker process died (exit code -9; -9 usually" in ended.pop(dies.id).error
    assert all(one.kept for one in ended.values())


def test_a_run_of_another_process_is_left_for_last(tmp_path: Path) -> None:
    from shatterlab.engines.local import _busy_last

    store = Store(tmp_path)
    jobs = trainings(SPECS)
    with store.claim(SPECS[0]):
        assert store.busy(jobs[0].lock(store))
        assert list(_busy_last([jobs[:2], jobs[2:]], store)) == [jobs[1:2], jobs[2:], jobs[:1]]
    assert not store.busy(jobs[0].lock(store))


@pytest.mark.parametrize("workers", [1, 2])
def test_stacked_runs_leave_what_separate_ones_leave(tmp_path: Path, workers: int) -> None:
    rows: list[tuple[str, int | None]] = []
    train_all(SPECS, tmp_path / "apart")
    failed = train_all(
        SPECS,
        tmp_path / "stacked",
        workers=workers,
        units=[trainings(SPECS[:3]), trainings(SPECS[3:])],
        tell=lambda job, row: rows.append((job.id, row and row.epoch)),
    )
    assert not failed
    assert sorted(rows) == sorted((spec.id, epoch) for spec in SPECS for epoch in (1, 2, 3))
    apart, stacked = Store(tmp_path / "apart"), Store(tmp_path / "stacked")
    for spec, together in zip(SPECS, (3, 3, 3, 1), strict=True):
        one, other = apart.result(spec), stacked.result(spec)
        assert one is not None
        assert other is not None
        assert other.provenance.together == together
        assert other.provenance.train_fingerprint == one.provenance.train_fingerprint
        for first, second in zip(apart.rows(spec), stacked.rows(spec), strict=True):
            assert second.online_loss == pytest.approx(first.online_loss, rel=1e-4)
        assert other.last.test_loss == pytest.approx(one.last.test_loss, rel=1e-3)
        assert stacked.checkpoint(spec).stat().st_size == apart.checkpoint(spec).stat().st_size


def test_a_stack_killed_at_different_epochs_goes_on_as_if_never_stopped(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    run_together(SPECS[:3], whole, device="cpu")

    class Kill(Exception):
        pass

    def kill(spec, row):
        if (spec, row.epoch) == (SPECS[1], 2):
            raise Kill  # the rows of run 0 are written, its checkpoint is of the epoch before

    with pytest.raises(Kill):
        run_together(SPECS[:2], broken, device="cpu", on_row=kill)
    assert len(broken.rows(SPECS[0])) == 2
    run_together(SPECS[:3], broken, device="cpu")  # run 2 has not begun
    for spec, start in zip(SPECS, (1, 1, 0), strict=False):
        result = broken.result(spec)
        assert result is not None
        assert (result.provenance.resumed_from, len(broken.rows(spec))) == (start, 3)
        assert result.last.test_loss == pytest.approx(whole.rows(spec)[-1].test_loss, rel=1e-3)


def test_a_stack_that_cannot_be_trained_at_once_is_trained_one_by_one(tmp_path: Path) -> None:
    broken = make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, learning_rate=1e30)
    too_many = make_spec(data="digits", model="mlp-1x16", n=10_000)
    (error,) = train_all([SPECS[0], broken], tmp_path, units=[trainings([SPECS[0], broken])])
    assert "diverged" in error
    assert Store(tmp_path).result(SPECS[0]) is not None
    (error,) = train_all([SPECS[1], too_many], tmp_path, units=[trainings([SPECS[1], too_many])])
    assert "n=10,000 is more" in error
    assert Store(tmp_path).result(SPECS[1]) is not None


def test_small_perceptrons_are_stacked_and_what_cannot_be_is_not() -> None:
    small = [make_spec(data="digits", model="mlp-1x16", n=60, batch_size=16, seed=seed) for seed in range(8)]
    dropped = [spec.model_copy(update={"dropout": 0.5}) for spec in small[:2]]
    other = make_spec(data="digits", model="mlp-1x16", n=50)
    units = stacks(trainings([*small, *dropped, other]), threads=1)
    assert sorted(job.id for unit in units for job in unit) == sorted(s.id for s in [*small, *dropped, other])
    assert max(len(unit) for unit in units) > 1
    assert [Training(other)] in units
    assert all(len({job.spec.dropout for job in unit}) == 1 for unit in units)
    assert max(len(unit) for unit in stacks(trainings(small), workers=2, threads=1)) <= 4  # both processes have work
    assert all(len(unit) == 1 for unit in stacks(trainings(small), threads=1, memory=0.3501e9))
