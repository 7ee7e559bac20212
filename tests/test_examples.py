"""The scripts of `examples/` run, and what they print is what they claim to show."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shatterlab.spec import Spec
from shatterlab.studies import STUDIES

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


def numbers(line: str) -> list[float]:
    """Every number of a line, in order; 1,437 and 98.1% and 1e-16 are numbers."""
    return [float(text.replace(",", "")) for text in re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", line)]


def starting_with(start: str, lines: list[str]) -> list[str]:
    """The lines that begin so, at least one."""
    found = [line for line in lines if line.startswith(start)]
    assert found, f"no line starts with {start!r}"
    return found


def percent(name: str, line: str) -> float:
    """98.1 of `test 98.1%`."""
    found = re.search(rf"{name} ([\d.]+)%", line)
    assert found, f"no {name} in {line!r}"
    return float(found[1])


def shuffle_labels(lines: list[str]) -> None:
    (true,), (random,) = starting_with("true-labels", lines), starting_with("random-labels", lines)
    assert 88 < percent("seed 0:", lines[0]) < 92  # nine labels in ten
    assert percent("train", true) == percent("train", random) == 100
    assert percent("test", true) > 95
    assert percent("test", random) < 18  # chance is 10, its standard error 1.6
    assert numbers(true)[-1] < numbers(random)[-1]  # steps


def six_conditions(lines: list[str]) -> None:
    rows = {line.split("┆")[0].strip("│ "): line.split("┆") for line in lines if "-labels" in line or "-pixels" in line}
    assert len(rows) == 6
    test = {name: float(cells[-1].strip("│ ")) for name, cells in rows.items()}
    steps = {name: int(cells[-3]) for name, cells in rows.items()}
    assert all(float(cells[-2]) >= 0.99 for cells in rows.values())
    assert steps["true-labels"] < steps["partial-labels"] < steps["random-labels"]
    assert min(test["true-labels"], test["shuffled-pixels"]) > 0.9
    assert 0.4 < test["partial-labels"] < 0.8
    assert max(test[name] for name in ("random-labels", "random-pixels", "gaussian-pixels")) < 0.18


def theorem(lines: list[str]) -> None:
    for line in [*starting_with("Gaussian", lines), *starting_with("digits", lines)]:
        n, d, weights, claimed, error, _ = numbers(line)
        assert weights == claimed == 2 * n + d
        assert error < 1e-6
    assert percent("it has", lines[-1]) < 25  # exact on the training points, near chance elsewhere


def minimum_norm(lines: list[str]) -> None:
    least = numbers(lines[0])[-1]
    steps, residual, norm, distance, angle = numbers(starting_with("zero", lines)[-1])
    assert steps == 20_000
    assert max(residual, distance, angle) < 1e-9
    assert norm == pytest.approx(least, abs=1e-3)
    _, residual, norm, distance, angle = numbers(starting_with("a Gaussian", lines)[-1])
    assert residual < 1e-9
    assert min(distance, angle) > 1
    assert norm > 2 * least
    assert "150 = d - n" in lines[-1]


def kernels(lines: list[str]) -> None:
    table = [numbers(line) for line in lines if len(numbers(line)) == 4 and not line[0].isalpha()]
    true, random = table[:4], table[4:]
    assert len(random) == 4
    for some in (true, random):
        ridge, train, _, _ = some[0]
        assert ridge == train == 0  # every label is fitted
        assert [norm for *_, norm in some] == sorted((norm for *_, norm in some), reverse=True)
    best = min(test for _, _, test, _ in true)
    assert true[0][2] < min(3, best + 1)  # interpolation is good, and no ridge is much better
    assert all(test > 82 for _, _, test, _ in random)  # chance is 90


def own_model_and_data(lines: list[str]) -> None:
    (true,), (random,) = starting_with("true-labels", lines), starting_with("random-labels", lines)
    assert percent("train", true) == percent("train", random) == 100
    assert percent("test", true) > 99
    assert 35 < percent("test", random) < 65  # chance is 50, its standard error 3.5


def audit_estimator(lines: list[str]) -> None:
    assert lines[0].startswith("Memorizes all")
    planted, _, most, found = numbers(lines[-1])
    assert most == planted > 5
    assert found > 0.7 * planted  # chance finds 2 %


def audit_network(lines: list[str]) -> None:
    starting_with("Memorizes", lines)
    errors = {line.split("┆")[0].strip("│ "): float(line.split("┆")[1]) for line in lines if "training error" in line}
    assert max(errors["true-labels: training error"], errors["random-labels: training error"]) <= 0.01


def audit_function(lines: list[str]) -> None:
    assert lines[0].startswith("Cannot memorize: fits")
    assert numbers(lines[0])[0] < 30  # chance is 10
    (train, _, _, test, *_), (bound, *_) = numbers(lines[1]), numbers(lines[2])
    assert abs(train - test) < 8  # the standard error of the difference is 2
    assert test < bound
    starting_with("In one word, it cannot memorize.", lines)
    (signs,) = starting_with("Rademacher complexity of at least", lines)
    assert numbers(signs)[0] < 0.3


def audit_text(lines: list[str]) -> None:
    starting_with("Cannot memorize: fits", lines)
    suspects = [line for line in lines if "is labelled" in line]
    assert len(suspects) == 5
    assert sum(line.endswith("the label is wrong") for line in suspects) >= 4  # chance is 5 %


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "01_shuffle_labels.py": shuffle_labels,
    "02_six_conditions.py": six_conditions,
    "03_theorem.py": theorem,
    "04_minimum_norm.py": minimum_norm,
    "05_kernels.py": kernels,
    "06_own_model_and_data.py": own_model_and_data,
    "07_audit_estimator.py": audit_estimator,
    "08_audit_network.py": audit_network,
    "09_audit_function.py": audit_function,
    "10_audit_text.py": audit_text,
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_example_prints_what_it_claims(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    CHECKS[script.name](done.stdout.splitlines())
    assert not any(tmp_path.iterdir()), "an example leaves nothing behind"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_example_is_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 40


def test_every_example_is_named_on_the_first_page() -> None:
    page = (ROOT / "docs/index.md").read_text()
    assert [path.name for path in SCRIPTS if path.name not in page] == []


def test_the_reference_names_every_dial() -> None:
    page = (ROOT / "docs/reference/spec.md").read_text()
    assert [name for name in Spec.model_fields if f"| `{name}` |" not in page] == []


def test_the_page_of_claims_names_every_study() -> None:
    page = (ROOT / "docs/claims.md").read_text()
    assert [name for name in STUDIES if f"`shatterlab run {name}`" not in page] == []


def test_the_page_of_claims_has_every_claim_as_the_report_words_it() -> None:
    page = (ROOT / "docs/claims.md").read_text()
    claims = [claim.statement for study in STUDIES.values() for claim in study.claims]
    # A source in brackets stands in a column of its own there.
    assert [claim for claim in claims if f"| {claim.removesuffix('.').split(' (')[0]}. |" not in page] == []
