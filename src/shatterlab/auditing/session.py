"""One call: a learner, data and a budget become an audit. Its fits are computations of a store."""

import contextlib
import io
import json
import pickle
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import to_json

from ..arguments import whole
from ..data import DATASETS, Data
from ..data.arrays import as_array
from ..data.splitting import standardized
from ..engines import Ended, local
from ..errors import DamagedError, ShatterlabError, one_of
from ..files import write_all, write_whole
from ..jobs import Computation
from ..learners import Given, fit_of, given_learner, version_of
from ..machine import cores
from ..results import Measurement, Store
from ..results.records import read_body, text_of
from ..spec import make_spec
from .audit import Audit, assemble
from .budget import Purse, seconds_of, told
from .driver import WORTH_A_ROUND, WORTH_PROCESSES, Driver, Failed, Sized, choose
from .fits import Subject
from .pool import Pool, pool_of

if TYPE_CHECKING:
    from ..engines.ray import Cluster

ENGINES = ("local", "ray")


def audit(
    learner: Any,
    data: Any,
    budget: str | float = "5m",
    *,
    store: Store | Path | str | None = None,
    seed: int = 0,
    jobs: int = 1,
    n: int | None = None,
    unlabelled: Any = None,
    surrogate: str | None = None,
    data_dir: Path | str | None = None,
    device: str = "auto",
    engine: str = "local",
    address: str | None = None,
    quiet: bool = False,
    clock: Callable[[], float] = monotonic,
    **dials: Any,
) -> Audit:
    """Asks the paper's questions, and its closing ones, of a learner on data.

    Only training examples are fitted, scored and ranked; the test set, or a fifth of the examples where there is none,
    is predicted alone. Every fit is kept in the store at once: an audit that was killed goes on where it was, and a
    larger budget extends a smaller one. The budget decides how many examples, draws and subsets there are.

    Args:
        learner: whatever has `fit(X, y)` and `predict(X)` (it is cloned for each fit), an `nn.Module` class or a
            function that returns one (trained as `run` trains it), a function `fit(X, y, seed) -> predict`, the name of
            a network of the house, or a reference such as `'mine.py:Net'` or
            `'sklearn.ensemble:RandomForestClassifier'`.
        data: everything that `run` takes; for estimators and functions also texts, sparse matrices, and frames with
            texts or missing values.
        budget: seconds, or `"90s"`, `"5m"`, `"2h"`; at least ten seconds.
        store: where fits are kept, a folder or a `Store`; by default `shatterlab-runs`.
        seed: seed of everything that is drawn.
        jobs: processes at a time; 1 stays in this one. A Ray cluster does as much at a time as it has room for.
        n: number of training examples to audit; by default as many as the budget allows, drawn at random. It is kept
            for later budgets.
        unlabelled: inputs without labels, as those of the data, for a certificate that needs none.
        surrogate: `"kernel"` ranks labels by a kernel on random filters, too, which is not the learner; images only.
        data_dir: the folder in which data are looked for first.
        device: where networks are trained: `auto`, `cpu` or `cuda`.
        engine: where fits are done: `local` on this machine, `ray` on a Ray cluster, whose start is not counted in the
            budget. The store is then a folder that all nodes see; the learner and the data travel.
        address: of the Ray cluster: `auto` for the one that this machine belongs to, `ray://host:port`, or None, which
            takes $RAY_ADDRESS and else starts a cluster of this machine alone.
        quiet: whether nothing is said on stderr.
        clock: seconds now; for tests.
        dials: dials of a network's training, as in `make_spec`: `batch_size=32`, `learning_rate=0.05`, `epochs=50`.

    Returns:
        The audit: `verdict`, `table()`, `scores()`, `figure()`, `to_html()`.

    Raises:
        ShatterlabError: the learner or the data are not accepted, the learner cannot be fitted to them, or there is no
            such cluster.

    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> found = audit(KNeighborsClassifier(1), load_iris(return_X_y=True), "10s", store=tempfile.mkdtemp(), quiet=True)
    >>> found.answer
    'memorizes'
    """
    seconds = seconds_of(budget)
    jobs, n, seed = _checked(engine, surrogate, jobs, n, seed)
    if address and engine == "local":
        raise ShatterlabError("address is that of a Ray cluster; write engine='ray' beside it.")
    if jobs != 1 and engine == "ray":
        raise ShatterlabError("jobs is for this machine; leave it out, as a Ray cluster does what it has room for.")
    kept = store if isinstance(store, Store) else Store() if store is None else Store(store)
    given = given_learner(learner)
    if dials and given.kind != "network":
        raise ShatterlabError(
            f"{next(iter(dials))} is a dial of a network's training, and {given.name} is none; set it on "
            "the learner itself."
        )
    with _cluster(engine, address) as cluster:
        purse = Purse(seconds, clock)
        say = _Said(quiet, purse)
        session = _Session(kept, purse, jobs, say, cluster, device if given.kind == "network" else "cpu")
        return _audited(session, given, data, data_dir, seed, n, unlabelled, surrogate, device, dials)


