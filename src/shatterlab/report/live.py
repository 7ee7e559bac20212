"""The live section of the page: the trainings that are going on in a store right now."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..figures.timeline import losses_by
from ..results import Asked, Result, Store
from ..row import Row
from ..spec import Spec
from ..studies import STUDIES, asked_of
from .render import Section, duration, heading_of, render

SILENCE = (
    (10, "seconds ago"),
    (60, "in the last minute"),
    (600, "in the last ten minutes"),
    (3_600, "in the last hour"),
)
Begun = tuple[Spec, Sequence[Row], float]
"""A run that has begun: its spec, its rows, and the seconds since its last sign of life."""
MOST_DRAWN = 12
"""The losses of at most this many unfinished runs are drawn, those with the latest epoch first."""
MOST_LISTED = 500
"""At most this many unfinished runs are listed one by one."""


def live_section(store: Store, results: Sequence[Result]) -> Section:
    """The section about what is going on: the whole, the curves of the runs that have begun, then study by study."""
    finished = {result.id: result for result in results}
    order = list(STUDIES)
    asked = sorted(asked_of(store), key=lambda one: order.index(one.study) if one.study in order else len(order))
    going = sorted(store.unfinished(), key=lambda run: run[2])
    lines = [
        {
            "title": f"{one.study}, {one.scale}, {one.data}",
            "done": sum(id in finished for id in one.run_ids) + len(store.measurements(one.measurement_ids)),
            "whole": len(one.run_ids) + len(one.measurement_ids),
        }
        for one in asked
    ]
    charts = {}
    epochs = [
        {
            "run_id": spec.id,
            "run": f"{spec.title}, {spec.id}",
            **row.model_dump(include={"epoch", "online_loss", "online_accuracy"}),
        }
        for spec, rows, _ in going[:MOST_DRAWN]
        for row in rows
    ]
    if epochs:
        charts["now-losses"] = losses_by(
            "run",
            pl.DataFrame(epochs),
            title="Training loss of the runs that have begun",
            subtitle=f"{min(len(going), MOST_DRAWN)} of {len(going)} runs",
        ).to_dict()
    return render(
        "now",
        "live",
        charts=charts,
        asked=lines,
        whole=_whole(store, asked, finished, going),
        going=[_going(*run) for run in going[:MOST_LISTED]],
        figures=[{"id": id, "heading": heading_of(spec)} for id, spec in charts.items()],
    )


def _whole(
    store: Store,
    asked: Sequence[Asked],
    finished: Mapping[str, Result],
    going: Sequence[tuple[Spec, Sequence[Row], float]],
) -> dict[str, Any]:
    """How many of all different jobs are done, and about how long the others take, by what the done ones took."""
    taken: dict[str, float | None] = {}  # seconds by id, None of what is not finished
    kind: dict[str, str] = {}
    for one in asked:
        for id in one.run_ids:
            taken[id] = finished[id].seconds if id in finished else None
        measured = {done.id: done.seconds for done in store.measurements(one.measurement_ids)}
        taken |= {id: measured.get(id) for id in one.measurement_ids}
        kind |= dict.fromkeys([*one.run_ids, *one.measurement_ids], one.study)
    of_kind: dict[str, list[float]] = {}
    for id, seconds in taken.items():
        if seconds is not None:
            of_kind.setdefault(kind[id], []).append(seconds)
    known = [seconds for seconds in taken.values() if seconds is not None]
    missing = [id for id, seconds in taken.items() if seconds is None]
    spent = {spec.id: sum(row.seconds + row.evaluation_seconds for row in rows) for spec, rows, _ in going}
    usual = {study: sum(found) / len(found) for study, found in of_kind.items()}
    everywhere = sum(known) / len(known) if known else 0.0
    left = sum(max(0.0, usual.get(kind[id], everywhere) - spent.get(id, 0.0)) for id in missing)
    at_work = max(1, sum(silent < SILENCE[1][0] for _, _, silent in going))
    return {
        "done": len(known),
        "whole": len(taken),
        "left": f"about {duration(left / at_work)} left" if missing and known else "",
    }


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
        # The time is told in coarse steps, so that the page does not change while nothing happens.
        "seen": next((words for limit, words in SILENCE if silent < limit), "hours ago, perhaps stopped"),
    }
