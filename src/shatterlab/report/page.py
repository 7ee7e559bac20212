"""Fills the templates. All text reaches them through jinja's escaping, all data through JSON."""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ..errors import ShatterlabError
from ..figures.curves import losses_now
from ..paper import targets_for
from ..results import Asked, Measurement, Provenance, Result, Store
from ..results.table import RUN_ORDER, run_table
from ..row import Row
from ..spec import ASSUMPTIONS, PAPER_TRAINING_SIZE, Spec
from ..studies import CHAPTERS, STUDIES, TAKEAWAYS, Claim, Outcome, Study, asked_of, at_full_size, found_of, tables
from .library import chart_library

SILENCE = (
    (10, "seconds ago"),
    (60, "in the last minute"),
    (600, "in the last ten minutes"),
    (3_600, "in the last hour"),
)
MOST_DRAWN = 12
"""Runs that have begun whose losses are drawn, the liveliest first."""
MOST_LISTED = 500
"""Runs listed one by one; `shatterlab show --csv` has all."""


@dataclass(frozen=True)
class Section:
    """A part of the page that is replaced as a whole when it changes.

    Args:
        id: of its HTML element; starts with that of its chapter.
        html: the element.
        charts: id of a figure in it to the Vega-Lite definition.
    """

    id: str
    html: str
    charts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """What there is of one thing that was asked of a study."""

    asked: Asked
    study: Study
    runs: list[Result]
    measured: list[Measurement]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal exactly when the section would be."""
        return (
            self.asked.model_dump_json(),
            tuple(run.id for run in self.runs),
            tuple(done.id for done in self.measured),
        )

    @property
    def id(self) -> str:
        """For HTML. The data may be a path, and so may the model, so they enter as a hash."""
        data = hashlib.sha256((self.asked.data + (self.asked.model or "")).encode()).hexdigest()[:6]
        return f"{self.asked.study}-{self.asked.scale}-{data}"

    @property
    def missing(self) -> int:
        """Runs and measurements that were asked for and are not finished."""
        return len(self.asked.run_ids) + len(self.asked.measurement_ids) - len(self.runs) - len(self.measured)

    @property
    def scaled(self) -> bool:
        """Whether this is smaller than the paper's. What is computed alike at every scale is not."""
        if self.runs:
            sizes = [run.n + run.spec.n_validation for run in self.runs]
            return self.asked.scale != "paper" or any(size != PAPER_TRAINING_SIZE for size in sizes)
        return not at_full_size(self.study, self.asked)

    @property
    def data(self) -> str:
        """What it was run on, for people: nothing, for what needs no data."""
        names = {str(done.settings["data"]) for done in self.measured if "data" in done.settings}
        return self.asked.data if self.runs else " and ".join(sorted(names))


def write(store: Store, results: Sequence[Result], out: Path) -> Path:
    """Writes the page about the finished runs of a store.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        out: the file, replaced if it exists.

    Returns:
        `out`.

    Raises:
        ShatterlabError: nothing to report, or the file cannot be written.
    """
    if not results and not any(found_of(store, asked, [])[1] for asked in asked_of(store)):
        raise ShatterlabError(
            f"the store {store.path} holds no finished runs; start with 'shatterlab run learning-curves'."
        )
    html = page(sections(store, results))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise ShatterlabError(f"cannot write {out} ({error.strerror}); name another file with --out.") from None
    return out


def page(parts: Sequence[Section], *, live: bool = False) -> str:
    """The whole page; `live` makes it ask its server for changes, otherwise it asks nobody for anything."""
    return _environment().get_template("page.html.jinja").render(
        parts=[Markup(part.html) for part in parts],
        chapters=[chapter for chapter in CHAPTERS if any(chapter == study.chapter for study in STUDIES.values())],
        slug=_slug,
        charts=_json({id: spec for part in parts for id, spec in part.charts.items()}),
        library=Markup(chart_library()),
        live=live,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )  # fmt: skip


def sections(store: Store, results: Sequence[Result], kept: dict[Any, Any] | None = None) -> list[Section]:
    """The parts of the page, in order.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        kept: memory between calls: what has not changed is not made again.
    """
    kept = {} if kept is None else kept
    shown = [
        Shown(asked, STUDIES[asked.study], *found_of(store, asked, results))
        for asked in asked_of(store)
        if asked.study in STUDIES
    ]
    shown = [one for one in shown if one.runs or one.measured]
    made = {}
    for one in shown:
        if one.key not in kept:
            found = tables(store, one.runs, one.measured)
            kept[one.key] = (_section(one, found), {claim: _checked(claim, found, one) for claim in one.study.claims})
        made[one.id] = kept[one.key]
    outcomes = {id: checked for id, (_, checked) in made.items()}
    board = _scoreboard(shown, outcomes)
    parts = [_render("scoreboard", "scoreboard", board=board, counts=_counts(board), fully=not any_scaled(shown))]
    for chapter, question in CHAPTERS.items():
        names = [name for name, study in STUDIES.items() if study.chapter == chapter]
        if not names:
            continue
        here = {name: [one for one in shown if one.asked.study == name] for name in names}
        missing = [(name, STUDIES[name].question) for name in names if not here[name]]
        parts.append(_render(_slug(chapter), "chapter", title=chapter, question=question, missing=missing))
        parts += [made[one.id][0] for name in names for one in here[name]]
    parts.append(_render("takeaways", "takeaways", takeaways=_takeaways(board)))
    parts.append(
        _render(
            "runs",
            "runs",
            runs=run_table(results).sort(*RUN_ORDER).head(MOST_LISTED).to_dicts() if results else [],
            count=len(results),
        )
    )
    parts.append(_render("assumptions", "assumptions", assumptions=ASSUMPTIONS))
    return parts


