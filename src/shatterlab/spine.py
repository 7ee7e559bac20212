"""The spine: a spec loads data, corrupts it, fits a model, leaves a result."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import torch

from .corruption import corrupt
from .data import Data, hold_out, image_shape, load, pin, subset
from .errors import ShatterlabError
from .models import build
from .results import Provenance, Result, Store, commit, processor, versions
from .row import Row
from .seeds import stream
from .spec import Spec
from .training import MomentumSGD, learner, train_together
from .training.checkpoint import restore, save
from .training.precision import check_precision
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
    whole = image_shape(data.train.shape)
    rows, columns = crop_box(whole, spec.crop)
    shape = rows.stop - rows.start, columns.stop - columns.start, whole[2]
    seed = int(stream(spec.seed, "weights").integers(2**63))
    return build(spec.model, shape, data.train.classes, seed, initialization=spec.initialization, dropout=spec.dropout)


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
    (done,) = run_together([spec], store, device=device, data_dir=data_dir, on_row=lambda _, row: on_row(row))
    if isinstance(done, ShatterlabError):
        raise done
    return done


def run_together(
    specs: Sequence[Spec],
    store: Store | None = None,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    on_row: Callable[[Spec, Row], None] = lambda spec, row: None,
) -> list[Result | ShatterlabError]:
    """Does several runs at once, as one stacked model; each ends as `run` would end it, within float32 rounding.

    Each run keeps its own rows, checkpoint and result, and may be taken up again alone or in another stack.

    Args:
        specs: different runs with equal `training.stack_key`.
        store: where to keep them; default: `shatterlab-runs` in the current folder.
        device: `auto`, `cpu` or `cuda`.
        data_dir: looked in first for data.
        on_row: called after each epoch with the run and its row.

    Returns:
        For each spec the finished run, or the error that ended it; finished epochs are kept.

    Raises:
        ShatterlabError: none of the runs can be done; the message says what to do.
    """
    store = store or Store()
    specs = [pin(spec) for spec in specs]
    errors: dict[str, ShatterlabError] = {}
    target = pick_device(device)
    runs = [_Run(spec, data_dir, target) for spec in specs if store.result(spec) is None]
    with ExitStack() as claims:
        for one in sorted(runs, key=lambda one: one.spec.id):  # one order for all, or two might wait for each other
            claims.enter_context(store.claim(one.spec))
        runs = [one for one in runs if store.result(one.spec) is None]  # another process may have finished it
        for one in runs:
            one.take_up(store)
        for start in sorted({one.start for one in runs}):
            errors |= _train([one for one in runs if one.start == start], start, store, on_row)
    return [end for spec in specs if (end := errors.get(spec.id) or store.result(spec))]


class _Run:
    """A run in the making."""

    def __init__(self, spec: Spec, data_dir: Path | None, device: torch.device) -> None:
        check_precision(spec.precision, device)
        self.spec = spec
        self.data = prepare(spec, data_dir)
        self.model = model_for(spec, self.data).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = MomentumSGD(self.model.parameters(), spec.momentum, spec.weight_decay)
        self.start = 0
        self.rows: list[Row] = []

    def take_up(self, store: Store) -> None:
        """Goes back to the last checkpoint."""
        checkpoint = store.checkpoint(self.spec)
        self.start = restore(checkpoint, self.model, self.optimizer) if checkpoint.exists() else 0
        self.rows = store.rewind(self.spec, self.start)

    @property
    def ended(self) -> bool:
        """Whether the last epoch has been done, though perhaps not written down as a result."""
        return bool(self.rows) and (
            self.rows[-1].epoch == self.spec.epochs or (self.spec.stop == "fit" and self.rows[-1].fitted)
        )

    def save(self, store: Store) -> None:
        """Writes a checkpoint of the epochs done."""
        with store.writing():
            save(store.checkpoint(self.spec), self.model, self.optimizer, self.rows[-1].epoch)


def _train(
    runs: Sequence[_Run], start: int, store: Store, on_row: Callable[[Spec, Row], None]
) -> dict[str, ShatterlabError]:
    """Trains runs that have all done `start` epochs, and finishes them; returns the errors of those that failed."""
    started, saved = datetime.now(UTC), monotonic()
    errors: dict[str, ShatterlabError] = {}
    going = [run for run in runs if not run.ended]

    def finish(run: _Run) -> None:
        run.save(store)
        store.finish(_result(run, started=started, resumed_from=start, together=len(going)))

    for run in runs:
        if run.ended:
            finish(run)
    if not going:
        return {}
    bf16 = going[0].spec.precision == "bf16"
    stack = learner([run.model for run in going], [run.optimizer for run in going], bf16=bf16)
    for entries in train_together([run.spec for run in going], [run.data for run in going], stack, start=start):
        for i, row in entries.items():
            if isinstance(row, ShatterlabError):
                errors[going[i].spec.id] = row
                continue
            store.append(going[i].spec, row)
            going[i].rows.append(row)
            on_row(going[i].spec, row)
        here = [going[i] for i, row in entries.items() if isinstance(row, Row)]
        due = monotonic() - saved > CHECKPOINT_SECONDS
        if due or any(run.ended for run in here):
            stack.write_back()
        for run in here:
            if run.ended:
                finish(run)
            elif due:
                run.save(store)
        saved = monotonic() if due else saved
    return errors


def _result(run: _Run, *, started: datetime, resumed_from: int, together: int) -> Result:
    spec, data, model, rows = run.spec, run.data, run.model, run.rows
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
            together=together,
        ),
    )
