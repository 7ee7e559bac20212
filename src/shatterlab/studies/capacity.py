"""How many random labels does a network fit, and does its number of parameters say so?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data import at_most
from ..figures.lines import lines
from ..jobs import Computation
from ..measures.capacity import Capacities, Capacity, Probe, requests
from ..measures.fitting import Outcome as Fitted
from ..measures.fitting import do, generator
from ..measures.linear import linear_capacity
from .house_networks import networks_of, rate_of, remedy_of
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .sentences import count_of, display, percent, seeds_of, sentence
from .statistics import LEVEL, Estimate, clopper_pearson, corrected
from .study import Cells, Claim, Scale, Study, Tables

if TYPE_CHECKING:
    from ..measures.fitting import Predict

CLASSES = 2
"""Random labels are of two classes, as in Cover's theory of planes."""

SEVERAL = 4
"""A network has several times as many parameters as examples from this factor on (an assumption: the smallest on the
lecture's list of successful networks has more, and the theorem of the paper asks for about two)."""

MOST = 0.5
"""A network fits n random labels if it fits those of more than this share of the draws, which is where Cover's capacity
of a plane lies as well."""

PLANE = "a plane"
"""The name of the control in a record."""

MARGIN = 0.2
"""The mean capacity of planes agrees with theory if it differs by no more than this share of it (an assumption)."""

PLANE_DRAWS = 30
"""Random labels are drawn so often for planes, which are quickly found."""

# Each scale has the networks, the examples, the random labellings of each, and the steps of one fit.
SIZES: dict[Scale, dict[str, Any]] = {
    "demo": {"models": ["mlp-1x16", "mlp-1x64", "mlp-1x256"], "n": 500, "draws": 6, "steps": 2_500, "d": 20},
    "cpu": {
        "models": ["mlp-1x16", "mlp-1x64", "mlp-1x256", "mlp-1x512", "alexnet"],
        "n": 5_000,
        "draws": 6,
        "steps": 20_000,
        "d": 50,
    },
    "paper": {
        "models": ["mlp-1x32", "mlp-1x512", "alexnet", "inception"],
        "n": 50_000,
        "draws": 6,
        "steps": 100_000,
        "d": 100,
    },
}
BATCH = 32

RESOLUTION = 0.2
"""The search for the capacity of a network ends where the smallest number that failed exceeds the largest that was
fitted by this share, since each fit takes a while."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A computation for each network and seed, and one for the planes of each seed."""
    sizes = SIZES["demo"] if data == "digits" else SIZES[scale]
    found = []
    for seed in range(seeds):
        shared = {"data": data, "seed": seed}
        found.append(
            Computation(
                "capacity",
                f"random labels that a plane in {sizes['d']} dimensions fits",
                shared | {"d": sizes["d"], "n": 4 * (sizes["d"] + 1), "draws": PLANE_DRAWS},
                measure_planes,
            )
        )
        found += [
            Computation(
                "capacity",
                f"random labels that {model} fits",
                shared
                | {
                    "model": model,
                    "n": sizes["n"],
                    "draws": sizes["draws"],
                    "steps": sizes["steps"],
                    "batch": BATCH,
                    "rate": rate_of(model, data),
                    "resolution": RESOLUTION,
                },
                measure_network,
            )
            for model in sizes["models"]
        ]
    return found


def measure_network(
    data: Any, model: str, n: int, draws: int, steps: int, batch: int, rate: float, resolution: float, seed: int
) -> list[dict[str, Any]]:
    """Finds how many random labels a network fits.

    Args:
        data: a `Data`.
        model: the name of a network of the house.
        n: the examples that are tried at most; fewer where there are fewer.
        draws: how many orders of the examples with random labels are searched.
        steps: optimizer steps of each fit.
        batch: examples in each step.
        rate: the learning rate.
        resolution: the search ends where the smallest number that failed exceeds the largest fitted by this share.
        seed: seed of the subset, the orders, the labels and the weights.

    Returns:
        A single record: `parameters`, what `record_of` says, and `probes`, one for each fit: its number of examples
        `n`, the share of its labels that it got wrong, `error`, and whether it was `finished`.

    Raises:
        ShatterlabError: a training diverged.
    """
    from ..errors import ShatterlabError
    from ..learners.networks import Task

    examples = at_most(data, n, 1, seed).train
    networks = networks_of(model, examples, data.name, CLASSES, steps=steps, batch=batch, rate=rate)
    images = examples.as_images()

    def fit(probes: Sequence[Probe]) -> list[Fitted]:
        """The fits of a round, those of equal size as one stack where that is faster."""
        done: dict[Probe, Fitted] = {}
        for size in dict.fromkeys(probe.n for probe in probes):
            alike = [probe for probe in probes if probe.n == size]
            for some in [alike] if networks.stacks else [[probe] for probe in alike]:
                tasks = [Task(probe.rows, probe.labels, probe.fit_seed) for probe in some]
                for probe, trained in zip(some, networks.fit_together(images, tasks), strict=True):
                    if isinstance(trained, ShatterlabError):
                        raise trained
                    wrong = int((trained(images[probe.rows]) != probe.labels).sum())
                    done[probe] = Fitted(wrong, size, trained.finished)
        return [done[probe] for probe in probes]

    found, probes = _searched(len(examples), draws, seed, resolution, fit)
    parameters = sum(parameter.numel() for parameter in networks.build(0).parameters())
    return [{"parameters": parameters} | record_of(found.exact, found.near) | {"probes": probes}]


