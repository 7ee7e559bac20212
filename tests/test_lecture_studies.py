"""What the lecture has beside the paper: the lemma, three routes to one solution, the timeline, tuned regularizers."""

from dataclasses import astuple, replace
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from helpers import noise_data

from shatterlab import make_spec
from shatterlab.data import load
from shatterlab.jobs import Training
from shatterlab.results import Result
from shatterlab.studies import STUDIES
from shatterlab.studies.lemma import between, determinant, look_into
from shatterlab.studies.regularizers import PICTURES, augmented, best, strengths
from shatterlab.studies.three_routes import KERNEL, LEAST, RANDOM, SGD, compare
from shatterlab.studies.timeline import moment


def test_a_determinant_by_fractions_is_that_of_the_rule_of_sarrus() -> None:
    matrix = np.array([[2.0, 0.5, 1.0], [0.0, -1.0, 3.0], [4.0, 0.25, 0.1]])
    a, b, c, d, e, f, g, h, i = (Fraction(float(x)) for x in matrix.ravel())
    by_hand = a * e * i + b * f * g + c * d * h - c * e * g - b * d * i - a * f * h
    assert determinant(matrix) == by_hand
    assert float(by_hand) == pytest.approx(np.linalg.det(matrix))
    assert determinant(matrix[[1, 0, 2]]) == -by_hand


def test_a_determinant_by_fractions_does_not_round() -> None:
    tiny = 2.0**-600
    assert determinant(np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]])) == Fraction(1, 2**52)
    assert determinant(np.diag([tiny, tiny])) == Fraction(1, 2**1200)
    assert determinant(np.diag([3.0, 5.0]), shift=5.0) == 0


def test_the_thresholds_of_the_lemma_lie_between_the_points() -> None:
    z = np.sort(np.random.default_rng(0).standard_normal(20))
    b = between(z)
    assert (b < z).all()
    assert (z[:-1] < b[1:]).all()
    assert between(np.array([3.0])) < 3.0


def test_the_lemma_holds_on_digits_and_its_control_is_singular() -> None:
    (record,) = look_into(load("digits"), n=10, seed=0)
    assert record["roots"] == record["differences"] == 10
    assert record["control_is_zero"]
    assert not record["determinant_is_zero"]
    assert record["log_determinant"] == pytest.approx(record["sum_of_logs"])
    assert record["smallest_singular_value"] <= record["smallest_difference"]


def test_three_routes_end_at_one_solution_and_a_random_start_elsewhere() -> None:
    for kernel in ("linear", "gaussian"):
        records = compare(load("digits"), kernel, n=8, n_test=50, steps=20_000, seed=0)  # type: ignore[arg-type]
        apart = {r["routes"]: r["apart"] for r in records if r["what"] == "pair"}
        assert apart[f"{KERNEL}, {LEAST}"] < 1e-9
        assert apart[f"{KERNEL}, {SGD}"] < 1e-3
        assert apart[f"{KERNEL}, {RANDOM}"] > 0.1
        path = [r["apart"] for r in records if r["what"] == "path" and r["route"] == SGD]
        assert path[-1] < path[len(path) // 2] < path[0]


def seen(*epochs: tuple[float | None, float | None, float | None]) -> pl.DataFrame:
    names = ("corrupted_fitted", "train_accuracy", "test_accuracy")
    return pl.DataFrame([{"epoch": i + 1, **dict(zip(names, row, strict=True))} for i, row in enumerate(epochs)])


RUN = {"wrong_labels": 0.25, "test_accuracy": 0.6}


def test_the_moment_of_a_run_is_the_last_scored_epoch_before_half_of_the_wrong_labels_are_fitted() -> None:
    # Of four labels one is wrong: 0.75 right share x + 0.25 x 0.4 = 0.7, so that x = 0.8.
    epochs = seen((0.1, 0.2, 0.3), (0.4, 0.7, 0.65), (None, None, None), (0.5, 0.8, 0.64), (0.3, 0.9, 0.1))
    found = moment(RUN, epochs)
    assert found is not None
    assert astuple(found) == pytest.approx((2, 0.4, 0.8, 0.65, 0.6))


@pytest.mark.parametrize(
    "epochs",
    [seen((0.6, 0.7, 0.5), (1.0, 1.0, 0.5)), seen((0.1, 0.2, 0.3), (0.4, 0.7, 0.6)), seen((0.1, 0.2, float("nan")), (1.0, 1.0, 0.5))],
    ids=["fitted at once", "never fitted", "no number"],
)  # fmt: skip
def test_a_run_without_such_an_epoch_has_no_moment(epochs: pl.DataFrame) -> None:
    assert moment(RUN, epochs) is None


def test_the_best_strength_has_the_best_mean_and_of_equal_ones_is_the_weakest() -> None:
    assert best([(0.5, 0.4), (0.25, 0.3), (0.5, 0.4), (0.25, 0.6)]) == 0.25
    assert best([(0.75, 0.5), (0.5, 0.5)]) == 0.5


def test_dropout_is_tried_on_random_labels_at_the_strength_that_validation_prefers(small_store) -> None:
    asked = STUDIES["regularizers"].jobs("demo", "digits", 2)
    first = next(asked)  # type: ignore[arg-type]
    specs = [job.spec for job in first if isinstance(job, Training)]
    done = small_store.results()[0]

    def result(spec) -> Result:
        score = {0.25: 0.5, 0.5: 0.7, 0.75: 0.6}.get(spec.dropout, 0.9)
        return done.model_copy(
            update={"spec": spec, "last": done.last.model_copy(update={"validation_accuracy": score})}
        )

    second = asked.send([result(spec) for spec in specs])  # type: ignore[union-attr]
    dropped = [job.spec for job in second if job.spec.dropout]
    assert {spec.dropout for spec in dropped} == {0.5}
    assert {spec.seed for spec in dropped} == {0, 1}
    assert {spec.corruption for job in second if (spec := job.spec)} == {"random-labels"}
    assert {spec.dropout for job in second if (spec := job.spec)} == {0.0, 0.5}


def test_the_strengths_of_a_regularizer_rise_and_tables_are_not_augmented() -> None:
    for data in ("cifar10", "mnist", "csv:x.csv?label=y"):
        kinds = strengths(data)
        assert ("augmentation" in kinds) == (data in ("cifar10", "mnist"))
        for kind in ("weight decay", "dropout"):
            values = [value for dials in kinds[kind] for value in dials.values()]
            assert values == sorted(values)
        for dials in (one for kind in kinds.values() for one in kind):
            make_spec(data=data, **dials)
    assert "hue" not in strengths("mnist")["augmentation"][-1]


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1)])
def test_one_image_is_shown_under_each_change(shape: tuple[int, ...]) -> None:
    records = augmented(replace(noise_data(shape=shape), name="noise"), 0)
    drawn: dict[str, list[str]] = {}
    for r in records:
        drawn.setdefault(r["condition"], []).append(r["png"])
    assert {len(pictures) for pictures in drawn.values()} == {PICTURES}
    assert len(set(drawn["centre crop"])) == 1
    assert set(drawn["mirrored"]) - set(drawn["centre crop"])
    for change in ("turned", "recoloured"):
        assert len(set(drawn[change])) == PICTURES
