"""The live section of the page: the trainings that are going on in a store right now."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ..figures.timeline import losses_by
from ..results import Result, Store
from ..row import Row
from ..spec import Spec
from ..studies import asked_of
from .render import Section, heading_of, render

SILENCE = (
    (10, "seconds ago"),
    (60, "in the last minute"),
    (600, "in the last ten minutes"),
    (3_600, "in the last hour"),
)
MOST_DRAWN = 12
"""The losses of at most this many unfinished runs are drawn, those with the latest epoch first."""
MOST_LISTED = 500
"""At most this many unfinished runs are listed one by one."""


def live_section(store: Store, results: Sequence[Result]) -> Section:
    """The section about the progress of each study and about the runs that have begun and not ended."""
    finished = {result.id for result in results}
    asked = [
        {
            "title": f"{one.study}, {one.scale}, {one.data}",
            "done": sum(id in finished for id in one.run_ids)
            + sum(store.measured(id) is not None for id in one.measurement_ids),
            "whole": len(one.run_ids) + len(one.measurement_ids),
        }
        for one in asked_of(store)
    ]
    going = sorted(store.unfinished(), key=lambda run: run[2])
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
        asked=asked,
        going=[_going(*run) for run in going[:MOST_LISTED]],
        figures=[{"id": id, "heading": heading_of(spec)} for id, spec in charts.items()],
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
        # The time is told in coarse steps, so that the page does not change while nothing happens.
        "seen": next((words for limit, words in SILENCE if silent < limit), "hours ago, perhaps stopped"),
    }
