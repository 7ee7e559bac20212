"""One damaged file costs one thing; a file of another version is not damaged; numbers that cannot be are refused."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import sleep

import numpy as np
import pytest
from starlette.testclient import TestClient

from shatterlab import ShatterlabError, Store, make_spec, run
from shatterlab.cli import main
from shatterlab.errors import DivergedError, NewerError, UnreadableError
from shatterlab.jobs import Computation, Training, do
from shatterlab.report import chart_library
from shatterlab.report.audits import audits_of
from shatterlab.results import Asked, Reader
from shatterlab.results import Store as Kept
from shatterlab.results.records import FORMAT, text_of
from shatterlab.row import Row
from shatterlab.studies import STUDIES, jobs_so_far
from shatterlab.watch import application

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = [make_spec(data="digits", model="mlp-1x4", n=40, n_test=40, epochs=4, seed=seed) for seed in range(3)]
BEGUN = SPECS[2]
"""This run was left after its second epoch."""


class Stopped(Exception):
    """It ends a run as a kill would."""


JOB = next(job for job in jobs_so_far(STUDIES["lemma"], "demo", "digits", 1) if isinstance(job, Computation))
COMPUTED = Asked(study="lemma", scale="demo", data="digits", seeds=1, run_ids=[], measurement_ids=[JOB.id])
ASKED = Asked(study="label-noise", scale="demo", data="digits", seeds=2, run_ids=[spec.id for spec in SPECS])


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in today's format: two finished runs, one that has begun, a study's request and a computation."""
    store = Store(tmp_path_factory.mktemp("whole"))
    for spec in SPECS[:2]:
        run(spec, store)
    rows = []

    def stop(row) -> None:
        rows.append(row)
        if len(rows) == 2:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
        with pytest.raises(Stopped):
            run(BEGUN, store, on_row=stop)
    do([JOB], store)
    store.ask(ASKED)
    store.ask(COMPUTED)
    return store.path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Store:
    shutil.copytree(whole, tmp_path / "store")
    return Store(tmp_path / "store")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 3)


def empty_list(path: Path) -> None:
    path.write_text("[]")


def empty_object(path: Path) -> None:
    path.write_text("{}")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def edited(path: Path) -> None:
    text = path.read_text()
    place = next(i for i, letter in enumerate(text) if letter in "123456" and i > len(text) // 2)
    path.write_text(f"{text[:place]}{9 - int(text[place])}{text[place + 1 :]}")


def not_a_number(path: Path) -> None:
    entries = json.loads(path.read_text())
    path.write_text(json.dumps({"some": float("nan"), **entries}))


def nested(path: Path) -> None:
    path.write_text("[" * 100_000)


RECORD_DAMAGES = [cut, garbage, empty_list, empty_object, folder, edited, not_a_number, nested]


def gone(path: Path) -> None:
    path.unlink()


def swapped(path: Path) -> None:
    first, second, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([second, first, *others]))


def first_line_alone(path: Path) -> None:
    path.write_text(path.read_text().splitlines(keepends=True)[0])


CASES = {
    "result.json": (SPECS[0], RECORD_DAMAGES),
    "rows.jsonl": (SPECS[0], [gone, cut, garbage, folder, edited, swapped, first_line_alone]),
    "spec.json": (BEGUN, RECORD_DAMAGES),
}


def damages() -> list[tuple[str, Callable[[Path], None]]]:
    of_runs = [(f"{spec.id}/{name}", damage) for name, (spec, damages) in CASES.items() for damage in damages]
    of_records = [
        (name, damage)
        for name in (f"measured/{JOB.id}.json", f"studies/{Store('x').request_name(ASKED)}")
        for damage in RECORD_DAMAGES
    ]
    return of_runs + of_records


@pytest.mark.parametrize(("name", "damage"), damages())
def test_a_damaged_file_is_named_once_and_all_else_is_shown(store: Store, name: str, damage, capsys) -> None:
    damage(store.path / name)
    lost = SPECS[:1] if name.startswith(SPECS[0].id) else []
    page = ["report", "--out", str(store.path / "page.html")]  # the live page, which is made in the same way, has all
    for command in (["show"], page) if damage in (cut, gone) else (["show"],):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--store", str(store.path)])
        said = capsys.readouterr()
        assert stop.value.code == 2
        assert said.err.count(str(store.path / name)) == 1
        assert "is damaged" in said.err
        shown = said.out if command == ["show"] else (store.path / "page.html").read_text()
        assert [spec for spec in SPECS[:2] if spec.id in shown.replace(f"{store.path / name}", "")] == [
            spec for spec in SPECS[:2] if spec not in lost
        ]


