"""Object storage behind a store: `s3://`, `gs://` and `az://` addresses, mirrored in a folder of the cache.

A command works in the mirror as in any other folder. What it writes is uploaded as whole objects, a run's `result.json`
last and only where there is none. Who does a job holds a claim, an object with owner and time that is renewed while
the job is done and that others may take once its lease has run out. Runs are deterministic, so that a job done
twice is waste and no damage.
"""

import hashlib
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from time import monotonic, sleep, time
from typing import Any

from platformdirs import user_cache_path

from ..errors import ShatterlabError
from ..files import write_whole

LEASE = 600.0
"""Seconds without renewal after which a claim may be taken by another machine."""
RENEWALS = 5
"""Times that a claim is renewed within its lease, so that one lost request costs nothing."""
PATIENCE = 5.0
"""Seconds between two looks at a claim that another machine holds."""
SCHEMES = re.compile(r"(s3|gs|az):/+")
ADDRESS = "address"
"""The file of a mirror that names what it mirrors, so that a worker who is given the folder finds the storage."""
MIRROR = "mirror"
"""The file of a mirror with its own random name, which tells its claims from those of other machines."""
OF_A_RESULT = ("rows.jsonl", "examples.npz")
"""Files that belong to a run's result: the result names the content of the rows, so that they come together."""
CHANGING = ("rows.jsonl", "spec.json")
"""Files that grow while a run is trained; requests of studies grow, too."""


def address_of(path: Path | str) -> str | None:
    """The address in object storage that a path means, or None; a `Path` made of one has lost a slash.

    >>> address_of(Path("s3://bucket/runs")), address_of("runs")
    ('s3://bucket/runs', None)
    """
    text = path.as_posix() if isinstance(path, Path) else path
    return SCHEMES.sub(r"\1://", text, count=1).rstrip("/") if SCHEMES.match(text) else None


def mirror_of(address: str) -> Path:
    """The folder in the user's cache that mirrors an address; it is made."""
    folder = user_cache_path("shatterlab") / "stores" / hashlib.sha256(address.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ADDRESS).exists():
        write_whole(folder / MIRROR, token_hex(8))
        write_whole(folder / ADDRESS, address)
    return folder


def remote_of(folder: Path) -> "Remote | None":
    """The object storage that a folder mirrors, or None for a folder of its own."""
    try:
        address = (folder / ADDRESS).read_text(encoding="utf-8")
    except OSError:
        return None
    return Remote(address, folder)


@cache
def _opened(address: str) -> Any:
    """The library's store for an address; credentials, region and endpoint come from the environment."""
    try:
        from obstore.store import from_url
    except ImportError:
        raise ShatterlabError(
            f"{address} is object storage, which needs obstore; install it with: pip install 'shatterlab[cloud]'."
        ) from None
    # An endpoint of one's own, such as a server in the same building, may speak plain HTTP; a cloud's never does.
    plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")
    return from_url(
        address,
        client_options={"allow_http": plain, "connect_timeout": "5s"},
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=20)},
    )


