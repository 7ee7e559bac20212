"""Disks, memory, files, clocks and paths that are not as one would like: a sentence, and what was finished is kept."""

import errno
import fcntl
import io
import os
import sys
import time
from pathlib import Path

import pytest
from helpers import square

from shatterlab import ShatterlabError, Store, make_spec, run
from shatterlab.cli import main
from shatterlab.engines import do, local
from shatterlab.jobs import Computation, Job, Training
from shatterlab.machine import open_files_left
from shatterlab.report import live_section, write_report
from shatterlab.report.live import SILENCE
from shatterlab.results import Asked, Reader, Result

SPEC = make_spec(data="digits", model="mlp-1x8", n=60, n_test=30, epochs=2)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused_with_a_sentence(tmp_path: Path, monkeypatch, number: int) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ShatterlabError, match="has no file locks .* name a folder on another disk with --store"):
        run(SPEC, Store(tmp_path))


def test_a_store_that_vanishes_is_said_and_not_called_full(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def vanish(row) -> None:
        store.path.rename(tmp_path / "elsewhere")

    with pytest.raises(ShatterlabError, match="was moved, deleted or unmounted while it was written to; put it back"):
        run(SPEC, store, on_row=vanish)
    (tmp_path / "elsewhere").rename(store.path)
    run(SPEC, store)


def test_a_stack_larger_than_the_limit_of_open_files_is_announced_and_trained_in_smaller_ones(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(local, "open_files_left", lambda: local.OTHER_FILES + 2)
    jobs: list[Job] = [Training(SPEC.model_copy(update={"seed": seed})) for seed in range(4)]
    ended = list(do(jobs, Store(tmp_path), device="cpu", units=[jobs]))
    assert [one.kept.provenance.together for one in ended if isinstance(one.kept, Result)] == [2, 2, 2, 2]
    assert capsys.readouterr().err == (
        "a stack of 4 runs holds a file open for each, more than may be opened here (see ulimit -n); at most 2 are "
        "trained at once, which takes longer\n"
    )


def test_a_process_asks_for_as_many_open_files_as_it_may_have() -> None:
    import resource

    before = open_files_left()
    with open(os.devnull):
        assert open_files_left() == before - 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 29.3 MiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    ],
)
def test_memory_that_runs_out_is_one_sentence(monkeypatch, capsys, tmp_path: Path, error: Exception) -> None:
    def fail(*_, **__) -> None:
        raise error

    monkeypatch.setattr("shatterlab.data.load", fail)
    with pytest.raises(SystemExit) as ended:
        main(["run", "label-noise", "--data", "digits", "--store", str(tmp_path)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("shatterlab: there is not enough memory (")
    assert said.endswith("then run the same command again: what was finished is kept.\n")
    assert said.count("\n") == 1


def test_another_error_of_a_library_keeps_its_traceback(monkeypatch, tmp_path: Path) -> None:
    def fail(*_, **__) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("shatterlab.data.load", fail)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        main(["run", "label-noise", "--data", "digits", "--store", str(tmp_path)])


def hungry(number: int) -> list[dict]:
    """A computation that wants more memory than there is."""
    raise MemoryError(f"Unable to allocate {number} TiB")


def test_a_job_that_runs_out_of_memory_says_what_may_do_and_the_others_go_on(tmp_path: Path) -> None:
    large = Computation("hungry", "a large task", {"number": 3}, hungry)
    other = Computation("squares", "a square", {"number": 2, "seed": 0}, square)
    first, second = do([large, other], Store(tmp_path))
    assert first.error.startswith("a large task needs more memory than there is; a smaller --jobs")
    assert second.kept


@pytest.mark.parametrize("name", ["дом 数 ü", "two words", os.fsdecode(b"no\xfftext")])
def test_a_store_may_have_any_name(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / name)
    run(SPEC, store)
    assert write_report(store).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert store.result(SPEC)


def test_a_path_that_is_no_text_can_be_printed(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path / os.fsdecode(b"no\xfftext"))
    run(SPEC, store)
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="utf-8"))
    main(["report", "--store", str(store.path)])
    sys.stdout.flush()
    assert b"no\\udcfftext/report.html" in said.getvalue()


def test_a_clock_that_is_set_back_changes_no_number_and_no_state(tmp_path: Path, monkeypatch) -> None:
    store, ahead = Store(tmp_path), time.time() + 86_400
    with store.claim(SPEC):
        pass
    os.utime(store.folder(SPEC) / "spec.json", (ahead, ahead))  # it was begun before the clock was set back
    assert [spec for spec, _, _ in Reader(tmp_path).unfinished()] == [SPEC]
    assert SILENCE[0][1] in live_section(Reader(tmp_path), []).html
    assert run(SPEC, store).last.epoch == 2


def test_what_killed_writers_left_is_removed_by_the_next_command(tmp_path: Path) -> None:
    store = Store(tmp_path)
    left = store.folder(SPEC) / ".checkpoint.safetensors.1.abcd.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a checkpoint")
    run(SPEC, store)
    assert not left.exists()
    (tmp_path / "studies").mkdir()
    old, new = (tmp_path / "studies" / f".{name}.json.1.abcd.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 7_200,) * 2)
    store.ask(Asked(study="label-noise", scale="demo", data="digits", seeds=1, run_ids=[SPEC.id]))
    assert not old.exists()
    assert new.exists()  # another process may be writing it


def test_a_finished_study_is_shown_from_a_store_that_may_only_be_read(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    asked = Asked(study="label-noise", scale="demo", data="digits", seeds=1, run_ids=[SPEC.id])
    store.ask(asked)
    monkeypatch.setattr("shatterlab.results.store.write_whole", lambda *_: (_ for _ in ()).throw(OSError(30, "")))
    store.ask(asked)
    with pytest.raises(ShatterlabError, match="Read-only file system"):
        store.ask(asked.model_copy(update={"seeds": 2}))
