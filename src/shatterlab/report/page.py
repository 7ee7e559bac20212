"""The page: its sections in their order, and the file."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from operator import is_
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from ..assumptions import ASSUMPTIONS
from ..errors import ShatterlabError
from ..files import write_whole
from ..results import Diverged, Measurement, Reader, Result, Store
from ..results.table import RUN_ORDER, run_table
from ..studies import CHAPTERS, STUDIES, Claim, Outcome, asked_of, found_of, judge, tables, without_misfits
from .audits import CHAPTER, audit_sections, audits_of
from .explore import explore_script, explore_section
from .glossary import GLOSSARY
from .lecture import lecture_section
from .library import chart_library
from .own_networks import MOST_GROUPS, network_section, own_networks
from .render import Section, as_json, environment, render, slug
from .scoreboard import counts, scoreboard, takeaways
from .study import Shown, study_section

T = TypeVar("T")

MOST_LEFT_OUT = 20
"""At most this many damaged files, and as many diverged runs, are listed one by one."""
MOST_LISTED = 500
"""At most this many runs are listed one by one; `shatterlab show --csv` has all."""


def write(store: Store, results: Sequence[Result], out: Path) -> Path:
    """Writes the page about the finished runs of a store.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        out: the file, replaced if it exists.

    Returns:
        `out`.

    Raises:
        ShatterlabError: there is nothing to report, or the file cannot be written.
    """
    reader = Reader.of(store)
    there = results or any(found_of(reader, asked, [])[1] for asked in asked_of(reader)) or audits_of(reader)
    if not (there or store.unreadable):
        raise ShatterlabError(
            f"the store {store.address} holds no finished runs; start with 'shatterlab run learning-curves'."
        )
    html = page(sections(reader, results))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, html, settled=False)
    except OSError as error:
        raise ShatterlabError(f"cannot write {out} ({error.strerror}); name another file with --out.") from None
    return out


def page(parts: Sequence[Section], *, live: bool = False) -> str:
    """The whole page; with `live` it asks its server for changes, otherwise it needs no connection."""
    return environment().get_template("page.html.jinja").render(
        parts=[Markup(part.html) for part in parts],
        chapters=[chapter for chapter in CHAPTERS if any(chapter == study.chapter for study in STUDIES.values())],
        slug=slug,
        charts=as_json({id: spec for part in parts for id, spec in part.charts.items()}),
        library=Markup(chart_library()),
        live=live,
        explore_script=explore_script(),
        own=any(part.id == "your-networks" for part in parts),
        audits=any(part.id == CHAPTER for part in parts),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )  # fmt: skip


def sections(store: Store, results: Sequence[Result], kept: dict[str, Any] | None = None) -> list[Section]:
    """The sections of the page, in order.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        kept: a memory between calls, so that sections that have not changed are not made again.
    """
    kept = {} if kept is None else kept
    asked, by_id = asked_of(store), {result.id: result for result in results}
    shown = [
        Shown(
            one,
            STUDIES[one.study],
            [by_id[id] for id in one.run_ids if id in by_id],
            store.measurements(one.measurement_ids),
        )
        for one in asked
        if one.study in STUDIES
    ]
    shown = [one for one in shown if one.runs or one.measured]
    made = {}
    for one in shown:

        def judged(measured: Sequence[Measurement], one: Shown = one) -> tuple[Section, dict[Claim, Outcome]]:
            some = replace(one, measured=[*measured])
            found = tables(store, some.runs, some.measured)
            return study_section(some, found), judge(some.study, some.asked, found, some.missing)

        def fitting(one: Shown = one) -> tuple[Section, dict[Claim, Outcome]] | None:
            return without_misfits(store, one.asked, one.measured, judged)

        section = _remembered(kept, one.asked.model_dump_json(), [*one.runs, *one.measured], fitting)
        if section is not None:
            made[one.id] = section
    shown = [one for one in shown if one.id in made]
    outcomes = {id: checked for id, (_, checked) in made.items()}
    board = scoreboard(shown, outcomes)
    fully = not any(one.scaled for one in shown)
    parts = _own_networks(store, results, {id for one in asked for id in one.run_ids}, kept)
    parts += audit_sections(store)
    parts.append(render("scoreboard", "scoreboard", board=board, counts=counts(board), fully=fully))
    for chapter, question in CHAPTERS.items():
        names = [name for name, study in STUDIES.items() if study.chapter == chapter]
        if not names:
            continue
        here = {name: [one for one in shown if one.asked.study == name] for name in names}
        missing = [(name, STUDIES[name].question) for name in names if not here[name]]
        parts.append(render(slug(chapter), "chapter", title=chapter, question=question, missing=missing))
        parts += [made[one.id][0] for name in names for one in here[name]]
    parts.append(explore_section())
    parts.append(render("takeaways", "takeaways", takeaways=takeaways(board)))
    parts.append(_remembered(kept, "runs", results, lambda: _runs(results)))
    parts.append(render("assumptions", "assumptions", assumptions=ASSUMPTIONS, glossary=GLOSSARY))
    store.unfinished()  # which notes those whose specs cannot be read
    gone = store.diverged_runs()
    if store.unreadable or gone:
        parts.insert(0, _left_out(store.unreadable, gone))
    parts.append(lecture_section(shown, outcomes, {id: spec for one in parts for id, spec in one.charts.items()}))
    return parts


def _left_out(errors: Sequence[ShatterlabError], gone: Sequence[Diverged]) -> Section:
    """The files that cannot be read and the runs that have diverged, which all other sections leave out."""
    return render(
        "left-out",
        "left_out",
        files=[str(error) for error in errors[:MOST_LEFT_OUT]],
        more_files=max(0, len(errors) - MOST_LEFT_OUT),
        diverged=[str(one) for one in gone[:MOST_LEFT_OUT]],
        more_diverged=max(0, len(gone) - MOST_LEFT_OUT),
    )


def _own_networks(store: Store, results: Sequence[Result], asked: set[str], kept: dict[str, Any]) -> list[Section]:
    """The sections of the chapter about the user's own networks; none where there are no such networks."""
    groups = own_networks(results, asked)
    if not groups:
        return []
    question = "Does your network memorize, and what does it get right on data it has not seen?"
    if len(groups) > MOST_GROUPS:
        question += f" These are the first {MOST_GROUPS} of {len(groups)} groups of runs."
    chapter = render("your-networks", "chapter", title="Your networks", question=question, missing=[])
    return [chapter] + [
        _remembered(kept, f"own {runs[0].id}", runs, partial(network_section, store, runs))
        for runs in groups[:MOST_GROUPS]
    ]


def _runs(results: Sequence[Result]) -> Section:
    lines = run_table(results).sort(*RUN_ORDER).head(MOST_LISTED).to_dicts() if results else []
    return render("runs", "runs", runs=lines, count=len(results))


def _remembered(kept: dict[str, tuple[Sequence[Any], Any]], name: str, of: Sequence[Any], make: Callable[[], T]) -> T:
    """Returns what `make` made under this name before, if it was made of the very same objects; else makes it anew.

    A `Reader` hands out the same object until its file changes, so that identity means that nothing has changed.
    """
    before = kept.get(name)
    if before is None or len(before[0]) != len(of) or not all(map(is_, before[0], of)):
        before = kept[name] = of, make()
    section: T = before[1]
    return section