@pytest.mark.parametrize(("name", "damage"), damages())
def test_the_live_page_says_what_is_damaged_and_shows_the_rest(store: Store, name: str, damage) -> None:
    damage(store.path / name)
    answer = TestClient(application(store), base_url="http://127.0.0.1").get("/content")
    parts = {part["id"]: part["html"] for part in answer.json()["parts"]}
    assert str(store.path / name) in parts["left-out"]
    assert SPECS[1].id in parts["runs"]


@pytest.mark.parametrize(("name", "damage"), [case for case in damages() if not case[0].startswith("studies")])
def test_a_damaged_file_is_moved_aside_and_its_part_done_again(store: Store, name: str, damage, whole: Path) -> None:
    damage(store.path / name)
    spec = BEGUN if name.startswith(BEGUN.id) else SPECS[0]
    if name.startswith("measured"):
        (done,) = do([JOB], store)
        assert done.records == Store(whole).measured(JOB.id).records
    else:
        again = run(spec, store)
        expected = run(spec, whole.parent / "undisturbed" / spec.id)
        assert without_times(again.last) == without_times(expected.last)
    assert os.path.lexists(store.path / f"{name}.aside") or damage is gone
    fresh = Store(store.path)
    assert [one.spec.id for one in fresh.results()] == sorted({s.id for s in SPECS[:2]} | {spec.id})
    assert not fresh.unreadable


def without_times(row: Row) -> dict:
    return row.model_dump(exclude={"seconds", "evaluation_seconds"})


def test_a_damaged_request_is_moved_aside_when_the_study_is_run_again(store: Store, capsys) -> None:
    path = store.path / "studies" / store.request_name(COMPUTED)
    cut(path)
    main(["run", "lemma", "--data", "digits", "--store", str(store.path), "--only", JOB.title])
    assert path.with_name(f"{path.name}.aside").exists()
    assert [asked.study for asked in Store(store.path).asked()] == ["label-noise", "lemma"]


def test_a_file_in_the_place_of_a_folder_and_damaged_predictions_are_moved_aside(store: Store, capsys) -> None:
    shutil.rmtree(store.folder(SPECS[1]))
    store.folder(SPECS[1]).write_text("no folder")
    cut(store.folder(SPECS[0]) / "examples.npz")
    for spec in SPECS[:2]:
        run(spec, store)
        assert set(store.examples(spec)) == {"train", "test"}
    said = capsys.readouterr().err
    assert f"{SPECS[1].id} is damaged; moved aside to {SPECS[1].id}.aside" in said
    assert "examples.npz is damaged; moved aside to examples.npz.aside" in said


def test_of_hundreds_of_damaged_files_the_first_are_named_and_the_rest_counted(store: Store, capsys) -> None:
    for place in range(300):
        (store.path / f"{place:012x}").mkdir()
        (store.path / f"{place:012x}" / "result.json").write_text("{")
    with pytest.raises(SystemExit):
        main(["show", "--store", str(store.path)])
    said = capsys.readouterr()
    assert SPECS[0].id in said.out
    assert said.err.count("is damaged") == 5
    assert "... and 295 more files (300 in all)." in said.err


def test_a_record_that_lacks_what_its_study_needs_costs_that_record_alone(store: Store, capsys) -> None:
    measured = store.measured(JOB.id)
    records = [{"nothing": "of use"} for _ in measured.records]
    (store.path / "measured" / f"{JOB.id}.json").write_text(text_of(measured.model_copy(update={"records": records})))
    for command in (
        ["show"],
        ["report", "--out", str(store.path / "page.html")],
        ["figures", "--out", str(store.path)],
    ):
        with pytest.raises(SystemExit) as stop:
            main([*command, "--store", str(store.path)])
        said = capsys.readouterr()
        assert stop.value.code == 2
        assert f"{JOB.id}.json does not hold what the study lemma needs" in said.err
    assert all(spec.id in (store.path / "page.html").read_text() for spec in SPECS[:2])


