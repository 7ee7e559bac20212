"""The section about one request to a study (a scale and data): verdicts, charts, table, comparisons, provenance."""

from dataclasses import dataclass

from ..assumptions import ASSUMPTIONS
from ..results import Asked, Measurement, Result
from ..spec import PAPER_TRAINING_SIZE
from ..studies import Study, Tables, at_full_size, command_of
from .provenance import comparisons, provenance
from .render import Section, heading_of, render


@dataclass(frozen=True)
class Shown:
    """The finished runs and measurements of one request to a study."""

    asked: Asked
    study: Study
    runs: list[Result]
    measured: list[Measurement]

    @property
    def id(self) -> str:
        """The id of the HTML element."""
        return f"{self.asked.study}-{self.asked.scale}-{self.asked.setting[:6]}"

    @property
    def missing(self) -> int:
        """The number of runs and measurements that were asked for and are not finished."""
        return len(self.asked.run_ids) + len(self.asked.measurement_ids) - len(self.runs) - len(self.measured)

    @property
    def scaled(self) -> bool:
        """Whether this is smaller than the paper's experiment; what is the same at every scale is not."""
        if self.runs:
            sizes = [run.n + run.spec.n_validation for run in self.runs]
            return self.asked.scale != "paper" or any(size != PAPER_TRAINING_SIZE for size in sizes)
        return not at_full_size(self.study, self.asked)

    @property
    def data(self) -> str:
        """The name of the data, for people; empty for studies that need no data."""
        names = {str(done.settings["data"]) for done in self.measured if "data" in done.settings}
        return self.asked.data if self.runs else " and ".join(sorted(names))


def study_section(one: Shown, found: Tables) -> Section:
    """The section of one request, filled from the tables of its runs and measurements."""
    asked, study = one.asked, one.study
    verdicts = study.verdict(found)
    charts = {f"{one.id}-{name}": chart.to_dict() for name, chart in study.draw(found).items()}
    return render(
        one.id,
        "study",
        charts=charts,
        study=study,
        asked=asked,
        scaled=one.scaled,
        data=one.data,
        command=command_of(asked),
        missing=one.missing,
        whole=len(asked.run_ids) + len(asked.measurement_ids),
        verdicts=verdicts,
        figures=[
            {
                "id": id,
                "heading": heading_of(spec),
                "text": ". ".join([*heading_of(spec), *(verdicts[:1] if i == 0 else [])]),
            }
            for i, (id, spec) in enumerate(charts.items())
        ],
        table=study.table(found) if study.table else [],
        comparisons=comparisons(one.runs, found),
        assumptions={name: ASSUMPTIONS[name] for name in study.assumptions},
        provenance=provenance(one.runs, one.measured),
    )
