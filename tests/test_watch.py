"""The live page: what it serves, and that a browser sees a new row at once."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from starlette.testclient import TestClient

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.results import Asked
from shatterlab.row import Row
from shatterlab.watch import Watched, application, serve

SPEC = make_spec(model="mlp-1x4", data="digits", corruption="random-labels", epochs=10)


def row(epoch: int) -> Row:
    return Row(epoch=epoch, step=10 * epoch, learning_rate=0.01, online_loss=2 / epoch, online_accuracy=0.5, seconds=0,
               evaluation_seconds=0)  # fmt: skip


@pytest.fixture
def going(tmp_path: Path) -> Iterator[Store]:
    """A store with a run in its third epoch."""
    store = Store(tmp_path / "store")
    store.ask(Asked(study="learning-curves", scale="demo", data="digits", seeds=1, run_ids=[SPEC.id]))
    with store.claim(SPEC):
        for epoch in (1, 2, 3):
            store.append(SPEC, row(epoch))
        yield store


def client(store: Store) -> TestClient:
    return TestClient(application(store), base_url="http://127.0.0.1")


def test_a_run_that_has_begun_is_shown_with_its_losses(going: Store) -> None:
    content = client(going).get("/content").json()
    now = content["parts"][0]
    assert now["id"] == "now"
    assert "learning-curves, demo, digits: 0 of 1" in now["html"]
    assert "<b>0 of 1 done</b>" in now["html"]
    assert "3 of 10" in now["html"]
    (chart,) = now["charts"].values()
    assert [point["online_loss"] for point in next(iter(chart["datasets"].values()))] == [2, 1, 2 / 3]


def test_a_damaged_file_is_said_and_the_server_goes_on(going: Store) -> None:
    browser = client(going)
    (file,) = going.path.glob("studies/*.json")
    whole = file.read_text()
    file.write_text("{")
    answer = browser.get("/content")
    assert answer.status_code == browser.get("/").status_code == 200
    (left_out,) = [part["html"] for part in answer.json()["parts"] if part["id"] == "left-out"]
    assert f"{file} is damaged" in left_out
    file.write_text(whole)
    assert all(part["id"] != "left-out" for part in browser.get("/content").json()["parts"])


def test_a_page_that_outlives_its_server_is_brought_up_to_date_by_the_next(going: Store) -> None:
    old = client(going).get("/content").json()["version"]
    assert client(going).get(f"/content?since={old}").status_code == 200


def test_nothing_is_sent_until_something_changes(going: Store) -> None:
    browser = client(going)
    version = browser.get("/content").json()["version"]
    assert browser.get(f"/content?since={version}").status_code == 204
    going.append(SPEC, row(4))
    changed = browser.get(f"/content?since={version}")
    assert changed.status_code == 200
    assert "4 of 10" in changed.json()["parts"][0]["html"]


def test_an_empty_store_is_watched_until_something_is_in_it(tmp_path: Path) -> None:
    answer = client(Store(tmp_path / "none")).get("/")
    assert answer.status_code == 200
    assert "Nothing is training in this store right now." in answer.text
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "path", ["/report.html", "/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", f"/{SPEC.id}/rows.jsonl"]
)
def test_no_file_is_served_by_its_path(going: Store, path: str) -> None:
    assert client(going).get(path).status_code == 404


def test_nothing_can_be_written_and_no_foreign_name_is_answered(going: Store) -> None:
    assert client(going).post("/content").status_code == 405
    assert client(going).get("/", headers={"host": "evil.example"}).status_code == 400


def test_watching_writes_nothing(going: Store) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in going.path.rglob("*"))
    client(going).get("/")
    assert sorted((path, path.stat().st_mtime_ns) for path in going.path.rglob("*")) == before


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ShatterlabError, match=f"cannot listen on 127.0.0.1:{port} .*choose another with --port"):
            serve(Store(tmp_path), port)
    with pytest.raises(ShatterlabError, match="port must be 0-65535"):
        serve(Store(tmp_path), 70_000)


def test_a_browser_shows_a_new_row_within_two_seconds(going: Store, browser: Any) -> None:
    command = [sys.executable, "-m", "shatterlab", "watch", "--store", str(going.path), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    context = browser.new_context()
    try:
        assert server.stdout is not None
        address = server.stdout.readline().partition(" at ")[2].split()[0]
        assert address.startswith("http://127.0.0.1:")
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#now-losses svg")
        page.locator("#assumptions summary").first.click()
        start = monotonic()
        going.append(SPEC, row(4))
        page.get_by_text("4 of 10").wait_for(timeout=10_000)
        took = monotonic() - start
        assert page.locator("#assumptions details").first.get_attribute("open") is not None
        assert said == []
        assert took < 2
    finally:
        context.close()
        server.terminate()
        server.wait(10)


def test_a_look_reads_only_what_has_changed(
    small_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_store.path, tmp_path / "many")
    store = Store(tmp_path / "many")
    with store.claim(SPEC):
        store.append(SPEC, row(1))
    read: list[str] = []
    whole = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.append(f"{path.parent.name}/{path.name}")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", counted)

    def looked(watched: Watched) -> list[str]:
        read.clear()
        watched.look()
        kept = ("rows.jsonl", "result.json")
        return sorted(name for name in read if name.endswith(kept) or name.startswith("measured/"))

    watched = Watched(store)
    first = looked(watched)
    assert len(first) == len(set(first)), "each file is parsed once for a page"
    there = [
        path for pattern in ("*/rows.jsonl", "*/result.json", "measured/*.json") for path in store.path.glob(pattern)
    ]
    assert len(first) == len(there)
    assert looked(watched) == []
    store.append(SPEC, row(2))
    assert looked(watched) == [f"{SPEC.id}/rows.jsonl"]
    result = store.results()[0]
    store.finish([result], [{}])
    assert looked(watched) == [f"{result.id}/result.json"]
    measured = next(store.path.glob("measured/*.json"))
    measured.touch()
    assert looked(watched) == [f"measured/{measured.name}"]
