"""Jobs that a study asks for: all at once, in rounds, and for a user's network."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import HOUSE, computations, small, train_all, trainings

from shatterlab import Store, make_spec
from shatterlab.cli import main
from shatterlab.data import load
from shatterlab.jobs import Computation, Training
from shatterlab.studies import STUDIES, Study, asked_of, jobs_so_far, tables
from shatterlab.studies.adapt import RECIPE, Own, for_own, sized

THRESHOLD = 37


def above(number: int, seed: int) -> list[dict]:
    return [{"above": number >= THRESHOLD}]


def bisect(scale, data, seeds):
    """The least number above the threshold, found by halving: each round knows the outcome of the one before."""
    for seed in range(seeds):
        low, high = 0, 128
        while high - low > 1:
            middle = (low + high) // 2
            (outcome,) = yield [
                Computation("bisection", f"is {middle} above?", {"number": middle, "seed": seed}, above)
            ]
            low, high = (low, middle) if outcome.records[0]["above"] else (middle, high)


def least(tables) -> list[str]:
    return [f"The threshold is {min(r['number'] for r in tables.records if r['above'])}."]


BISECTION = Study("Where is the threshold?", "this test", lambda tables: {}, least, bisect)


def test_a_bisection_asks_in_rounds_and_goes_on_where_it_was_left(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(STUDIES, "bisection", BISECTION)
    store = Store(tmp_path / "store")
    assert [job.title for job in computations(BISECTION, "demo", "digits", 2)] == ["is 64 above?"]
    main(["run", "bisection", "--store", str(store.path)])
    assert f"The threshold is {THRESHOLD}." in capsys.readouterr().out
    (asked,) = store.asked()
    assert len(asked.measurement_ids) == 7
    dropped = asked.measurement_ids[3]
    (store.path / "measured" / f"{dropped}.json").unlink()
    so_far = jobs_so_far(BISECTION, "demo", "cifar10", 1, lambda job: job.kept(store))
    assert [job.id for job in so_far] == asked.measurement_ids[:4]
    main(["run", "bisection", "--store", str(store.path), "--seeds", "2"])
    (asked,) = asked_of(store)
    assert len(asked.measurement_ids) == 14
    main(["show", "bisection", "--store", str(store.path)])
    assert f"bisection (demo, cifar10)\n  The threshold is {THRESHOLD}." in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, study in HOUSE.items() if trainings(study, "cpu", "cifar10", 1)])
@pytest.mark.parametrize("scale", ["demo", "cpu", "paper"])
def test_a_users_network_meets_every_setting_of_a_study_once(name: str, scale) -> None:
    jobs = jobs_so_far(STUDIES[name], scale, "cifar10", 2)
    own = for_own(jobs, Own("mlp-2x8"))
    assert len(own) == len(jobs)
    specs = list({job.id: job.spec for job in own if isinstance(job, Training)}.values())
    asked = {repr(job.spec.model_dump(exclude=set(RECIPE))) for job in jobs if isinstance(job, Training)}
    assert {repr(spec.model_dump(exclude=set(RECIPE))) for spec in specs} == asked
    assert len(specs) == len(asked)
    assert {(spec.model, spec.learning_rate, spec.initialization) for spec in specs} == {("mlp-2x8", 0.01, "he")}


def test_an_axis_that_a_study_varies_for_one_model_is_kept() -> None:
    jobs = [Training(make_spec(model=model, n=n)) for model in ("alexnet", "mlp-1x8") for n in (10, 20)]
    own = for_own(jobs, Own("mlp-2x8"))
    assert [job.spec.n for job in own if isinstance(job, Training)] == [10, 20, 10, 10]


def test_a_study_is_cut_to_a_smaller_data_set() -> None:
    data = load("digits")
    assert sized(make_spec(n=5_000, n_test=200), data).n is None
    assert sized(make_spec(n=1_000, n_test=200), data).n == 1_000
    assert sized(make_spec(n=1_400, n_validation=1_000), data).n_validation == 287


def test_run_puts_a_named_network_into_a_study_and_show_names_it(capsys, tmp_path: Path, monkeypatch) -> None:
    study = STUDIES["precision"]

    def shorter(scale, data: str, seeds: int) -> list[Training]:
        return [replace(job, spec=job.spec.on(epochs=4)) for job in study.jobs(scale, data, seeds)]

    monkeypatch.setitem(STUDIES, "precision", replace(study, jobs=shorter))
    options = ["--data", "digits", "--store", str(tmp_path), "--jobs", "1"]
    main(["run", "precision", *options, "--model", "mlp-1x4"])
    said = capsys.readouterr().out
    assert "Under bfloat16 the training loss of MLP 1x4" in said
    (asked,) = Store(tmp_path).asked()
    assert (asked.model, len(asked.run_ids)) == ("mlp-1x4", 2)
    main(["show", "--store", str(tmp_path)])
    assert "precision (demo, digits, mlp-1x4)" in capsys.readouterr().out


def test_a_study_that_trains_nothing_has_no_place_for_a_network(capsys, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["run", "bias-variance", "--model", "mlp-1x4", "--store", str(tmp_path)])
    assert "bias-variance trains no network, so --model has no place in it; leave it out." in capsys.readouterr().err


def named(text: str) -> str:
    """The text with the names of networks as in a spec, which people see as `MLP 2x8`."""
    return text.replace("MLP ", "mlp-")


TRAINING_STUDIES = [name for name, study in HOUSE.items() if trainings(study, "demo", "digits", 1)]


@pytest.mark.parametrize("name", TRAINING_STUDIES)
def test_every_study_draws_and_judges_a_network_that_the_paper_does_not_have(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    own = for_own(jobs_so_far(STUDIES[name], "demo", "digits", 1), Own("mlp-2x8"))
    specs = list({job.id: small(job).spec for job in own if isinstance(job, Training)}.values())
    assert not train_all(specs, tmp_path)
    whole = tables(store, store.results())
    sentences = STUDIES[name].verdict(whole)
    assert "mlp-2x8" in named(" ".join(sentences))
    assert "nan" not in " ".join(sentences)
    for chart in STUDIES[name].draw(whole).values():
        assert "mlp-2x8" in named(json.dumps(chart.to_dict()))
    if STUDIES[name].table:
        assert "nan" not in json.dumps(STUDIES[name].table(whole))
    for claim in STUDIES[name].claims:
        claim.check(whole)
