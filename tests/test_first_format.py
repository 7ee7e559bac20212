"""A store written before trainings and computations became one kind of job (at commit 6fdfb36) is still read.

It holds the study label-noise on the digits, cut to 60 training images, and two studies that compute.
"""

import json
import shutil
from pathlib import Path

import pytest
from helpers import computations, trainings

from shatterlab import Spec, Store, make_spec
from shatterlab.cli import main
from shatterlab.jobs import Computation
from shatterlab.report import write
from shatterlab.results import Measurement
from shatterlab.studies import STUDIES, found_of, tables

FIXTURE = Path(__file__).parent / "fixtures" / "store-0"
IDS = json.loads((FIXTURE.parent / "ids.json").read_text())
"""The ids of every study's jobs at each scale with one seed."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    shutil.copytree(FIXTURE, tmp_path / "store")
    return Store(tmp_path / "store")


def test_every_result_keeps_its_id(store: Store) -> None:
    results = store.results()
    assert not store.unreadable
    assert {result.id for result in results} == {path.parent.name for path in FIXTURE.glob("*/result.json")}
    for path in FIXTURE.glob("measured/*.json"):
        assert Measurement.model_validate_json(path.read_text()).id == path.stem


def test_everything_asked_for_is_there_and_judged(store: Store) -> None:
    results = store.results()
    assert {asked.study for asked in store.asked()} == {"label-noise", "bias-variance", "expressivity"}
    for asked in store.asked():
        runs, measured = found_of(store, asked, results)
        assert (len(runs), len(measured)) == (len(asked.run_ids), len(asked.measurement_ids))
        assert all(STUDIES[asked.study].verdict(tables(store, runs, measured)))


def test_show_and_report_read_it(store: Store, capsys: pytest.CaptureFixture) -> None:
    main(["show", "--store", str(store.path)])
    said = capsys.readouterr().out
    page = write(store, store.results(), store.path / "page.html").read_text()
    for result in store.results():
        assert result.id in said
        assert result.id in page
    assert "bias-variance (demo, digits)" in said
    assert "label-noise (demo, digits)" in said


def test_a_measurement_of_then_keeps_its_circumstances(store: Store) -> None:
    (asked,) = [asked for asked in store.asked() if asked.study == "expressivity"]
    measured = [store.measured(id) for id in asked.measurement_ids]
    provenances = [one.provenance for one in measured if one]
    assert {provenance.commit for provenance in provenances} == {"6fdfb36763ee"}
    assert all(provenance.started and "numpy" in provenance.versions for provenance in provenances)
    assert {provenance.train_fingerprint is None for provenance in provenances} == {True, False}


@pytest.mark.parametrize("key", IDS)
def test_no_job_on_named_models_and_data_has_another_id(key: str) -> None:
    name, scale, data, kind = key.split()
    jobs = trainings(STUDIES[name], scale, data, 1) if kind == "runs" else computations(STUDIES[name], scale, data, 1)
    assert list(map(id_of_then, jobs)) == IDS[key]


def id_of_then(job: Spec | Computation) -> str:
    """The id, of AlexNet with the start that it had when a run did not name one."""
    return job.on(initialization="he").id if isinstance(job, Spec) and job.model == "alexnet" else job.id


def test_a_file_that_names_no_start_is_of_the_first_one() -> None:
    named = make_spec(model="alexnet", initialization="he")
    assert Spec.model_validate_json('{"model": "alexnet"}') == named
    assert make_spec(model="alexnet").initialization == "tutorial"
    assert make_spec(model="alexnet").id != named.id
