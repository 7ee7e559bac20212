"""What an audit does next: a generator of fits under a budget, which is sent what came of them.

The budget decides how many examples, draws and subsets there are. Which fits are asked for depends on the seconds that
fits took, and those are kept in the store, so that an audit that is taken up again decides as it did before; a larger
budget asks for the same fits first and then for more.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from ..jobs import Computation
from ..measures import capacity, label_errors, memorization, rademacher
from ..measures.fitting import Outcome
from .budget import Costs, Purse, told
from .fits import Asked, Subject, computation, outcome_of, stackable
from .pool import INPUT_CONDITIONS

Record = Mapping[str, Any]
Asks = Generator[list[Computation], Sequence[Record], Any]

FEWEST = 200
"""No audit takes fewer examples than this where there are more."""
FIRST = 100
"""The first fit, which tells how long fits take, has so many examples."""
FEW = 50
"""A learner that raises on fewer random labels than this does not fit them; beyond, its capacity is left out."""
FITS_OF_A_BUDGET = 60
"""The number of examples is chosen so that one fit to random labels takes at most this part of the budget."""
NETWORK_FITS = 40
"""The same for networks, most of whose fits end before their steps do."""
EPOCHS = (30, 200)
"""A network is trained for at least and at most so many passes over the examples, unless the user says how many."""
STAGES = ((1, 0, 0), (2, 1, 0), (4, 1, 1), (7, 2, 2), (10, 3, 3), (20, 3, 3), (40, 5, 5))
"""Capacity is searched with more and more draws: how many are searched, drawn as a curve, and confirmed."""
SIGN_DRAWS = (1, 2, 3, 5, 7, 10, 20, 40)
SUBSETS = (15, 30, 60, 100, 200, 400, 1_000, 2_000)
"""The number of subsets grows through these, or ends in between where the budget ends."""
REPEATS = (1, 2, 3, 5, 10)
PATIENCE, HOPELESS = 5.0, 50
"""A fit is given up after these seconds, or after so many times what it is expected to take where that is more."""
WORTH_PROCESSES = 20.0
"""Fits are spread over processes where they are expected to take so many seconds together; a start takes four."""
WORTH_A_ROUND = 0.5
"""A cluster's processes stay, so that it is given fits of so many seconds at once, about as long as it then waits."""
SEARCHED = ("true-labels", "random-labels", "gaussian-pixels")
"""After a fit under one of these conditions critical samples are looked for."""
CONDITIONS: tuple[tuple[str, float | None], ...] = (
    ("true-labels", None),
    ("random-labels", None),
    ("partial-labels", 0.5),
    *((name, None) for name in INPUT_CONDITIONS),
)


@dataclass
class Findings:
    """All that an audit has found so far.

    Args:
        conditions: the records of each condition, one a repeat.
        critical: of each condition the shares of critical samples, one a radius.
        capacities, signs, certificate, subsets, folds: of each part; None or empty without it.
        left_out: of each part that is missing or cut, why.
        seconds, fits: of each part what it took, and how many fits.
    """

    conditions: dict[str, list[Record]] = field(default_factory=dict)
    capacities: capacity.Capacities | None = None
    signs: rademacher.Rademacher | None = None
    certificate: Record | None = None
    critical: dict[str, list[Record]] = field(default_factory=dict)
    subsets: list[memorization.SubsetOutcome] = field(default_factory=list)
    folds: list[memorization.SubsetOutcome] = field(default_factory=list)
    has_probabilities: bool = True
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    fits: dict[str, int] = field(default_factory=dict)


class Failed(Exception):
    """A fit that failed; the sentence says why."""


