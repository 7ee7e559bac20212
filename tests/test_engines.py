"""Many runs: side by side or one by one, failures, and the estimate."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.engines import Settings, run_all
from shatterlab.engines.estimate import estimate, stacks
from shatterlab.row import Row
from shatterlab.spine import run_together

SPECS = [make_spec(data="digits", model="mlp-1x16", n=60, n_test=30, epochs=3, seed=seed) for seed in range(4)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_missing_run_is_done_and_reported_once(tmp_path: Path, jobs: int) -> None:
    run_all(SPECS[:1], Settings(tmp_path, "cpu"))
    events: list[tuple[str, int | None]] = []
    run_all(
        SPECS,
        Settings(tmp_path, "cpu"),
        jobs=jobs,
        report=lambda spec, row: events.append((spec.id, row and row.epoch)),
    )
    assert sorted(events, key=str) == sorted([(spec.id, e) for spec in SPECS[1:] for e in (1, 2, 3, None)], key=str)
    assert len(Store(tmp_path).results()[0]) == 4


def test_side_by_side_gives_the_numbers_of_one_by_one(tmp_path: Path) -> None:
    for jobs in (1, 2):
        run_all(SPECS, Settings(tmp_path / str(jobs), "cpu"), jobs=jobs)
    for spec in SPECS:
        first, second = (Store(tmp_path / str(jobs)).rows(spec)[-1] for jobs in (1, 2))
        assert first.train_loss == pytest.approx(second.train_loss, rel=1e-5)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_does_not_stop_the_others(tmp_path: Path, jobs: int) -> None:
    wrong = make_spec(data="digits", model="mlp-1x16", n=10_000)
    with pytest.raises(ShatterlabError, match="n=10,000 is more than the 1,437 examples"):
        run_all([wrong, *SPECS[:2]], Settings(tmp_path, "cpu"), jobs=jobs)
    assert len(Store(tmp_path).results()[0]) == 2


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
    small, large = (estimate([[spec] for spec in specs], device="cpu") for specs in (few, many))
    assert large.seconds > 20 * small.seconds > 0
    assert 0.3e9 < small.memory < 1e9


def test_workers_of_a_killed_command_stop_too(tmp_path: Path) -> None:
    process = started_study(tmp_path)
    process.kill()
    process.wait()
    time.sleep(2)
    before = {path: path.stat().st_size for path in tmp_path.glob("*/rows.jsonl")}
    time.sleep(1)
    assert before
    assert before == {path: path.stat().st_size for path in tmp_path.glob("*/rows.jsonl")}


def test_a_run_of_another_process_is_left_for_last(tmp_path: Path) -> None:
    from shatterlab.engines.local import _busy_last

    store = Store(tmp_path)
    with store.claim(SPECS[0]):
        assert store.busy(SPECS[0])
        assert list(_busy_last([SPECS[:2], SPECS[2:]], Settings(tmp_path))) == [SPECS[1:2], SPECS[2:], SPECS[:1]]
    assert not store.busy(SPECS[0])


@pytest.mark.parametrize("jobs", [1, 2])
def test_stacked_runs_leave_what_separate_ones_leave(tmp_path: Path, jobs: int) -> None:
    events: list[tuple[str, int | None]] = []
    run_all(SPECS, Settings(tmp_path / "apart", "cpu"))
    run_all(
        SPECS,
        Settings(tmp_path / "stacked", "cpu"),
        jobs=jobs,
        units=[SPECS[:3], SPECS[3:]],
        report=lambda spec, row: events.append((spec.id, row and row.epoch)),
    )
    assert sorted(events, key=str) == sorted([(spec.id, e) for spec in SPECS for e in (1, 2, 3, None)], key=str)
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
    with pytest.raises(ShatterlabError, match="diverged"):
        run_all([SPECS[0], broken], Settings(tmp_path, "cpu"), units=[[SPECS[0], broken]])
    assert Store(tmp_path).result(SPECS[0]) is not None
    with pytest.raises(ShatterlabError):
        run_all([SPECS[1], too_many], Settings(tmp_path, "cpu"), units=[[SPECS[1], too_many]])
    assert Store(tmp_path).result(SPECS[1]) is not None


def test_small_perceptrons_are_stacked_and_what_cannot_be_is_not() -> None:
    small = [make_spec(data="digits", model="mlp-1x16", n=60, batch_size=16, seed=seed) for seed in range(8)]
    dropped = [spec.model_copy(update={"dropout": 0.5}) for spec in small[:2]]
    other = make_spec(data="digits", model="mlp-1x16", n=50)
    units = stacks([*small, *dropped, other], threads=1)
    assert sorted(spec.id for unit in units for spec in unit) == sorted(s.id for s in [*small, *dropped, other])
    assert max(len(unit) for unit in units) > 1
    assert [other] in units
    assert all(len({spec.dropout for spec in unit}) == 1 for unit in units)
    assert max(len(unit) for unit in stacks(small, jobs=2, threads=1)) <= 4  # both processes have work
    assert all(len(unit) == 1 for unit in stacks(small, threads=1, memory=0.3501e9))
