"""Kills at random moments, the short version of `soak/kills.py`; and two processes with the same work."""

import importlib
from pathlib import Path

import pytest

SOAK = Path(__file__).parent.parent / "soak"


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SOAK))
    return importlib.import_module("kills")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_commands_killed_at_random_moments_end_as_undisturbed_ones(kills) -> None:
    assert kills.soak(4, 0, ["alone", "stack"], lambda line: None).total() == 4


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_two_processes_share_the_jobs_and_begin_each_once(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(SOAK))
    importlib.import_module("many").soak(2, ["stack"])
