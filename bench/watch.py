"""What `shatterlab watch` costs the runs that it shows: a training alone and beside readers, in turn.

The readers ask as pages do: with the version that they have, and again after the seconds that they are told. The store
can be filled with finished runs, as that of a laboratory is.

    python bench/watch.py --readers 500 --runs 5000 --turns 5
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shatterlab import Store, make_spec, run
from shatterlab.results.records import text_of

SPEC = make_spec(data="digits", model="mlp-1x8", n=50, epochs=2)
TRAINING = """
import sys, time
import torch
from shatterlab import Store, make_spec, run
torch.set_num_threads(1)
began = time.monotonic()
spec = make_spec(data="digits", model="mlp-3x512", corruption="random-labels", epochs=int(sys.argv[2]))
run(spec.on(seed=int(sys.argv[3])), Store(sys.argv[1]))
print(time.monotonic() - began)
"""


def filled(folder: Path, runs: int) -> Store:
    """A store with so many finished runs, which differ in their seed alone."""
    store = Store(folder)
    result = run(SPEC, store)
    rows = (store.folder(SPEC) / "rows.jsonl").read_text()
    for seed in range(1, runs):
        spec = SPEC.on(seed=seed)
        store.folder(spec).mkdir()
        (store.folder(spec) / "rows.jsonl").write_text(rows)
        (store.folder(spec) / "spec.json").write_text(text_of(spec))
        (store.folder(spec) / "result.json").write_text(text_of(result.model_copy(update={"spec": spec})))
    return store


@contextmanager
def watching(store: Store) -> Iterator[tuple[int, int]]:
    """A server, with its port and process."""
    command = [sys.executable, "-m", "shatterlab", "watch", "--store", str(store.path), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().partition(" at ")[2].split()[0]
        yield int(address.rpartition(":")[2].strip("/")), server.pid
    finally:
        server.terminate()
        server.wait(10)


async def read(port: int, stop: asyncio.Event, waits: list[float]) -> None:
    """A page that asks until it is stopped."""
    version = ""
    while not stop.is_set():
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            question = f"GET /content?since={version} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n"
            writer.write(f"{question}Connection: close\r\n\r\n".encode())
            answer = await reader.read(-1)
            writer.close()
        except OSError:
            await asyncio.sleep(1)
            continue
        waits.append(time.monotonic() - began)
        head, _, body = answer.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if body:
            import gzip
            import json

            version = json.loads(gzip.decompress(body))["version"]
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), float(fields.get(b"ask-again", b"1")))


def readers(port: int, count: int, seconds: float) -> list[float]:
    """So many pages for so long; returns how long each question waited for its answer."""

    async def all_of_them() -> list[float]:
        stop, waits = asyncio.Event(), list[float]()
        pages = [asyncio.create_task(read(port, stop, waits)) for _ in range(count)]
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.gather(*pages, return_exceptions=True)
        return waits

    return asyncio.run(all_of_them())


def cpu_seconds(process: int) -> float:
    """What a process has spent so far, on Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(store: Store, epochs: int, seed: int) -> float:
    """Seconds of a training in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(store.path), str(epochs), str(seed)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    """Prints the cost of an idle page, the longest waits, and the loss of speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=150)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        store = filled(folder / "store", arguments.runs)
        with watching(store) as (port, process):
            readers(port, 1, 5)
            spent = cpu_seconds(process)
            readers(port, 1, 20)
            idle = (cpu_seconds(process) - spent) / 20
        print(f"{arguments.runs:,} finished runs, one page, nothing changes: {100 * idle:.1f} % of a core")
        alone, beside = [], []
        for turn in range(arguments.turns):
            alone.append(train(store, arguments.epochs, 10_000 + 2 * turn))
            with watching(store) as (port, process):
                code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import watch; "
                code += f"waits = watch.readers({port}, {arguments.readers}, 3600)"
                pages = subprocess.Popen([sys.executable, "-c", code])
                time.sleep(20)  # until every page has been served and told how often to ask
                spent, began = cpu_seconds(process), time.monotonic()
                beside.append(train(store, arguments.epochs, 10_001 + 2 * turn))
                share = (cpu_seconds(process) - spent) / (time.monotonic() - began)
                pages.kill()
            times = f"alone {alone[-1]:.2f} s, beside {arguments.readers} readers {beside[-1]:.2f} s"
            print(f"turn {turn + 1}: {times}; server {100 * share:.1f} % of a core", flush=True)
        losses = [100 * (b / a - 1) for a, b in zip(alone, beside, strict=True)]
        print(f"loss: median {statistics.median(losses):.1f} %, from {min(losses):.1f} to {max(losses):.1f} %")
        with watching(store) as (port, _):
            waits = sorted(readers(port, 20, 20))
        print(f"20 readers: median wait {1000 * waits[len(waits) // 2]:.0f} ms, longest {waits[-1]:.2f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
