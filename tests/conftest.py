"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
import torch

from shatterlab.data import find

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's own cache, or writes into the checkout."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


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
