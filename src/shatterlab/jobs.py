"""One kind of work: a job is a training or a computation, as data and a reference to code.

So it can be pickled and done by any process or machine that has the package and the user's modules.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from .data import DATASETS, Data, as_data, load, resident
from .data.addresses import parse
from .errors import ShatterlabError
from .machine import processor
from .results import Measurement, Provenance, Result, Store, commit, measurement_id, versions
from .row import Row
from .spec import Spec

if TYPE_CHECKING:
    from .models.own import OwnModel

Kept = Result | Measurement
"""A finished job leaves one of these in the store."""


@dataclass(frozen=True)
class Training:
    """Trains one network once.

    Args:
        spec: every dial.
        model: a user's network, whose content the spec names; None for one of the house.
        data: a user's data, whose content the spec names, or the address that they are read from; None for the house's.
    """

    spec: Spec
    model: "OwnModel | None" = field(default=None, compare=False)
    data: Data | str | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The id of the spec."""
        return self.spec.id

    @property
    def title(self) -> str:
        """A few words for people."""
        return self.spec.title

    @property
    def needs(self) -> str | None:
        """The data set of the house that has to be found, None where the job brings its own."""
        return self.spec.data if self.data is None and self.spec.data in DATASETS else None

    def kept(self, store: Store) -> Result | None:
        """Returns what the store holds of the job, None while it is unfinished or where that cannot be read."""
        return store.readable(store.checked_result, self.spec)

    def lock(self, store: Store) -> Path:
        """Returns the file whose lock is held while the job is done."""
        return store.folder(self.spec) / "lock"

    def pinned(self) -> "Training":
        """The job with the content of a user's network and data in its identity, so that a change is another job."""
        if self.model is None and self.data is None and self.spec.data in DATASETS and ":" not in self.spec.model:
            return self
        from .own import on_own

        address = parse(self.spec.data)
        spec, model, data = on_own(self.spec, self.model, self.data)
        return Training(spec, model, self.data or (data if address is None else str(address)))


@dataclass(frozen=True)
class Computation:
    """Computes something that is no training of a spec.

    Args:
        study: the name of the study that asks for it.
        title: what is computed, in a few words for people.
        settings: every dial, JSON values; handed to `compute` by name. The value of `data`, a data set's name, is
            replaced by the data set.
        compute: returns records of JSON values. A function at the top level of a module, so that it can travel.
        data: a user's data, or the address that they are read from; None for a data set of the house.
        objects: what `compute` is handed by name beside the settings and is no JSON value, such as a user's learner;
            its content has to be named in the settings.
        together: does several computations with the same objects at once, for instance as one stack of networks: takes
            a list of their settings and the objects, and returns the records of each. None where each is done alone.
        memory: the bytes that it takes at its peak, about, where that is more than one expects of a process.
        trains: whether it trains networks, for which a cluster gives it a graphics card where there are any.
    """

    study: str
    title: str
    settings: Mapping[str, Any]
    compute: Callable[..., list[dict[str, Any]]]
    data: Data | str | None = field(default=None, compare=False, repr=False)
    objects: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    together: Callable[..., list[list[dict[str, Any]]]] | None = field(default=None, compare=False, repr=False)
    memory: float = field(default=0.0, compare=False)
    trains: bool = field(default=False, compare=False)

    @property
    def id(self) -> str:
        """Twelve digits that depend on the study and the settings alone."""
        return measurement_id(self.study, self.settings)

    @property
    def needs(self) -> str | None:
        """The data set of the house that has to be found, None where there is none or the job brings its own."""
        name = self.settings.get("data")
        return name if self.data is None and name in DATASETS else None

    def kept(self, store: Store) -> Measurement | None:
        """Returns what the store holds of the job, None while it is unfinished or where that cannot be read."""
        return store.readable(store.measured, self.id)

    def lock(self, store: Store) -> Path:
        """Returns the file whose lock is held while the job is done."""
        return store.path / "measured" / f"{self.id}.lock"

    def pinned(self) -> "Computation":
        """The job with the content of a user's file in its identity, so that a changed file is another job."""
        address = parse(self.settings.get("data", ""))
        if address is None:
            return self
        data = load(str(address))
        return replace(
            self, settings={**self.settings, "data": data.name, "data_version": data.version}, data=str(address)
        )


Job = Training | Computation

Tell = Callable[[Job, Row | None], None]
"""Such a function is called with None when a computation begins, and with a row after each epoch of a training."""


