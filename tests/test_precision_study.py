"""What bfloat16 costs in fit: which runs are compared, and what is said of them."""

from helpers import trainings
from verdicts.cases_precision import twins
from verdicts.made import tables_of

from shatterlab.studies import STUDIES
from shatterlab.studies.precision import STUDY, table, verdict


def test_every_run_has_a_twin_that_differs_in_precision_alone() -> None:
    runs = trainings(STUDY, "cpu", "cifar10", 2)
    float32 = {spec.id for spec in runs if spec.precision == "float32"}
    assert {spec.model_copy(update={"precision": "float32"}).id for spec in runs if spec.precision == "bf16"} == float32
    assert len(runs) == 2 * len(float32) == 16
    assert float32 <= {spec.id for spec in trainings(STUDIES["table1"], "cpu", "cifar10", 2)}


def test_the_verdict_compares_losses_of_one_epoch_and_names_their_spread() -> None:
    assert verdict(tables_of(twins([2.0, 2.0], half_epochs=20, fit_step=None))) == [
        "Under bfloat16 the training loss of MLP 1x512 on random labels at n = 50,000 is 2.00 times (95 % interval 1.67 to 2.39, "
        "2 seeds) that of float32, in the last epoch of both; train accuracy 100.00 (SD 0.00) % and 0 of 2 runs at 100 % "
        "with a loss below 0.01; in float32 100.00 (SD 0.00) % and 0 of 2 runs at 100 % with a loss below 0.01; each run "
        "is scored in its own precision."
    ]
    far = verdict(tables_of(twins([20.0])))[0]
    assert "is 2.2 where that of float32 is 0.11 (geometric mean, 1 seed), in the last epoch" in far
    assert "is 0.50 times (1 seed) that of float32" in verdict(tables_of(twins([0.5])))[0]
    assert verdict(tables_of(twins([1.0])[:1])) == ["No model has been trained in both precisions yet."]


def test_only_seeds_that_both_precisions_have_are_compared() -> None:
    (float32, bf16) = table(tables_of(twins([1.0, 1.0, 1.0])[:-1]))
    assert float32["seeds"] == bf16["seeds"] == 2
    assert float32["train %"] == bf16["train %"]
