"""The demo needs no network: it passes in processes that may open no socket but those of this machine's own files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Python runs this file at the start of every process, workers included. What is only tried is written down too: code
# that goes on when the network fails would have asked for it all the same.
NO_NETWORK = """
import os, socket, sys

def hook(event, arguments):
    if event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
        refuse("a socket")
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        refuse(f"the address of {arguments[0]}")

def refuse(what):
    with open(os.environ["TRIED"], "a") as file:
        file.write(f"{what}, by {sys.argv}\\n")
    raise OSError(f"no network in this test: {what}")

sys.addaudithook(hook)
"""


@pytest.fixture
def without_network(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_NETWORK)
    paths = [str(tmp_path / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TRIED": str(tmp_path / "tried.txt")}


def python(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", ["socket.socket()", "socket.create_connection(('127.0.0.1', 9))", "socket.getaddrinfo('a.example', 80)"])  # fmt: skip
def test_the_network_is_refused_and_the_try_is_noted(code: str, without_network: dict[str, str]) -> None:
    assert "no network in this test" in python("-c", f"import socket; {code}", env=without_network).stderr
    assert Path(without_network["TRIED"]).exists()


def test_a_study_and_its_report_need_no_network(tmp_path: Path, without_network: dict[str, str]) -> None:
    small = ["run", "regularizers", "--scale", "demo", "--data", "digits", "--only", "weight", "--jobs", "2"]
    for words in (small, ["report"]):
        done = python("-m", "shatterlab", *words, env=without_network)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "shatterlab-runs" / "report.html").stat().st_size > 100_000
    assert not Path(without_network["TRIED"]).exists(), Path(without_network["TRIED"]).read_text()
