"""Studies: their runs, their verdicts on results made by hand, and their charts."""

import json
import re
from itertools import pairwise
from typing import get_args

import polars as pl
import pytest
from helpers import HOUSE, computations, found, trainings

from shatterlab import ShatterlabError, Store, make_spec
from shatterlab.paper import TARGETS, targets_for
from shatterlab.row import Row, part_ends
from shatterlab.studies import STUDIES, Scale, Study, Tables, chosen, jobs_so_far, tables
from shatterlab.studies.label_noise import with_slowdown
from shatterlab.studies.learning_curves import fits_random_labels, order_of_conditions
from shatterlab.studies.sentences import mean_of, percent
from shatterlab.studies.study import overfit

SCALES = get_args(Scale)
every_study = pytest.mark.parametrize("study", HOUSE.values(), ids=HOUSE)


@every_study
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("data", ["cifar10", "digits"])
def test_every_scale_is_a_list_of_different_runs(study: Study, scale, data: str) -> None:
    one, two = (jobs_so_far(study, scale, data, seeds) for seeds in (1, 2))
    assert one
    assert {job.id for job in one} <= {job.id for job in two}
    assert len(trainings(study, scale, data, 2)) == 2 * len(trainings(study, scale, data, 1))
    assert all(spec.data == data for spec in trainings(study, scale, data, 1))


def test_paper_scale_is_the_papers_size() -> None:
    for study in HOUSE.values():
        assert all(spec.n is None and spec.n_test is None for spec in trainings(study, "paper", "cifar10", 1))


def test_the_sweep_shares_its_ends_with_the_learning_curves() -> None:
    curves, noise = (trainings(STUDIES[name], "demo", "cifar10", 1) for name in ("learning-curves", "label-noise"))
    assert len({spec.id for spec in curves} & {spec.id for spec in noise}) == 2


def line(
    corruption: str, amount: float, step: int | None, train: float = 1.0, test: float = 0.5, seed: int = 0
) -> dict:
    return {"model": "m", "data": "d", "n": 100, "epochs": 9, "corruption": corruption, "amount": amount, "seed": seed,
            "classes": 10, "train_accuracy": train, "test_accuracy": test, "overfit_step": step,
            "overfit_resolution": 10}  # fmt: skip


def test_the_verdict_says_fits_or_does_not_from_the_numbers() -> None:
    good = pl.DataFrame([line("random-labels", 1.0, 50, train=0.9934, test=0.099)])
    guessing = "test accuracy 9.9 %, where labels without a pattern give 10 %"
    assert fits_random_labels(good) == f"m fits random labels at n = 100: train accuracy 99.3 %; {guessing}."
    bad = pl.DataFrame([line("random-labels", 1.0, None, train=0.4, test=0.099)])
    not_so = "m does not fit random labels at n = 100 within 9 epochs"
    assert fits_random_labels(bad) == f"{not_so}: train accuracy 40 %; {guessing}."


def order(steps: dict[str, int | None], seeds: int = 1) -> str:
    """The sentence about the order in which the conditions are overfitted, after these steps in every seed."""
    lines = [line(name, 1.0, step, seed=seed) for name, step in steps.items() for seed in range(seeds)]
    return order_of_conditions("m", pl.DataFrame(lines))


def test_the_order_agrees_or_disagrees_from_the_numbers() -> None:
    steps = {
        "true-labels": 100,
        "partial-labels": 300,
        "shuffled-pixels": 200,
        "gaussian-pixels": 400,
        "random-pixels": 800,
        "random-labels": 1_600,
    }
    as_paper = order(steps)
    assert "as in the paper; the order is that of figure 1a; one seed, whose" in as_paper
    not_so = order(steps | {"true-labels": 3_000})
    assert "unlike in the paper" in not_so
    assert "the order of figure 1a is true labels < shuffled pixels <" in not_so
    unfinished = order(steps | {"true-labels": 3_000, "random-labels": None})
    assert "; not yet: random labels;" in unfinished
    assert "the paper" not in unfinished
    assert "figure 1a" not in unfinished


def test_steps_that_differ_by_less_than_seeds_do_are_a_tie() -> None:
    steps = {
        "true-labels": 72,
        "shuffled-pixels": 78,
        "gaussian-pixels": 350,
        "random-pixels": 352,
        "random-labels": 1_513,
    }
    tied = "figure 1a is not shown, as true labels are not told from shuffled pixels, Gaussian pixels not from random"
    assert tied in order(steps)
    # Three seeds that agree to the step leave the resolution of the steps alone.
    assert "the order is that of figure 1a" in order(steps | {"shuffled-pixels": 120, "random-pixels": 600}, seeds=3)


def test_slowdown_is_relative_to_true_labels_of_the_same_seed() -> None:
    runs = pl.DataFrame([line("true-labels", 0.0, 10, seed=0), line("true-labels", 0.0, 20, seed=1),
                         line("random-labels", 1.0, 30, seed=0), line("random-labels", 1.0, None, seed=1)])  # fmt: skip
    assert with_slowdown(runs)["slowdown"].to_list() == [1.0, 1.0, 3.0, None]


def test_a_mean_carries_its_spread_and_n() -> None:
    assert mean_of([0.5], percent) == "50 %"
    assert mean_of([0.4, 0.6], percent) == "50 % (SD 14.1, 2 seeds)"


