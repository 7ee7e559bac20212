"""`shatterlab audit`: the paper's questions, and its closing ones, asked of one's own learner."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..files import path_of, write_whole
from ..results.remote import address_of
from ..results.store import DEFAULT_STORE
from .flags import Address, DataDir, Device, Engine, Json, StoreDir, check_engine, print_json


def command(
    learner: Annotated[str, tyro.conf.Positional],
    /,
    data: str = "digits",
    budget: str = "5m",
    store: StoreDir = DEFAULT_STORE,
    out: Path | None = None,
    scores: Path | None = None,
    n: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    unlabelled: str | None = None,
    surrogate: Literal["kernel"] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"] | None = None,
    device: Device = "auto",
    engine: Engine = "local",
    address: Address = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Does this learner memorize or does it generalize, what is guaranteed, and which labels look wrong?

    The same command again goes on where it was; a larger budget extends a smaller one.

    Examples: shatterlab audit my_models.py:make_net --data npz:mine.npz --budget 5m --out audit.html;
    shatterlab audit sklearn.ensemble:RandomForestClassifier --data csv:patients.csv?label=outcome

    Args:
        learner: file.py:name or package.module:name of an estimator, of a network or of a function fit(X, y, seed); or
            a network of `shatterlab list models`.
        data: Data set, or csv:PATH?label=COLUMN, parquet:PATH?label=COLUMN, npz:PATH, folder:PATH.
        budget: Seconds, or 90s, 5m, 2h.
        out: The page. Default: a file in the store that is called after learner and data.
        scores: A CSV file for the score of each example.
        n: Training examples to audit. Default: as many as the budget allows.
        seed: Seed of everything that is drawn.
        jobs: Processes at a time. Default: 1.
        unlabelled: An .npy file of inputs without labels, for a certificate that needs none.
        surrogate: kernel ranks the labels of images by a kernel, too, which is not the learner.
        epochs: Passes of a network over the examples. Default: as the budget allows.
        batch_size: Of a network. Default: 128.
        learning_rate: Of a network. Default: 0.01, and 0.001 for adam.
        optimizer: Of a network. Default: sgd.
        device: Where networks are trained; auto is CUDA where there is one.
    """
    from ..auditing import audit
    from ..errors import ShatterlabError, reading

    check_engine(engine, address, jobs)
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
    }
    without = None
    if unlabelled is not None:
        import numpy as np

        with reading(unlabelled, "an .npy file", "name another"):
            # A map compares what the header says with the size of the file before any memory is taken.
            without = np.array(np.lib.format.open_memmap(path_of(unlabelled, "the unlabelled inputs"), mode="r"))
    dials = {name: value for name, value in given.items() if value is not None}
    found = audit(
        learner, data, budget, store=store, seed=seed, jobs=1 if jobs is None else jobs, n=n, unlabelled=without,
        surrogate=surrogate, data_dir=data_dir, device=device, engine=engine, address=address, **dials,
    )  # fmt: skip
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"audit {found.record['learner']} {found.record['data']}").strip("-")
    place = Path() if address_of(store) else path_of(store, "the store")  # object storage holds no pages
    page = found.to_html(out or place / f"{name}.html")
    if scores is not None:
        scores = path_of(scores, "the scores")
        try:
            scores.parent.mkdir(parents=True, exist_ok=True)
            write_whole(scores, found.scores().write_csv(), settled=False)
        except OSError as error:
            raise ShatterlabError(f"cannot write {scores} ({error}); name another file with --scores.") from None
    if json:
        print_json({name: value for name, value in found.record.items() if name != "charts"})
        return
    print(f"{found}\n\nPage: {page.resolve()}" + (f"\nScores: {scores.resolve()}" if scores else ""))
