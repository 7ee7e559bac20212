"""Reading and writing the store."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shatterlab import ShatterlabError, Store, files, make_spec, run
from shatterlab.results import Asked
from shatterlab.results.table import epoch_table, run_table
from shatterlab.row import Row

SPEC = make_spec(data="digits", model="mlp-1x8", n=50, epochs=2)


def a_row(epoch: int, **values: float) -> Row:
    return Row(epoch=epoch, step=epoch, learning_rate=0.1, online_loss=1.0, online_accuracy=0.5, seconds=1.0,
               evaluation_seconds=0.0, **values)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(cut=st.integers(0, 2_000))
def test_rows_cut_anywhere_leave_the_whole_ones(tmp_path: Path, cut: int) -> None:
    store = Store(tmp_path)
    (store.folder(SPEC)).mkdir(exist_ok=True)
    path = store.folder(SPEC) / "rows.jsonl"
    rows = [a_row(epoch, train_loss=0.1 * epoch) for epoch in range(1, 6)]
    text = "".join(row.model_dump_json() + "\n" for row in rows)[:cut]
    path.write_text(text)
    whole = text.count("}")
    assert store.rows(SPEC) == rows[:whole]


def test_a_gap_before_the_checkpoint_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.claim(SPEC):
        for epoch in (1, 3):
            store.append(SPEC, a_row(epoch))
        assert store.rewind(SPEC, 1) == [a_row(1)]
        with pytest.raises(ShatterlabError, match="1 of the 2 epochs that its checkpoint has done can be read"):
            store.rewind(SPEC, 2)


def test_one_bad_result_does_not_hide_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(SPEC, store)
    (tmp_path / "0123456789ab").mkdir()
    (tmp_path / "0123456789ab" / "result.json").write_text('{"spec": ')
    assert [result.spec for result in store.results()] == [SPEC]
    (error,) = store.unreadable
    assert "is damaged: it is cut short or no JSON" in str(error)


def test_missing_is_missing_in_the_tables(tmp_path: Path) -> None:
    store = Store(tmp_path)
    result = run(SPEC.model_copy(update={"evaluate_every": 2}), store)
    epochs = epoch_table(store, [result])
    assert epochs["train_accuracy"].null_count() == 1
    assert epochs["corrupted_fitted"].null_count() == 2
    assert run_table([result])["test_accuracy"][0] == result.last.test_accuracy


def test_a_name_from_a_user_cannot_leave_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    asked = Asked(study="label-noise", scale="demo", data="npz:../../<script>.npz", seeds=1, run_ids=["a"])
    store.ask(asked)
    assert store.asked() == [asked]
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "store" / "studies"]


def test_rows_and_checkpoint_are_on_the_disk_before_the_result_says_that_they_are(tmp_path: Path, monkeypatch) -> None:
    log: list[str] = []
    settle, replace = files.settle, Path.replace

    def logged(paths) -> None:
        settled = list(paths)
        log.extend(f"settle {path.name.strip('.').split('.')[0]}" for path in settled)
        settle(settled)

    def named(self: Path, target: Path) -> Path:
        log.append(f"name {target.name.split('.')[0]}")
        return replace(self, target)

    monkeypatch.setattr(files, "settle", logged)
    monkeypatch.setattr(Path, "replace", named)
    run(SPEC, Store(tmp_path))
    before = log[: log.index("name result")]
    for earlier in ("settle spec", "settle rows", "settle checkpoint", "name checkpoint", "settle result"):
        assert earlier in before
    assert before.index("settle rows") < before.index("name checkpoint")
    assert log[-1] == f"settle {SPEC.id}"  # the folder, which holds the name


def test_what_a_power_cut_leaves_empty_is_unfinished_and_done_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = run(SPEC, store)
    store.ask(Asked(study="label-noise", scale="demo", data="digits", seeds=1, run_ids=[SPEC.id]))
    for path in (
        store.folder(SPEC) / "result.json",
        store.folder(SPEC) / "spec.json",
        *(tmp_path / "studies").iterdir(),
    ):
        path.write_text("")
    assert store.results() == []
    assert store.asked() == []
    assert run(SPEC, store).last == first.last
    assert (store.folder(SPEC) / "spec.json").stat().st_size > 0