def _checked(claim: Claim, found: Any, one: Shown) -> Outcome | None:
    """What the runs say of a claim. Runs that are missing may still contradict it, so that all are there before it
    is confirmed.
    """
    outcome = claim.check(found)
    return None if outcome and outcome.confirmed and one.missing else outcome


def live_section(store: Store, results: Sequence[Result]) -> Section:
    """What is going on in the store right now: progress of each study, and runs that have begun."""
    asked = [
        {
            "title": f"{one.study}, {one.scale}, {one.data}",
            "done": sum(len(part) for part in found_of(store, one, results)),
            "whole": len(one.run_ids) + len(one.measurement_ids),
        }
        for one in asked_of(store)
    ]
    going = sorted(store.unfinished(), key=lambda run: run[2])
    charts = {}
    epochs = [
        {"run": f"{spec.title}, {spec.id}", **row.model_dump(include={"epoch", "online_loss", "online_accuracy"})}
        for spec, rows, _ in going[:MOST_DRAWN]
        for row in rows
    ]
    if epochs:
        charts["now-losses"] = losses_now(
            pl.DataFrame(epochs),
            title="Training loss of the runs that have begun",
            subtitle=f"{min(len(going), MOST_DRAWN)} of {len(going)} runs",
        ).to_dict()
    return _render(
        "now",
        "live",
        charts=charts,
        asked=asked,
        going=[_going(*run) for run in going[:MOST_LISTED]],
        figures=[{"id": id, "heading": _heading(spec)} for id, spec in charts.items()],
    )


def _going(spec: Spec, rows: Sequence[Row], silent: float) -> dict[str, Any]:
    last = rows[-1] if rows else None
    tested = [row.test_accuracy for row in rows if row.test_accuracy is not None]
    return {
        "title": spec.title,
        "data": spec.data,
        "epoch": last.epoch if last else 0,
        "epochs": spec.epochs,
        "loss": f"{last.online_loss:.3f}" if last else "—",
        "accuracy": last.online_accuracy if last else None,
        "test": tested[-1] if tested else None,
        # In steps, so that the page does not change while nothing happens.
        "seen": next((words for limit, words in SILENCE if silent < limit), "hours ago, perhaps stopped"),
    }


def any_scaled(shown: Sequence[Shown]) -> bool:
    """Whether any of them is smaller than the paper's."""
    return any(one.scaled for one in shown)


def _section(one: Shown, found: Any) -> Section:
    asked, study = one.asked, one.study
    rest = ["--model", asked.model] if asked.model else []
    rest += ["--seeds", str(asked.seeds)] if asked.seeds > 1 else []
    verdicts = study.verdict(found)
    charts = {f"{one.id}-{name}": chart.to_dict() for name, chart in study.draw(found).items()}
    return _render(
        one.id,
        "study",
        charts=charts,
        study=study,
        asked=asked,
        scaled=one.scaled,
        data=one.data,
        command=shlex.join(["shatterlab", "run", asked.study, "--scale", asked.scale, "--data", asked.data, *rest]),
        missing=one.missing,
        whole=len(asked.run_ids) + len(asked.measurement_ids),
        verdicts=verdicts,
        figures=[
            {
                "id": id,
                "heading": _heading(spec),
                "text": ". ".join([*_heading(spec), *(verdicts[:1] if i == 0 else [])]),
            }
            for i, (id, spec) in enumerate(charts.items())
        ],
        table=study.table(found) if study.table else [],
        comparisons=_comparisons(one.runs, found),
        assumptions={name: ASSUMPTIONS[name] for name in study.assumptions},
        provenance=_provenance(one.runs, one.measured),
    )


def _heading(spec: Mapping[str, Any]) -> tuple[str, str]:
    """Title and subtitle of a chart."""
    title = spec.get("title", "")
    if isinstance(title, str):
        return title, ""
    subtitle = title.get("subtitle", "")
    return title.get("text", ""), subtitle if isinstance(subtitle, str) else " ".join(subtitle)


