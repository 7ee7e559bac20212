"""Kills commands at random moments, lets them go on, and compares what they leave with an undisturbed run.

How to start it: `python soak/kills.py --kills 200 --seed 0`

Each episode takes a fresh store, kills a command some times (the parent, a worker or the whole group), and then runs it
to its end. The store has to hold the same numbers, no temporary file, and no process may be left.
"""

import argparse
import hashlib
import http.server
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from stores import LONGEST, content, differences, members, moment, start, wait_until_gone

NETWORK = ["--model", "mlp-1x64", "--data", "digits", "--n", "400", "--epochs", "400", "--evaluate-every", "100"]
TARGETS = ("parent", "worker", "group")


@dataclass(frozen=True)
class Kind:
    """A command that is killed.

    Args:
        arguments: of the command; STORE stands for the store.
        tolerance: by which numbers may differ, as a stack that was killed goes on as several smaller ones.
        prepared: whether the store holds finished runs from the start.
        timed: whether the numbers depend on how much time there was, so that only files that were there are compared.
    """

    arguments: tuple[str, ...]
    tolerance: float = 0.0
    prepared: bool = False
    timed: bool = False


KINDS = {
    "alone": Kind(("train", *NETWORK, "--store", "STORE")),
    "stack": Kind(("stack", "STORE"), tolerance=5e-3),
    "workers": Kind(
        ("run", "regularizers", "--data", "digits", "--only", "weight decay", "--jobs", "2", "--store", "STORE"),
        tolerance=5e-3,
    ),
    "computations": Kind(("run", "matrix-factorization", "--data", "digits", "--jobs", "2", "--store", "STORE")),
    "audit": Kind(
        ("audit", "sklearn.neighbors:KNeighborsClassifier", "--budget", "10s", "--n", "100", "--store", "STORE"),
        timed=True,
    ),
    "report": Kind(("report", "--store", "STORE"), prepared=True),
    "watch": Kind(("watch", "--port", "0", "--store", "STORE"), prepared=True),
    "fetch": Kind(("data", "fetch", "soak", "--data-dir", "STORE"), timed=True),
}


class Failure(Exception):
    """Something that must not happen."""


def kill(process: "subprocess.Popen[bytes]", target: str, random: Random) -> str:
    """Kills the parent, one of its workers or all of them; returns which, as there may be no worker."""
    children = [pid for pid in members(process.pid) if pid != process.pid]
    if target == "worker" and children:
        try:
            os.kill(random.choice(children), signal.SIGKILL)
        except ProcessLookupError:
            return ""
        try:
            process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failure(f"the command hung for {LONGEST} s after one of its processes was killed") from None
        return "worker"
    if target == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
        target = "parent"
    process.communicate(timeout=LONGEST)  # its output ends when nobody is left who could write to it
    return target


def finish(kind: str, arguments: list[str], store: Path, environment: dict[str, str]) -> None:
    """Runs a command to its end; the server of `watch` has to answer."""
    process = start(arguments, **environment)
    if kind == "watch":
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        try:
            address = next(word for word in line.split() if word.startswith("http"))
            with urllib.request.urlopen(address, timeout=LONGEST) as answer:
                if b"</html>" not in answer.read():
                    raise Failure("the page of watch is cut short")
        except StopIteration:
            raise Failure(f"watch does not start: {line}") from None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        return
    said, _ = process.communicate(timeout=LONGEST)
    if process.returncode:
        raise Failure(f"exit code {process.returncode}: {said.decode(errors='replace')[-600:]}")
    if kind == "report" and not (store / "report.html").read_text().rstrip().endswith("</html>"):
        raise Failure("the report is cut short")


def check(kind: Kind, store: Path, expected: dict[str, Any]) -> None:
    """Compares a store with that of an undisturbed run and looks for what was left over."""
    if left := [str(path) for path in store.rglob("*.tmp")]:
        raise Failure(f"temporary files were left: {left}")
    found = content(store)
    if not kind.timed and (places := list(differences(found, expected, kind.tolerance))):
        raise Failure(f"{len(places)} differences, such as {places[0]}")


