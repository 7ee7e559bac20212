"""Writes what computations take, by which `shatterlab run` estimates those of a fresh store.

    shatterlab run all --store fresh --jobs 1
    python bench/typical.py fresh

Run both on a quiet machine. The file has a line for each computation of each study at the scale of the store.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import cast

from shatterlab.engines import typical
from shatterlab.jobs import Computation
from shatterlab.results import Store
from shatterlab.studies import STUDIES, Scale, jobs_so_far


def main(path: str) -> None:
    """Reads the store at `path` and writes `typical.json` beside the code that reads it."""
    store = Store(Path(path))
    studies: dict[str, dict[str, float]] = {}
    for asked in store.asked():
        if asked.study not in STUDIES or asked.model:
            continue
        scale = cast(Scale, asked.scale)
        jobs = jobs_so_far(STUDIES[asked.study], scale, asked.data, asked.seeds, lambda job: job.kept(store))
        for job in jobs:
            if isinstance(job, Computation) and (kept := job.kept(store)):
                titles = studies.setdefault(asked.study, {})
                titles[job.title] = max(titles.get(job.title, 0.0), round(kept.seconds, 3))
    table = {"probe": round(median(typical.probe() for _ in range(9)), 4), "studies": studies}
    out = Path(typical.__file__).with_name("typical.json")
    out.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{sum(map(len, studies.values()))} computations, probe {table['probe']} s: {out}")


if __name__ == "__main__":
    main(sys.argv[1])
