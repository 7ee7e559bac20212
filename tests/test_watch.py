"""The live page: what it serves, and that a browser sees a new row at once."""

import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from heapq import heapify, heappop, heappush
from pathlib import Path
from time import sleep
from typing import Any
from urllib.request import urlopen

import pytest
from starlette.testclient import TestClient

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.results import Asked
from shatterlab.row import Row
from shatterlab.watch import LOOPBACK, Pace, Watched, application, names_of, serve

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
    return TestClient(application(store, pause=0), base_url="http://127.0.0.1")


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


def test_a_browser_shows_a_new_row_and_keeps_what_the_reader_has_opened(going: Store, browser: Any) -> None:
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
        going.append(SPEC, row(4))
        page.get_by_text("4 of 10").wait_for(timeout=10_000)
        assert page.locator("#assumptions details").first.get_attribute("open") is not None
        assert said == []
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


def test_everybody_who_asks_at_once_waits_for_one_look(going: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watched, looks = Watched(going), []
    look = watched.look

    def counted() -> None:
        looks.append(1)
        sleep(0.1)
        look()

    monkeypatch.setattr(watched, "look", counted)

    async def ask() -> None:
        await asyncio.gather(*(watched.refresh() for _ in range(20)))
        await watched.refresh()  # within the pause

    with ThreadPoolExecutor(1) as apart:  # a browser of other tests has a loop in this thread
        apart.submit(asyncio.run, ask()).result()
    assert len(looks) == 1


def test_a_version_that_is_none_of_ours_gets_everything(going: Store) -> None:
    browser = client(going)
    whole = browser.get("/content?since=").json()
    name = whole["version"].rpartition("-")[0]
    for odd in ("x", f"{name}-²", f"{name}-", f"{name}--1", f"{name}-{10**30}"):
        assert browser.get("/content", params={"since": odd}).json()["parts"] == whole["parts"]


def test_only_the_parts_that_changed_are_sent_again(going: Store) -> None:
    browser = client(going)
    whole = browser.get("/content").json()
    going.append(SPEC, row(4))
    changed = browser.get(f"/content?since={whole['version']}").json()
    assert changed["order"] == [part["id"] for part in whole["parts"]]
    assert [part["id"] for part in changed["parts"]] == ["now"]


def test_an_answer_is_made_once_for_all_who_lack_the_same(going: Store) -> None:
    watched = Watched(going, pause=0)
    watched.look()
    assert watched.answer("") is watched.answer("of another server-3")
    assert watched.answer(watched.version) is None
    assert watched.whole() is watched.whole()


def test_many_pages_are_told_to_ask_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page asks again after the seconds that it was told; 500 pages come to about 40 questions a second."""
    now = [0.0]
    monkeypatch.setattr("shatterlab.watch.monotonic", lambda: now[0])
    pace, due = Pace(), [(place / 1000, place) for place in range(500)]
    heapify(due)
    asked = []
    while now[0] < 120:
        now[0], place = heappop(due)
        asked.append(now[0])
        heappush(due, (now[0] + pace.asked(), place))
    late = sum(time > 60 for time in asked) / 60
    assert 20 < late < 60
    alone = Pace()
    assert alone.asked() == 0.5


def test_no_page_may_frame_ours_and_no_name_but_ours_is_answered(going: Store) -> None:
    browser = client(going)
    for path in ("/", "/content", "/nothing"):
        headers = browser.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "frame-ancestors 'none'"
        assert headers["x-content-type-options"] == "nosniff"
    for name in ("127.0.0.1:8642", "localhost", "[::1]:8642"):
        assert browser.get("/content", headers={"host": name}).status_code == 200
    for name in ("evil.example", "[::2]:8642", "127.0.0.1.evil.example", ""):
        assert browser.get("/content", headers={"host": name}).status_code == 400


def test_a_server_for_the_network_answers_to_its_own_names_only() -> None:
    assert names_of("::1") == LOOPBACK
    assert names_of("lab.example") == (*LOOPBACK, "lab.example")
    everywhere = names_of("0.0.0.0")
    assert socket.gethostname() in everywhere
    assert "*" not in everywhere


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_it_listens_on_the_loopback_of_ipv6(going: Store) -> None:
    with served(going, "--host", "::1") as (address, _):
        assert address.startswith("http://[::1]:")
        with urlopen(f"{address}content", timeout=10) as answer:
            assert b"3 of 10" in answer.read()


def test_a_store_that_is_taken_away_is_said_and_comes_back(going: Store, tmp_path: Path) -> None:
    browser = client(going)
    assert browser.get("/content").status_code == 200
    going.path.rename(tmp_path / "elsewhere")
    answer = browser.get("/content")
    assert answer.status_code == browser.get("/").status_code == 503
    assert f"{going.path} is gone; put it back" in answer.json()["error"]
    (tmp_path / "elsewhere").rename(going.path)
    assert "3 of 10" in browser.get("/content").json()["parts"][0]["html"]


@contextmanager
def served(store: Store, *flags: str, files: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    """A server of its own process, with its address; it may open so many files."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files})); " if files else ""
    code = limit + "from shatterlab.cli import main; main()"
    command = [sys.executable, "-c", code, "watch", "--store", str(store.path), "--port", "0", *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().partition(" at ")[2].split()[0], server
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="counts files as Linux does")
def test_half_open_connections_beyond_the_limit_of_files_print_nothing_and_lock_nobody_out(going: Store) -> None:
    with served(going, files=128) as (address, server):
        port = int(address.rpartition(":")[2].strip("/"))
        half_open = []
        for _ in range(300):
            one = socket.socket()
            one.settimeout(0.1)
            with suppress(OSError):
                one.connect(("127.0.0.1", port))
            half_open.append(one)
        for one in half_open[:50]:  # these ask, and leave in the middle of the answer
            with suppress(OSError):
                one.sendall(b"GET /content HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for one in half_open:
            one.close()
        sleep(0.5)
        with urlopen(f"{address}content", timeout=10) as answer:
            assert answer.status == 200
    assert server.stderr is not None
    assert server.stderr.read() == ""