class Remote:
    """The object storage that a folder mirrors.

    Args:
        address: `s3://bucket/prefix` and its kin.
        mirror: the folder, as `mirror_of` makes it.
    """

    def __init__(self, address: str, mirror: Path) -> None:
        self.address, self.mirror = address, mirror
        self.name = (mirror / MIRROR).read_text(encoding="utf-8")
        self.seen: dict[tuple[str, float], float] = {}  # when a claim was first seen, by its owner and its time

    @contextmanager
    def _talking(self) -> Iterator[Any]:
        """Turns what the library raises into a sentence."""
        store = _opened(self.address)
        from obstore.exceptions import BaseError

        try:
            yield store
        except (BaseError, OSError) as error:
            said = str(error).strip().splitlines()[0].rpartition(" - ")[2][:200]  # the cause stands last
            raise ShatterlabError(
                f"cannot reach {self.address} ({said}); check the bucket, the connection and the credentials in the "
                f"environment, then run the same command again: what is done is kept in {self.mirror} till then."
            ) from None

    def synchronize(self) -> None:
        """Fetches what the mirror lacks but checkpoints, and uploads what the storage lacks.

        Of requests and specs, which change, the one written last counts, and of rows, which only grow, the longer file.

        Raises:
            ShatterlabError: the storage cannot be reached; the message says what to do.
        """
        with self._talking() as store:
            there = {entry["path"]: entry for chunk in store.list() for entry in chunk}
        here = {
            path.relative_to(self.mirror).as_posix(): path.stat()
            for path in self.mirror.rglob("*")
            if path.is_file() and path.parent != self.mirror and not path.name.endswith(("lock", ".tmp"))
        }
        fetched, pushed = [], []
        for name in there.keys() | here.keys():
            if name.endswith((".claim", ".safetensors")) and name not in here:
                continue
            if name not in here:
                fetched.append(name)
            elif name not in there:
                pushed.append(name)
            elif name.endswith(OF_A_RESULT) and f"{name.rpartition('/')[0]}/result.json" in there:
                if there[name]["size"] != here[name].st_size:
                    fetched.append(name)  # they fit the result that is there
            elif _changes(name) and there[name]["size"] != here[name].st_size:
                if name.endswith("rows.jsonl"):  # may be growing here right now, and clocks may differ
                    newer = there[name]["size"] > here[name].st_size
                else:
                    newer = there[name]["last_modified"].timestamp() > here[name].st_mtime
                (fetched if newer else pushed).append(name)
        self.fetch(sorted(fetched, key=_rank))
        self.push(self.mirror / name for name in sorted(pushed, key=_rank))

    def fetch(self, names: Iterable[str]) -> None:
        """Fetches objects into the mirror, each as a whole; one that is not there is passed over."""
        with self._talking() as store:
            for name in names:
                try:
                    content = bytes(store.get(name).bytes())
                except FileNotFoundError:
                    continue
                path = self.mirror / name
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)

    def push(self, paths: Iterable[Path]) -> None:
        """Uploads files in this order; of a result or a measurement the first one stands, and is fetched instead.

        Files that are not there are passed over.
        """
        from obstore.exceptions import AlreadyExistsError

        with self._talking() as store:
            for path in paths:
                if not path.exists():
                    continue
                name = path.relative_to(self.mirror).as_posix()
                if name.endswith(OF_A_RESULT) and _exists(store, f"{path.parent.name}/result.json"):
                    continue  # they would not fit the result that is there
                try:
                    store.put(name, path.read_bytes(), mode="create" if _final(name) else "overwrite")
                except AlreadyExistsError:
                    for of_result in (*OF_A_RESULT, path.name) if path.name == "result.json" else (path.name,):
                        with suppress(FileNotFoundError):
                            content = bytes(store.get(f"{path.parent.name}/{of_result}").bytes())
                            write_whole(path.parent / of_result, content)

    def set_aside(self, folder: str, names: Iterable[str]) -> None:
        """Renames damaged objects, so that what is done again in their place can be uploaded."""
        with self._talking() as store:
            for name in names:
                with suppress(FileNotFoundError):
                    store.rename(f"{folder}/{name}", f"{folder}/{name}.aside-{token_hex(4)}")

    def try_push(self, paths: Iterable[Path]) -> None:
        """Uploads files as `push` does; without a connection it says so and goes on, as the next command uploads."""
        try:
            self.push(paths)
        except ShatterlabError as error:
            print(f"shatterlab: {error}", file=sys.stderr)

    def holder(self, lock: Path) -> str | None:
        """Who holds a valid claim on the job of a lock from another machine, or None."""
        with self._talking() as store:
            claim = _read(store, self._claim(lock))
        return None if claim is None or self._free(claim[0]) else str(claim[0]["owner"])

    def _free(self, claim: dict[str, Any]) -> bool:
        """Whether a claim may be taken: its lease has run out, or it is of this mirror, whose locks keep order here.

        A killed process of this machine leaves its claim behind, but no lock, and the next need not wait for the lease.
        A claim from the future, of a machine whose clock is ahead or before ours was set back, is free once it has not
        been renewed for a lease before our eyes.
        """
        first = self.seen.setdefault((claim["owner"], claim["time"]), monotonic())
        over = time() - claim["time"] >= LEASE or monotonic() - first >= LEASE
        return bool(claim["mirror"] == self.name or over)

    def _content(self, owner: str) -> bytes:
        return json.dumps({"owner": owner, "mirror": self.name, "time": time()}).encode()

    @contextmanager
    def claimed(self, lock: Path, what: str) -> Iterator[None]:
        """Keeps other machines from a job while the block runs, and fetches what they left of it before.

        Where another machine holds the claim, this waits until it is given back or its lease has run out.

        Args:
            lock: the file whose lock keeps other processes of this machine from the job.
            what: names the job in what is printed.
        """
        name, owner = self._claim(lock), f"{socket.gethostname()}, process {os.getpid()}, {token_hex(4)}"
        told = False
        while not (tag := self._take(name, owner)):
            if not told:
                print(f"waiting for {self.holder(lock) or 'another machine'}, doing {what}", file=sys.stderr)
                told = True
            sleep(PATIENCE)
        done = Event()
        renewer = Thread(target=self._renew, args=(name, owner, tag, done), daemon=True)
        renewer.start()
        try:
            self._take_up(lock)
            yield
        finally:
            done.set()
            renewer.join()
            self._give_back(name, owner)

    def _claim(self, lock: Path) -> str:
        return lock.relative_to(self.mirror).as_posix() + ".claim"

    def _take(self, name: str, owner: str) -> dict[str, Any] | None:
        """Writes a claim if there is none or it may be taken; returns the object's version, None where it is held."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        content = self._content(owner)
        with self._talking() as store:
            found = _read(store, name)
            try:
                if found is None:
                    return _version(store.put(name, content, mode="create"))
                if self._free(found[0]):
                    return _version(store.put(name, content, mode=found[1]))
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                pass  # another was faster, to take it or to give it back
        return None

    def _renew(self, name: str, owner: str, tag: dict[str, Any], done: Event) -> None:
        """Sets the time of a claim anew until `done`; if another has taken it, it is theirs."""
        from obstore.exceptions import BaseError, PreconditionError

        while not done.wait(LEASE / RENEWALS):
            try:
                tag = _version(_opened(self.address).put(name, self._content(owner), mode=tag))
            except PreconditionError:
                return  # the job is done twice then, and the first result stands
            except (BaseError, OSError):
                continue  # the connection may come back before the lease has run out

    def _give_back(self, name: str, owner: str) -> None:
        """Deletes the claim if it is still this owner's."""
        try:
            with self._talking() as store:
                found = _read(store, name)
                if found and found[0]["owner"] == owner:
                    store.delete(name)
        except ShatterlabError:
            pass  # its lease runs out by itself

    def _take_up(self, lock: Path) -> None:
        """Fetches a job's files from where another machine got to, unless this one wrote a checkpoint since then.

        Rows are uploaded before the checkpoint and fetched after it, so that no checkpoint is without its rows.
        """
        folder = lock.parent.relative_to(self.mirror).as_posix()
        if folder == "measured":
            return self.fetch([lock.with_suffix(".json").relative_to(self.mirror).as_posix()])
        with self._talking() as store:
            there = {entry["path"].rpartition("/")[2]: entry for chunk in store.list(folder) for entry in chunk}
        checkpoint = lock.parent / "checkpoint.safetensors"
        written = checkpoint.stat().st_mtime if checkpoint.exists() else 0.0
        if checkpoint.name in there and there[checkpoint.name]["last_modified"].timestamp() > written:
            self.fetch(f"{folder}/{name}" for name in (checkpoint.name, "rows.jsonl"))
        ends = (*OF_A_RESULT, "result.json") if "result.json" in there else ("diverged.json",)
        self.fetch(f"{folder}/{name}" for name in ends if name in there)
        return None


def _exists(store: Any, name: str) -> bool:
    try:
        store.head(name)
    except FileNotFoundError:
        return False
    return True


def _read(store: Any, name: str) -> "tuple[dict[str, Any], dict[str, Any]] | None":
    """A claim and the version of its object, or None."""
    try:
        found = store.get(name)
    except FileNotFoundError:
        return None
    return json.loads(bytes(found.bytes())), _version(found.meta)


def _version(facts: Any) -> dict[str, Any]:
    """What names the version of an object in a compare-and-swap; the library wants no empty entries."""
    return {name: facts[name] for name in ("e_tag", "version") if facts.get(name)}


def _changes(name: str) -> bool:
    return name.endswith(CHANGING) or name.startswith(("studies/", "audits/", "plans/"))


def _final(name: str) -> bool:
    """Whether an object is written once."""
    return name.endswith("/result.json") or name.startswith("measured/")


def _rank(name: str) -> tuple[int, str]:
    """Rows come before checkpoints and results last, so that whoever sees a result finds the rest."""
    return (2 if _final(name) else 1 if name.endswith(".safetensors") else 0), name
