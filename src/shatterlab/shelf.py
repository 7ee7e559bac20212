"""`shatterlab.Store`: a store with its report and its charts, as one meets it in Python."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ShatterlabError
from .results import Store as Kept

if TYPE_CHECKING:
    from .report.inline import Charts, Page
    from .results import Measurement, Result
    from .studies import Study


class Store(Kept):
    """A folder of runs, with its report and its charts.

    Args:
        path: the folder, which is made when the first run is written.
    """

    def report(self, out: Path | str | None = None) -> "Page":
        """Writes the page about the finished runs; a notebook shows it, without a connection.

        Args:
            out: the file; by default `report.html` in the store.

        Raises:
            ShatterlabError: there is nothing to report, a result is damaged, or the file cannot be written.
        """
        from .report import write_report
        from .report.inline import Page

        return Page(write_report(self, out))

    def charts(self, study: str | None = None) -> "Charts":
        """The charts of a study, or of all that have been run, as altair charts by name; a notebook shows them.

        Raises:
            ShatterlabError: there is no such study, or none of its runs is finished.
        """
        from .report.inline import Charts, named
        from .studies import STUDIES, asked_of, chosen, found_of, without_misfits

        names = STUDIES if study is None else chosen(study)
        results = self._results_or_warn()
        found = Charts()
        for asked in asked_of(self):
            runs, measured = found_of(self, asked, results)
            if asked.study in names and (runs or measured):
                draw = partial(_drawn, self, STUDIES[asked.study], runs)
                drawn = without_misfits(self, asked, measured, draw)
                found |= named(asked.study, asked.scale, asked.data, drawn or {})
        if not found:
            raise ShatterlabError(
                f"the store {self.path} holds nothing to draw{f' of {study}' if study else ''}; start with "
                f"'shatterlab run {study or 'learning-curves'}'."
            )
        return found


def _drawn(
    store: Store, study: "Study", runs: "Sequence[Result]", measured: "Sequence[Measurement]"
) -> Mapping[str, Any]:
    from .studies import tables

    return study.draw(tables(store, runs, measured))
