"""Fixtures shared by all tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from helpers import every_study_small

from shatterlab.data import find
from shatterlab.report import write
from shatterlab.results import Store

torch.set_num_threads(1)


def _declare_torchvision_operators() -> None:
    """Lets torchvision's Python parts import where its compiled operators do not load, as beside a CPU-only torch.

    Importing torchvision attaches shape rules to these operators, which fails where nothing has declared
    them. No test calls one.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # a library that is collected takes its declarations with it


_declared: list[torch.library.Library] = []
_declare_torchvision_operators()


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's own cache, or writes into the checkout."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def once(factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], object]) -> Path:
    """What `make` leaves at a path, made by the first process that wants it and read by all processes of the tests."""
    base = factory.getbasetemp()
    path = (base if worker_id == "master" else base.parent) / name
    with FileLock(f"{path}.lock"):
        if not path.exists():
            unfinished = path.with_name(f"unfinished-{name}")
            make(unfinished)
            unfinished.rename(path)
    return path


@pytest.fixture
def cifar10(monkeypatch: pytest.MonkeyPatch) -> str:
    """Real CIFAR-10, or the test is skipped with the reason."""
    if find("cifar10") is None:
        pytest.skip(f"needs CIFAR-10 in $SHATTERLAB_DATA (now {os.environ.get('SHATTERLAB_DATA', 'unset')})")
    return "cifar10"


@pytest.fixture
def mnist() -> str:
    """Real MNIST, or the test is skipped with the reason."""
    if find("mnist") is None:
        pytest.skip(f"needs MNIST in $SHATTERLAB_DATA (now {os.environ.get('SHATTERLAB_DATA', 'unset')})")
    return "mnist"


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Store:
    """Every study, done small; only to be read."""
    return Store(once(tmp_path_factory, worker_id, "every-study", every_study_small))


@pytest.fixture(scope="session")
def small_page(small_store: Store, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The report of `small_store`; only to be read."""

    def make(path: Path) -> None:
        write(small_store, small_store.results(), path)

    return once(tmp_path_factory, worker_id, "page.html", make)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, or the tests that need it are skipped."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
