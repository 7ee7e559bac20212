"""Which complexity measure ranks the generalization gaps of many small networks, and along which axis does it fail?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Any

from ..figures.environments import sign_error_rows
from ..jobs import Computation
from ..measures.complexity import MEASURES, NORMS
from ..measures.ranks import (
    AxisError,
    Granulated,
    SignErrors,
    axis_errors,
    granulated,
    kendall_tau,
    noise_weight,
    sign_errors,
)
from .outcome import NO_RUNS, Outcome, Remedy, State, cannot_tell
from .sentences import count_of, display, seeds_of, sentence
from .small_networks import train_and_measure
from .statistics import LEVEL, Estimate
from .study import Cells, Claim, Scale, Study, Tables

TRAINING_LOSS = 0.01
"""Training ends at this mean cross-entropy, so that networks are compared at equal training loss (Jiang et al., 2020,
section 4)."""

AXES = {
    "width": "width",
    "depth": "depth",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "batch_norm": "batch normalization",
}
"""The axes of the grid by their names in a record, each with its name for people."""

# Networks of one width and depth are one computation, so that a kill loses little.
GRIDS: dict[Scale, dict[str, Any]] = {
    "demo": {"n": 1_000, "widths": [8, 16, 32], "depths": [2, 3, 4], "learning_rates": [0.02], "epochs": 80},
    "cpu": {"n": 5_000, "widths": [8, 16, 32, 64], "depths": [2, 3, 4], "learning_rates": [0.01, 0.03], "epochs": 80},
    "paper": {
        "n": 50_000,
        "widths": [16, 32, 64, 128],
        "depths": [2, 4, 6],
        "learning_rates": [0.003, 0.01, 0.03],
        "epochs": 200,
    },
}

DIGITS: dict[str, Any] = {"n": 500, "widths": [8, 16], "depths": [2, 3], "learning_rates": [0.02], "epochs": 80}
"""The grid on the digits at every scale, where all gaps are alike and a larger one would show nothing more."""

BATCH_SIZES = [32, 64, 128]
N_TEST = 10_000


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A computation for each width, depth and seed, which trains and measures the networks of this size."""
    grid = DIGITS if data == "digits" else GRIDS[scale]
    return [
        Computation(
            "complexity-measures",
            f"networks of width {width} and depth {depth}",
            {
                "data": data,
                "n": grid["n"],
                "n_test": N_TEST,
                "width": width,
                "depth": depth,
                "batch_sizes": BATCH_SIZES[:2] if data == "digits" else BATCH_SIZES,
                "learning_rates": grid["learning_rates"],
                "batch_norms": [False, True],
                "loss": TRAINING_LOSS,
                "epochs": grid["epochs"],
                "seed": seed,
            },
            train_and_measure,
        )
        for seed, width, depth in product(range(seeds), grid["widths"], grid["depths"])
    ]


@dataclass(frozen=True)
class Network:
    """A place on the grid, with what was measured there.

    Args:
        setting: the value of each axis by its name for people.
        gap: train less test accuracy, the mean over seeds.
        measures: each by its name, the mean over seeds; those that a seed lacks are missing.
    """

    setting: Mapping[str, Any]
    gap: float
    measures: Mapping[str, float]


def _varied(tables: Tables) -> list[str]:
    """The axes that have more than one value, by their names in a record."""
    return [axis for axis in AXES if len({record[axis] for record in tables.records}) > 1]


def networks(tables: Tables) -> tuple[list[Network], list[dict[str, Any]]]:
    """The networks all of whose seeds reached the training loss, and the records of those that did not."""
    axes = _varied(tables)
    places: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in tables.records:
        places.setdefault(tuple(record[axis] for axis in axes), []).append(record)
    kept, lost = [], []
    for place, records in places.items():
        if short := [record for record in records if not record["reached"]]:
            lost += short
            continue
        kept.append(
            Network(
                {AXES[axis]: value for axis, value in zip(axes, place, strict=True)},
                fmean(record["gap"] for record in records),
                {
                    name: fmean(record["measures"][name] for record in records)
                    for name in MEASURES
                    if all(name in record["measures"] for record in records)
                },
            )
        )
    return kept, lost