def _checked(engine: Any, surrogate: Any, jobs: Any, n: Any, seed: Any) -> tuple[int, int | None, int]:
    """Jobs, n and seed as integers of Python, once all five are sound."""
    one_of("engine", engine, ENGINES)
    if surrogate is not None and (not isinstance(surrogate, str) or surrogate != "kernel"):
        raise ShatterlabError(f"surrogate is 'kernel' or left out, got {surrogate!r}.")
    try:
        counted = whole("jobs", jobs), None if n is None else whole("n", n, least=4), whole("seed", seed, least=0)
    except ValueError as error:
        raise ShatterlabError(str(error)) from None
    return counted


@contextlib.contextmanager
def _cluster(engine: str, address: str | None) -> Iterator["Cluster | None"]:
    """The Ray cluster on which fits are done, connected for a block; None for this machine."""
    if engine == "local":
        yield None
        return
    from ..engines.ray import opened

    with opened(address) as cluster:
        yield cluster


def _audited(
    session: "_Session", given: Given, data: Any, data_dir: Path | str | None, seed: int, n: int | None,
    unlabelled: Any, surrogate: str | None, device: str, dials: dict[str, Any],
) -> Audit:  # fmt: skip
    """The audit, once it is known where its fits are done; see `audit`."""
    kept, purse, say = session.store, session.purse, session.say
    epochs = dials.pop("epochs", None)
    with contextlib.redirect_stderr(io.StringIO()) if say.quiet else contextlib.nullcontext():
        pool, found = pool_of(_found_in(data, data_dir), given)
    if pool.classes > 2 and len(pool) < 2 * pool.classes:
        raise ShatterlabError(
            f"{pool.name} has {pool.classes:,} classes and {len(pool):,} training examples; if the labels are "
            "measurements, put them into classes first."
        )
    subject = _subject(given, pool, found, dials, purse.clock, device)
    if unlabelled is not None:
        subject = _with_unlabelled(subject, unlabelled)
    plan = kept.path / "audits" / f"{subject.version}-{pool.version}-{seed}.plan.json"
    try:
        sized = _sized(session, subject, purse, seed, epochs, n, plan, say)
        subject = _cut(subject, sized, seed)
        worth = WORTH_PROCESSES if session.cluster is None else WORTH_A_ROUND
        driver = Driver(subject, purse, seed, sized.costs, say, session.at_a_time, worth)
        findings = session.follow(driver.run())
    except Failed as failure:
        remedy = "give it a larger budget or a smaller n" if "given up" in str(failure) else "mend that first"
        raise ShatterlabError(
            f"{given.name} cannot be audited on {pool.name}: {str(failure).rstrip('.')}; {remedy}."
        ) from None
    done = assemble(subject, findings, purse, len(pool), seed, surrogate)
    _keep(kept, done, subject, seed, plan)
    taken = f"; {session.found:,} fits were found in {kept.path}" if session.found else ""
    say(f"done after {told(purse.spent)}{taken}")
    return done


def _found_in(data: Any, data_dir: Path | str | None) -> Any:
    from ..data import load

    return load(data, data_dir) if isinstance(data, str) and data in DATASETS else data


def _subject(
    given: Given, pool: Pool, data: Data | None, dials: Mapping[str, Any], clock: Callable[[], float], device: str
) -> Subject:
    if given.kind != "network":
        return Subject(given, _shaped(given, pool), version_of(given), seconds=clock)
    from ..learners.networks import Networks
    from ..models.content import content_of
    from ..own import on_own
    from ..training.preflight import preflight

    assert data is not None
    house = isinstance(given.thing, str)
    spec = make_spec(**dials, **({"model": given.thing} if house else {}))
    if data.name in DATASETS:
        spec = spec.on(data=data.name)
    spec, network, own = on_own(spec, None if house else given.thing, None if data.name in DATASETS else data)
    if data.version is not None and own is None:
        spec = spec.on(data=data.name)
    seen = standardized(data) if spec.preprocessing == "standardize" else data
    seen = seen.as_images() if house else seen
    if spec.preprocessing == "standardize":
        spec = spec.model_copy(update={"preprocessing": "none"})
    networks = Networks(spec, network, seen.train.shape, seen.train.classes, 20, seen.train.inputs.dtype == np.uint8,
                        device)  # fmt: skip
    if network is not None:
        preflight(networks.build(0), spec, seen.train)
    pool = replace(pool, X=seen.train.inputs, X_test=seen.test.inputs)
    dump = spec.model_dump(mode="json", exclude={"seed", "data_seed", "training_seed", "n", "n_test", "epochs"})
    version = content_of(json.dumps(dump, sort_keys=True))
    return Subject(given, pool, version, networks, clock)


