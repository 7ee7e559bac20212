"""Builds the wheel and runs it outside of the repository, with the oldest and the newest packages it allows.

`make wheel-check` runs this, by the Python that is to be tested. torch is the one of constraints.txt in both: other
releases of it for Linux are gigabytes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TORCH = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
COMMANDS = (
    "--version",
    "list",
    "train --data digits --n 60 --n-test 30 --epochs 1 --corruption random-labels",
    "run lemma --data digits",
    "show",
    "report",
)


def do(*words: str | Path, **options: str | Path) -> None:
    """Runs a command and ends with it if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*map(str, words)], check=True, env=environment, **options)  # type: ignore[call-overload]


def main() -> None:
    """Checks both; what the commands print goes to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        (there / "torch.txt").write_text(TORCH)
        do(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", there, ROOT)
        (wheel,) = there.glob("*.whl")
        of_this_python = ["--python-version", "{}.{}".format(*sys.version_info), "--constraint", there / "torch.txt"]
        for resolution in ("lowest-direct", "highest"):
            home = there / resolution
            home.mkdir()
            versions = [
                "--resolution",
                resolution,
                "--no-annotate",
                "--no-header",
                "--output-file",
                home / "versions.txt",
            ]
            do(
                sys.executable,
                "-m",
                "uv",
                "pip",
                "compile",
                "--quiet",
                *versions,
                *of_this_python,
                ROOT / "pyproject.toml",
            )
            do(sys.executable, "-m", "venv", home / "env")
            scripts = home / "env" / ("Scripts" if os.name == "nt" else "bin")
            pip = [scripts / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            do(*pip, "install", "--constraint", home / "versions.txt", TORCH, wheel)
            do(*pip, "check")
            print(f"\n{resolution}: {' '.join((home / 'versions.txt').read_text().split())}\n", flush=True)
            for command in COMMANDS:
                do(scripts / "shatterlab", *command.split(), cwd=home)


if __name__ == "__main__":
    main()
