"""An audit keeps its budget, its fits and its order, and asks no test example."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audit_learners import Clock, blobs, constant, nearest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import shatterlab as sl
from shatterlab import Store
from shatterlab.auditing.budget import Costs, seconds_of
from shatterlab.auditing.fits import Asked, Subject, computation
from shatterlab.auditing.pool import pool_of
from shatterlab.engines import local
from shatterlab.learners import given_learner


def fast() -> float:
    """A clock on which each second of work counts four times, however busy the machine is."""
    return 4 * time.process_time()


@pytest.mark.parametrize(("budget", "a_fit"), [(30, 0.3), (30, 1.5), (300, 1.0), (300, 12.0), (7_200, 30.0)])
def test_the_budget_is_kept_within_a_fifth(tmp_path: Path, budget: float, a_fit: float) -> None:
    clock = Clock()
    learner = nearest(clock, lambda n: a_fit * n / 72)
    sl.audit(learner, blobs(), budget, store=tmp_path, quiet=True, clock=clock)
    assert clock.now <= 1.2 * budget
    assert clock.now >= 0.5 * budget


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5_400), ("45", 45), (12.5, 12.5)])
def test_a_budget_is_seconds_or_words(text: Any, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["soon", "5 parsecs", "", "5s", -1, float("nan"), True])
def test_what_is_no_budget_is_told_how_to_write_one(text: Any) -> None:
    with pytest.raises(sl.ShatterlabError, match="budget"):
        seconds_of(text)


def test_costs_grow_with_a_power_that_was_seen() -> None:
    costs = Costs()
    costs.learn(False, 100, 1.0)
    assert costs.of(200, random=False) == pytest.approx(2.0)
    costs.learn(False, 200, 4.0)
    assert costs.of(400, random=False) == pytest.approx(16.0)
    assert costs.of(400, random=True) == pytest.approx(16.0)


def test_one_nearest_neighbour_memorizes_everything_and_nothing_is_guaranteed_by_random_labels(tmp_path: Path) -> None:
    clock = Clock()
    found = sl.audit(nearest(clock), blobs(), 60, store=tmp_path, quiet=True, clock=clock)
    assert found.answer == "memorizes"
    capacities = found.findings.capacities
    assert capacities is not None
    assert capacities.exact.all_fitted == capacities.exact.draws
    assert found.findings.signs is not None
    assert found.findings.signs.value == 1
    assert found.findings.certificate is not None
    assert found.findings.certificate["rigorous"]["verdict"] == "vacuous"
    assert "Memorizes all 72 random labels" in found.verdict


def test_a_constant_predictor_has_no_capacity(tmp_path: Path) -> None:
    clock = Clock()
    found = sl.audit(constant(clock), blobs(), 60, store=tmp_path, quiet=True, clock=clock)
    assert found.answer == "cannot"
    assert found.findings.capacities is not None
    assert found.findings.capacities.exact.value == 0
    assert found.findings.signs is not None
    assert abs(found.findings.signs.value) < 0.35


def test_a_decision_stump_stays_low(tmp_path: Path) -> None:
    found = sl.audit(DecisionTreeClassifier(max_depth=1), blobs(n=240), "10s", store=tmp_path, quiet=True, clock=fast)
    assert found.answer == "cannot"
    assert found.findings.signs is not None
    assert found.findings.signs.value < 0.35
    assert found.findings.capacities is not None
    assert found.findings.capacities.exact.value < 10


def test_a_linear_model_lies_inside_covers_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 8)).astype(np.float32), rng.integers(2, size=100)
    found = sl.audit(LogisticRegression(C=1e8, max_iter=5_000), (X, y), "15s", store=tmp_path, quiet=True, clock=fast)
    assert found.findings.capacities is not None
    exact = found.findings.capacities.exact
    assert 11 <= exact.value <= 27  # Cover: 18, from 12 to 25 in nine of ten draws
    assert "A plane of its dimension separates 18 in theory" in found.verdict


def test_the_same_audit_again_fits_nothing(tmp_path: Path) -> None:
    clock = Clock()
    first = sl.audit(nearest(clock), blobs(), 40, store=tmp_path, quiet=True, clock=clock)
    spent, files = clock.now, sorted(path.name for path in (tmp_path / "measured").glob("*.json"))
    again = sl.audit(nearest(clock), blobs(), 40, store=tmp_path, quiet=True, clock=clock)
    assert clock.now - spent <= 3 * 0.5  # at most what the budget had left over
    assert again.card[0] == first.card[0]
    assert set(files) <= {path.name for path in (tmp_path / "measured").glob("*.json")}


def test_a_larger_budget_extends_a_smaller_one(tmp_path: Path) -> None:
    clock = Clock()
    small = sl.audit(nearest(clock), blobs(), 40, store=tmp_path, quiet=True, clock=clock)
    spent = clock.now
    large = sl.audit(nearest(clock), blobs(), 120, store=tmp_path, quiet=True, clock=clock)
    assert clock.now - spent <= 1.2 * 120 - 0.8 * spent
    assert len(large.findings.subsets) > len(small.findings.subsets)
    assert large.record["n"] == small.record["n"]


def test_a_killed_audit_goes_on_with_the_fits_that_it_has(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from audit_learners import blobs; import shatterlab as sl;"
        "from sklearn.neighbors import KNeighborsClassifier;"
        "sl.audit(KNeighborsClassifier(1), blobs(n=300), '60s', store=sys.argv[1], quiet=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent.parent)])
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "measured").glob("*.json"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    before = {path.name: path.read_bytes() for path in (tmp_path / "measured").glob("*.json")}
    assert len(before) >= 20
    found = sl.audit(KNeighborsClassifier(1), blobs(n=300), "12s", store=tmp_path, quiet=True, clock=fast)
    assert found.answer == "memorizes"
    for name, content in before.items():
        assert (tmp_path / "measured" / name).read_bytes() == content


def test_scores_are_in_the_order_in_which_the_data_were_handed_over(tmp_path: Path) -> None:
    X, y = blobs(n=100)
    wrong = np.array([7, 40, 61])
    y[wrong] = (y[wrong] + 1) % 3
    X_test, y_test = blobs(n=30, seed=0)
    clock = Clock()
    found = sl.audit(nearest(clock), (X, y, X_test, y_test), 60, store=tmp_path, quiet=True, clock=clock)
    scores = found.scores()
    assert scores["example"].to_list() == list(range(100))
    assert scores["label"].to_list() == [str(label) for label in y]
    assert set(scores.sort("suspicion", descending=True)["example"][:3]) == set(wrong.tolist())


def test_the_test_set_is_never_fitted_or_scored(tmp_path: Path) -> None:
    X, y = blobs(n=60)
    X_test, y_test = X[:20] + 1_000, y[:20]
    seen: list[float] = []
    clock = Clock()

    def watching(inputs: Any, labels: Any, seed: int) -> Any:
        clock.tick(1)
        seen.append(float(np.max(inputs)))
        most = int(np.bincount(labels).argmax())
        return lambda asked: np.full(len(asked), most)

    found = sl.audit(watching, (X, y, X_test, y_test), 40, store=tmp_path, quiet=True, clock=clock)
    assert max(seen) < 500
    assert len(found.scores()) == 60


def test_near_duplicates_come_out_as_influential_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(120, 6)).astype(np.float32), rng.integers(3, size=120)
    X_test, y_test = rng.normal(size=(30, 6)).astype(np.float32) + 3, rng.integers(3, size=30)
    X_test[:3], y_test[:3] = X[[5, 50, 90]] + 1e-3, y[[5, 50, 90]]
    clock = Clock()
    found = sl.audit(nearest(clock), (X, y, X_test, y_test), 150, store=tmp_path, quiet=True, clock=clock)
    (part,) = [part for part in found.record["parts"] if part["id"] == "memorization"]
    pairs = {(train["example"], test["example"]) for train, test in part["pairs"]}
    assert {(5, 0), (50, 1), (90, 2)} <= pairs


def test_the_page_and_the_report_show_the_audit(tmp_path: Path) -> None:
    clock = Clock()
    found = sl.audit(nearest(clock), blobs(), 60, store=tmp_path, quiet=True, clock=clock)
    html = found.to_html(tmp_path / "audit.html").read_text()
    assert "Memorizes all 72 random labels" in html
    assert "http-equiv" in html
    page = sl.write_report(tmp_path).read_text()
    assert "Your audits" in page
    assert found.record["title"] in page
    assert json.loads(json.dumps(found.record)) == found.record
    assert found.figure().to_dict()["vconcat"]
    assert "<li>" in found._repr_html_()
    assert "Not looked at" in str(found) or not found.cut


def test_processes_give_the_same_numbers(tmp_path: Path) -> None:
    given = given_learner(KNeighborsClassifier(1))
    pool, _ = pool_of(blobs(n=150), given)
    jobs = [computation(Asked("subset", {"index": i}), Subject(given, pool, "version"), 0, 60.0) for i in range(4)]
    one, two = (
        {ended.job.id: ended.kept for ended in local.do(jobs, Store(tmp_path / str(workers)), workers=workers)}
        for workers in (1, 2)
    )
    for id, kept in one.items():
        assert {**kept.records[0], "seconds": 0} == {**two[id].records[0], "seconds": 0}


def test_a_store_may_be_handed_over_as_an_object(tmp_path: Path) -> None:
    clock = Clock()
    sl.audit(constant(clock, 3.0), blobs(), 30, store=Store(tmp_path), quiet=True, clock=clock)
    assert list((tmp_path / "audits").glob("*.json"))
