"""The spine: a spec loads data, corrupts it, fits a model, leaves a result."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .data import Data, as_data
from .errors import DamagedError, DivergedError, ShatterlabError
from .machine import processor
from .models.own import OwnModel
from .notebook import shown
from .own import on_own
from .preparation import model_for, pick_device, prepare, version_of
from .ranks import agreed, rank, spread, started_rank
from .results import Diverged, Examples, Provenance, Result, Store, commit, versions
from .row import Row
from .spec import Spec
from .training import OPTIMIZERS, learner_of, train_together
from .training.checkpoint import packed, restore, state_of
from .training.inside import Inside, Saving
from .training.learner import Learner
from .training.loop import predict
from .training.precision import check_precision
from .training.preflight import preflight

CHECKPOINT_SECONDS = 10
"""A kill at any moment, inside an epoch, too, loses at most these seconds of training. A run that goes on repeats them,
and an evaluation that was under way, and comes to the same numbers."""


def run(
    spec: Spec,
    store: Store | Path | str | None = None,
    *,
    model: Any = None,
    data: Any = None,
    device: str = "auto",
    data_dir: Path | str | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> Result:
    """Does what a spec says, or takes it up where it was left, or hands over what is already there.

    A run killed at any moment goes on from its last checkpoint; on the CPU, with as many threads,
    it ends with the same numbers, bit for bit. Afterwards the caller's random state is what it was before.

    Args:
        spec: the dials of the run.
        store: where the run is kept, a `Store` or a folder; by default `shatterlab-runs` in the current folder.
        model: your own network in place of the spec's: an `nn.Module` class or a function that returns one (called with
            `shape` and `classes` if it takes them), `'file.py:name'`, `'package.module:name'`, or a name in `MODELS`.
        data: your own data in place of the spec's: arrays, tensors, frames, torch data sets, `'npz:PATH'`,
            `'csv:PATH?label=COLUMN'`, `'parquet:...'`, `'folder:PATH'` (see `data.as_data`), or a name in `DATASETS`.
        device: `auto`, `cpu` or `cuda`.
        data_dir: the folder in which data are looked for first.
        on_row: called after each epoch. By default progress is shown in a notebook, and a line on stderr says that a
            run was taken up or was there already.

    Returns:
        The finished run.

    Raises:
        ShatterlabError: the message says what to do; finished epochs are kept.

    >>> import numpy as np, tempfile
    >>> x, y = np.random.default_rng(0).random((60, 5)), np.arange(60) % 3
    >>> net = lambda shape, classes: torch.nn.Linear(shape[0], classes)
    >>> result = run(Spec(epochs=2), tempfile.mkdtemp(), model=net, data=(x, y, x[:10], y[:10]))
    >>> result.n, result.parameters
    (60, 18)
    """
    spec, network, given = on_own(spec, model, data, data_dir)
    kept = _opened(store)
    if on_row is None and started_rank() == 0 and kept.readable(kept.checked_result, spec) is not None:
        print(f"{spec.title} is already done, run {spec.id}", file=sys.stderr)
    told = on_row or shown(spec)
    (done,) = run_together(
        [spec], kept, model=network, data=given, device=device, data_dir=data_dir, on_row=lambda _, row: told(row)
    )
    if isinstance(done, ShatterlabError):
        raise done
    return done


def _opened(store: Store | Path | str | None) -> Store:
    if not isinstance(store, Store | Path | str | None):
        raise ShatterlabError(f"a store is a folder or a Store, got {type(store).__name__}; write run(spec, 'runs').")
    return store if isinstance(store, Store) else Store() if store is None else Store(store)


def run_together(
    specs: Sequence[Spec],
    store: Store | Path | str | None = None,
    *,
    model: OwnModel | None = None,
    data: Data | str | None = None,
    device: str = "auto",
    data_dir: Path | str | None = None,
    on_row: Callable[[Spec, Row], None] = lambda spec, row: None,
) -> list[Result | ShatterlabError]:
    """Does several runs at once, as one stacked model; each ends as `run` would end it, within float32 rounding.

    Each run keeps its own rows, checkpoint and result, and may be taken up again alone or in another stack.

    Args:
        specs: different specs with equal `training.stack_key`; specs with a user's network or data come from `on_own`.
        store: where the runs are kept, a `Store` or a folder; by default `shatterlab-runs` in the current folder.
        model: the user's network whose content the specs name.
        data: the user's data whose content the specs name, or their address.
        device, data_dir: see `run`.
        on_row: called after each epoch with the run and its row.

    Returns:
        For each spec the finished run, or the error that ended it; finished epochs are kept.

    Raises:
        ShatterlabError: none of the runs can be done; the message says what to do.
    """
    store = _opened(store)
    given = None if data is None else as_data(data)
    for spec in specs:
        if spec.data_version != (given and given.version):
            raise ShatterlabError(
                f"{spec.data} is not what it was when {spec.title} was asked for (content {spec.data_version} then, "
                f"{given and given.version} now); put the old data back, or ask anew for runs on the new."
            )
    errors: dict[str, ShatterlabError] = {}
    target = pick_device(device)
    missing, gone = agreed(_ends(specs, store))
    errors |= gone
    runs = [_Run(spec, model, given, data_dir, target) for spec, wanted in zip(specs, missing, strict=True) if wanted]
    with ExitStack() as claims:
        if rank() == 0:
            for run in sorted(runs, key=lambda run: run.spec.id):  # in one order, or two processes might both wait
                claims.enter_context(store.claim(run.spec))
        missing, gone = agreed(_ends([run.spec for run in runs], store))  # another process may have ended some
        errors |= gone
        runs = [run for run, wanted in zip(runs, missing, strict=True) if wanted]
        for run in runs:
            run.take_up(store)
        for start in sorted({run.left_at for run in runs}):
            errors |= _train([run for run in runs if run.left_at == start], start[0], store, on_row)
    ends = [end for spec in specs if (end := errors.get(spec.id) or store.result(spec))] if rank() == 0 else []
    return agreed(ends)


def _ends(specs: Sequence[Spec], store: Store) -> tuple[list[bool], dict[str, ShatterlabError]]:
    """Whether each run is still to be done, and the errors of those that have diverged; rank 0 alone looks."""
    if rank() != 0:
        return [], {}
    found = {spec.id: store.readable(store.diverged, spec) for spec in specs}
    errors: dict[str, ShatterlabError] = {id: one.error for id, one in found.items() if one}
    finished = [store.readable(store.checked_result, spec) for spec in specs]
    return [end is None and spec.id not in errors for spec, end in zip(specs, finished, strict=True)], errors


class _Run:
    """A run that is being trained."""

    def __init__(
        self,
        spec: Spec,
        network: OwnModel | None,
        data: Data | None,
        data_dir: Path | str | None,
        device: torch.device,
    ) -> None:
        check_precision(spec.precision, device)
        self.spec, self.network = spec, network
        self.data = prepare(spec, data_dir, data)
        if network is not None and version_of(spec, self.data, network) != spec.model_version:
            raise ShatterlabError(
                f"the code of {spec.model} is not what it was when {spec.title} was asked for; ask for the run anew."
            )
        if network is not None:
            preflight(model_for(spec, self.data, network).to(device), spec, self.data.train)
        self.device = device
        self.begin()

    def begin(self) -> None:
        """Puts the model, the optimizer and the record of epochs to where a training begins."""
        self.model = model_for(self.spec, self.data, self.network).to(self.device)
        if self.network is None:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = OPTIMIZERS[self.spec.optimizer](self.model.parameters(), self.spec)
        self.start = 0
        self.inside: Inside | None = None
        self.rows: list[Row] = []

    @cached_property
    def identity(self) -> dict[str, str]:
        """The run and the data that a checkpoint of this run names."""
        parts = {"training data": self.data.train, "test data": self.data.test}
        return {"run": self.spec.id} | {name: part.fingerprint() for name, part in parts.items()}

    def take_up(self, store: Store) -> None:
        """Goes on from the last checkpoint, if there is one; rank 0 reads it and hands it to the others.

        Where the checkpoint or the rows before it are damaged, they are moved aside and the training begins anew.
        """
        if rank() == 0:
            checkpoint = store.checkpoint(self.spec)
            try:
                if checkpoint.exists():
                    self.start, self.inside = restore(checkpoint, self.model, self.optimizer, self.identity)
                self.rows = store.rewind(self.spec, self.start)
            except DamagedError as error:
                store.start_anew(error, self.spec)
                self.begin()
        self.start, self.inside, self.rows = agreed((self.start, self.inside, self.rows))
        spread(state_of(self.model, self.optimizer).values())

    @property
    def left_at(self) -> tuple[int, int]:
        """The finished epochs, and the steps taken in the next one, where the run was left."""
        return self.start, self.inside.step if self.inside else 0

    @property
    def ended(self) -> bool:
        """Whether the last epoch has been done, though perhaps not written down as a result."""
        return bool(self.rows) and (
            self.rows[-1].epoch == self.spec.epochs or (self.spec.stop == "fit" and self.rows[-1].fitted)
        )

    def checkpoint(self, inside: Inside | None = None) -> bytes:
        """The bytes of a checkpoint of the epochs done, and of what is done of the next."""
        return packed(self.model, self.optimizer, len(self.rows), self.identity, inside)


def _train(
    runs: Sequence[_Run], start: int, store: Store, on_row: Callable[[Spec, Row], None]
) -> dict[str, ShatterlabError]:
    """Trains runs that have all done `start` epochs, and finishes them; returns the errors of those that failed."""
    started = datetime.now(UTC)
    errors: dict[str, ShatterlabError] = {}
    going = [run for run in runs if not run.ended]

    owns = rank() == 0

    def finish(ended: Sequence[tuple[_Run, Mapping[str, np.ndarray]]], also: Sequence[_Run] = ()) -> None:
        if not owns:
            return
        store.save({run.spec: run.checkpoint() for run in [*also, *(run for run, _ in ended)]})
        store.finish(
            [_result(run, started=started, resumed_from=start, together=max(len(going), 1)) for run, _ in ended],
            [_examples(run.data, predicted) for run, predicted in ended],
        )

    for run in runs:
        if run.ended:
            (predicted,) = predict([run.spec], [run.data], _learner([run]))
            finish([(run, predicted)])
    if not going:
        return {}
    stack, here = _learner(going), going

    def save(inside: Sequence[Inside]) -> None:
        stack.write_back()
        if owns:
            store.save({run.spec: run.checkpoint(place) for run, place in zip(here, inside, strict=True)})

    saving = Saving(CHECKPOINT_SECONDS, save)
    left = [run.inside for run in going if run.inside]
    specs, data = [run.spec for run in going], [run.data for run in going]
    for ends in train_together(specs, data, stack, start=start, inside=left, saving=saving):
        ended: list[tuple[_Run, Mapping[str, np.ndarray]]] = []
        here = []
        for i, end in ends.items():
            run = going[i]
            if isinstance(end, ShatterlabError):
                errors[run.spec.id] = end
                if owns and isinstance(end, DivergedError):
                    circumstances = _provenance(run, started=started, resumed_from=start, together=len(going))
                    store.diverge(Diverged(spec=run.spec, epoch=end.epoch, provenance=circumstances))
                continue
            if owns:
                store.append(run.spec, end.row)
            run.rows.append(end.row)
            on_row(run.spec, end.row)
            if end.predicted is None:
                here.append(run)
            else:
                ended.append((run, end.predicted))
        # Alone, a run is multiplied by another kernel: what it did in company must not be repeated without.
        due = owns and (saving.due() or len(here) == 1 < len(ends))
        if due or ended:
            stack.write_back()
        if due or ended:
            finish(ended, here if due else ())
        if due:
            saving.done()
    return errors


def _learner(runs: Sequence[_Run]) -> Learner:
    first = runs[0]
    models, optimizers = [run.model for run in runs], [run.optimizer for run in runs]
    return learner_of(first.spec, models, optimizers, own=first.network is not None)


def _examples(data: Data, predicted: Mapping[str, np.ndarray]) -> dict[str, Examples]:
    sets = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        name: Examples(part.index, part.labels, part.true_labels, part.assigned, predicted[name]).sorted()
        for name, part in sets.items()
        if part is not None
    }


def _result(run: _Run, *, started: datetime, resumed_from: int, together: int) -> Result:
    spec, data, model, rows = run.spec, run.data, run.model, run.rows
    tested = [row for row in rows if row.test_accuracy is not None]
    best = max(tested, key=lambda row: row.test_accuracy or 0.0)
    validated = [row for row in tested if row.validation_accuracy is not None]
    stopped = max(validated, key=lambda row: row.validation_accuracy or 0.0, default=None)
    return Result(
        spec=spec,
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        n=len(data.train),
        n_test=len(data.test),
        classes=data.train.classes,
        names=data.names,
        majority=float(np.bincount(data.test.labels).max() / len(data.test)),
        wrong_labels=float((data.train.labels != data.train.true_labels).mean()),
        last=rows[-1],
        best_test_accuracy=best.test_accuracy or 0.0,
        best_test_epoch=best.epoch,
        validation_epoch=stopped.epoch if stopped else None,
        validation_test_accuracy=stopped.test_accuracy if stopped else None,
        fit_step=next((row.step for row in rows if row.fitted), None),
        seconds=sum(row.seconds + row.evaluation_seconds for row in rows),
        evaluation_seconds=sum(row.evaluation_seconds for row in rows),
        provenance=_provenance(run, started=started, resumed_from=resumed_from, together=together),
    )


def _provenance(run: _Run, *, started: datetime, resumed_from: int, together: int) -> Provenance:
    return Provenance(
        commit=commit(),
        versions=versions(),
        device=run.device.type,
        hardware=torch.cuda.get_device_name() if run.device.type == "cuda" else processor(),
        threads=torch.get_num_threads(),
        train_fingerprint=run.identity["training data"],
        test_fingerprint=run.identity["test data"],
        started=started.isoformat(timespec="seconds"),
        resumed_from=resumed_from,
        model_reference=run.network and run.network.reference,
        data_address=run.data.address,
        together=together,
    )