def episode(
    name: str,
    store: Path,
    random: Random,
    most: int,
    whole: float,
    expected: dict[str, Any],
    environment: dict[str, str],
) -> Counter[str]:
    """Kills a command up to `most` times, runs it to its end and checks the store; returns the kills by target."""
    kind, killed = KINDS[name], Counter[str]()
    arguments = [str(store) if word == "STORE" else word for word in kind.arguments]
    for _ in range(most):
        process = start(arguments, **environment)
        moment(process, store, random, whole)
        if process.poll() is not None:
            process.communicate()
            break
        before = set(content(store))
        killed[kill(process, random.choice(TARGETS), random)] += 1
        if not wait_until_gone(process.pid):
            raise Failure("a process outlived its command")
        if lost := before - set(content(store)):
            raise Failure(f"finished work is lost: {lost}")
    finish(name, arguments, store, environment)
    check(kind, store, expected)
    del killed[""]
    return killed


@contextmanager
def server() -> Iterator[str]:
    """Serves a file slowly; hands out its address and checksum."""
    body = os.urandom(1 << 21)

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            try:
                for place in range(0, len(body), 1 << 16):
                    self.wfile.write(body[place : place + (1 << 16)])
                    time.sleep(0.02)
            except OSError:
                pass  # the reader was killed

        def log_message(self, *_: Any) -> None:
            pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Slow) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        digest = hashlib.sha256(body).hexdigest()
        yield f"http://127.0.0.1:{listening.server_address[1]}/file.bin sha256:{digest}"
        listening.shutdown()


def undisturbed(names: list[str], folder: Path, environment: dict[str, str]) -> dict[str, tuple[float, dict[str, Any]]]:
    """The seconds that each kind takes and what it leaves."""
    found = {}
    for name in names:
        store = folder / f"whole-{name}"
        if KINDS[name].prepared:
            finish("alone", [str(store) if word == "STORE" else word for word in KINDS["alone"].arguments], store, {})
        began = time.monotonic()
        finish(name, [str(store) if w == "STORE" else w for w in KINDS[name].arguments], store, environment)
        found[name] = (time.monotonic() - began, content(store))
    return found


def soak(kills: int, seed: int, names: list[str], say: Callable[[str], None] = print) -> Counter[str]:
    """Kills until there were enough kills; returns how many of each kind and target.

    Raises:
        Failure: what must not happen has happened; the store is kept.
    """
    random, done = Random(seed), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    with server() as address:
        environment = {"SOAK_SERVER": address, "XDG_CACHE_HOME": str(folder / "cache")}
        expected = undisturbed(names, folder, environment)
        say(", ".join(f"{name} takes {seconds:.1f} s" for name, (seconds, _) in expected.items()))
        turn = 0
        while done.total() < kills:
            name, turn = names[turn % len(names)], turn + 1
            store = folder / f"{turn}-{name}"
            if KINDS[name].prepared:
                shutil.copytree(folder / f"whole-{name}", store)
            most = min(random.randint(2, 12), kills - done.total())
            try:
                killed = episode(name, store, random, most, *expected[name], environment)
            except Exception as error:
                raise Failure(f"episode {turn} ({name}, seed {seed}): {error} ({store} is kept)") from error
            shutil.rmtree(store, ignore_errors=True)
            done.update({f"{name}, {target}": count for target, count in killed.items()})
            say(f"{done.total()} of {kills} kills; {name}: {dict(killed)}")
    shutil.rmtree(folder, ignore_errors=True)
    return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=[*KINDS], choices=[*KINDS])
    given = parser.parse_args()
    try:
        counts = soak(given.kills, given.seed, given.kinds, lambda line: print(line, flush=True))
    except Failure as failure:
        sys.exit(f"failed: {failure}")
    for what, count in sorted(counts.items()):
        print(f"{count:5} {what}")
    print(f"{counts.total()} kills, nothing lost")
