"""The page: its parts in their order, and the file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..errors import ShatterlabError
from ..results import Result, Store
from ..results.table import RUN_ORDER, run_table
from ..spec import ASSUMPTIONS
from ..studies import CHAPTERS, STUDIES, found_of, tables
from .library import chart_library
from .render import Section, as_json, environment, render, slug
from .scoreboard import checked, counts, scoreboard, takeaways
from .study import Shown, study_section

MOST_LISTED = 500
"""Runs listed one by one; `shatterlab show --csv` has all."""


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
    if not results and not any(found_of(store, asked, [])[1] for asked in store.asked()):
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
    return environment().get_template("page.html.jinja").render(
        parts=[Markup(part.html) for part in parts],
        chapters=[chapter for chapter in CHAPTERS if any(chapter == study.chapter for study in STUDIES.values())],
        slug=slug,
        charts=as_json({id: spec for part in parts for id, spec in part.charts.items()}),
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
        for asked in store.asked()
        if asked.study in STUDIES
    ]
    shown = [one for one in shown if one.runs or one.measured]
    made = {}
    for one in shown:
        if one.key not in kept:
            found = tables(store, one.runs, one.measured)
            kept[one.key] = (
                study_section(one, found),
                {claim: checked(claim, found, one) for claim in one.study.claims},
            )
        made[one.id] = kept[one.key]
    outcomes = {id: checked for id, (_, checked) in made.items()}
    board = scoreboard(shown, outcomes)
    parts = [
        render(
            "scoreboard", "scoreboard", board=board, counts=counts(board), fully=not any(one.scaled for one in shown)
        )
    ]
    for chapter, question in CHAPTERS.items():
        names = [name for name, study in STUDIES.items() if study.chapter == chapter]
        if not names:
            continue
        here = {name: [one for one in shown if one.asked.study == name] for name in names}
        missing = [(name, STUDIES[name].question) for name in names if not here[name]]
        parts.append(render(slug(chapter), "chapter", title=chapter, question=question, missing=missing))
        parts += [made[one.id][0] for name in names for one in here[name]]
    parts.append(render("takeaways", "takeaways", takeaways=takeaways(board)))
    parts.append(
        render(
            "runs",
            "runs",
            runs=run_table(results).sort(*RUN_ORDER).head(MOST_LISTED).to_dicts() if results else [],
            count=len(results),
        )
    )
    parts.append(render("assumptions", "assumptions", assumptions=ASSUMPTIONS))
    return parts