@pytest.mark.parametrize(
    "name", [f"{SPECS[0].id}/result.json", f"{BEGUN.id}/spec.json", f"measured/{JOB.id}.json"], ids=lambda n: n[13:]
)
def test_a_file_of_a_later_version_is_left_alone_and_both_versions_are_named(store: Store, name: str, capsys) -> None:
    path = store.path / name
    later = json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1, "shatterlab": "9.9", "new": "entry"})
    path.write_text(later)
    with pytest.raises(SystemExit) as stop:
        main(["show", "--store", str(store.path)])
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert f"is of format {FORMAT + 1}, written by shatterlab 9.9; this is shatterlab" in said.err
    assert "damaged" not in said.err
    assert SPECS[1].id in said.out
    job = JOB if name.startswith("measured") else Training(BEGUN if BEGUN.id in name else SPECS[0])
    with pytest.raises(NewerError, match="the file is left alone"):
        do([job], store)
    assert path.read_text() == later
    assert not list(store.path.rglob("*.aside"))


@pytest.mark.parametrize("fixture", ["store-0", "store-1"])
def test_stores_of_each_earlier_format_are_read_and_gone_on_with(fixture: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / fixture, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert len(store.results()) == 6
    assert all(store.measured(path.stem) for path in store.path.glob("measured/*.json"))
    for result in store.results() if fixture == "store-1" else []:
        assert store.examples(result)["train"].labels.size == result.n
    for spec, rows, _ in store.unfinished():
        assert 0 < run(spec, store).provenance.resumed_from <= len(rows)
    assert audits_of(store) or fixture == "store-0"
    assert not store.unreadable


IMPOSSIBLE = [
    ("test_accuracy", 7.5),
    ("train_accuracy", -0.1),
    ("train_loss", -3.0),
    ("test_loss", "NaN"),
    ("epoch", 0),
    ("seconds", -1.0),
]


@pytest.mark.parametrize(("field", "value"), IMPOSSIBLE)
def test_numbers_that_cannot_be_are_refused(whole: Path, tmp_path: Path, field: str, value: object) -> None:
    """The files here are of the first format, which has no checksum that would betray the change."""
    store = Store(tmp_path)
    shutil.copytree(whole / SPECS[0].id, store.folder(SPECS[0]))
    path = store.folder(SPECS[0]) / "result.json"
    entries = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("format", "checksum", "rows")}
    del entries["shatterlab"]
    path.write_text(json.dumps(entries))
    assert store.result(SPECS[0]) is not None
    entries["last"][field] = value
    path.write_text(json.dumps(entries).replace('"NaN"', "NaN"))
    with pytest.raises(UnreadableError, match="is damaged"):
        store.result(SPECS[0])


DIVERGING = make_spec(data="digits", model="mlp-1x4", n=40, n_test=40, epochs=3, learning_rate=1e30)


def test_a_run_that_diverges_has_ended_is_shown_as_such_and_is_in_no_mean(store: Store, capsys) -> None:
    with pytest.raises(DivergedError, match=r"diverged in epoch \d") as first:
        run(DIVERGING, store)
    calls: list = []
    with pytest.raises(DivergedError) as second:
        run(DIVERGING, store, on_row=calls.append)
    assert str(second.value) == str(first.value)
    assert not calls, "it is not trained again"
    assert DIVERGING.id not in store.table()["run_id"].to_list()
    assert [spec for spec, _, _ in store.unfinished()] == [BEGUN]
    store.ask(ASKED.model_copy(update={"run_ids": [*ASKED.run_ids, DIVERGING.id]}))
    main(["show", "--store", str(store.path)])
    said = capsys.readouterr().out
    assert f"run {DIVERGING.id} is left out: mlp-1x4 true-labels seed 0 diverged in epoch" in said
    assert "2 of 4 runs missing, of which 1 diverged" in said
    main(["report", "--store", str(store.path)])
    assert "1 run diverged" in (store.path / "report.html").read_text()


def test_a_run_that_would_stop_at_its_fit_diverges_by_name_too(tmp_path: Path) -> None:
    with pytest.raises(DivergedError):
        run(DIVERGING.on(stop="fit"), tmp_path)
    assert Store(tmp_path).diverged(DIVERGING.on(stop="fit")) is not None


def test_a_damaged_note_of_a_divergence_is_moved_aside_and_a_later_one_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.folder(DIVERGING) / "diverged.json"
    with pytest.raises(DivergedError):
        run(DIVERGING, store)
    whole = path.read_text()
    cut(path)
    with pytest.raises(DivergedError):
        run(DIVERGING, store)
    assert path.with_name("diverged.json.aside").exists()
    assert store.diverged(DIVERGING) is not None
    path.write_text(json.dumps(json.loads(whole) | {"format": FORMAT + 1}))
    with pytest.raises(NewerError):
        run(DIVERGING, store)


