"""Claims: reading photographs ahead of the steps is no slower than a plain DataLoader loop, and the memory that
training on them takes does not grow with their number.

    python bench/feed.py FOLDER-OR-TAR-OF-PHOTOGRAPHS
"""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import perf_counter

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from shatterlab.data import photographs, stored
from shatterlab.machine import cores, processor
from shatterlab.training.feed import Streamed

SIDES, BATCH, ROUNDS = (75, 299), 64, 3
NUMBERS = (4_000, 40_000)
"""As many steps are taken with the fewer: torch's allocator keeps some of what each step has freed."""


class Plain(Dataset[torch.Tensor]):
    """A data set as one writes it for a DataLoader: open, cut to a square, resize."""

    def __init__(self, files: list[Path], side: int) -> None:
        self.files, self.side = files, side

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> torch.Tensor:
        with Image.open(self.files[place]) as picture:
            return torch.from_numpy(np.array(ImageOps.fit(picture.convert("RGB"), (self.side, self.side))))


def rate(batches: Callable[[], Iterator[torch.Tensor]], n: int) -> list[float]:
    """Images a second in each of several passes over all images, after one that warms up."""
    rates = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        seen = sum(len(batch.flatten(0, -4)) for batch in batches())
        rates.append(seen / (perf_counter() - start))
        assert seen == n
    return rates[1:]


def compare(folder: Path) -> None:
    """Prints images a second of the DataLoader, of the files and of the copy of their pixels, in turn."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    listing = [(path, path.parent.name) for path in files]
    spans = [slice(first, min(first + BATCH, len(files))) for first in range(0, len(files), BATCH)]
    for side in SIDES:
        decoded = photographs.Files(folder, tuple(str(path.relative_to(folder)) for path in files), side)
        mapped = photographs.stored(folder, listing, side, "photographs")

        def streamed(inputs: stored.Stored) -> Callable[[], Iterator[torch.Tensor]]:
            pool = Streamed([inputs], torch.device("cpu"))
            order = torch.from_numpy(np.random.default_rng(0).permutation(len(files)))[None]
            return lambda: pool.batches(order, spans)

        loader = DataLoader(Plain(files, side), BATCH, shuffle=True, num_workers=cores())
        ways: dict[str, Callable[[], Iterator[torch.Tensor]]] = {
            f"DataLoader, {cores()} workers": lambda loader=loader: iter(loader),  # type: ignore[misc]
            "files, read ahead": streamed(stored.Stored(decoded, mapped.rows, mapped.version)),
            "copy of the pixels, read ahead": streamed(mapped),
        }
        rates = {name: rate(batches, len(files)) for name, batches in ways.items()}
        plain = median(next(iter(rates.values())))
        for name, found in rates.items():
            print(
                f"{side} pixels, {name}: {median(found):,.0f} images/s ({min(found):,.0f} to {max(found):,.0f}), "
                f"{median(found) / plain:.2f} of the DataLoader"
            )


def generate(folder: Path, n: int) -> None:
    """Writes photographs of smooth noise in ten classes."""
    rng = np.random.default_rng(0)
    for place in range(n):
        path = folder / f"class{place % 10}" / f"{place}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC).save(path, quality=85)


def peak(folder: Path) -> None:
    """Trains on a folder from disk and prints the largest memory that the process has taken."""
    from shatterlab import load, make_spec, run

    stored.LARGEST_RESIDENT = 1
    data = load(f"folder:{folder}?side=75")
    assert data.train.on_disk
    with tempfile.TemporaryDirectory() as store:
        spec = make_spec(model="alexnet", crop=28, epochs=max(NUMBERS) // (len(data.train) + len(data.test)))
        with watched() as most:
            result = run(spec, store, data=data, on_row=lambda row: None)
    print(f"n = {result.n:,}, {result.last.step:,} steps: at most {most[0] / 1e6:.3f} GB of the process's own memory")


@contextmanager
def watched() -> Iterator[list[int]]:
    """Keeps the largest number of kilobytes that the process has had in a block, pages of mapped files left out."""
    most, over = [0], Event()

    def watch() -> None:
        while not over.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            most[0] = max(most[0], next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))

    watcher = Thread(target=watch)
    watcher.start()
    yield most
    over.set()
    watcher.join()


def main() -> None:
    """Both comparisons, or one training for `peak`."""
    where = Path(sys.argv[1])
    if "--peak" in sys.argv:
        peak(where)
        return
    print(f"{processor()}, {cores()} cores, batches of {BATCH}")
    with tempfile.TemporaryDirectory() as place:
        photographs._cache = lambda: Path(place)
        if where.is_file():
            with tarfile.open(where) as archive:
                archive.extractall(place, filter="data")
            where = Path(place)
        compare(where)
    for n in NUMBERS:
        with tempfile.TemporaryDirectory() as place:
            generate(Path(place), n)
            subprocess.run([sys.executable, __file__, place, "--peak"], check=True)


if __name__ == "__main__":
    main()
