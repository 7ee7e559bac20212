"""Files are written whole, and on the disk before they have their name."""

import os
from pathlib import Path

import pytest

from shatterlab import files
from shatterlab.files import write_all, write_whole


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is forced onto the disk and what takes its name, in this order, file by file."""
    log: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def logged_fsync(descriptor: int) -> None:
        log.append("sync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".")[0])
        fsync(descriptor)

    def logged_replace(self: Path, target: Path) -> Path:
        log.append(f"name {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "replace", logged_replace)
    monkeypatch.setattr(files, "MANY", 1_000)
    return log


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, disk: list[str], monkeypatch) -> None:
    (tmp_path / "rows").write_text("1\n")
    write_all({tmp_path / "result": "done"}, also=[tmp_path / "rows", tmp_path / "missing"])
    assert disk == [
        "sync rows",
        "sync ",
        "name result",
        f"sync {tmp_path.name}",
    ]  # the temporary file begins with a dot
    assert (tmp_path / "result").read_text() == "done"


@pytest.mark.parametrize("count", [1, 3, 20])
def test_many_files_are_written_whole_and_nothing_else_is_left(tmp_path: Path, count: int) -> None:
    wanted = {tmp_path / str(i): f"数 {i}" for i in range(count)}
    write_all(wanted)
    assert {path: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == wanted


def test_a_disk_that_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_whole(path, "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old")]
