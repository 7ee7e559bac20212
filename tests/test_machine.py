"""What the machine tells of itself, on files as Linux writes them."""

import os
from pathlib import Path

import pytest

from shatterlab import machine


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    return tmp_path


def test_a_container_bounds_the_cores(container: Path) -> None:
    whole = machine.cores()
    (container / "cpu.max").write_text("max 100000\n")
    assert machine.cores() == whole
    (container / "cpu.max").write_text("150000 100000\n")
    assert machine.cores() == 1
    (container / "cpu.max").write_text("50000 100000\n")
    assert machine.cores() == 1  # half a core is one


def test_a_container_bounds_the_memory_and_its_cached_files_count_as_free(container: Path) -> None:
    whole = machine.free_memory()
    (container / "memory.max").write_text("max\n")
    (container / "memory.current").write_text("900\n")
    assert machine.free_memory() == pytest.approx(whole, rel=0.2)
    (container / "memory.max").write_text("1000\n")
    assert machine.free_memory() == 100
    (container / "memory.stat").write_text("anon 200\ninactive_file 700\n")
    assert machine.free_memory() == 800


def test_the_first_interface_of_containers_is_read_too(container: Path) -> None:
    for name, text in {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "400"}.items():
        (container / "memory").mkdir(exist_ok=True)
        (container / "memory" / name).write_text(text)
    assert machine.free_memory() == 600


@pytest.mark.parametrize(
    ("membership", "folder", "limit", "used"),
    [
        ("0::/user/job", "user/job", "memory.max", "memory.current"),
        ("0::/user/job", "user", "memory.max", "memory.current"),
        ("9:memory:/job\n1:cpu,cpuacct:/", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ],
    ids=["its own", "the one above", "the first interface"],
)
def test_the_limit_of_a_group_within_the_machine_binds_too(
    container: Path, monkeypatch: pytest.MonkeyPatch, membership: str, folder: str, limit: str, used: str
) -> None:
    (container / "membership").write_text(membership + "\n")
    monkeypatch.setattr(machine, "MEMBERSHIP", container / "membership")
    (container / folder).mkdir(parents=True)
    (container / folder / limit).write_text("1000\n")
    (container / folder / used).write_text("300\n")
    assert machine.free_memory() == 700


def test_the_processor_has_a_name_and_cores() -> None:
    assert machine.processor().endswith(" cores")


@pytest.mark.parametrize(
    ("spent", "share"),
    [
        ({"user": 100, "idle": 100}, 0.5),
        ({"nice": 100, "idle": 100}, 0.0),
        ({"system": 50, "waiting": 50}, 0.5),
        ({}, 0.0),
    ],
    ids=["half busy", "busy with what gives way", "waiting for a disk", "nothing counted"],
)
def test_what_other_work_takes_is_counted_by_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spent: dict[str, int], share: float
) -> None:
    states = ("user", "nice", "system", "idle", "waiting", "interrupts", "soft", "stolen")
    stat, counts = tmp_path / "stat", {"user": 5_000, "idle": 70_000}

    def write() -> None:
        stat.write_text(f"cpu  {' '.join(str(counts.get(state, 0)) for state in states)} 0 0\ncpu0 1 2 3\n")

    def pause(seconds: float) -> None:
        counts.update({state: counts.get(state, 0) + more for state, more in spent.items()})
        write()

    write()
    monkeypatch.setattr(machine, "STAT", stat)
    monkeypatch.setattr(machine, "sleep", pause)
    assert machine.busy_cores() == pytest.approx(share * (os.cpu_count() or 1))


def test_a_system_that_does_not_count_is_taken_to_be_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "STAT", tmp_path / "nothing")
    assert machine.busy_cores(0.0) == 0.0


def test_two_threads_beside_a_busy_core_of_two_take_half_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert machine.crowding(2, 1.0) == 1.5
    assert machine.crowding(1, 1.0) == 1.0
    assert machine.crowding(2, 0.0) == 1.0
    assert machine.crowding(2, 2.0) == pytest.approx(2 / 1.5)  # one thread is slowed down already
