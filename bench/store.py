"""Claim: tables and reports of a store grow in proportion to its runs, and 20,000 runs are no burden.

Copies of one short run under other seeds, all of them of one study; seconds of each answer in a process of its own.

    python bench/store.py [runs ...]
"""

import subprocess
import sys
import tempfile

from shatterlab import Store, make_spec, run
from shatterlab.machine import processor
from shatterlab.results import Asked

TABLE = "from shatterlab import Store; import time; s = Store({store!r}); import polars; t = time.perf_counter(); "
ASK = {
    "table": TABLE + "n = len(s.table()); print(time.perf_counter() - t)",
    "epochs": TABLE + "n = len(s.epochs()); print(time.perf_counter() - t)",
    "report": TABLE.replace("import polars", "from shatterlab.report import write; from pathlib import Path")
    + "out = write(s, s.results(), Path(s.path) / 'report.html'); "
    + "print(time.perf_counter() - t, out.stat().st_size / 1e6)",
}


def main() -> None:
    print(processor())
    for count in map(int, sys.argv[1:] or ("10", "1000", "20000")):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            first = run(make_spec(data="digits", n=200, epochs=5), store)
            rows = (store.folder(first.spec) / "rows.jsonl").read_text()
            for seed in range(1, count):
                copy = first.model_copy(update={"spec": first.spec.model_copy(update={"seed": seed})})
                store.folder(copy.spec).mkdir()
                store.finish([copy], [{}])
                (store.folder(copy.spec) / "rows.jsonl").write_text(rows)
            ids = [path.parent.name for path in store.path.glob("*/result.json")]
            store.ask(Asked(study="learning-curves", scale="cpu", data="digits", seeds=count, run_ids=ids))
            for name, code in ASK.items():
                command = [sys.executable, "-c", code.format(store=folder)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
                size = f", {float(said[1]):.1f} MB" if len(said) > 1 else ""
                print(f"{count:7,} runs of 5 epochs: {name:<7} {float(said[0]):6.2f} s{size}", flush=True)


if __name__ == "__main__":
    main()