def _shaped(given: Given, pool: Pool) -> Pool:
    """Inputs with several axes as an estimator takes them: as they are if it can, else one row of numbers each."""
    if given.kind != "estimator" or not isinstance(pool.X, np.ndarray) or pool.X.ndim <= 2:
        return pool
    few = np.concatenate([np.flatnonzero(pool.y == c)[:3] for c in range(min(3, pool.classes))])
    with contextlib.suppress(Exception):
        fit = fit_of(given, pool.classes)
        fit(pool.X[few], pool.y[few], 0)(pool.X[few])
        return pool
    flat, flat_test = (part.reshape(len(part), -1) for part in (pool.X, pool.X_test))
    return replace(pool, X=flat, X_test=flat_test)


def _with_unlabelled(subject: Subject, unlabelled: Any) -> Subject:
    from ..data.dataset import digest

    pool = subject.pool
    inputs = unlabelled
    if isinstance(pool.X, np.ndarray):
        inputs = np.asarray(as_array(unlabelled))  # of images on disk, too
        if inputs.ndim == 0 or (pool.X.dtype.kind in "biuf" and inputs.dtype.kind not in "biuf"):
            raise ShatterlabError(
                f"unlabelled must be inputs like those of the data, {pool.X.shape}, got {type(unlabelled).__name__}."
            )
        if inputs.dtype == np.uint8 and pool.X.dtype != np.uint8:
            inputs = inputs.astype(np.float32) / 255
        if len(inputs) and inputs.shape[1:] != pool.X.shape[1:]:
            inputs = inputs.reshape(len(inputs), -1)
        if inputs.shape[1:] != pool.X.shape[1:] or not len(inputs):
            raise ShatterlabError(
                f"unlabelled inputs have the shape {np.shape(unlabelled)} and those of the data {pool.X.shape}; they "
                "must agree but for their number."
            )
        inputs = inputs.astype(pool.X.dtype)
    version = digest(inputs)[:16] if isinstance(inputs, np.ndarray) else str(len(inputs))
    return replace(subject, unlabelled=inputs, unlabelled_version=version)


def _sized(
    session: "_Session", subject: Subject, purse: Purse, seed: int, epochs: int | None, n: int | None, plan: Path,
    say: "_Said",
) -> Sized:  # fmt: skip
    """How large the audit is: as an earlier one of the same learner and data was, or as the budget allows."""
    sized: Sized = session.follow(choose(subject, purse, seed, epochs, n))
    with contextlib.suppress(Exception):  # a damaged plan raises nearly any type of error
        kept = json.loads(plan.read_text(encoding="utf-8"))
        # What did not finish with so many steps is not worth extending.
        longer = kept.get("answer", "").startswith("not within") and (sized.steps or 0) > 1.5 * (kept["steps"] or 0)
        if not longer and n is None and epochs is None and 4 <= int(kept["n"]) <= len(subject.pool):
            if int(kept["n"]) < sized.n:
                say(f"n = {int(kept['n']):,} as in the audit that this one extends; n={sized.n} would begin anew")
            return Sized(int(kept["n"]), kept["steps"] and int(kept["steps"]), sized.costs)
    plan.parent.mkdir(parents=True, exist_ok=True)
    write_whole(plan, json.dumps({"n": sized.n, "steps": sized.steps}).encode())
    return sized


def _cut(subject: Subject, sized: Sized, seed: int) -> Subject:
    subject = replace(subject, pool=subject.pool.first(sized.n, seed))
    if subject.networks is None:
        return subject
    return replace(subject, networks=replace(subject.networks, steps=sized.steps))


class _Said:
    """Progress on stderr: a line for each part, with the time that is left."""

    def __init__(self, quiet: bool, purse: Purse) -> None:
        self.quiet, self.purse = quiet, purse

    def __call__(self, text: str) -> None:
        if not self.quiet:
            left = max(0.0, self.purse.budget - self.purse.spent)
            print(f"[{told(max(0.0, self.purse.spent))}, {told(left)} left] {text}", file=sys.stderr, flush=True)