def epochs(*losses: float | tuple[float, ...], steps: int = 20) -> list[Row]:
    """Rows of epochs with these online losses, of the whole epoch or of its parts."""
    rows = []
    for epoch, loss in enumerate(losses, 1):
        parts = loss if isinstance(loss, tuple) else None
        mean = sum(parts) / len(parts) if parts else loss
        rows.append(Row(epoch=epoch, step=steps * epoch, learning_rate=1, online_loss=mean, online_losses=parts,
                        online_accuracy=1, seconds=0, evaluation_seconds=0))  # fmt: skip
    return rows


def test_epochs_without_parts_overfit_at_the_end_of_the_first_one_at_the_threshold() -> None:
    rows = epochs(0.5, 0.09, 0.3, 0.0)
    assert overfit(rows, 10) == (40, 20, 0.09)
    assert overfit(rows[:1], 10) is None
    assert overfit([], 10) is None


def test_overfitting_is_found_at_a_tenth_of_an_epoch_whose_last_thousand_images_are_at_the_threshold() -> None:
    one, other = (0.5,) * 10, (0.3, 0.2, 0.1, 0.08, 0.06, 0.05, 0.05, 0.05, 0.05, 0.05)
    assert overfit(epochs(one, other), 500) == (26, 2, 0.1)  # a part has 1,000 images
    # A window of 5 parts: 0.148 after the fifth, 0.098 after the sixth.
    assert overfit(epochs(one, other), 100) == (32, 2, 0.05)
    # A window of an epoch, which has fewer than 1,000 images: 0.14 at its end, 0.095 a part later.
    assert overfit(epochs((0.5, *[0.1] * 9), (0.05,) * 10), 10) == (22, 2, 0.05)


def test_a_single_lucky_batch_is_not_overfitting() -> None:
    lucky = (0.4, 0.01, 0.4, 0.4, 0.01, 0.4, 0.4, 0.4, 0.4, 0.4)
    assert overfit(epochs(lucky, lucky), 100) is None


def test_a_run_that_was_taken_up_by_a_later_version_has_epochs_with_and_without_parts() -> None:
    rows = epochs(2.0, (0.2, 0.2, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05))
    assert overfit(rows, 100) == (32, 2, 0.05)


@pytest.mark.parametrize("steps", [1, 3, 9, 10, 11, 16, 782])
def test_the_parts_of_an_epoch_are_alike_and_fill_it(steps: int) -> None:
    lengths = [end - begin for begin, end in pairwise([0, *part_ends(steps)])]
    assert sum(lengths) == steps
    assert len(lengths) == min(steps, 10)
    assert max(lengths) - min(lengths) <= 1


def test_paper_numbers_apply_only_where_the_setting_matches() -> None:
    full = make_spec(model="inception", corruption="random-labels", epochs=100).model_dump()
    full |= {"n": 50_000, "n_test": 10_000}
    assert {target.quantity for target in targets_for(full)} == {"train_accuracy", "test_accuracy"}
    for change in ({"n": 1_000}, {"data": "digits"}, {"model": "mlp-2x512"}, {"corruption": "partial-labels"}):
        assert targets_for(full | change) == []
    assert all(target.tolerance > 0 and target.source for target in TARGETS)


def test_a_misspelt_study_suggests_the_nearest() -> None:
    with pytest.raises(ShatterlabError, match="unknown study 'label-nose'; did you mean 'label-noise'"):
        chosen("label-nose")


@pytest.mark.parametrize("name", HOUSE)
def test_every_study_draws_and_judges_its_runs(small_store: Store, name: str) -> None:
    result = found(small_store, name)
    verdicts = STUDIES[name].verdict(result)
    assert verdicts
    assert all(
        sentence.endswith((".", ".)")) and "None" not in sentence and not re.search(r"\bnan\b", sentence)
        for sentence in verdicts
    )
    for chart in STUDIES[name].draw(result).values():
        assert result.runs.is_empty() or "digits" in json.dumps(chart.to_dict())
    if STUDIES[name].table:
        assert len({tuple(line) for line in STUDIES[name].table(result)}) == 1


@pytest.mark.parametrize("name", [name for name, study in HOUSE.items() if computations(study, "demo", "digits", 1)])
def test_a_study_with_any_one_measurement_is_judged_too(small_store: Store, name: str) -> None:
    asked = next(asked for asked in small_store.asked() if asked.study == name)
    for id in asked.measurement_ids:
        one = tables(small_store, [], [small_store.measured(id)])
        verdicts = STUDIES[name].verdict(one)
        assert verdicts
        assert all(sentence.endswith((".", ".)")) for sentence in verdicts)
        STUDIES[name].draw(one)


def test_computations_of_all_scales_have_different_ids_and_json_settings() -> None:
    for scale in SCALES:
        jobs = [job for study in HOUSE.values() for job in computations(study, scale, "cifar10", 2)]
        assert len({job.id for job in jobs}) == len(jobs)
        assert all(json.loads(json.dumps(job.settings)) == job.settings for job in jobs)


@pytest.mark.parametrize("name", [name for name, study in HOUSE.items() if trainings(study, "demo", "digits", 1)])
def test_a_study_with_any_one_run_is_judged_too(small_store: Store, name: str) -> None:
    whole = found(small_store, name)
    for run in whole.runs["run_id"]:
        one = Tables(whole.runs.filter(pl.col("run_id") == run), whole.epochs.filter(pl.col("run_id") == run))
        verdicts = STUDIES[name].verdict(one)
        assert verdicts
        assert all(verdicts)
        assert STUDIES[name].draw(one)
