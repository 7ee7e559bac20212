"""The same command trains the same runs at once, with as many threads, whatever its steps are timed to take."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab import Store, make_spec
from shatterlab.cli import main
from shatterlab.engines import do, estimate
from shatterlab.engines.estimate import as_planned, stacks
from shatterlab.jobs import Training

SPECS = [
    make_spec(data="digits", model=model, n=60, n_test=30, batch_size=16, epochs=2, seed=seed)
    for model in ("mlp-1x16", "mlp-1x8")
    for seed in range(4)
]
TRAININGS = [Training(spec) for spec in SPECS]


def timed(monkeypatch: pytest.MonkeyPatch, exponent: float) -> None:
    """Lets a step of a stack take the number of its runs, to this power, in milliseconds."""
    monkeypatch.setattr(
        estimate, "_timed", lambda job, runs, *_: estimate.Timed(1e-3 * runs**exponent, 1e-3, 1e-6, 1e3, 100)
    )


class Stop(Exception):
    pass


class Engine:
    """Stands for the local engine; it notes what it is asked for, and does as many units as it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, units: int) -> None:
        self.left, self.asked = units, []
        monkeypatch.setattr("shatterlab.engines.do", self)

    def __call__(self, jobs, store, *, units, threads, workers, **options):
        self.asked.append((sorted(sorted(job.id for job in unit) for unit in units), threads))
        for unit in units:
            if not self.left:
                raise Stop
            self.left -= 1
            yield from do(unit, store, units=[unit], threads=threads, device="cpu")


def planned(monkeypatch, store: Path, *flags: str, units: int = 0) -> tuple[list[list[str]], int]:
    """The groups and threads that a command asks for; it is stopped when it has done so many units."""
    engine = Engine(monkeypatch, units)
    with pytest.raises(Stop):
        main(["run", "label-noise", "--data", "digits", "--store", str(store), "--device", "cpu", *flags])
    return engine.asked[0]


def groups_kept(store: Path) -> list[list[str]]:
    (file,) = store.glob("plans/*.json")
    return sorted(map(sorted, json.loads(file.read_text())["groups"]))


def test_without_stacks_no_timing_changes_the_plan(tmp_path: Path, monkeypatch) -> None:
    plans = []
    for exponent in (0.1, 2.0):
        timed(monkeypatch, exponent)
        plans.append(planned(monkeypatch, tmp_path / str(exponent), "--no-stacks"))
    assert plans[0] == plans[1]
    assert all(len(group) == 1 for group in plans[0][0])


def test_a_command_given_again_repeats_its_plan_for_what_is_missing(tmp_path: Path, monkeypatch) -> None:
    two = "--jobs", "2"
    timed(monkeypatch, 0.5)
    groups, threads = planned(monkeypatch, tmp_path, *two)
    assert max(map(len, groups)) > 1
    assert groups_kept(tmp_path) == groups
    timed(monkeypatch, 2.0)  # now nobody would stack
    assert planned(monkeypatch, tmp_path / "other", *two)[0] != groups
    assert planned(monkeypatch, tmp_path, *two, units=1) == (groups, threads)
    done = {result.id for result in Store(tmp_path).results()}
    assert done
    left = [rest for group in groups if (rest := [id for id in group if id not in done])]
    assert planned(monkeypatch, tmp_path, *two) == (left, threads)
    assert groups_kept(tmp_path) == groups


def test_another_command_has_a_plan_of_its_own(tmp_path: Path, monkeypatch) -> None:
    timed(monkeypatch, 0.5)
    groups, _ = planned(monkeypatch, tmp_path)
    timed(monkeypatch, 2.0)
    assert planned(monkeypatch, tmp_path, "--seeds", "2")[0] != groups
    assert planned(monkeypatch, tmp_path)[0] == groups


def test_a_damaged_plan_is_moved_aside_and_the_runs_are_grouped_anew(tmp_path: Path, monkeypatch, capsys) -> None:
    timed(monkeypatch, 0.5)
    planned(monkeypatch, tmp_path)
    (file,) = tmp_path.glob("plans/*.json")
    file.write_text(file.read_text()[:-9])
    planned(monkeypatch, tmp_path)
    assert file.with_name(f"{file.name}.aside").exists()
    assert "moved aside" in capsys.readouterr().err


@given(st.lists(st.lists(st.sampled_from([*(job.id for job in TRAININGS), "done"]), max_size=4), max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_plan_parts_the_runs(groups: list[list[str]]) -> None:
    together, new = as_planned(TRAININGS, groups)
    found = [job.id for group in [*together, new] for job in group]
    assert sorted(found) == sorted(job.id for job in TRAININGS)
    assert all(together)


@pytest.mark.parametrize("exponent", [0.1, 0.7, 2.0])
def test_stacks_part_the_runs_whatever_their_steps_take(monkeypatch, exponent: float) -> None:
    timed(monkeypatch, exponent)
    units = stacks(TRAININGS, device="cpu")
    assert sorted(job.id for unit in units for job in unit) == sorted(job.id for job in TRAININGS)


def test_the_number_of_processes_changes_no_bit_where_their_threads_do_not(tmp_path: Path) -> None:
    units = [TRAININGS[:3], TRAININGS[3:4], TRAININGS[4:]]
    before = torch.get_num_threads()
    for workers in (1, 2):
        for ended in do(
            TRAININGS, Store(tmp_path / str(workers)), units=units, workers=workers, threads=1, device="cpu"
        ):
            assert not ended.error
    assert torch.get_num_threads() == before
    one, two = Store(tmp_path / "1"), Store(tmp_path / "2")
    for spec in SPECS:
        assert one.checkpoint(spec).read_bytes() == two.checkpoint(spec).read_bytes()
        assert two.result(spec).provenance.threads == 1