class Driver:
    """The parts of an audit as generators of computations.

    Args:
        subject: what is audited.
        purse: the budget.
        seed: seed of all draws.
        costs: what fits of this learner have cost so far.
        tell: called with a sentence when a part begins or is left out.
        processes: how many fits are done at a time.
        worth: the seconds of fits that have to be asked for at once, as the start of processes takes some, too.
    """

    def __init__(
        self,
        subject: Subject,
        purse: Purse,
        seed: int,
        costs: Costs,
        tell: Callable[[str], None] = lambda text: None,
        processes: int = 1,
        worth: float = WORTH_PROCESSES,
    ) -> None:
        self.subject, self.purse, self.seed, self.costs, self.tell = subject, purse, seed, costs, tell
        self.processes, self.worth = processes, worth
        self.found = Findings()
        self.n = len(subject.pool)

    def run(self) -> Generator[list[Computation], Sequence[Record], Findings]:
        """All parts, each of which may be left out without harm to the others."""
        parts = {
            "randomization": ("randomization tests", self._conditions),
            "certificate": ("what is guaranteed", self._certificate),
            "rademacher": ("random signs", self._signs),
            "capacity": ("capacity", self._capacity),
            "critical": ("critical samples", self._critical),
            "subsets": ("memorization, influence and label errors", self._subsets),
        }
        for name, (title, part) in parts.items():
            until = self.purse.of(name)
            self.tell(f"{title}, for up to {told(max(0.0, until - self.purse.spent))}")
            began = self.purse.spent
            try:
                yield from part(until)
            except Failed as failure:
                if not {"true-labels", "random-labels"} <= self.found.conditions.keys():
                    raise  # all else rests on these two
                self.found.left_out[name] = str(failure)
                self.tell(f"{title} left out: {failure}")
            self.found.seconds[name] = self.purse.spent - began
        return self.found

    def _fits(
        self, part: str, asked: Sequence[Asked], *, spare: bool = False
    ) -> Generator[list[Computation], Sequence[Record], list[Record]]:
        """Asks for fits and returns their records; raises `Failed` if one of them failed, with `spare` if all did."""
        remaining = self.purse.budget * 1.1 - self.purse.spent
        expected = self.costs.of(self.n, random=True)
        limit = max(1.0, min(remaining, max(PATIENCE, HOPELESS * expected)))
        records = list((yield [computation(one, self.subject, self.seed, limit) for one in asked]))
        for place, (one, record) in enumerate(zip(asked, records, strict=True)):
            if "failed" in record and one.kind == "probe" and one.settings["size"] < FEW and not record.get("hung"):
                # Some learners refuse a handful of examples, which they therefore do not fit.
                self._remark(f"it refuses {one.settings['size']} examples ({record['failed']})")
                records[place] = {"wrong": one.settings["size"], "of": one.settings["size"], "finished": True}
                continue
            if "failed" in record:
                if not spare or all("failed" in other for other in records):
                    raise Failed(record["failed"])
                self._remark(f"some of its fits to subsets failed and were left out ({record['failed']})")
                continue
            if one.kind in ("signs", "subset", "probe"):
                size = {"probe": one.settings.get("size"), "subset": round(memorization.SHARE * self.n)}.get(one.kind)
                self.costs.learn(one.kind != "subset", size or self.n, record["seconds"])
        done = [record for record in records if "failed" not in record]
        self.found.fits[part] = self.found.fits.get(part, 0) + len(done)
        return done

    def _afford(self, seconds: float, until: float) -> bool:
        return self.purse.spent + seconds <= until

    def _conditions(self, until: float) -> Asks:
        found = self.found.conditions
        for repeat in range(REPEATS[-1]):
            for name, amount in CONDITIONS:
                on_inputs = name in INPUT_CONDITIONS
                if on_inputs and not self.subject.pool.numeric:
                    self.found.left_out["conditions of the inputs"] = (
                        "they need inputs that are an array of finite numbers"
                    )
                    continue
                needed = repeat == 0 and name in ("true-labels", "random-labels")
                if not needed and not self._afford(self.costs.of(self.n, random=name != "true-labels"), until):
                    if repeat == 0:
                        self.found.left_out[name] = "its fit would take longer than what is left of its share"
                    continue
                asked = Asked("condition", {"condition": name, "amount": amount, "repeat": repeat})
                try:
                    (record,) = yield from self._fits("randomization", [asked])
                except Failed as failure:
                    if needed:
                        raise
                    self.found.left_out[name] = str(failure)
                    continue
                self.costs.learn(name != "true-labels", self.n, record["seconds"])
                found.setdefault(name, []).append(record)
            if not self._afford(sum(record[-1]["seconds"] for record in found.values()), until):
                return

    def _certificate(self, until: float) -> Asks:
        if not self._afford(self.costs.of(self.n, random=True), max(until, self.purse.spent + 1)):
            raise Failed("one fit takes longer than its share of the budget")
        extra = {} if self.subject.unlabelled is None else {"unlabelled": self.subject.unlabelled_version}
        (record,) = yield from self._fits("certificate", [Asked("relabelling", extra)])
        self.found.certificate = record

    def _signs(self, until: float) -> Asks:
        records: list[Record] = []
        for draws in SIGN_DRAWS:
            new = [Asked("signs", {"index": index}) for index in range(len(records), draws)]
            if not self._afford(len(new) * self.costs.of(self.n, random=True), until):
                break
            records += yield from self._fits("rademacher", new)
        if not records:
            raise Failed("one fit takes longer than its share of the budget")
        self.found.signs = rademacher.estimate(list(map(_outcome, records)))

    def _capacity(self, until: float) -> Asks:
        known: dict[capacity.Probe, Outcome] = {}
        # A search doubles n until the learner fails and bisects then, which is about four of the largest fits.
        a_draw = 4 * self.costs.of(self.n, random=True)
        done = 0
        for draws, curve_draws, fresh in STAGES:
            if not self._afford((draws - done) * a_draw, until):
                break
            before = self.purse.spent
            search = capacity.requests(
                self.n, k=self.subject.pool.classes, draws=draws, curve_draws=curve_draws, fresh=fresh, seed=self.seed
            )
            finished = yield from self._search(search, known, until + 0.1 * self.purse.budget)
            if finished is None:
                break
            self.found.capacities = finished
            a_draw = max(1e-6, (self.purse.spent - before) / (draws - done))
            done = draws
        if self.found.capacities is None:
            raise Failed("a search for the capacity takes longer than its share of the budget")

    def _search(
        self, search: capacity.Search, known: dict[capacity.Probe, Outcome], until: float
    ) -> Generator[list[Computation], Sequence[Record], capacity.Capacities | None]:
        """Follows a search to its end; None where its time ends before."""
        probes = next(search)
        while True:
            new = [probe for probe in probes if probe not in known]
            if new and self.purse.spent > until:
                return None
            if new:
                asked = [Asked("probe", {"size": probe.n, "draw": probe.draw}) for probe in new]
                records = yield from self._fits("capacity", asked)
                known.update(zip(new, map(_outcome, records), strict=True))
            try:
                probes = search.send([known[probe] for probe in probes])
            except StopIteration as end:
                return end.value

    def _critical(self, until: float) -> Asks:
        if not (self.subject.pool.numeric and self.subject.pool.X.dtype.kind != "i"):
            raise Failed("it needs inputs that are an array of finite numbers")
        expected = 1.5 * self.costs.of(self.n, random=True)
        for name in SEARCHED:
            if not self._afford(expected, until):
                break
            (record,) = yield from self._fits("critical", [Asked("critical", {"condition": name})])
            self.found.critical[name] = record["found"]
            expected = record["seconds"]
        if not self.found.critical:
            raise Failed("one fit takes longer than its share of the budget")

    def _subsets(self, until: float) -> Asks:
        until = self.purse.budget * 0.98
        one = self.costs.of(round(memorization.SHARE * self.n), random=False) / self.processes
        folds = min(label_errors.FOLDS, self.n)
        if not self._afford(SUBSETS[0] * one, until):
            # Five folds are what a ranking of label errors needs at the least.
            if not self._afford(folds * self.costs.of(self.n, random=False), until + 0.05 * self.purse.budget):
                raise Failed(f"{folds} fits take longer than what is left of the budget")
            asked = [Asked("fold", {"index": index, "folds": folds}) for index in range(folds)]
            records = yield from self._fits("subsets", asked)
            self.found.folds = list(map(outcome_of, records))
            self._note(records)
            self.found.left_out["memorization and influence"] = (
                f"{SUBSETS[0]} fits to subsets take about {told(SUBSETS[0] * one)}; {folds} folds rank labels instead"
            )
            return
        done = 0
        for goal in SUBSETS:
            while done < goal:
                one = self.costs.of(round(memorization.SHARE * self.n), random=False) / self.processes
                room = int(max(0.0, until - self.purse.spent) / max(one, 1e-6))
                batch = min(goal - done, max(room, 1) if done < 2 else room, self._batch())
                if batch == 0:
                    return
                new = [Asked("subset", {"index": index}) for index in range(done, done + batch)]
                records = yield from self._fits("subsets", new, spare=True)
                self._note(records)
                self.found.subsets += map(outcome_of, records)
                done += batch

    def _note(self, records: Sequence[Record]) -> None:
        self.found.has_probabilities &= all(record["has_probabilities"] for record in records)
        for record in records:
            self._remark(record["note"])

    def _remark(self, note: str) -> None:
        if note and note not in self.found.notes:
            self.found.notes.append(note)

    def _batch(self) -> int:
        """How many subsets are asked for at once."""
        if stackable(Asked("subset", {"index": 0}), self.subject):
            return 64 * self.processes
        if self.processes == 1:
            return 8
        # Processes take seconds to start, so that they are given more to do at once.
        worth = self.worth / self.costs.of(round(memorization.SHARE * self.n), random=False)
        return max(8, 4 * self.processes, ceil(worth))


