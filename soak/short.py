"""The command line with twenty checkpoints a second, in its workers too, so that a kill finds something half done.

Beside the commands of the laboratory it knows `stack STORE`, which trains four networks as one stack, and with the
variable SOAK_SERVER a data set called soak, which lies on a server of ours.
"""

import os
import sys

if sys.argv[1] in ("run", "train", "stack"):
    from shatterlab import spine

    spine.CHECKPOINT_SECONDS = 0.05
    if log := os.environ.get("SOAK_LOG"):
        from shatterlab import jobs

        def noted(do, ids_of):  # type: ignore[no-untyped-def]
            """Wraps what does some work, so that it notes the ids of what it begins."""

            def wrapped(first, *given):  # type: ignore[no-untyped-def]
                with open(log, "a") as file:
                    file.write("".join(f"{id}\n" for id in ids_of(first)))
                return do(first, *given)

            return wrapped

        spine._train = noted(spine._train, lambda runs: [run.spec.id for run in runs])
        jobs._measured = noted(jobs._measured, lambda job: [job.id])

if "SOAK_LOG" not in os.environ:
    from shatterlab.results import store as kept

    kept.LEFT_SECONDS = 0  # no other process writes, so that what a killed one left need not be old

if server := os.environ.get("SOAK_SERVER"):
    from shatterlab.data import download
    from shatterlab.data.digits import load
    from shatterlab.data.download import Download
    from shatterlab.data.registry import DATASETS, Source

    download.LEFT_SECONDS = 0
    url, checksum = server.split()
    DATASETS["soak"] = Source(
        "a file of a few megabytes",
        lambda folder: next((path for path in [folder / "soak" / "file.bin"] if path.exists()), None),
        lambda place: load(),
        (Download("file.bin", url, checksum),),
    )


def stack(store: str, runs: int = 4) -> None:
    """Trains small networks as one stack."""
    from shatterlab import Store, make_spec
    from shatterlab.engines import do
    from shatterlab.jobs import Training

    dials = {"model": "mlp-1x32", "data": "digits", "n": 200, "n_test": 100, "batch_size": 20, "epochs": 300}
    jobs = [Training(make_spec(**dials, evaluate_every=100, seed=seed)) for seed in range(runs)]
    for ended in do(jobs, Store(store), device="cpu", units=[jobs]):
        if ended.error:
            sys.exit(ended.error)


if __name__ == "__main__":
    if sys.argv[1] == "stack":
        stack(sys.argv[2])
    else:
        from shatterlab.cli import main

        main()
