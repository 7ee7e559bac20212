"""The spine: a spec loads data, corrupts it, fits a model, leaves a result."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import torch

from .corruption import corrupt
from .data import Data, hold_out, load, pin, subset
from .errors import ShatterlabError
from .models import build
from .results import Provenance, Result, Store, commit, processor, versions
from .row import Row
from .seeds import stream
from .spec import Spec
from .training import MomentumSGD, train
from .training.checkpoint import restore, save
from .training.preprocess import crop_box

CHECKPOINT_SECONDS = 10
"""At most this much training is lost to a kill; going on repeats it to the same numbers."""


def prepare(spec: Spec, data_dir: Path | None = None) -> Data:
    """The data of a run: loaded, cut to n beside the validation split, corrupted, split."""
    whole = load(spec.data, data_dir)
    if spec.n is not None and spec.n_validation and spec.n + spec.n_validation > len(whole.train):
        raise ShatterlabError(
            f"n={spec.n:,} and n_validation={spec.n_validation:,} together are more than the {len(whole.train):,} "
            "training examples there are; ask for fewer."
        )
    data = subset(whole, None if spec.n is None else spec.n + spec.n_validation, spec.n_test, spec.seed)
    data = corrupt(data, spec.corruption, spec.amount, spec.seed, label_noise=spec.label_noise)
    return hold_out(data, spec.n_validation, spec.seed)


def model_for(spec: Spec, data: Data) -> torch.nn.Module:
    """The model of a run, freshly initialized, for images of the data's shape after the crop."""
    rows, columns = crop_box(data.train.shape, spec.crop)
    shape = rows.stop - rows.start, columns.stop - columns.start, data.train.shape[2]
    seed = int(stream(spec.seed, "weights").integers(2**63))
    return build(spec.model, shape, data.train.classes, seed, dropout=spec.dropout)


def pick_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ShatterlabError("there is no CUDA device here; use --device cpu.")
    return torch.device(name)


def run(
    spec: Spec,
    store: Store | None = None,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Result:
    """Does what a spec says, or takes it up where it was left, or hands over what is already there.

    A run killed at any moment goes on from its last checkpoint; on the CPU, with as many threads,
    it ends with the same numbers, bit for bit.

    Args:
        spec: what to do.
        store: where to keep it; default: `shatterlab-runs` in the current folder.
        device: `auto`, `cpu` or `cuda`.
        data_dir: looked in first for data.
        on_row: called after each epoch.

    Returns:
        The finished run.

    Raises:
        ShatterlabError: the message says what to do; finished epochs are kept.
    """
    store = store or Store()
    spec = pin(spec)
    if finished := store.result(spec):
        return finished
    target = pick_device(device)
    data = prepare(spec, data_dir)
    model = model_for(spec, data).to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = MomentumSGD(model.parameters(), spec.momentum, spec.weight_decay)
    with store.claim(spec):
        if finished := store.result(spec):
            return finished
        checkpoint = store.checkpoint(spec)
        start = restore(checkpoint, model, optimizer) if checkpoint.exists() else 0
        rows = store.rewind(spec, start)
        started, saved = datetime.now(UTC), monotonic()
        ended = rows and (rows[-1].epoch == spec.epochs or (spec.stop == "fit" and rows[-1].fitted))
        for row in () if ended else train(spec, data, model, optimizer, start=start):
            store.append(spec, row)
            rows.append(row)
            on_row(row)
            if monotonic() - saved > CHECKPOINT_SECONDS:
                with store.writing():
                    save(checkpoint, model, optimizer, row.epoch)
                saved = monotonic()
        with store.writing():
            save(checkpoint, model, optimizer, rows[-1].epoch)
        result = _result(spec, data, model, rows, started=started, resumed_from=start)
        store.finish(result)
    return result


def _result(
    spec: Spec, data: Data, model: torch.nn.Module, rows: list[Row], *, started: datetime, resumed_from: int
) -> Result:
    device = next(model.parameters()).device.type
    tested = [row for row in rows if row.test_accuracy is not None]
    best = max(tested, key=lambda row: row.test_accuracy or 0.0)
    validated = [row for row in tested if row.validation_accuracy is not None]
    stopped = max(validated, key=lambda row: row.validation_accuracy or 0.0, default=None)
    return Result(
        spec=spec,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        n=len(data.train),
        n_test=len(data.test),
        classes=data.train.classes,
        wrong_labels=float((data.train.labels != data.train.true_labels).mean()),
        last=rows[-1],
        best_test_accuracy=best.test_accuracy or 0.0,
        best_test_epoch=best.epoch,
        validation_epoch=stopped.epoch if stopped else None,
        validation_test_accuracy=stopped.test_accuracy if stopped else None,
        fit_step=next((row.step for row in rows if row.fitted), None),
        seconds=sum(row.seconds + row.evaluation_seconds for row in rows),
        evaluation_seconds=sum(row.evaluation_seconds for row in rows),
        provenance=Provenance(
            commit=commit(),
            versions=versions(),
            device=device,
            hardware=torch.cuda.get_device_name() if device == "cuda" else processor(),
            threads=torch.get_num_threads(),
            train_fingerprint=data.train.fingerprint(),
            test_fingerprint=data.test.fingerprint(),
            started=started.isoformat(timespec="seconds"),
            resumed_from=resumed_from,
        ),
    )
