"""What bfloat16 costs in fit: which runs are compared, and what may be said of them."""

import polars as pl
import pytest
from helpers import trainings

from shatterlab.studies import STUDIES, Tables
from shatterlab.studies.precision import STUDY, table, verdict


def tables(**accuracies: list[float]) -> Tables:
    lines = [
        {"model": "m", "precision": precision, "seed": seed, "n": 50_000, "train_accuracy": accuracy, "train_loss": 0.02,
         "epochs": 90, "fit_step": 7 if accuracy == 1 else None}
        for precision, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]  # fmt: skip
    return Tables(pl.DataFrame(lines, infer_schema_length=None), pl.DataFrame())


def test_every_run_has_a_twin_that_differs_in_precision_alone() -> None:
    runs = trainings(STUDY, "cpu", "cifar10", 2)
    float32 = {spec.id for spec in runs if spec.precision == "float32"}
    assert {spec.model_copy(update={"precision": "float32"}).id for spec in runs if spec.precision == "bf16"} == float32
    assert len(runs) == 2 * len(float32) == 16
    assert float32 <= {spec.id for spec in trainings(STUDIES["table1"], "cpu", "cifar10", 2)}


def test_the_verdict_says_less_more_or_as_much() -> None:
    assert (
        "99.00 % train accuracy on random labels at n = 50,000, 0.50 points less than in float32 (99.50 %)"
        in (verdict(tables(float32=[0.995], bf16=[0.99]))[0])
    )
    assert "0.50 points more than in float32" in verdict(tables(float32=[0.99], bf16=[0.995]))[0]
    same = verdict(tables(float32=[1.0, 1.0], bf16=[1.0, 1.0]))[0]
    assert "as much as in float32" in same
    assert "2 of 2 runs end at 100 % with a loss below 0.01, in float32 2 of 2" in same
    assert verdict(tables(float32=[1.0])) == ["No model has been trained in both precisions yet."]


def test_only_seeds_that_both_precisions_have_are_compared() -> None:
    (float32, bf16) = table(tables(float32=[0.9, 0.8, 0.1], bf16=[0.9, 0.8]))
    assert float32["seeds"] == bf16["seeds"] == 2
    assert float32["train %"] == bf16["train %"]


@pytest.mark.parametrize(
    ("bf16", "confirmed"),
    [([0.98, 0.981, 0.979], True), ([0.999, 1.0, 0.998], False), ([1.0, 1.0, 1.0], False), ([0.98], None)],
)
def test_a_cost_within_the_spread_of_seeds_or_of_one_seed_confirms_nothing(bf16: list[float], confirmed) -> None:
    outcome = STUDY.claims[0].check(tables(float32=[0.998, 0.999, 1.0][: len(bf16)], bf16=bf16))
    assert (outcome and outcome.confirmed) is confirmed