def specs_of(jobs: Sequence[Job]) -> list[Spec]:
    """The specs of the trainings among the jobs."""
    return [job.spec for job in jobs if isinstance(job, Training)]


def do(
    jobs: Sequence[Job],
    store: Store,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    tell: Tell = lambda job, row: None,
) -> list[Kept | ShatterlabError]:
    """Does jobs here and now: one, or several trainings as one stack. It is what each worker of an engine calls.

    Args:
        jobs: one job, or trainings with equal `training.stack_key`, or computations with the same `together`.
        store: the store that keeps what comes out.
        device, data_dir: see `spine.run`; computations take the processor.
        tell: called when a computation begins and after each epoch of a training.

    Returns:
        For each job what came out, or the error that ended it.

    Raises:
        ShatterlabError: none of the jobs can be done; the message says what to do.
    """
    first = jobs[0]
    if isinstance(first, Computation):
        for job in jobs:
            tell(job, None)
        if len(jobs) > 1:
            return list(_compute_together([job for job in jobs if isinstance(job, Computation)], store))
        return [_compute(first, store, data_dir)]
    from .spine import run_together

    by_id = {job.id: job for job in jobs}
    return list(
        run_together(
            specs_of(jobs),
            store,
            model=first.model,
            data=first.data,
            device=device,
            data_dir=data_dir,
            on_row=lambda spec, row: tell(by_id[spec.id], row),
        )
    )


def _compute(job: Computation, store: Store, data_dir: Path | None) -> Measurement:
    with store.hold(job.lock(store), job.title):
        store.mend_measured(job.id)
        if kept := job.kept(store):
            return kept  # another process has done it in the meantime
        arguments = {name: value for name, value in job.settings.items() if name != "data_version"}
        prints = {}
        if "data" in arguments:
            data = resident(load(arguments["data"], data_dir) if job.data is None else as_data(job.data))
            arguments["data"] = data
            prints = {"train_fingerprint": data.train.fingerprint(), "test_fingerprint": data.test.fingerprint()}
        started, start = datetime.now(UTC).isoformat(timespec="seconds"), monotonic()
        records = job.compute(**arguments, **(job.objects or {}))
        measurement = _measured(job, records, monotonic() - start, started, prints)
        store.keep(measurement)
        return measurement


def _compute_together(jobs: Sequence[Computation], store: Store) -> list[Measurement]:
    """Does computations at once and keeps each as if it had been done alone, with its share of the seconds."""
    first = jobs[0]
    if first.together is None or any(job.together is not first.together for job in jobs):
        raise ValueError("computations that are done at once need the same `together`.")
    with ExitStack() as claims:
        for job in sorted(jobs, key=lambda job: job.id):  # in one order, or two processes might both wait
            claims.enter_context(store.hold(job.lock(store), job.title))
            store.mend_measured(job.id)
        missing = [job for job in jobs if job.kept(store) is None]  # another process may have done some
        if missing:
            started, start = datetime.now(UTC).isoformat(timespec="seconds"), monotonic()
            of_jobs = first.together([dict(job.settings) for job in missing], **(first.objects or {}))
            share = (monotonic() - start) / len(missing)
            for job, records in zip(missing, of_jobs, strict=True):
                store.keep(_measured(job, records, share, started, {}))
        return [kept for job in jobs if (kept := job.kept(store))]


def _measured(
    job: Computation, records: list[dict[str, Any]], seconds: float, started: str, prints: Mapping[str, str]
) -> Measurement:
    return Measurement(
        study=job.study,
        settings=dict(job.settings),
        records=records,
        seconds=seconds,
        provenance=Provenance(
            commit=commit(),
            versions=versions(),
            device="cpu",
            hardware=processor(),
            threads=_threads(),
            started=started,
            **prints,
        ),
    )


def _threads() -> int:
    """The number of threads that numpy's libraries may use here."""
    from threadpoolctl import threadpool_info

    return max((pool["num_threads"] for pool in threadpool_info()), default=1)


def travelling(job: Job) -> Job:
    """The job itself, once it is sure that it can be sent to another process.

    Raises:
        ShatterlabError: its code cannot be named.
    """
    try:
        pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError):
        raise ShatterlabError(
            f"{job.title} cannot be sent to a worker process; let the job hold a function or class that stands at the "
            "top level of a module, no lambda and no inner function, or use --jobs 1."
        ) from None
    return job