def _outcome(record: Record) -> Outcome:
    return Outcome(record["wrong"], record["of"], record["finished"])


@dataclass
class Sized:
    """How large an audit is: so many examples, and for networks so many steps."""

    n: int
    steps: int | None
    costs: Costs


def choose(
    subject: Subject, purse: Purse, seed: int, epochs: int | None, n: int | None
) -> Generator[list[Computation], Sequence[Record], Sized]:
    """Fits growing numbers of examples to find out how many the budget allows.

    Args:
        subject: the learner and all examples.
        purse: the budget.
        seed: seed of all draws.
        epochs: passes of a network over the examples, if the user named them.
        n: number of examples, if the user named it.

    Raises:
        Failed: the learner cannot be fitted at all, or not within the budget.
    """
    costs, whole = Costs(), len(subject.pool)
    if subject.networks is not None:
        return (yield from _choose_steps(subject, purse, seed, epochs, n))
    allowed = purse.budget / FITS_OF_A_BUDGET
    size = min(whole, n or whole, FIRST)
    # The first fit of a process imports what the learner needs, and says little of those that follow.
    yield [
        computation(Asked("timing", {"size": size, "random": False, "warm": False}), subject, seed, 0.3 * purse.budget)
    ]
    began = purse.spent
    while True:
        records = []
        for random in (False, True):
            asked = Asked("timing", {"size": size, "random": random, "warm": True})
            (record,) = yield [computation(asked, subject, seed, max(1.0, 0.3 * purse.budget))]
            if "failed" in record:
                raise Failed(record["failed"])
            records.append(record)
            costs.learn(random, size, record["seconds"])
        largest = min(whole, n or whole)
        if size == largest:
            break
        following = min(largest, 3 * size)
        if n is None and max(costs.of(following, random=random) for random in (False, True)) > allowed:
            break
        if purse.spent - began > 0.1 * purse.budget:
            break
        size = following
    if n is not None:
        return Sized(min(n, whole), None, costs)
    chosen = whole
    while chosen > FEWEST and max(costs.of(chosen, random=random) for random in (False, True)) > allowed:
        chosen = max(FEWEST, int(chosen * 0.9))
    return Sized(_round(chosen, whole), None, costs)