def measure_planes(data: Any, d: int, n: int, draws: int, seed: int) -> list[dict[str, Any]]:
    """Finds how many random labels planes fit, of inputs brought to d dimensions by a random projection.

    Args:
        data: a `Data`.
        d: the dimensions of the projection, so that points lie in general position; fewer where the inputs have fewer.
        n, draws, seed: see `measure_network`.

    Returns:
        A single record: `model`, which is `PLANE`, `d`, `expected`, the mean of theory, and what `record_of` says.
    """
    examples = at_most(data, n, 1, seed).train
    rows = examples.flat().astype(np.float64)
    rows = rows - rows.mean(axis=0)
    d = min(d, int(np.linalg.matrix_rank(rows)))
    points = rows @ generator(seed, "projection of capacity", 0).normal(size=(rows.shape[1], d))
    points /= points.std()
    found, _ = _searched(len(points), draws, seed, 0.0, lambda probes: [do(p, separate, points) for p in probes])
    expected = linear_capacity(d).mean
    return [{"model": PLANE, "d": d, "expected": expected} | record_of(found.exact, None)]


def separate(X: NDArray[np.float64], y: NDArray[np.int64], seed: int) -> "Predict":
    """A plane with every point on the side of its label, found by linear programming, or one that fits none.

    Args:
        X: (n, d) points.
        y: (n,) labels, 0 or 1.
        seed: plays no part.
    """
    from scipy.optimize import linprog

    signs, inputs = 2.0 * y - 1, np.column_stack([X, np.ones(len(X))])
    found = linprog(
        np.zeros(inputs.shape[1]),
        A_ub=-signs[:, None] * inputs,
        b_ub=-np.ones(len(y)),
        bounds=(None, None),
        method="highs",
    )
    weights = found.x if found.status == 0 else np.zeros(inputs.shape[1])
    return lambda points: (np.column_stack([points, np.ones(len(points))]) @ weights > 0).astype(np.int64)


def _searched(
    total: int, draws: int, seed: int, resolution: float, fit: Any
) -> tuple[Capacities, list[dict[str, Any]]]:
    """The result of a search, and every fit that it made."""
    search = requests(total, k=CLASSES, draws=draws, resolution=resolution, curve_draws=0, fresh=0, seed=seed)
    made: list[dict[str, Any]] = []
    outcomes: Any = None  # what a generator has to be sent first
    while True:
        try:
            probes = search.send(outcomes)
        except StopIteration as end:
            return end.value, made
        outcomes = fit(probes)
        made += [
            {"n": probe.n, "error": outcome.error, "finished": outcome.finished}
            for probe, outcome in zip(probes, outcomes, strict=True)
        ]


def record_of(exact: Capacity, near: Capacity | None) -> dict[str, Any]:
    """What the store keeps of a search.

    Returns:
        `tried`, the examples there were; `draws`; `fitted` and `failed`, of each draw the largest number of labels that
        was fitted and the smallest that was not (None where all were); `whole`, the draws of which all labels were
        fitted; `unfinished`, the draws whose smallest failure was still improving; `capacity` and `capacity_error`, the
        mean over draws and its standard error (None for one draw); `near`, the same mean for a tenth of errors.
    """
    return {
        "tried": exact.n,
        "draws": exact.draws,
        "fitted": list(exact.fitted),
        "failed": list(exact.failed),
        "whole": exact.all_fitted,
        "unfinished": exact.unfinished,
        "capacity": exact.value,
        "capacity_error": exact.error if np.isfinite(exact.error) else None,
        "near": near and near.value,
    }


