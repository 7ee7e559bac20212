"""What the README promises of a user's own network and data, run as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CHAPTER = README.split("## Your own network, your own data")[1]
SCRIPT, COMMANDS = (re.search(rf"```{language}\n(.*?)```", CHAPTER, re.DOTALL)[1] for language in ("python", "sh"))  # type: ignore[index]

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(shape[0], 256), nn.ReLU(), nn.Linear(256, classes))

    def forward(self, rows):
        return self.layers(rows)
"""


def first_chapter(page: Path) -> str:
    """The words of the report's first chapter."""
    html = page.read_text(encoding="utf-8")
    start = html.index('id="your-networks"')
    assert start < html.index('id="scoreboard"')
    return re.sub(r"<[^>]+>", "", html[start : html.index('id="scoreboard"')])


def test_the_script_goes_from_nothing_to_a_report_that_answers(tmp_path: Path) -> None:
    lines = [line for line in SCRIPT.splitlines() if line.strip()]
    assert len(lines) <= 12
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    chapter = first_chapter(tmp_path / "runs" / "report.html")
    assert "net" in chapter
    assert "It memorizes" in chapter


def test_the_commands_go_from_a_table_to_a_report_that_answers(tmp_path: Path) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    rows = [",".join([*(f"m{i}" for i in range(30)), "outcome"])]
    rows += [",".join([*map(str, row), ("ill", "well")[label]]) for row, label in zip(x, y, strict=True)]
    (tmp_path / "patients.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "mine.py").write_text(NET)
    commands = [line for line in COMMANDS.splitlines() if line]
    assert len(commands) == 3
    for command in commands:
        arguments = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(arguments, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    chapter = first_chapter(tmp_path / "shatterlab-runs" / "report.html")
    assert "Net" in chapter
    assert "csv:patients.csv" in chapter
    assert re.search("It memorizes|within this budget", chapter)