def test_a_folder_in_the_place_of_predictions_is_moved_aside(store: Store) -> None:
    folder(store.folder(SPECS[0]) / "examples.npz")
    assert Training(SPECS[0]).kept(store) is None
    run(SPECS[0], store)
    assert set(store.examples(SPECS[0])) == {"train", "test"}


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(store: Store, monkeypatch) -> None:
    opened = Path.open

    def refuse(path: Path, *given, **options):
        if path.name == "checkpoint.safetensors":
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableError, match=r"cannot be read \(Permission denied\)"):
        run(BEGUN, store)
    assert not list(store.path.rglob("*.aside"))


def test_a_reader_forgets_that_the_system_refused_a_file(store: Store, monkeypatch) -> None:
    reader = Reader(store.path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        assert reader.results() == []
    reader.forget_unreadable()
    assert len(reader.results()) == 2
    assert not reader.unreadable


def test_an_intact_file_that_may_not_be_read_is_not_called_damaged(store: Store, monkeypatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert store.results() == []
    assert all("cannot be read (Permission denied)" in str(error) for error in store.unreadable)
    with pytest.raises(ShatterlabError, match="cannot be read"):
        run(SPECS[0], store)
    assert not list(store.path.rglob("*.aside"))


def test_a_page_that_cannot_be_written_leaves_the_old_one_as_it_was(store: Store, monkeypatch) -> None:
    page = store.report()
    before = page.path.read_text()

    def fail(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ShatterlabError, match="No space left on device"):
        store.report()
    assert page.path.read_text() == before
    assert not list(store.path.glob(".*.tmp"))


def test_a_damaged_copy_of_the_chart_library_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.report.library.user_cache_path", lambda name: tmp_path)
    whole = chart_library()
    (kept,) = tmp_path.iterdir()
    assert chart_library() == whole
    kept.write_text(kept.read_text()[:1_000_000])
    assert chart_library() == whole
    assert kept.read_text().endswith(whole)


def test_who_waits_is_told_which_process_holds_the_job_and_how_to_free_it(store: Store, capsys) -> None:
    with store.hold(store.path / "measured" / "0.lock", "a sum"):
        waiting = Thread(target=lambda: store.hold(store.path / "measured" / "0.lock", "a sum").__enter__())
        waiting.start()
        while "waiting" not in (said := capsys.readouterr().err):
            sleep(0.01)
    waiting.join()
    me, host = os.getpid(), socket.gethostname()
    assert f"waiting for process {me} on {host} (if it hangs, 'kill -9 {me}' there lets this one go on)" in said


def test_eight_commands_that_ask_for_more_seeds_at_once_lose_none(store: Store) -> None:
    """Each reads the request, adds a seed and writes it; without a lock some would overwrite what others wrote."""
    store.ask(COMPUTED)

    def more() -> None:
        mine = Store(store.path)
        with mine.asking():
            (asked,) = [asked for asked in mine.asked() if asked.study == "lemma"]
            sleep(0.01)
            mine.ask(asked.model_copy(update={"seeds": asked.seeds + 1}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: more(), range(8)))
    assert [asked.seeds for asked in store.asked() if asked.study == "lemma"] == [9]


def test_data_replaced_during_a_study_fail_the_runs_that_are_left_by_name(tmp_path: Path, monkeypatch, capsys) -> None:
    """The runs that are done stay those of the study, and it is not begun anew on the new data without being asked."""
    x, y = np.random.default_rng(0).random((60, 4), dtype=np.float32), np.arange(60) % 3
    np.savez(tmp_path / "x.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    monkeypatch.setitem(STUDIES, "label-noise", replace(STUDIES["label-noise"], jobs=few_jobs))
    data = f"npz:{tmp_path / 'x.npz'}"
    finish = Kept.finish

    def finish_and_replace(store: Kept, *given) -> None:
        finish(store, *given)
        np.savez(tmp_path / "x.npz", x_train=x[::-1], y_train=y, x_test=x[:20], y_test=y[:20])

    monkeypatch.setattr(Kept, "finish", finish_and_replace)
    with pytest.raises(SystemExit) as stop:
        main(["run", "label-noise", "--data", data, "--store", str(tmp_path / "runs"), "--jobs", "1"])
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert "x.npz is not what it was when mlp-1x4 true-labels seed 1 was asked for" in said.err
    assert len(Store(tmp_path / "runs").results()) == 1
    assert said.out.count("runs to do on cpu") == 1


def few_jobs(scale: str, data: str, seeds: int) -> list[Training]:
    return [Training(make_spec(data=data, model="mlp-1x4", n=40, epochs=2 + seed, seed=seed)) for seed in range(3)]
