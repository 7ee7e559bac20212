"""Several processes do the same `run` on one store: each job has to be done once, and the numbers have to agree.

How to start it: `python soak/many.py --processes 8`
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kills import KINDS, Failure, finish
from stores import LONGEST, content, differences, start

COMMANDS = ("alone", "stack", "workers", "computations")


def soak(processes: int, names: Sequence[str] = COMMANDS) -> None:
    """Starts each command so often at once.

    Raises:
        Failure: a job was done twice, or the numbers differ.
    """
    folder = Path(tempfile.mkdtemp(prefix="many-"))
    for name in names:
        kind, log = KINDS[name], folder / f"{name}.log"
        whole, shared = folder / f"{name}-whole", folder / f"{name}-shared"
        finish(name, [str(whole) if word == "STORE" else word for word in kind.arguments], whole, {})
        arguments = [str(shared) if word == "STORE" else word for word in kind.arguments]
        going = [start(arguments, SOAK_LOG=str(log)) for _ in range(processes)]
        for process in going:
            said, _ = process.communicate(timeout=LONGEST)
            if process.returncode:
                raise Failure(f"{name}: exit code {process.returncode}: {said.decode(errors='replace')[-600:]}")
        found = content(shared)
        begun = Counter(log.read_text().split())
        twice = {id: count for id, count in begun.items() if count > 1}
        wanted = {key.split()[0] for key in found if key.endswith((" result", " records"))}
        if twice or set(begun) != wanted:
            raise Failure(f"{name}: begun more than once: {twice}; begun and not wanted: {set(begun) ^ wanted}")
        if places := [*differences(found, content(whole), kind.tolerance)]:
            raise Failure(f"{name}: {len(places)} differences, such as {places[0]} ({folder} is kept)")
        print(f"{name}: {processes} processes, {len(begun)} jobs, each begun once", flush=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    try:
        soak(parser.parse_args().processes)
    except Failure as failure:
        sys.exit(f"failed: {failure}")
