"""The chapter about a user's networks: whether each memorizes, judged from single trainings and runs on own things."""

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from ..faces import departures
from ..figures.timeline import losses_by, memorization_timeline
from ..results import Result, Store
from ..spec import Spec
from ..studies import tables
from .memorization import State, condition_of, hardness, judge
from .render import Section, render

MOST_GROUPS = 24
"""At most this many groups get a section of their own, the first in the order of their names."""
BESIDE_THE_GROUP = ("seed", "data_seed", "training_seed", "corruption", "amount", "label_noise", "epochs", "stop",
                    "evaluate_every", "n_test", "n")  # fmt: skip
"""Runs that differ in these dials alone are compared with each other."""

IDENTITY = ("model", "data", "model_version", "data_version")
"""These dials say what a group is about."""


def own_networks(results: Sequence[Result], asked_ids: Iterable[str]) -> list[list[Result]]:
    """Groups the user's own runs, so that those of a group differ in condition, seed and epochs alone.

    Args:
        results: the finished runs.
        asked_ids: ids of runs that belong to a study; of these only those on the user's own model or data count.
    """
    asked = set(asked_ids)
    own = [r for r in results if r.spec.model_version or r.spec.data_version or r.id not in asked]
    groups: dict[str, list[Result]] = {}
    for run in own:
        groups.setdefault(_group(run), []).append(run)
    return sorted(groups.values(), key=lambda runs: (runs[0].spec.model, runs[0].spec.data, runs[0].n))


def network_section(store: Store, runs: Sequence[Result]) -> Section:
    """The section of one group: the answer, what is missing, loss curves and the timeline of memorization."""
    found = tables(store, runs)
    losses = dict(found.epochs.group_by("run_id").agg("online_loss").iter_rows())
    answer = judge([run | {"losses": losses[run["run_id"]]} for run in found.runs.to_dicts()])
    spec = runs[0].spec
    versions = ", ".join(
        f"{what} {version[:8]}"
        for what, version in (("model", spec.model_version), ("data", spec.data_version))
        if version
    )
    id = "your-networks-" + hashlib.sha256(_group(runs[0]).encode()).hexdigest()[:8]
    conditions = {run["run_id"]: condition_of(run) for run in found.runs.to_dicts()}
    epochs = found.epochs.with_columns(condition=pl.col("run_id").replace_strict(conditions))
    epochs = epochs.sort("amount", "condition", maintain_order=True)
    seeds = len({run.spec.seed for run in runs})
    subtitle = f"{spec.data}, n = {runs[0].n:,}, {seeds} seed{'s' * (seeds > 1)}"
    if len(set(conditions.values())) == 1:  # which no legend tells
        subtitle = f"{conditions[runs[0].id]}, {subtitle}"
    charts = {f"{id}-loss": losses_by("condition", epochs, title=f"Training loss of {spec.model}", subtitle=subtitle)}
    if set(conditions.values()) != {"true-labels"}:
        title = f"What {spec.model} has memorized, and what it gets right"
        charts[f"{id}-timeline"] = memorization_timeline(epochs, title=title, subtitle=subtitle)
    last = epochs.group_by("run_id", maintain_order=True).last().group_by("condition", maintain_order=True)
    losses_at_end = [
        f"{condition} {loss:.3f} (mean of {count} run{'s' * (count > 1)})"
        for condition, loss, count in last.agg(pl.col("online_loss").mean(), pl.len().alias("count")).iter_rows()
    ]
    texts = {
        f"{id}-loss": f"Loss in the last epoch: {'; '.join(losses_at_end)}.",
        f"{id}-timeline": " ".join(answer.sentences),
    }
    return render(
        id,
        "own_network",
        charts={name: chart.to_dict() for name, chart in charts.items()},
        title=f"{spec.model} on {spec.data}, n = {runs[0].n:,}" + (f" ({versions})" if versions else ""),
        dials={k: v for k, v in departures(spec).items() if k not in (*BESIDE_THE_GROUP, *IDENTITY)},
        parameters=runs[0].parameters,
        answer=answer,
        missing=missing(runs, answer.state, store.path),
        figures=[{"id": name, "title": chart.title.text, "subtitle": chart.title.subtitle, "text": texts[name]}
                 for name, chart in charts.items()],
    )  # fmt: skip


def missing(runs: Sequence[Result], state: State, store: Path) -> dict[str, str]:
    """What an answer lacks, and the command that would add it."""
    there = {condition_of(run.summary()) for run in runs}
    spec, command = runs[0].spec, partial(_command, runs[0], store)
    lacking = {}
    if state in ("still falling", "undertrained"):
        of = [run for run in runs if (condition_of(run.summary()) == "true-labels") == (state == "undertrained")]
        longest = min(of, key=lambda run: (hardness(run.summary()), -run.spec.epochs, run.spec.seed)).spec
        lacking["a longer training"] = command(longest, longest.corruption, epochs=2 * longest.epochs)
    if "true-labels" not in there:
        lacking["true labels, to tell memorizing from learning"] = command(spec, "true-labels")
    if "random-labels" not in there:
        lacking["random labels"] = command(spec, "random-labels")
    if not any(name.startswith("partial-labels") for name in there):
        lacking["labels of which half are redrawn, to count those apart"] = command(spec, "partial-labels")
    return lacking


def _command(run: Result, store: Path, spec: Spec, corruption: str, **changes: int) -> str:
    """The command that trains like a spec under a condition; in Python where a network or data have no address."""
    dials: dict[str, Any] = departures(spec) | {"corruption": corruption} | changes
    if corruption != spec.corruption:
        dials.pop("amount", None)
    things = {
        name: getattr(run.provenance, address)
        for name, address in (("model", "model_reference"), ("data", "data_address"))
        if dials.pop(f"{name}_version", None)
    }
    if None in things.values():
        named = {name: value for name, value in dials.items() if name not in things}
        arguments = ", ".join(f"{name}={value!r}" for name, value in named.items())
        return f"sl.run(sl.make_spec({arguments}), {str(store)!r}, {', '.join(f'{name}=...' for name in things)})"
    words = ["shatterlab", "train", "--store", str(store)]
    for name, value in (dials | things).items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)


def _group(result: Result) -> str:
    """A key that is equal for runs that are compared; own models and data enter by their version, not their name."""
    spec = result.spec
    names = {name for name in ("model", "data") if getattr(spec, f"{name}_version")}
    return f"{result.n} {spec.model_dump_json(exclude={*BESIDE_THE_GROUP, *names})}"
