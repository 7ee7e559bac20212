"""The spine: results, resuming after a kill, sharing a store, and what happens when the disk will not write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shatterlab import ShatterlabError, Spec, Store, make_spec, run
from shatterlab.preparation import model_for, prepare
from shatterlab.row import Row
from shatterlab.training import MomentumSGD
from shatterlab.training.checkpoint import packed, restore

SMALL = {"model": "mlp-1x32", "data": "digits", "corruption": "random-labels", "n": 200, "batch_size": 20}


def numbers(store: Store, spec: Spec) -> list[dict]:
    """The rows without their clock readings."""
    return [row.model_dump(exclude={"seconds", "evaluation_seconds"}) for row in store.rows(spec)]


def test_a_result_tells_the_whole_story(tmp_path: Path) -> None:
    spec, store = make_spec(**SMALL, epochs=3), Store(tmp_path)
    result = run(spec, store)
    assert result == store.result(spec)
    assert result.last == store.rows(spec)[-1]
    assert result.spec == spec
    assert (result.n, result.n_test, result.parameters) == (200, 360, 64 * 32 + 32 + 330)
    assert 0.8 < result.wrong_labels < 1
    assert result.provenance.train_fingerprint == prepare(spec).train.fingerprint()
    assert {"torch", "numpy", "python"} <= result.provenance.versions.keys()
    assert {"model", "data", "corruption", "n", "epochs", "parameters", "train_accuracy", "test_accuracy", "train_loss",
            "steps", "seconds", "run_id"} <= result.summary().keys()  # fmt: skip


def test_a_finished_run_is_not_done_again(tmp_path: Path) -> None:
    spec, rows = make_spec(**SMALL, epochs=2), []
    first = run(spec, Store(tmp_path))
    assert run(spec, Store(tmp_path), on_row=rows.append) == first
    assert not rows


def test_a_checkpoint_holds_the_whole_state(tmp_path: Path) -> None:
    spec = make_spec(model="inception", data="digits", n=64)
    model = model_for(spec, prepare(spec))
    optimizer = MomentumSGD(model.parameters(), 0.9, 0.0)
    model(torch.randn(4, 1, 8, 8)).sum().backward()
    optimizer.step(0.1)
    (tmp_path / "c").write_bytes(packed(model, optimizer, 7, {"run": "a"}))
    other = model_for(spec.model_copy(update={"seed": 1}), prepare(spec))
    other_optimizer = MomentumSGD(other.parameters(), 0.9, 0.0)
    assert restore(tmp_path / "c", other, other_optimizer, {"run": "a"}) == (7, None)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(optimizer.velocities, other_optimizer.velocities, strict=True))


@pytest.mark.parametrize("model", ["mlp-1x32", "inception"])
def test_a_run_stopped_after_any_epoch_ends_with_the_same_bits(tmp_path: Path, model: str, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)  # a checkpoint after every epoch
    spec = make_spec(**SMALL | {"model": model, "n": 60}, epochs=4, evaluate_every=1)
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    run(spec, whole)

    class Kill(Exception):
        pass

    for stop_after in (1, 2, 3):

        def kill(row, stop_after=stop_after):
            if row.epoch == stop_after:
                raise Kill

        with pytest.raises(Kill):
            run(spec, broken, on_row=kill)
    run(spec, broken)
    assert numbers(whole, spec) == numbers(broken, spec)
    assert whole.checkpoint(spec).read_bytes() == broken.checkpoint(spec).read_bytes()
    result = broken.result(spec)
    assert result is not None
    assert result.provenance.resumed_from == 2  # the third kill came before that epoch's checkpoint


def test_half_a_line_of_rows_is_dropped_and_done_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    spec, store = make_spec(**SMALL, epochs=3), Store(tmp_path)
    run(spec, store)
    expected = numbers(store, spec)
    folder = store.folder(spec)
    (folder / "result.json").unlink()
    rows = (folder / "rows.jsonl").read_text()
    (folder / "checkpoint.safetensors").unlink()
    (folder / "rows.jsonl").write_text(rows[:-20])
    run(spec, store)
    assert numbers(store, spec) == expected


def test_a_result_cut_short_is_moved_aside_and_written_again_without_training(tmp_path: Path, capsys) -> None:
    spec, store = make_spec(**SMALL, epochs=2), Store(tmp_path)
    first = run(spec, store)
    path = store.folder(spec) / "result.json"
    cut = path.read_text()[:100]
    path.write_text(cut)
    rows: list = []
    again = run(spec, store, on_row=rows.append)
    assert not rows  # nothing was trained again
    assert again.last == first.last
    assert (path.parent / "result.json.aside").read_text() == cut
    assert "result.json is damaged; moved aside to result.json.aside" in capsys.readouterr().err


def test_a_damaged_checkpoint_is_moved_aside_and_the_run_starts_anew(tmp_path: Path) -> None:
    spec, store = make_spec(**SMALL, epochs=2), Store(tmp_path)
    first = run(spec, store)
    (store.folder(spec) / "result.json").unlink()
    store.checkpoint(spec).write_bytes(b"x" * 50)
    again = run(spec, store)
    assert without_times(again.last) == without_times(first.last)
    kept = sorted(path.name for path in store.folder(spec).glob("*.aside"))
    assert kept == ["checkpoint.safetensors.aside", "examples.npz.aside", "rows.jsonl.aside"]


def without_times(row: Row) -> dict:
    return row.model_dump(exclude={"seconds", "evaluation_seconds"})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    spec, store = make_spec(**SMALL, epochs=2), Store(tmp_path)
    folder = store.folder(spec)
    folder.mkdir(parents=True)

    def fill(row) -> None:
        if not (folder / "rows.jsonl").is_symlink():
            (folder / "rows.jsonl").rename(folder / "kept")
            (folder / "rows.jsonl").symlink_to("/dev/full")

    with pytest.raises(
        ShatterlabError, match=r"cannot write to the store .* \(No space left on device\); make room or name"
    ):
        run(spec, store, on_row=fill)
    assert len((folder / "kept").read_text().splitlines()) == 1


def test_a_store_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShatterlabError, match=r"cannot write to the store .*name another with --store"):
        run(make_spec(**SMALL, epochs=1), Store(tmp_path / "file" / "store"))


def test_two_processes_may_want_the_same_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shatterlab", "train", "--json", "--store", str(tmp_path)]
    for name, value in (SMALL | {"epochs": 30}).items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}) for _ in range(2)
    ]
    first, second = (json.loads(process.communicate()[0]) for process in both)
    assert first == second
    assert len(list(tmp_path.glob("*/result.json"))) == 1


def test_other_content_of_an_npz_file_is_another_run(tmp_path: Path) -> None:
    import numpy as np

    def own(classes: int) -> None:
        rng = np.random.default_rng(classes)
        arrays = {f"{kind}_{part}": rng.integers(classes, size=shape) for part in ("train", "test")
                  for kind, shape in (("x", (12, 4, 4)), ("y", 12))}  # fmt: skip
        np.savez(tmp_path / "own.npz", **arrays)  # type: ignore[arg-type]

    spec, results = make_spec(model="mlp-1x4", data=f"npz:{tmp_path / 'own.npz'}", epochs=1), []
    for classes in (2, 3):
        own(classes)
        results.append(run(spec, Store(tmp_path / "store")))
    assert [result.classes for result in results] == [2, 3]
    assert results[0].id != results[1].id
