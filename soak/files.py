"""Claim: no file, however damaged or hostile, makes a reader crash, hang, run code, write, or take much memory.

Files that are intact are changed at random, and every reader of the laboratory gets them. Each input ends in one of
the outcomes of `OUTCOMES`; anything but the first two is a failure, whose input is kept. An input depends on the seed
and its index alone, so that `--first INDEX --inputs 1` makes it again.

    python soak/files.py [--inputs 1000000] [--seconds S] [--seed 0] [--first 0] [--only READER] [--jobs 2]
"""

import argparse
import multiprocessing
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any

from readers import CRASH, HANG, MAKERS, MEMORY, OUTCOMES, RAN, REFUSED, SLOW, draw_of, input_of, readers, trial

MOST_MEMORY = 4 * 2**26
"""A reader may take four times of what an honest file of the size that is unpacked without question takes."""
MOST_ADDRESSES = 6 * 2**30
"""So much more address space a worker may ask for: enough for all that is honest, and the machine is spared."""
MOST_SECONDS = 5
"""An input of some kilobytes that takes more processor time is too slow."""
HANGS_AFTER = 30
"""A worker that spends so many seconds on one input is stopped."""
DECODES_WITHIN = 10
"""As `tables.DECODED_WITHIN`, which is longer."""
STARTS_WITHIN = 300
"""A worker that has not begun by then is stopped; it imports and makes all intact files first."""
KEPT = 20
"""So many inputs of each failure of a reader are kept."""


class Decoder:
    """Decodes parquet files in a process that stays, since starting one for each of a million files takes a night."""

    CODE = """
import sys
sys.path[:0] = sys.argv[1:]
from shatterlab.data.decode import main

for line in sys.stdin:
    try:
        main(line.strip(), 2**28)
        print("", flush=True)
    except SystemExit as error:
        print(" ".join(str(error).split()) or "?", flush=True)
"""

    def __init__(self, watch: "Watch") -> None:
        self.watch = watch
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, path: Path, most: int) -> None:
        """Does what `tables.decode_elsewhere` does."""
        if self.process is None or self.process.poll() is not None:
            watched, self.watch.on = self.watch.on, False
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", self.CODE, *sys.path], text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, errors="replace",
            )  # fmt: skip
            self.watch.on = watched
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], DECODES_WITHIN)[0]:
            self.process.kill()
        answer = self.process.stdout.readline()
        if answer == "":
            raise ValueError(f"it ends the program that decodes it, with {self.process.wait()}")
        if answer != "\n":
            raise ValueError(answer.strip())


