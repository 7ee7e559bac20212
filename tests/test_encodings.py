"""Text is UTF-8 in every file and every pipe, whatever the locale says."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shatterlab
from shatterlab.files import of_system, readable

ROOT = Path(shatterlab.__file__).parent
OF_FILES = {"open", "read_text", "write_text", "fdopen", "TextIOWrapper", "NamedTemporaryFile"}
NOT_OF_TEXT = {"os", "gzip", "Image", "tarfile", "zipfile", "archive", "webbrowser"}
"""These open no text."""


def unnamed(tree: ast.AST) -> list[int]:
    """The lines of calls that read or write text without naming an encoding."""
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        options = {option.arg for option in node.keywords}
        words = {value.value for value in node.args if isinstance(value, ast.Constant)}
        binary = any(isinstance(word, str) and "b" in word and len(word) < 4 for word in words)
        if name in OF_FILES and owner not in NOT_OF_TEXT and not binary:
            lines += [node.lineno] * ("encoding" not in options and "utf-8" not in words)
        if owner == "subprocess":
            lines += [node.lineno] * bool({"text", "universal_newlines"} & options and "encoding" not in options)
    return lines


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_names_its_encoding(path: Path) -> None:
    assert unnamed(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_the_scan_finds_what_it_is_for() -> None:
    for bad in ("open('a')", "p.read_text()", "p.write_text('5')", "p.open('a')", "subprocess.run(['a'], text=True)"):
        assert unnamed(ast.parse(bad)) == [1], bad
    for good in ("open('a', 'rb')", "p.read_text('utf-8')", "os.open('a', 0)", "subprocess.run(['a'])"):
        assert unnamed(ast.parse(good)) == [], good


def in_c(tmp_path: Path, *words: str) -> subprocess.CompletedProcess:
    """The end of a command under the locale C, in which Python reads ASCII alone."""
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "shatterlab", *words]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", check=False, env=os.environ | plain, cwd=tmp_path
    )


def test_a_store_with_names_of_any_script_is_whole_in_every_locale(tmp_path: Path, capsys, monkeypatch) -> None:
    from shatterlab.cli import main

    x, y = np.random.default_rng(0).random((40, 3)), np.array(["ä", "数"] * 20)
    np.savez(tmp_path / "数据.npz", x_train=x, y_train=y)
    (tmp_path / "模.py").write_text(
        "from torch import nn\ndef net(shape, classes): return nn.Linear(shape[0], classes)\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    own = ["--data", "npz:数据.npz", "--model", "模.py:net", "--store", "s"]
    main(["train", *own, "--epochs", "1"])
    there = capsys.readouterr().out.rpartition("run ")[2].strip()
    for words in (["show", "--csv", "--store", "s"], ["report", "--store", "s"]):
        done = in_c(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        assert "damaged" not in done.stderr
    again = in_c(tmp_path, "train", *own, "--epochs", "1")
    assert again.returncode == 0, again.stderr
    assert there in again.stdout  # the same run, which was done already
    assert in_c(tmp_path, "train", *own, "--epochs", "2").returncode == 0
    main(["show", "--csv", "--store", "s"])
    assert capsys.readouterr().out.count("npz:数据.npz") == 2


def test_names_are_read_back_as_they_are() -> None:
    for name in ("plain.npz", "数据.npz", "größer"):
        assert readable(name) == of_system(name) == name
    assert readable(os.fsdecode(b"\xff.npz")) == "\\xff.npz"
