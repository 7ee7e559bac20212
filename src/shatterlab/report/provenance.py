"""The provenance of a study's numbers, and the paper's numbers with which they can be compared."""

from collections.abc import Sequence
from typing import Any

from ..paper import targets_for
from ..results import Measurement, Provenance, Result
from ..studies import Tables


def comparisons(results: Sequence[Result], found: Tables) -> list[dict[str, Any]]:
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


def provenance(runs: Sequence[Result], measured: Sequence[Measurement]) -> dict[str, list[str]]:
    """The circumstances that may explain why another's numbers differ, as headings with their lines."""
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