def _choose_steps(
    subject: Subject, purse: Purse, seed: int, epochs: int | None, n: int | None
) -> Generator[list[Computation], Sequence[Record], Sized]:
    whole, batch = len(subject.pool), subject.networks.spec.batch_size
    trial = replace(subject, networks=replace(subject.networks, steps=20))
    size = min(whole, n or whole, 20 * batch)
    seconds = []
    for steps in (20, 60):
        trial = replace(trial, networks=replace(trial.networks, steps=steps))
        asked = Asked("timing", {"size": size, "random": True, "warm": steps > 20})
        (record,) = yield [computation(asked, trial, seed, max(1.0, 0.3 * purse.budget))]
        if "failed" in record:
            raise Failed(record["failed"])
        seconds.append(record["seconds"])
        if record["seconds"] > 0.05 * purse.budget:
            break
    a_step = max(1e-5, (seconds[1] - seconds[0]) / 40 if len(seconds) == 2 else seconds[0] / 20)
    allowed = max(20, int(purse.budget / NETWORK_FITS / a_step))
    chosen = min(n, whole) if n else whole
    least = epochs or EPOCHS[0]
    if n is None and ceil(chosen / batch) * least > allowed:
        chosen = _round(max(min(FEWEST, whole), allowed * batch // least), whole)
    steps = ceil(chosen / batch) * (epochs or EPOCHS[1])
    if epochs is None:
        steps = max(min(steps, allowed), ceil(chosen / batch) * 2)
    costs = Costs()
    for random in (False, True):
        costs.learn(random, chosen, a_step * steps)
    return Sized(chosen, steps, costs)


def _round(n: int, whole: int) -> int:
    """A round number of examples not above n, or all of them."""
    if n >= whole:
        return whole
    step = 10 ** (len(str(n)) - 1) // 2 or 1
    return max(min(FEWEST, whole), n // step * step)
