"""Claim: commands that do not train answer in under 1.5 s. Best and worst of five, in a store with a demo's runs.

python bench/answers.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shatterlab.engines import do
from shatterlab.jobs import Training, specs_of
from shatterlab.results import Asked, Store
from shatterlab.studies import STUDIES, jobs_so_far

COMMANDS = [["--help"], ["list"], ["show"], ["report"]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        small = {"n": 60, "n_test": 30, "epochs": 40, "model": "mlp-1x16"}
        for name, study in STUDIES.items():
            specs = [spec.model_copy(update=small) for spec in specs_of(jobs_so_far(study, "demo", "digits", 1))]
            for _ in do([Training(spec) for spec in specs], store, device="cpu"):
                pass
            store.ask(Asked(study=name, scale="demo", data="digits", seeds=1, run_ids=[spec.id for spec in specs]))
        # The first report puts the chart library into the cache, as `shatterlab run` does.
        subprocess.run(
            [sys.executable, "-m", "shatterlab", "report", "--store", folder], check=True, capture_output=True
        )
        for command in COMMANDS:
            arguments = [*command, "--store", folder] if command[0] in ("show", "report") else command
            seconds = []
            for _ in range(5):
                began = time.perf_counter()
                subprocess.run([sys.executable, "-m", "shatterlab", *arguments], check=True, capture_output=True)
                seconds.append(time.perf_counter() - began)
            print(f"shatterlab {' '.join(command):<10} {min(seconds):.2f} to {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
