"""Fills the template. All text reaches it through jinja's escaping, all numbers through JSON."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from ..errors import ShatterlabError
from ..paper import targets_for
from ..results import Asked, Measurement, Result, Store
from ..results.table import RUN_ORDER
from ..spec import ASSUMPTIONS, PAPER_TRAINING_SIZE
from ..studies import STUDIES, Tables, found_of, tables
from .library import chart_library


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
    found = [(asked, *found_of(store, asked, results)) for asked in store.asked()]
    if not results and not any(measured for _, _, measured in found):
        raise ShatterlabError(
            f"the store {store.path} holds no finished runs; start with 'shatterlab run learning-curves'."
        )
    sections = [
        section
        for asked, runs, measured in found
        if (runs or measured) and (section := _section(asked, runs, measured, tables(store, runs, measured)))
    ]
    everything = tables(store, results)
    environment = Environment(loader=PackageLoader("shatterlab", "report"), autoescape=True)
    environment.filters["percent"] = lambda share: "—" if share is None else f"{100 * share:.2f}"
    environment.filters["count"] = lambda number: "—" if number is None else f"{number:,}"
    html = environment.get_template("page.html.jinja").render(
        sections=sections,
        runs=everything.runs.sort(*RUN_ORDER).to_dicts() if results else [],
        comparisons=_comparisons(results, everything),
        fingerprints=_fingerprints(results),
        machines=_machines([*results], [m for _, _, done in found for m in done]),
        assumptions=ASSUMPTIONS,
        charts=_json({chart["id"]: chart["spec"] for section in sections for chart in section["charts"]}),
        library=Markup(chart_library()) if sections else "",
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise ShatterlabError(f"cannot write {out} ({error.strerror}); name another file with --out.") from None
    return out


def _section(
    asked: Asked, results: Sequence[Result], measured: Sequence[Measurement], found: Tables
) -> dict[str, Any] | None:
    study = STUDIES.get(asked.study)
    if study is None:
        return None
    seeds = f" --seeds {asked.seeds}" if asked.seeds > 1 else ""
    return {
        "title": asked.study,
        "question": study.question,
        "source": study.source,
        "scale": asked.scale,
        "seconds": sum(result.seconds for result in results) + sum(done.seconds for done in measured),
        "at_paper_size": all(result.n + result.spec.n_validation == PAPER_TRAINING_SIZE for result in results)
        and asked.scale == "paper",
        "data": asked.data,
        "command": f"shatterlab run {asked.study} --scale {asked.scale} --data {asked.data}{seeds}",
        "missing": len(asked.run_ids) + len(asked.measurement_ids) - len(results) - len(measured),
        "verdicts": study.verdict(found),
        "table": study.table(found) if study.table else [],
        "charts": [
            {"id": f"{asked.study}-{asked.scale}-{asked.data}-{name}", "name": name, "spec": chart.to_dict()}
            for name, chart in study.draw(found).items()
        ],
    }


def _comparisons(results: Sequence[Result], found: Tables) -> list[dict[str, Any]]:
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


def _fingerprints(results: Sequence[Result]) -> list[str]:
    """What the data were before training: equal digits, equal tensors."""
    return sorted(
        {
            f"{result.spec.data}, n = {result.n:,}, {result.n_test:,} test and {result.spec.n_validation:,} validation "
            f"examples, seed {result.spec.seed}: train {p.train_fingerprint[:16]}, "
            f"test {p.test_fingerprint[:16]}"
            for result in results
            if result.spec.corruption == "true-labels"
            for p in (result.provenance,)
        }
    )


def _machines(results: Sequence[Result], measured: Sequence[Measurement]) -> list[str]:
    trained = [
        (f"{p.hardware}, {p.device}, {p.threads} threads", p.versions, p.commit)
        for p in (result.provenance for result in results)
    ]
    computed = [(m.hardware, m.versions, m.commit) for m in measured]
    return sorted(
        {
            f"{where}; {', '.join(f'{name} {version}' for name, version in versions.items())}; "
            f"commit {commit or 'unknown'}"
            for where, versions, commit in (*trained, *computed)
        }
    )


def _json(value: Any) -> Markup:
    """JSON that may stand inside a script element: no `</script>` or `<!--` can come out of it."""
    text = json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)