class _Session:
    """Does the computations that a generator asks for, and sends it what came of them.

    Args:
        store: where they are kept.
        purse: the budget.
        jobs: processes at a time on this machine.
        say: called with what is told on stderr.
        cluster: does them in place of this machine.
        device: where the cluster does them, see `engines.ray.Capacity.slots`.
    """

    def __init__(
        self, store: Store, purse: Purse, jobs: int, say: _Said, cluster: "Cluster | None" = None, device: str = "cpu"
    ) -> None:
        self.store, self.purse, self.jobs, self.say = store, purse, jobs, say
        self.cluster, self.device = cluster, device
        self.at_a_time = min(jobs, cores())
        if cluster is not None:
            self.jobs = self.at_a_time = cluster.offers.slots(device)
            say(f"fits are done on a Ray cluster with {cluster.offers.told(device)}")
        self.found = 0
        self.recent: dict[str, float] = {}  # what the last fit of each kind took

    def follow(self, asks: Generator[list[Computation], Sequence[Mapping[str, Any]], Any]) -> Any:
        """Runs a generator of computations to its end and returns its value."""
        answer: Any = None
        while True:
            try:
                wanted = asks.send(answer)
            except StopIteration as end:
                return end.value
            answer = self._do(wanted)

    def _do(self, wanted: Sequence[Computation]) -> list[Mapping[str, Any]]:
        records: dict[str, Mapping[str, Any]] = {}
        for job in wanted:
            if (kept := job.kept(self.store)) is not None:
                records[job.id] = kept.records[0]
                self.found += 1
                self.purse.kept += float(kept.records[0]["seconds"]) / (self.jobs if len(wanted) > 1 else 1)
        missing = [job for job in wanted if job.id not in records]
        if missing:
            for ended in self._ended(missing):
                record: Mapping[str, Any] = (
                    {"failed": ended.error, "seconds": 0.0} if ended.kept is None else self._record(ended.kept)
                )
                records[ended.job.id] = record
                self.recent[wanted[0].settings["kind"]] = float(record["seconds"])
        return [records[job.id] for job in wanted]

    def _ended(self, missing: Sequence[Computation]) -> Iterator[Ended]:
        units = self._units(missing)
        if self.cluster is not None:
            return self.cluster.do(missing, self.store, device=self.device, units=units)
        return local.do(missing, self.store, workers=self._workers(missing), units=units)

    def _record(self, kept: Any) -> Mapping[str, Any]:
        assert isinstance(kept, Measurement)
        record: Mapping[str, Any] = kept.records[0]
        if "failed" in record:  # it may have been the machine or the time, so that the next audit tries again
            (self.store.path / "measured" / f"{kept.id}.json").unlink(missing_ok=True)
        return record

    def _units(self, missing: Sequence[Computation]) -> list[list[Computation]]:
        """Fits that are done at once: networks that are faster as a stack, with equally many examples.

        On a cluster the stacks are as many as it does at a time, if there are enough fits.
        """
        groups: dict[Any, list[Computation]] = {}
        for job in missing:
            key = (job.settings["kind"], job.settings.get("size")) if job.together else job.id
            groups.setdefault(key, []).append(job)
        from ..learners.networks import LARGEST_STACK

        stacks: list[list[Computation]] = []
        for group in groups.values():
            share = len(group) if self.cluster is None else -(-len(group) // self.at_a_time)
            size = min(LARGEST_STACK, share)
            stacks += [group[start : start + size] for start in range(0, len(group), size)]
        return stacks

    def _workers(self, missing: Sequence[Computation]) -> int:
        together = len(missing) * self.recent.get(missing[0].settings["kind"], 0.0)
        if self.jobs == 1 or len(missing) == 1 or together < WORTH_PROCESSES:
            return 1
        objects = missing[0].objects or {}
        try:
            pickle.dumps(objects)
        except Exception as error:
            raise ShatterlabError(
                f"the learner cannot be sent to another process ({type(error).__name__}); put it into a file and name "
                "it 'file.py:name', or leave jobs at 1."
            ) from None
        return min(self.jobs, cores(), len(missing))


def _keep(store: Store, done: Audit, subject: Subject, seed: int, plan: Path) -> None:
    """Keeps what the report shows of the audit, in place of that of a smaller budget."""
    folder = store.path / "audits"
    folder.mkdir(parents=True, exist_ok=True)
    store.tidy()
    path = folder / f"{subject.version}-{subject.pool.version}-{seed}.json"
    try:
        if path.exists():
            read_body(path)
    except DamagedError as error:
        store.set_aside(error)
    sized = json.loads(plan.read_text(encoding="utf-8")) | {"answer": done.answer}
    write_all({path: text_of(json.loads(to_json(done.record))), plan: json.dumps(sized)})
    store.upload(plan, path)
