"""Cuts the power of a disk while a run writes to it, and lets the run go on from what the disk then holds.

How to start it: `python soak/power.py --cuts 20 --seed 0`

The store lies on an ext4 file system in a file. At random moments all processes of the run are stopped and the file is
copied: what the system still had in memory and not on that disk is missing in the copy, as after a power cut. The copy
is mounted, by which ext4 replays its journal, and the same command has to come to the numbers of an undisturbed run. It
needs root and loop devices.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import time

from kills import KINDS, Failure, finish
from stores import content, differences, moment, start, wait_until_gone

MEGABYTES = 64
COMMANDS = ("alone", "stack", "computations")


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """Mounts the file system in a file, which notes names and sizes every second and content when it is forced to."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop,commit=1", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def copy(image: Path, target: Path) -> None:
    """Copies an image at one moment: again and again, until nothing was written to it in between."""
    shutil.copyfile(image, target)
    while (again := image.read_bytes()) != target.read_bytes():
        target.write_bytes(again)


def finished(store: Path) -> dict[str, bytes]:
    """The files of a store that stand for finished work, and have been there for a second."""
    files = [path for path in store.rglob("*.json") if path.name != "spec.json"]
    return {str(path.relative_to(store)): path.read_bytes() for path in files if time() - path.stat().st_mtime > 1}


def held_by(path: Path, content: bytes) -> bool:
    """Whether a file is there with this content."""
    return path.exists() and path.read_bytes() == content


def cut(
    name: str, image: Path, random: Random, seconds: float, folder: Path, environment: dict[str, str]
) -> tuple[Path, dict[str, bytes]]:
    """Runs a command on the disk and cuts its power at a random moment.

    Returns:
        The image of what the disk then held, and the finished work that it has to hold.
    """
    target = image.with_name("cut" if image.name != "cut" else "again")
    with mounted(image, folder / "disk") as disk:
        store = disk / "store"
        arguments = [str(store) if word == "STORE" else word for word in KINDS[name].arguments]
        process = start(arguments, **environment)
        moment(process, store, random, seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGSTOP)
        promised = finished(store)
        copy(image, target)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        wait_until_gone(process.pid)
    return target, promised


def soak(cuts: int, seed: int) -> None:
    """Cuts the power so often.

    Raises:
        Failure: what the disk held could not be read, or the run came to other numbers.
    """
    random = Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="power-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    environment = {"XDG_CACHE_HOME": str(folder / "cache")}
    expected = {}
    for name in COMMANDS:
        store = folder / f"whole-{name}"
        finish(name, [str(store) if w == "STORE" else w for w in KINDS[name].arguments], store, environment)
        expected[name] = content(store)
    done = 0
    while done < cuts:
        name = COMMANDS[done % len(COMMANDS)]
        image = folder / "disk.img"
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(MEGABYTES << 20)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        for _ in range(random.randint(1, 3)):
            image, promised = cut(name, image, random, 8.0, folder, environment)
            done += 1
            with mounted(image, folder / "disk") as disk:
                try:
                    found = content(disk / "store")
                except Exception as error:
                    raise Failure(f"cut {done} ({name}, seed {seed}): the store cannot be read: {error}") from error
                lost = [path for path, held in promised.items() if not held_by(disk / "store" / path, held)]
                if lost:
                    raise Failure(f"cut {done} ({name}, seed {seed}): finished work is lost: {lost}")
                print(f"cut {done} of {cuts}, {name}: {len(found) - 1} finished things were there", flush=True)
        with mounted(image, folder / "disk") as disk:
            store = disk / "store"
            arguments = [str(store) if word == "STORE" else word for word in KINDS[name].arguments]
            try:
                finish(name, arguments, store, environment)
            except Failure as failure:
                raise Failure(f"after cut {done} ({name}, seed {seed}): {failure}") from None
            if places := [*differences(content(store), expected[name], KINDS[name].tolerance)]:
                raise Failure(f"after cut {done} ({name}, seed {seed}): {len(places)} differences, such as {places[0]}")
            if left := [*store.rglob("*.tmp")]:
                raise Failure(f"after cut {done} ({name}, seed {seed}): temporary files were left: {left}")
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{done} power cuts, nothing lost")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists() or not shutil.which("mkfs.ext4"):
        print("left out: power cuts need root, loop devices and mkfs.ext4")
        sys.exit()
    if "SOAK_MOUNTS" not in os.environ:  # in a space of its own the mounts vanish with this process
        os.environ["SOAK_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    try:
        soak(given.cuts, given.seed)
    except Failure as failure:
        sys.exit(f"failed: {failure}")
