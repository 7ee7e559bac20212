"""What the machine tells of itself, on files as Linux writes them."""

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


def test_the_processor_has_a_name_and_cores() -> None:
    assert machine.processor().endswith(" cores")
