"""Training with several processes: the numbers of one process, scores without repeats, and nothing lost in a kill."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shatterlab import Store, make_spec, run
from shatterlab.cli import main
from shatterlab.ranks import agreed, processes, rank, shares

SCRIPT = Path(__file__).parent / "in_ranks.py"
DIALS = {"model": "inception", "n": 101, "n_test": 33, "epochs": 4, "batch_size": 32, "learning_rate": 0.001,
         "evaluate_every": 1, "flip": 0.5, "dropout": 0.2}  # fmt: skip


def in_two(folder: Path, *arguments: str) -> tuple[bool, str]:
    """Whether `in_ranks` ends well in each of two processes, and what they said.

    They are started as torchrun starts them, which itself takes seconds; the last test uses it.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "none"}
    began, started = time.monotonic(), []
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        try:
            for rank in ("0", "1"):
                its_own = {"RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"}
                command = [sys.executable, str(SCRIPT), *arguments]
                started.append(subprocess.Popen(command, env=os.environ | shared | its_own, stderr=said))
            while any(process.poll() is None for process in started) and not any(one.returncode for one in started):
                assert time.monotonic() - began < 300, "the processes wait for each other"
                time.sleep(0.05)
        finally:
            for process in started:  # one that dies takes the other with it
                process.kill()
                process.wait()
        said.seek(0)
        return not any(process.returncode for process in started), said.read()[-3000:]


def test_without_torchrun_there_is_one_process_that_has_everything() -> None:
    assert (processes(), rank(), agreed("mine")) == (1, 0, "mine")
    assert shares([slice(3, 9)]) == [slice(3, 9)]


def test_several_processes_do_as_one_does_with_the_whole(tmp_path: Path) -> None:
    """Gradients, batch normalization, dropout, unreached weights and parts without an example: see `in_ranks`."""
    well, said = in_two(tmp_path, "numbers")
    assert well, said


def test_a_run_of_two_processes_is_killed_and_taken_up_by_one_with_the_numbers_of_one(tmp_path: Path) -> None:
    spec = make_spec(data="digits", **DIALS)
    alone = run(spec, tmp_path / "alone", on_row=lambda row: None)
    well, _ = in_two(tmp_path, "train", str(tmp_path / "shared"), json.dumps(DIALS | {"kill": 3}))
    assert not well
    shared = Store(tmp_path / "shared")
    assert shared.result(spec) is None
    assert len(shared.rows(spec)) >= 2
    assert shared.checkpoint(spec).exists()
    taken_up = run(spec, shared, on_row=lambda row: None)
    assert taken_up.provenance.resumed_from >= 2
    rows, expected = shared.rows(spec), Store(tmp_path / "alone").rows(spec)
    assert [row.epoch for row in rows] == [1, 2, 3, 4]
    for ours, theirs in zip(rows, expected, strict=True):
        assert ours.online_loss == pytest.approx(theirs.online_loss, rel=2e-3)
        assert ours.test_loss == pytest.approx(theirs.test_loss, rel=2e-2)
    assert taken_up.parameters == alone.parameters


def test_two_processes_killed_inside_an_epoch_go_on_there_with_the_same_bits(tmp_path: Path) -> None:
    dials = DIALS | {"epochs": 2, "own": True}
    for store, more in (("whole", {}), ("broken", {"saves": 6}), ("broken", {})):
        well, said = in_two(tmp_path, "train", str(tmp_path / store), json.dumps(dials | more))
        assert well == (not more), said
        if more:
            (rows,) = (tmp_path / store).glob("*/rows.jsonl")
            assert len(rows.read_text().splitlines()) == 1
    (whole,), (broken,) = Store(tmp_path / "whole").results(), Store(tmp_path / "broken").results()
    assert broken.provenance.resumed_from == 1
    clocks = {"seconds", "evaluation_seconds"}
    assert broken.last.model_dump(exclude=clocks) == whole.last.model_dump(exclude=clocks)
    for file in ("checkpoint.safetensors", "examples.npz"):
        assert (tmp_path / "broken" / whole.id / file).read_bytes() == (
            tmp_path / "whole" / whole.id / file
        ).read_bytes()


def test_the_command_line_runs_a_study_in_step_and_speaks_once(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [
        "run",
        "table1",
        "--data",
        "digits",
        "--only",
        "mlp-1x512 true-labels seed",
        "--store",
        str(tmp_path / "store"),
    ]
    done = subprocess.run(
        [*torchrun, "-m", "--", "shatterlab", *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("each by 2 processes") == 1
    assert done.stdout.count("table1  ") == 1
    store = Store(tmp_path / "store")
    assert store.results()


def test_only_rank_0_speaks_and_another_names_itself_in_an_error(monkeypatch, capsys) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as end:
        main(["show", "nothing", "--store", "absent"])
    captured = capsys.readouterr()
    assert end.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("shatterlab (rank 1): ")