def _scoreboard(shown: Sequence[Shown], outcomes: Mapping[str, Mapping[Claim, Outcome | None]]) -> list[dict[str, Any]]:
    """A line a claim: what the largest runs say of it, and then the others."""
    return [
        {
            "study": name,
            "statement": claim.statement,
            "rule": claim.rule,
            "outcomes": [
                {"one": one, "outcome": outcome, "scaled": one.scaled}
                for one in shown
                if one.asked.study == name and not one.asked.model and (outcome := outcomes[one.id][claim])
            ],
            "asked": any(one.asked.study == name for one in shown),
        }
        for name, study in STUDIES.items()
        for claim in study.claims
    ]


def state(line: Mapping[str, Any]) -> str:
    """What the page says of a claim: the largest runs decide."""
    if line["outcomes"]:
        return "confirmed" if line["outcomes"][0]["outcome"].confirmed else "not confirmed"
    return "cannot tell" if line["asked"] else "not yet run here"


def _counts(board: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = [state(line) for line in board]
    return {name: states.count(name) for name in ("confirmed", "not confirmed", "cannot tell", "not yet run here")}


def _takeaways(board: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"sentence": sentence, "studies": studies, **_counts([line for line in board if line["study"] in studies])}
        for sentence, studies in TAKEAWAYS.items()
    ]


def _comparisons(results: Sequence[Result], found: Any) -> list[dict[str, Any]]:
    """The paper's number beside ours, for runs whose setting matches in every field that matters."""
    compared = []
    for result, line in zip(results, found.runs.iter_rows(named=True), strict=True):
        for target in targets_for(line):
            measured = line[target.quantity]
            if measured is None:
                continue
            compared.append(
                {
                    "run": result.spec.title,
                    "quantity": target.quantity.replace("_", " "),
                    "paper": target.value,
                    "measured": measured,
                    "share": target.value <= 1,
                    "agrees": abs(measured - target.value) <= target.tolerance,
                    "tolerance": target.tolerance,
                    "source": f"{target.source} [{target.certainty}]",
                }
            )
    return compared


def _provenance(runs: Sequence[Result], measured: Sequence[Measurement]) -> dict[str, list[str]]:
    """Enough to tell why somebody else's numbers might differ: heading to lines."""
    lines: dict[str, list[str]] = {}
    if runs:
        lines["training examples"] = [_range([run.n for run in runs])]
        lines["test examples"] = [_range([run.n_test for run in runs])]
        lines["seeds"] = [", ".join(str(seed) for seed in sorted({run.spec.seed for run in runs}))]
        lines["epochs"] = [_range([run.last.epoch for run in runs])]
    elif measured:
        for name, heading in (("n", "training examples"), ("seed", "seeds")):
            values = {m.settings[name] for m in measured if isinstance(m.settings.get(name), int)}
            if values:
                lines[heading] = [", ".join(f"{value:,}" for value in sorted(values))]
    seconds = sum(run.seconds for run in runs) + sum(done.seconds for done in measured)
    lines["time"] = [f"{seconds:,.0f} s in all"]
    origins = [*(run.provenance for run in runs), *(done.provenance for done in measured)]
    lines["hardware"] = sorted(
        {f"{p.hardware}, {p.device}" + (f", {p.threads} threads" if p.threads else "") for p in origins}
    )
    lines["commit"] = sorted({origin.commit or "unknown" for origin in origins})
    lines["versions"] = sorted({", ".join(f"{k} {v}" for k, v in origin.versions.items()) for origin in origins})
    lines["data, SHA-256"] = sorted(
        {
            f"{run.spec.data}, n = {run.n:,}, seed {run.spec.seed}, {run.spec.corruption}: {_prints(run.provenance)}"
            for run in runs
            if run.spec.corruption == "true-labels"
        }
        | {
            f"{done.settings['data']}, whole: {_prints(done.provenance)}"
            for done in measured
            if done.provenance.train_fingerprint
        }
    )
    return {heading: found for heading, found in lines.items() if found}


def _prints(origin: Provenance) -> str:
    return f"train {(origin.train_fingerprint or '')[:16]}, test {(origin.test_fingerprint or '')[:16]}"


def _range(values: Sequence[int]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("shatterlab", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: "—" if share is None else f"{100 * share:.2f}"
    environment.filters["count"] = lambda number: "—" if number is None else f"{number:,}"
    environment.filters["number_like"] = lambda cell: not isinstance(cell, str) or cell[:1] in "0123456789+-—"
    environment.globals["state"] = state
    return environment


def _render(id: str, template: str, charts: Mapping[str, Any] | None = None, **values: Any) -> Section:
    html = _environment().get_template(f"{template}.html.jinja").render(id=id, **values)
    return Section(id, html, charts or {})


def _json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no `</script>` or `<!--` can come out of it."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