def _groups(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """The records of each network, one for each seed, the fewest parameters first; without the planes."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in sorted(tables.records, key=lambda r: r.get("parameters", 0)):
        if record["model"] != PLANE:
            groups.setdefault(record["model"], []).append(record)
    return groups


def _planes(tables: Tables) -> list[dict[str, Any]]:
    return [record for record in tables.records if record["model"] == PLANE]


def _sum(records: Sequence[Mapping[str, Any]], what: str) -> int:
    return sum(record[what] for record in records)


def _capacity(records: Sequence[Mapping[str, Any]]) -> Estimate:
    """The mean separation point over all draws of all seeds, with its standard error over draws."""
    middles = [
        low if high is None or low == 0 else (low + high - 1) / 2
        for record in records
        for low, high in zip(record["fitted"], record["failed"], strict=True)
    ]
    draws = len(middles)
    if draws < 2:
        return Estimate(float(middles[0]), np.inf)
    return Estimate(float(np.mean(middles)), float(np.std(middles, ddof=1)) / draws**0.5, draws - 1, len(records))


def _in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """How many random labels a learner fits: 1,234 random labels (SE 12), all 500, or at least 321."""
    found, tried = _capacity(records), min(record["tried"] for record in records)
    whole, draws = _sum(records, "whole"), _sum(records, "draws")
    if whole == draws:
        return f"all {tried:,} random labels"
    more = "at least " if whole or _sum(records, "unfinished") else ""
    error = f" (SE {found.error:,.0f})" if np.isfinite(found.error) else ""
    return f"{more}{found.value:,.0f} random labels{error}"


def table(tables: Tables) -> list[Cells]:
    """A line for each learner: its parameters, the random labels that it fits, and what was left open."""
    groups = ({PLANE: planes} if (planes := _planes(tables)) else {}) | _groups(tables)
    return [
        {
            "learner": display(model) if model != PLANE else f"a plane in {records[0]['d']} dimensions",
            "parameters": records[0]["d"] + 1 if model == PLANE else records[0]["parameters"],
            "labels tried": min(record["tried"] for record in records),
            "fits exactly": _in_words(records).replace(" random labels", ""),
            "fits up to a tenth": "—" if model == PLANE else f"{np.mean([r['near'] for r in records]):,.0f}",
            "draws": _sum(records, "draws"),
            "draws fitted whole": _sum(records, "whole"),
            "draws not finished": _sum(records, "unfinished"),
        }
        for model, records in groups.items()
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """The training error on random labels against their number, for each network."""
    groups = _groups(tables)
    probes = [
        probe | {"network": display(model)}
        for model, records in groups.items()
        for r in records
        for probe in r["probes"]
    ]
    if not probes:
        return {}
    return {
        "errors on random labels": lines(
            probes, "n", "error", "network", log_x=True, y_format="%", x_format=",d",
            title="Share of random labels that each network does not fit",
            subtitle=f"{_where(tables)}; equally many steps at every n; a dot for each fit, mean and SD; between "
            "doublings of n only draws that failed at the larger",
            x_title="number of examples with random labels", y_title="training error",
        )
    }  # fmt: skip


def _where(tables: Tables) -> str:
    first = next((r for r in tables.records if r["model"] != PLANE), tables.records[0])
    return f"{display(first['data'])}, n up to {first['tried']:,}, two classes, {seeds_of(tables.records)}"


def verdict(tables: Tables) -> list[str]:
    """How many random labels the networks fit, and whether planes fit as many as theory says."""
    sentences = []
    groups = _groups(tables)
    if groups:
        model, largest = next(reversed(groups.items()))
        others = [
            f"{display(name)} with {records[0]['parameters']:,} parameters fits "
            f"{_in_words(records).replace(' random labels', '')}"
            for name, records in groups.items()
            if name != model
        ]
        unfinished = [display(name) for name, records in groups.items() if _sum(records, "unfinished")]
        sentences.append(
            sentence(
                f"{display(model)}, which has {largest[0]['parameters']:,} parameters, fits",
                _in_words(largest),
                *others,
                f"some fits of {' and '.join(unfinished)} were still improving after {largest[0]['steps']:,} steps, so "
                "that their numbers are lower bounds" if unfinished else "",
                caveat=f"means over {count_of(largest[0]['draws'], 'draw')} a seed; {_where(tables)}",
            )
        )  # fmt: skip
    if planes := _planes(tables):
        found, first = _capacity(planes), planes[0]
        sentences.append(
            sentence(
                f"A plane in {first['d']} dimensions fits {found.value:.1f} random labels on average, "
                f"where theory says",
                f"2(d + 1) = {first['expected']:g}",
                caveat=f"SE {found.error:.1f} over {count_of(_sum(planes, 'draws'), 'draw')}; "
                f"{display(first['data'])} in random projections, {seeds_of(planes)}",
            )
        )
    return sentences or ["No network has been measured yet."]


def _fits_all(tables: Tables) -> Outcome:
    """Whether networks with several times as many parameters as examples fit all random labels."""
    groups = _groups(tables)
    if not groups:
        return NO_RUNS
    large = {
        model: records
        for model, records in groups.items()
        if all(record["parameters"] >= SEVERAL * record["tried"] for record in records)
    }
    if not large:
        return cannot_tell(f"no network that was measured has {SEVERAL} times as many parameters as examples", "finish")
    return all_of(_fits_all_of(model, records, len(large)) for model, records in large.items())


def _fits_all_of(model: str, records: Sequence[Mapping[str, Any]], networks: int) -> Outcome:
    whole, draws, unfinished = (_sum(records, what) for what in ("whole", "draws", "unfinished"))
    first = records[0]
    numbers = (
        f"{display(model)} ({first['parameters']:,} parameters) fits all n = {first['tried']:,} random "
        f"labels in {whole} "
        f"of {count_of(draws, 'draw')} ({seeds_of(records)})"
    )
    if clopper_pearson(whole, draws, LEVEL)[0] > MOST:
        return Outcome("confirmed", numbers)
    # A fit that was still improving might have fitted, and is counted as if it had.
    if clopper_pearson(whole + unfinished, draws, corrected(networks))[1] < MOST:
        return Outcome("contradicted", numbers)
    if unfinished:
        reason = f"{unfinished} of {draws} searches with {display(model)} ended at a fit that was still improving"
        return cannot_tell(reason, remedy_of(first["data"]), numbers)
    return Outcome("not shown", numbers)


def _planes_agree(tables: Tables) -> Outcome:
    """Whether the mean capacity of planes lies within a margin of Cover's."""
    planes = _planes(tables)
    if not planes:
        return NO_RUNS
    if short := [record for record in planes if record["whole"]]:
        reason = f"all {short[0]['tried']:,} labels were fitted in {count_of(short[0]['whole'], 'draw')}"
        return cannot_tell(f"there were too few examples: {reason}", "data")
    found, first = _capacity(planes), planes[0]
    if not np.isfinite(found.error):
        return cannot_tell("one draw has no error", "finish")
    expected, apart = first["expected"], MARGIN * first["expected"]
    low, high = found.interval()
    numbers = (
        f"a plane in d = {first['d']} dimensions fits {found.value:.1f} random labels (interval "
        f"{low:.1f} to {high:.1f} "
        f"over {count_of(_sum(planes, 'draws'), 'draw')}, {seeds_of(planes)}), 2(d + 1) = {expected:g}"
    )
    if abs(low - expected) < apart and abs(high - expected) < apart:
        return Outcome("confirmed", numbers)
    outside = low > expected + apart or high < expected - apart
    return Outcome("contradicted" if outside else "not shown", numbers)


STUDY = Study(
    question="How can we measure a model's capacity?",
    source="Zhang et al. (2017), section 6; Nakkiran et al. (2020), definition 1; Cover (1965)",
    chapter="The closing questions",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "A network with several times as many parameters as examples fits random labels of all of them.",
            f"Confirmed if every network with at least {SEVERAL} times as many parameters as examples fits the random "
            f"labels of all of them in more than {percent(MOST)} of the draws, by the interval of Clopper and Pearson "
            f"at {percent(LEVEL)}. Contradicted if one fits fewer, by the same interval, where the networks share the "
            "level and a fit that was still improving at its last step counts as fitted. Where such fits decide, the "
            "runs cannot tell. Labels are of two classes and a fit has no error at all.",
            _fits_all,
        ),
        Claim(
            "A plane in d dimensions fits about 2(d + 1) random labels, as Cover's theory says.",
            f"Confirmed if the whole interval of the mean capacity at {percent(LEVEL)}, over draws of "
            f"order and labels, "
            f"lies within {percent(MARGIN)} of 2(d + 1). Contradicted if it lies outside. Planes are found by linear "
            "programming, which finds one wherever there is one.",
            _planes_agree,
        ),
    ),
)
