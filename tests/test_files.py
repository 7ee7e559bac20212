"""Files are written whole, and on the disk before they have their name."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

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


@pytest.mark.parametrize(("refused", "content"), [(3, "new"), (10**6, "old")])
def test_on_windows_a_file_that_is_being_read_is_replaced_when_its_readers_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int, content: str
) -> None:
    path, replace, tries = tmp_path / "a", Path.replace, []
    write_whole(path, "old")

    def while_it_is_read(self: Path, target: Path) -> Path:
        tries.append(target)
        if len(tries) <= refused:
            raise PermissionError(13, "Access is denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", while_it_is_read)
    with pytest.raises(PermissionError):  # elsewhere a refusal is no matter of waiting
        write_whole(path, "new")
    tries.clear()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(files, "sleep", lambda seconds: None)
    if content == "old":
        with pytest.raises(PermissionError):
            write_whole(path, "new")
    else:
        write_whole(path, "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", content)]


@pytest.mark.parametrize("knows", [True, False])
def test_on_macos_files_are_forced_through_the_memory_of_the_drive(
    tmp_path: Path, disk: list[str], monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    def fcntl(descriptor: int, command: int) -> None:
        disk.append(f"full sync {command}")
        if not knows:
            raise OSError(45, "Operation not supported")

    monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(fcntl=fcntl, F_FULLFSYNC=51))
    monkeypatch.setattr(sys, "platform", "darwin")
    write_whole(tmp_path / "a", "content")
    plainly = [] if knows else ["sync "]
    assert disk[: 2 + len(plainly)] == ["full sync 51", *plainly, "name a"]
