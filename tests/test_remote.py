"""Object storage as a store, against moto's S3 server on this machine."""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from sklearn.naive_bayes import GaussianNB

import shatterlab as sl
from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.cli import main
from shatterlab.results import remote
from shatterlab.results.remote import Remote, address_of, mirror_of, remote_of
from shatterlab.row import Row
from shatterlab.spine import run_together


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty place in a bucket."""
    import urllib.request

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    remote._opened.cache_clear()
    urllib.request.urlopen(urllib.request.Request(f"{server}/{tmp_path.name.replace('_', '-').lower()}", method="PUT"))
    on_machine(monkeypatch, tmp_path / "first")
    return f"s3://{tmp_path.name.replace('_', '-').lower()}/runs"


def on_machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """From here on this process has another cache, as another machine has."""
    monkeypatch.setattr(remote, "user_cache_path", lambda _: cache)


def machines(monkeypatch: pytest.MonkeyPatch, address: str, folder: Path, count: int) -> list[Remote]:
    """The same storage as several machines see it."""
    found = []
    for i in range(count):
        on_machine(monkeypatch, folder / f"machine{i}")
        place = remote_of(mirror_of(address))
        assert place is not None
        found.append(place)
    return found


SPEC = make_spec(model="mlp-1x16", data="digits", n=60, n_test=20, batch_size=16, epochs=4, learning_rate=0.05)
TIMES = {"seconds", "evaluation_seconds"}


def test_a_path_keeps_its_address_and_a_folder_has_none() -> None:
    assert address_of(Path("s3://bucket/runs")) == address_of("s3://bucket/runs/") == "s3://bucket/runs"
    assert address_of(Path("runs/s3")) is None


def test_a_run_in_object_storage_is_that_of_a_folder_and_another_machine_finds_it(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local = sl.run(SPEC, tmp_path / "local", on_row=lambda row: None)
    there = sl.run(SPEC, bucket, on_row=lambda row: None)
    assert there.last.model_dump(exclude=TIMES) == local.last.model_dump(exclude=TIMES)
    on_machine(monkeypatch, tmp_path / "second")
    other = Store(bucket)
    assert other.result(SPEC) == there
    assert other.rows(SPEC) == Store(bucket).rows(SPEC)
    assert set(other.examples(SPEC)) == {"train", "test"}
    main(["show", "--store", bucket])
    assert SPEC.id in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShatterlabError, match="each machine the same command"):
        other.shared_folder()


class _Killed(BaseException):
    """Ends a process where nothing can catch it."""


def test_a_run_that_another_machine_began_goes_on_bit_for_bit(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", 0)
    whole = sl.run(SPEC, tmp_path / "local", on_row=lambda row: None)

    def stop(row: Row) -> None:
        if row.epoch == 3:
            raise _Killed

    with pytest.raises(_Killed):
        sl.run(SPEC, bucket, on_row=stop)
    on_machine(monkeypatch, tmp_path / "second")
    seen: list[int] = []
    other = sl.run(SPEC, bucket, on_row=lambda row: seen.append(row.epoch))
    assert seen == [3, 4]
    assert other.last.model_dump(exclude=TIMES) == whole.last.model_dump(exclude=TIMES)
    local, there = tmp_path / "local" / SPEC.id, Store(bucket).folder(SPEC)
    assert (there / "checkpoint.safetensors").read_bytes() == (local / "checkpoint.safetensors").read_bytes()


def test_of_eight_machines_one_has_the_claim_and_gives_it_back(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *racers, watcher = machines(monkeypatch, bucket, tmp_path, 9)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda place: place._take("x/lock.claim", place.name), racers))
    assert sum(tag is not None for tag in taken) == 1
    (owner,) = (place.name for place, tag in zip(racers, taken, strict=True) if tag)
    lock = watcher.mirror / "x" / "lock"
    assert watcher.holder(lock) == owner
    watcher._give_back("x/lock.claim", "someone else")
    assert watcher.holder(lock) == owner
    watcher._give_back("x/lock.claim", owner)
    assert watcher.holder(lock) is None


def test_a_claim_can_be_taken_once_its_lease_has_run_out_and_not_before(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines(monkeypatch, bucket, tmp_path, 2)
    monkeypatch.setattr(remote, "LEASE", 0.5)
    assert one._take("x/lock.claim", "one")
    assert two._take("x/lock.claim", "two") is None
    time.sleep(0.6)
    assert two._take("x/lock.claim", "two")
    assert one.holder(one.mirror / "x" / "lock") == "two"


def test_a_claim_from_before_the_clock_was_set_back_holds_for_one_lease_too(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines(monkeypatch, bucket, tmp_path, 2)
    monkeypatch.setattr(remote, "LEASE", 0.5)
    with monkeypatch.context() as ahead:
        ahead.setattr(remote, "time", lambda: time.time() + 86_400)
        assert one._take("x/lock.claim", "one")
    assert two._take("x/lock.claim", "two") is None
    time.sleep(0.6)
    assert two._take("x/lock.claim", "two")


def test_a_killed_process_is_followed_at_once_on_its_own_machine(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines(monkeypatch, bucket, tmp_path, 2)
    assert one._take("x/lock.claim", "killed")
    assert two._take("x/lock.claim", "elsewhere") is None
    assert one._take("x/lock.claim", "next")


def test_a_claim_that_is_held_longer_than_its_lease_is_renewed(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines(monkeypatch, bucket, tmp_path, 2)
    monkeypatch.setattr(remote, "LEASE", 1.0)
    with one.claimed(one.mirror / "x" / "lock", "a job"):
        time.sleep(1.5)
        assert two._take("x/lock.claim", "two") is None
        assert two.holder(two.mirror / "x" / "lock")
    assert two.holder(two.mirror / "x" / "lock") is None


def test_of_two_results_the_first_stands(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = machines(monkeypatch, bucket, tmp_path, 2)
    for place in places:
        file = place.mirror / "x" / "result.json"
        file.parent.mkdir()
        file.write_text(json.dumps(place.name))
        place.push([file])
    assert json.loads((places[1].mirror / "x" / "result.json").read_text()) == places[0].name


def test_a_job_of_another_machine_is_left_for_last(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(bucket)
    lock = store.folder(SPEC) / "lock"
    assert not store.busy(lock)
    (other,) = machines(monkeypatch, bucket, tmp_path, 1)
    assert other._take(f"{SPEC.id}/lock.claim", "another")
    assert store.busy(lock)


def test_rows_that_are_being_written_are_not_replaced_by_fewer(bucket: str) -> None:
    store = Store(bucket)
    rows = store.folder(SPEC) / "rows.jsonl"
    rows.parent.mkdir()
    rows.write_text("one\n")
    assert store.remote is not None
    store.remote.push([rows])
    rows.write_text("one\ntwo\n")
    os.utime(rows, (0, 0))  # as if the clock of the storage were ahead
    Store(bucket)
    assert rows.read_text() == "one\ntwo\n"


def test_without_a_connection_a_run_goes_on_and_is_uploaded_later(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(bucket)
    assert store.remote is not None

    def lost(self: Remote, paths: object) -> None:
        raise ShatterlabError("cannot reach it")

    with monkeypatch.context() as without:
        without.setattr(Remote, "push", lost)
        (result,) = run_together([SPEC], store)
    assert not isinstance(result, ShatterlabError)
    assert "cannot reach it" in capsys.readouterr().err
    Store(bucket)
    on_machine(monkeypatch, tmp_path / "second")
    assert Store(bucket).result(SPEC) == result


def test_an_absent_bucket_and_a_missing_extra_are_one_sentence(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["show", "--store", "s3://nowhere-at-all/runs"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "cannot reach s3://nowhere-at-all/runs" in said
    assert "Traceback" not in said
    remote._opened.cache_clear()
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(SystemExit) as stop:
        main(["show", "--store", bucket])
    assert stop.value.code == 2
    assert "pip install 'shatterlab[cloud]'" in capsys.readouterr().err


def test_another_machine_reports_runs_and_audits_and_goes_on_with_their_fits(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = sl.run(SPEC, bucket).id
    ticks = iter(range(10**6)).__next__  # a clock that is looked at a few hundred times in ten seconds
    audited = sl.audit(GaussianNB(), "digits", 60, n=20, store=bucket, quiet=True, clock=ticks)
    fits = {path.name: path.read_bytes() for path in (mirror_of(bucket) / "measured").glob("*.json")}
    assert fits
    on_machine(monkeypatch, tmp_path / "second")
    main(["report", "--store", bucket, "--out", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert run_id in page
    assert audited.record["title"] in page
    sl.audit(GaussianNB(), "digits", 60, n=20, store=bucket, quiet=True, clock=ticks)
    assert (
        fits.items()
        <= {path.name: path.read_bytes() for path in (mirror_of(bucket) / "measured").glob("*.json")}.items()
    )