@dataclass(frozen=True)
class Measured:
    """The values of one measure, beside the gaps and settings of the networks that have it."""

    values: list[float]
    gaps: list[float]
    settings: list[Mapping[str, Any]]


def measured(tables: Tables) -> dict[str, Measured]:
    """By name each measure of which two networks that differ in one axis alone can be compared."""
    kept, _ = networks(tables)
    found = {}
    for name in MEASURES:
        having = [network for network in kept if name in network.measures]
        settings = [network.setting for network in having]
        if any(
            sum(first[axis] != second[axis] for axis in first) == 1
            for number, first in enumerate(settings)
            for second in settings[:number]
        ):
            values = [network.measures[name] for network in having]
            found[name] = Measured(values, [network.gap for network in having], settings)
    return found


def _tested(tables: Tables) -> int:
    """The number of test examples behind a gap; more seeds are not counted, as they share the test set."""
    return min(record["tested"] for record in tables.records)


@dataclass(frozen=True)
class Ranking:
    """How one measure ranks the gaps of the networks that have it.

    Args:
        measure: its name.
        networks: the number of networks.
        tau: Kendall's tau over all of them.
        psi: the same along one axis at a time.
        errors: its sign errors over environments whose gaps differ beyond noise.
    """

    measure: str
    networks: int
    tau: float
    psi: Granulated
    errors: SignErrors


def rankings(tables: Tables) -> list[Ranking]:
    """Every measure, the one with the smallest sign error in its worst environment first.

    Where no environment has enough pairs that differ beyond noise, the lowest psi of any axis decides the order.
    """
    found = [
        Ranking(
            name,
            len(of.values),
            kendall_tau(of.values, of.gaps),
            granulated(of.values, of.gaps, of.settings),
            sign_errors(of.values, of.gaps, of.settings, _tested(tables)),
        )
        for name, of in measured(tables).items()
    ]
    return sorted(found, key=_worst_first)


def _worst_first(ranking: Ranking) -> tuple[float, float]:
    lowest = -min(ranking.psi.psi.values())
    return (ranking.errors.robust, lowest) if ranking.errors.environments else (2.0, lowest)


def table(tables: Tables) -> list[Cells]:
    """A line for each measure: sign errors over environments, Kendall's tau, and its granulated form."""
    lines: list[Cells] = []
    for ranking in rankings(tables):
        errors, psi = ranking.errors, ranking.psi
        axis = min(psi.psi, key=lambda axis: psi.psi[axis])
        some = bool(errors.environments)
        lines.append(
            {
                "measure": ranking.measure,
                "sign error, worst": f"{errors.robust:.2f} ({_moved(errors)})" if some else "—",
                "90th percentile": f"{errors.percentile_90:.2f}" if some else "—",
                "mean": f"{errors.mean:.2f}" if some else "—",
                "environments": len(errors.environments),
                "Kendall's tau": f"{ranking.tau:+.2f}",
                "granulated": f"{psi.mean:+.2f}",
                "granulated, worst axis": f"{psi.psi[axis]:+.2f} ({axis})",
                "networks": ranking.networks,
            }
        )
    return lines


def _moved(errors: SignErrors) -> str:
    worst = errors.environments[0]
    return f"{worst.axis} {' to '.join(map(_value, worst.values))}"