class Watch:
    """Notes what a reader must not do: run a program or code, connect, write or remove files."""

    FORBIDDEN = re.compile(
        r"subprocess\.|os\.(system|exec|posix_spawn|spawn|fork|remove|rename|mkdir|rmdir|link|symlink|truncate|chmod|"
        r"chown|startfile)|shutil\.|socket\.connect|ctypes\.dlopen|pickle\.find_class|webbrowser"
    )

    def __init__(self) -> None:
        self.on, self.seen = False, list[str]()
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Is called by Python for each event, also by what a reader calls."""
        if not self.on:
            return
        if event == "open":
            flags = arguments[2] if len(arguments) > 2 and isinstance(arguments[2], int) else 0
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                self.seen.append(f"opened {arguments[0]!r} to write")
        elif self.FORBIDDEN.match(event):
            self.seen.append(f"{event} {arguments!r}"[:300])


def _kilobytes(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split(None, 1)[0])


def work(
    place: int, step: int, until: float, choice: argparse.Namespace, shared: Any, counts: Any, out: Connection
) -> None:
    """Tries the inputs `place`, `place + step`, ... in this process, which may die of one.

    Args:
        place: the first input.
        step: the number of workers.
        until: no input begins after this time.
        choice: see `main`.
        shared: where this worker notes its input, which reader has it, and the time at which it began.
        counts: inputs of each reader by outcome.
        out: gets each failure.
    """
    root = Path(tempfile.mkdtemp(prefix="soak-", dir=choice.folder))
    os.chdir(root)
    os.environ |= {"SHATTERLAB_DATA": str(root), "XDG_CACHE_HOME": str(root / "cache"), "OMP_NUM_THREADS": "1"}
    os.environ["POLARS_MAX_THREADS"] = "1"
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)  # readers tell what they did, and Rust what it died of
    made = readers(root, choice.only)
    names = list(made)
    for reader in made.values():  # imports whatever it needs
        for seed in reader.seeds:
            trial(reader, seed.content)
    used = _kilobytes("VmSize") * 1024 + MOST_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (used, used))
    from shatterlab.data import tables

    watch, slowest = Watch(), dict.fromkeys(names, 0.0)
    tables.decode_elsewhere = Decoder(watch)
    while place < choice.first + choice.inputs and time.time() < until:
        draw = draw_of(choice.seed, place)
        number = draw.randrange(len(names))
        name = names[number]
        shared[0], shared[1] = place, number
        content = input_of(made[name], draw)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, began = _kilobytes("VmRSS"), time.process_time()
        shared[2] = int(time.time())
        watch.on = "plan" not in name  # which writes a plan where there was none
        outcome, said = trial(made[name], content)
        watch.on = False
        seconds, taken = time.process_time() - began, 1024 * (_kilobytes("VmHWM") - before)
        slowest[name] = max(slowest[name], seconds)
        writes = [event for event in watch.seen if str(made[name].path) not in event]
        watch.seen.clear()
        if writes:
            outcome, said = RAN, "; ".join(writes)
        elif taken > MOST_MEMORY:
            outcome, said = MEMORY, f"{taken:,} bytes more than before; {said}"
        elif seconds > MOST_SECONDS:
            outcome, said = SLOW, f"{seconds:.1f} s; {said}"
        counts[number * len(OUTCOMES) + outcome] += 1
        if outcome > REFUSED:
            out.send((name, outcome, place, said, content))
        place += step
    shared[0] = -1
    out.send(slowest)
    shutil.rmtree(root, ignore_errors=True)


class Worker:
    """A process that tries inputs, and what is known of it."""

    def __init__(self, place: int, choice: argparse.Namespace, until: float, counts: Any) -> None:
        self.shared = RawArray("q", [place, -1, int(time.time())])  # no reader yet
        self.counts, self.until, self.choice = counts, until, choice
        self.inbox, outbox = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.get_context("spawn").Process(
            target=work, args=(place, choice.jobs, until, choice, self.shared, counts, outbox)
        )
        self.process.start()
        outbox.close()

    def stuck(self) -> bool:
        """Whether one input has taken too long."""
        return self.shared[0] >= 0 and time.time() - self.shared[2] > (
            HANGS_AFTER if self.shared[1] >= 0 else STARTS_WITHIN
        )


def main() -> None:
    """Tries the inputs, prints what came of them by reader, and exits with 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the first index")
    parser.add_argument("--only", choices=[*MAKERS], help="one reader; its inputs differ from those of a run with all")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", type=Path, default=Path("soak-failures"), help="failing inputs are kept here")
    choice = parser.parse_args()
    names = [choice.only] if choice.only else list(MAKERS)
    memory = Path("/dev/shm")  # files in memory spare the disk
    choice.folder = tempfile.mkdtemp(prefix="soak-", dir=memory if memory.is_dir() else None)
    counts = RawArray("q", len(names) * len(OUTCOMES))
    began = time.time()
    until = began + choice.seconds
    slowest, kept, told = dict.fromkeys(names, 0.0), dict[tuple[str, int], int](), began
    workers = [Worker(choice.first + i, choice, until, counts) for i in range(min(choice.jobs, choice.inputs))]
    try:
        while workers:
            time.sleep(0.1)
            for worker in [*workers]:
                alive = worker.process.is_alive()
                while worker.inbox.poll():
                    try:
                        message = worker.inbox.recv()
                    except EOFError:
                        break
                    if isinstance(message, dict):
                        slowest = {name: max(slowest[name], message[name]) for name in names}
                    else:
                        _keep(choice, kept, *message)
                if alive and not worker.stuck():
                    continue
                worker.process.kill()
                worker.process.join()
                workers.remove(worker)
                place, number = worker.shared[0], worker.shared[1]
                if place >= 0 and number < 0:
                    sys.exit(f"a process ended before its first input, with exit code {worker.process.exitcode}")
                if place >= 0:  # it was at an input
                    outcome, name = (HANG if alive else CRASH), names[number]
                    counts[number * len(OUTCOMES) + outcome] += 1
                    _keep(choice, kept, name, outcome, place, f"exit code {worker.process.exitcode}", None)
                    workers.append(Worker(place + choice.jobs, choice, until, counts))
            if time.time() - told > 60:
                told = time.time()
                print(f"{sum(counts):,} inputs after {told - began:.0f} s, {_failures(counts):,} failures", flush=True)
    finally:
        for worker in workers:
            worker.process.kill()
        shutil.rmtree(choice.folder, ignore_errors=True)
    _report(names, counts, slowest, time.time() - began, choice)
    sys.exit(_failures(counts) > 0)


def _failures(counts: Any) -> int:
    return sum(count for i, count in enumerate(counts) if i % len(OUTCOMES) > REFUSED)


def _keep(
    choice: argparse.Namespace, kept: dict[tuple[str, int], int], name: str, outcome: int, place: int, said: str,
    content: bytes | None,
) -> None:  # fmt: skip
    """Writes the input of a failure into a file and says what happened."""
    kept[name, outcome] = kept.get((name, outcome), 0) + 1
    if kept[name, outcome] > KEPT:
        return
    if content is None:  # the worker died before it could send it
        with tempfile.TemporaryDirectory() as folder:
            made = readers(Path(folder), choice.only)
            draw = draw_of(choice.seed, place)
            draw.randrange(len(made))
            content = input_of(made[name], draw)
    choice.keep.mkdir(parents=True, exist_ok=True)
    file = choice.keep / f"{name}.{OUTCOMES[outcome]}.{choice.seed}.{place}".replace(" ", "-")
    file.write_bytes(content)
    print(f"{OUTCOMES[outcome]}: {name}, --seed {choice.seed} --first {place}, {file}\n    {said.strip()}", flush=True)


def _report(
    names: Sequence[str], counts: Any, slowest: dict[str, float], seconds: float, choice: argparse.Namespace
) -> None:
    width = len(OUTCOMES)
    print(f"\n{'reader':<22}{'inputs':>10}" + "".join(f"{name:>16}" for name in OUTCOMES) + f"{'slowest s':>12}")
    for i, name in enumerate(names):
        row = counts[i * width : (i + 1) * width]
        print(f"{name:<22}{sum(row):>10,}" + "".join(f"{n:>16,}" for n in row) + f"{slowest[name]:>12.2f}")
    whole = [sum(counts[outcome::width]) for outcome in range(width)]
    print(f"{'all':<22}{sum(whole):>10,}" + "".join(f"{n:>16,}" for n in whole))
    print(f"{sum(whole) / seconds:,.0f} inputs a second, {seconds:,.0f} s, {choice.jobs} processes, seed {choice.seed}")


if __name__ == "__main__":
    main()
