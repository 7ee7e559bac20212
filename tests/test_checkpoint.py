"""A checkpoint is taken up by its own run on its own data, or not at all."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from shatterlab import ShatterlabError, Spec, Store, make_spec, run

SPEC = make_spec(model="mlp-1x8", data="digits", n=50, epochs=3, corruption="random-labels")


class Kill(Exception):
    pass


def stopped(store: Store, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was killed in its third epoch; returns its checkpoint, of the second."""
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)

    def kill(row) -> None:
        if row.epoch == 3:
            raise Kill

    with pytest.raises(Kill):
        run(spec, store, on_row=kill)
    return store.checkpoint(spec)


def test_a_checkpoint_of_another_run_is_refused_and_left_alone(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    path = stopped(store, SPEC, monkeypatch)
    other = stopped(store, SPEC.model_copy(update={"seed": 1}), monkeypatch)
    foreign = other.read_bytes()
    path.write_bytes(foreign)
    with pytest.raises(ShatterlabError, match="is of another run .* than this run .*; put that back, or move it out"):
        run(SPEC, store)
    assert path.read_bytes() == foreign


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path, monkeypatch) -> None:
    from shatterlab import data as sources

    stopped(Store(tmp_path), SPEC, monkeypatch)
    digits = sources.load("digits")
    monkeypatch.setattr("shatterlab.preparation.load", lambda *_: sources.Data(digits.test, digits.train))
    with pytest.raises(ShatterlabError, match="is of another training data"):
        run(SPEC, Store(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t | {"velocity/0": t["velocity/0"].double()}, "damaged"),
        (lambda t: t | {"velocity/0": t["velocity/0"][:1]}, "damaged"),
        (lambda t: t | {"velocity/0": t["velocity/0"] + 1}, "damaged"),
        (lambda t: {name: tensor for name, tensor in t.items() if name != "velocity/0"}, "damaged"),
        (lambda t: t | {"velocity/9": t["velocity/0"].clone()}, "damaged"),
    ],
    ids=["another dtype", "another shape", "another number", "a tensor less", "a tensor more"],
)
def test_a_changed_checkpoint_is_not_taken_up(tmp_path: Path, monkeypatch, capsys, change, message: str) -> None:
    path = stopped(Store(tmp_path), SPEC, monkeypatch)
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path, notes)
    assert run(SPEC, Store(tmp_path)).provenance.resumed_from == 0
    assert f"is {message}; moved aside to checkpoint.safetensors.aside" in capsys.readouterr().err


def test_a_checkpoint_of_an_earlier_version_is_taken_up_with_a_line_that_says_so(tmp_path, monkeypatch, capsys) -> None:
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    expected = run(SPEC, whole).last
    path = stopped(broken, SPEC, monkeypatch)
    save_file(load_file(path), path, {"epoch": "2"})  # the first layout named nothing but the epoch
    last = run(SPEC, broken).last
    assert "going on unchecked" in capsys.readouterr().err
    clocks = {"seconds", "evaluation_seconds"}
    assert last.model_dump(exclude=clocks) == expected.model_dump(exclude=clocks)


def test_the_epoch_of_a_checkpoint_fits_the_rows(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    stopped(store, SPEC, monkeypatch)
    rows = store.folder(SPEC) / "rows.jsonl"
    rows.write_text(rows.read_text().splitlines()[0] + "\n")
    assert run(SPEC, store).provenance.resumed_from == 0
    assert sorted(path.name for path in store.folder(SPEC).glob("*.aside")) == [
        "checkpoint.safetensors.aside",
        "rows.jsonl.aside",
    ]


def rewritten(path: Path, **notes) -> None:
    """Writes other notes into a checkpoint."""
    with safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["notes"])
    save_file(load_file(path), path, {"notes": json.dumps({**known, **notes})})


def test_a_checkpoint_of_a_later_version_is_refused_with_both_versions_and_left_alone(tmp_path, monkeypatch) -> None:
    path = stopped(Store(tmp_path), SPEC, monkeypatch)
    rewritten(path, format="4", checksum="made in another way")
    before = path.read_bytes()
    with pytest.raises(
        ShatterlabError,
        match=r"is of format 4, .* of a later version; this is shatterlab \S+, which reads formats up to 3",
    ) as end:
        run(SPEC, Store(tmp_path))
    assert "damaged" not in str(end.value)
    assert path.read_bytes() == before


def test_a_checkpoint_of_the_second_format_is_taken_up(tmp_path: Path, monkeypatch) -> None:
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    run(SPEC, whole)
    path = stopped(broken, SPEC, monkeypatch)
    with safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["notes"])
    assert known.pop("inside") is None
    save_file(load_file(path), path, {"notes": json.dumps(known | {"format": "2"})})
    assert run(SPEC, broken).provenance.resumed_from == 2
    assert whole.checkpoint(SPEC).read_bytes() == broken.checkpoint(SPEC).read_bytes()


def test_a_changed_place_inside_an_epoch_is_not_taken_up(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("shatterlab.training.inside.LOOK_SECONDS", 0)
    spec = SPEC.on(batch_size=10)
    path = stopped(Store(tmp_path), spec, monkeypatch)
    with safe_open(path, "pt") as file:
        inside = json.loads(file.metadata()["notes"])["inside"]
    rewritten(path, inside=inside | {"step": inside["step"] - 1})
    assert run(spec, Store(tmp_path)).provenance.resumed_from == 0
    assert "checkpoint.safetensors is damaged; moved aside" in capsys.readouterr().err