def _value(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else f"{value:g}"


def draw(tables: Tables) -> Mapping[str, Any]:
    """The sign error of each measure in each environment."""
    ranked = rankings(tables)
    if not ranked:
        return {}
    filtered = any(ranking.errors.environments for ranking in ranked)
    every, lines = measured(tables), []
    for ranking in ranked:
        of = every[ranking.measure]
        errors = ranking.errors if filtered else sign_errors(of.values, of.gaps, of.settings)
        lines += [
            {
                "measure": ranking.measure,
                "axis": environment.axis,
                "values": " to ".join(map(_value, environment.values)),
                "error": environment.error,
            }
            for environment in errors.environments
        ]
    pairs = "pairs whose gaps differ beyond noise" if filtered else "all pairs, as no gaps differ beyond noise"
    return {
        "sign errors": sign_error_rows(
            lines,
            title="How often each measure orders two networks wrongly",
            subtitle=f"a dot for each axis and two of its values, the rest fixed; ticks: worst; {pairs}; "
            f"{_where(tables)}",
        )
    }


def _where(tables: Tables) -> str:
    first = tables.records[0]
    return f"{display(first['data'])}, n = {first['trained']:,}, {seeds_of(tables.records)}"


def verdict(tables: Tables) -> list[str]:
    """Which measure ranks the gaps best in its worst environment, and what was left out."""
    if not tables.records:
        return ["No network has been trained yet."]
    kept, lost = networks(tables)
    ranked = rankings(tables)
    sentences = []
    if ranked and ranked[0].errors.environments:
        sentences.append(_best(ranked, _where(tables)))
    elif kept:
        gaps = [network.gap for network in kept]
        sentences.append(
            sentence(
                f"The gaps of the {count_of(len(kept), 'network')} are too much alike to be ranked: they lie between",
                f"{100 * min(gaps):.1f} and {100 * max(gaps):.1f} points",
                compared=f"pairs count from a difference of {100 * _least_difference(tables):.1f} points on, with "
                f"{tables.records[0]['tested']:,} test examples",
                caveat=_where(tables),
            )
        )
    if lost:
        axes = _varied(tables)
        named = "; ".join(_name(record, axes) for record in lost)
        sentences.append(
            f"Left out, as they did not reach a training loss of {TRAINING_LOSS:g} within {lost[0]['epochs']} epochs: "
            f"{count_of(len(lost), 'network')} of {len(tables.records)}, with {named}."
        )
    if missing := _missing(tables):
        sentences.append(missing)
    return sentences


def _best(ranked: Sequence[Ranking], where: str) -> str:
    """The measures that err least in their worst environment, the others, and what counts as an environment."""
    judged = [ranking for ranking in ranked if ranking.errors.environments]
    worst = {ranking.measure: f"{100 * ranking.errors.robust:.0f} %" for ranking in judged}
    least = worst[judged[0].measure]
    best = [measure for measure, error in worst.items() if error == least]
    others = [f"{measure} {error}" for measure, error in worst.items() if error != least]
    highest = max(ranked, key=lambda ranking: ranking.tau)
    environments = judged[0].errors.environments
    axes = list(dict.fromkeys(environment.axis for environment in environments))
    return sentence(
        f"Of {count_of(len(judged), 'measure')} {_listed(best)} "
        f"{'errs' if len(best) == 1 else 'err'} least in the worst environment, with a sign error of",
        least,
        f"over all {highest.networks} networks Kendall's tau is highest for {highest.measure}, {highest.tau:+.2f}",
        f"the gaps differ beyond noise in {count_of(len(environments), 'environment')}, along {_listed(axes)}"
        f"{' alone' if len(axes) == 1 else ''}",
        compared=", ".join(["a coin 50 %", *others]),
        caveat=where,
    )


def _listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _least_difference(tables: Tables) -> float:
    """The smallest difference of two gaps that counts, in steps of a thousandth."""
    return next((step / 1000 for step in range(1000) if noise_weight(step / 1000, _tested(tables)) > 0), 1.0)


def _name(record: Mapping[str, Any], axes: Sequence[str]) -> str:
    """The place of a network on the grid, with the loss that it ended at."""
    parts = [f"{AXES[axis]} {_value(record[axis])}" for axis in axes]
    loss = record["train_loss"]
    return f"{', '.join(parts)} ({'diverged' if loss is None else f'loss {loss:.2g}'})"


def _missing(tables: Tables) -> str:
    """The measures that some networks do not have, with one of the reasons."""
    reasons: dict[str, list[str]] = {}
    for record in tables.records:
        for name, reason in record["left_out"].items():
            reasons.setdefault(name, []).append(reason)
    if not reasons:
        return ""
    listed = (f"{name} of {count_of(len(why), 'network')} ({why[0]})" for name, why in reasons.items())
    return f"Measures left out: {'; '.join(listed)}."


RIGHT = 0.75
"""A measure predicts the gap along an axis if it orders this share of pairs of networks rightly (an assumption: a
granulated tau of 1/2; Jiang et al. and Dziugaite et al. name no threshold)."""

FEWEST_LINES = 6
"""An axis can decide if the gaps differ beyond noise on at least this many lines of the grid along it, by their
effective number (an assumption; Dziugaite et al. ask for 12 pairs)."""

FEWEST_AXES = 2
"""The gaps must differ beyond noise along at least so many axes; with one axis there is nothing to disagree about."""


def _along(errors: Sequence[AxisError], level: float) -> dict[str, tuple[float, float, AxisError]]:
    """The interval of the sign error along each axis that can decide."""
    return {
        error.axis: (*Estimate(error.error, error.standard_error, error.effective - 1).interval(level), error)
        for error in errors
        if error.effective >= FEWEST_LINES
    }


def _no_norm(tables: Tables) -> Outcome:
    if not tables.records:
        return NO_RUNS
    kept, lost = networks(tables)
    # The grid on the digits is the same at every scale.
    remedy: Remedy = "data" if tables.records[0]["data"] == "digits" else "scale"
    if 2 * len(kept) < len(kept) + len(lost):
        reached = f"{len(kept)} of {count_of(len(kept) + len(lost), 'network')} reached"
        return cannot_tell(f"only {reached} a training loss of {TRAINING_LOSS:g}", remedy)
    every = measured(tables)
    if absent := [norm for norm in NORMS if norm not in every]:
        return cannot_tell(f"too few networks can be compared by {' and '.join(absent)}", remedy)
    alpha = 1 - LEVEL
    numbers, fails, predicts = [], [], []
    for norm in NORMS:
        errors = axis_errors(every[norm].values, every[norm].gaps, every[norm].settings, _tested(tables))
        axes = _along(errors, LEVEL)
        if len(axes) < FEWEST_AXES:
            which = f"{' and '.join(axes)} alone" if axes else "no axis"
            return cannot_tell(f"the gaps differ beyond noise along {which}", remedy)
        worst = max(axes.values(), key=lambda entry: entry[2].error)[2]
        numbers.append(f"{norm} {worst.error:.2f} along {worst.axis} (SE {worst.standard_error:.2f})")
        # As the worst of several axes, and the best of several norms, is looked for, each takes its share of the level.
        strict = _along(errors, 1 - alpha / len(axes))
        fails.append(any(low > 1 - RIGHT for low, _, _ in strict.values()))
        strict = _along(errors, 1 - alpha / len(NORMS))
        predicts.append(all(high < 1 - RIGHT for _, high, _ in strict.values()))
    state: State = "contradicted" if any(predicts) else "confirmed" if all(fails) else "not shown"
    text = f"sign errors along the worst axis of {count_of(len(kept), 'network')}: {', '.join(numbers)}"
    return Outcome(state, f"{text}; {_where(tables)}")


STUDY = Study(
    question="Which measure of complexity tells the networks that generalize better from those that generalize worse?",
    source="Zhang et al. (2017), section 6; Jiang et al. (2020); Dziugaite et al. (2020)",
    chapter="The closing questions",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "No norm of the weights alone predicts the generalization gap along every axis.",
            f"Confirmed if each of {', '.join(NORMS)} orders fewer than {100 * RIGHT:g} % of pairs of networks rightly "
            "along some axis, beyond its error over lines of the grid, where the axes share a level of "
            f"{100 * LEVEL:g} %. Contradicted if one of them orders more than that rightly along every axis, where the "
            "norms share the level. Networks have equal training loss; pairs count by the probability that their gaps "
            f"differ in truth, and axes with at least {FEWEST_LINES} effective lines, of which there must be "
            f"{FEWEST_AXES}.",
            _no_norm,
        ),
    ),
)
