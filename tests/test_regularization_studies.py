"""Table 1, table 4 and figure 2b: their runs, and verdicts on numbers made by hand."""

import polars as pl
import pytest
from helpers import trainings

from shatterlab import make_spec
from shatterlab.paper import TABLE_1, TABLE_4, targets_for
from shatterlab.spec import WEIGHT_DECAY, Spec
from shatterlab.studies import Tables, implicit, random_labels_regularized, table1
from shatterlab.studies.rules import generalizes


def line(spec: Spec, train: float, test: float, *, n: int = 5_000, n_test: int = 10_000, **more) -> dict:
    """A line of the table of runs."""
    return {**spec.model_dump(), "regularizers": spec.regularizers, "n": n, "n_test": n_test, "classes": 10,
            "run_id": spec.id, "online_accuracy": train, "train_accuracy": train, "test_accuracy": test,
            "best_test_accuracy": test, "validation_test_accuracy": None, **more}  # fmt: skip


def tables_of(*lines: dict) -> Tables:
    return Tables(pl.DataFrame(list(lines), infer_schema_length=None), pl.DataFrame())


def test_table_1_has_the_papers_19_rows_and_each_is_a_run() -> None:
    assert len(TABLE_1) == 19
    for scale in ("cpu", "paper"):
        specs = trainings(table1.STUDY, scale, "cifar10", 1)
        assert len(specs) == 19
        for row, spec in zip(TABLE_1, specs, strict=True):
            assert (spec.model, spec.random_crop, spec.weight_decay, spec.corruption == "random-labels") == (
                row.model, row.crop, WEIGHT_DECAY * row.weight_decay, row.random_labels)  # fmt: skip
    assert len(trainings(table1.STUDY, "cpu", "npz:x", 1)) == 15  # four rows need to know the side of the crop


def test_a_model_keeps_its_hyperparameters_from_row_to_row() -> None:
    kept = ("batch_size", "learning_rate", "momentum", "decay", "decay_every", "n", "crop", "preprocessing")
    for scale in ("demo", "cpu", "paper"):
        specs = trainings(table1.STUDY, scale, "cifar10", 1)
        for model in {spec.model for spec in specs}:
            assert len({tuple(getattr(spec, dial) for dial in kept) for spec in specs if spec.model == model}) == 1


def test_full_size_rows_meet_their_own_target_and_no_other() -> None:
    for row, spec in zip(TABLE_1, trainings(table1.STUDY, "paper", "cifar10", 1), strict=True):
        found = targets_for(line(spec, 1, 1, n=50_000))
        stated = {(t.quantity, t.value) for t in found if t.source == "Table 1"}
        assert stated == {("train_accuracy", row.train / 100), ("test_accuracy", row.test / 100)}
        assert not targets_for(line(spec, 1, 1, n=5_000))


@pytest.mark.parametrize(
    ("n", "train", "test", "said"),
    [
        (50_000, 0.999, 0.51, "agrees"),
        (50_000, 0.95, 0.6, "train off by -5.00, test off by +9.49"),
        (5_000, 1.0, 0.5051, "no: other n"),
    ],
)
def test_numbers_are_compared_only_at_the_papers_size(n: int, train: float, test: float, said: str) -> None:
    spec = make_spec(model="mlp-1x512", data="cifar10")
    lines = table1.table(tables_of(line(spec, train, test, n=n)))
    assert [each["compared"] for each in lines] == [said]
    assert lines[0]["paper test %"] == "50.51"
    elsewhere = tables_of(line(make_spec(model="mlp-1x512", data="mnist", crop=28), train, test, n=n))
    assert table1.table(elsewhere)[0]["compared"] == "no: other data"


def test_the_gain_of_a_regularizer_is_a_difference_of_runs_of_one_seed() -> None:
    def run(seed: int, test: float, **dials) -> dict:
        return line(make_spec(model="alexnet", data="cifar10", seed=seed, **dials), 1.0, test)

    verdict = table1.verdict(tables_of(
        run(0, 0.50), run(1, 0.60),
        run(0, 0.52, weight_decay=WEIGHT_DECAY), run(1, 0.62, weight_decay=WEIGHT_DECAY),
        run(0, 0.55, random_crop=True), run(1, 0.63, random_crop=True),
        line(make_spec(model="alexnet", data="cifar10", corruption="random-labels"), 0.9982, 0.0986),
    ))  # fmt: skip
    assert verdict == [
        "Without any explicit regularizer 1 of 1 models fit their training set (at least 99.0 %) and 1 of 1 still "
        "generalize (alexnet (n = 5,000) 100.0 % ± 0.0 % (2 seeds) train, 55.0 % ± 7.1 % (2 seeds) test; chance 10.0 %).",
        "The same networks on random labels: alexnet (n = 5,000) 99.8 % train, 9.9 % test.",
        "alexnet, points of test accuracy added at n = 5,000 (paper: 50,000 of CIFAR-10): weight decay +2.00 ± 0.00 (2 seeds) "
        "(paper +1.29), random crop +4.00 ± 1.41 (2 seeds) (paper +3.59).",
    ]


def test_batch_normalization_is_a_gain_too() -> None:
    runs = [line(make_spec(model=model, data="cifar10"), 1.0, test)
            for model, test in (("inception", 0.48), ("inception-no-bn", 0.45))]  # fmt: skip
    assert table1.verdict(tables_of(*runs))[-1] == (
        "Batch normalization adds +3.00 (1 seed, test set ± 0.71) points to Inception without other regularizers at n = 5,000 (paper, 50,000 of CIFAR-10: +3.75)."
    )


def test_a_gain_between_different_learning_rates_says_so() -> None:
    runs = [line(make_spec(model=model, data="cifar10", learning_rate=rate), 1.0, 0.5)
            for model, rate in (("inception", 0.1), ("inception-no-bn", 0.004))]  # fmt: skip
    assert (
        "at n = 5,000, not trained alike: learning rates 0.1 and 0.004 (paper" in table1.verdict(tables_of(*runs))[-1]
    )
    assert "n = 5,000, not trained alike: learning rates 0.1 and 0.004 (paper" in implicit.verdict(tables_of(*runs))[-1]


def test_a_network_at_chance_does_not_generalize() -> None:
    spec = make_spec(model="alexnet", data="cifar10")
    assert not generalizes(tables_of(line(spec, 1.0, 0.11)).runs)
    assert generalizes(tables_of(line(spec, 1.0, 0.12)).runs)


def test_table_4_decays_as_its_caption_says_and_only_there() -> None:
    specs = trainings(random_labels_regularized.STUDY, "paper", "cifar10", 1)
    assert len(specs) == len(TABLE_4) == 6
    for row, spec in zip(TABLE_4, specs, strict=True):
        assert spec.corruption == "random-labels"
        assert spec.decay == (0.95 if row.regularizer == "weight decay" else 0.999)
    turned = specs[-1]
    assert (turned.flip, turned.rotation, turned.random_crop) == (0.5, 25, False)
    found = [target.value for target in targets_for(line(turned, 1, 1, n=50_000))]
    assert found == [0.9928]


def test_what_fails_to_converge_in_the_paper_is_reported_as_measured() -> None:
    spec = make_spec(model="alexnet", data="cifar10", corruption="random-labels", weight_decay=WEIGHT_DECAY)
    for train, does in (
        (0.12, "stays near chance here too: 12.0 %"),
        (0.3, "learns here but does not finish: 30.0 %"),
        (1.0, "fits them here: 100.0 %"),
    ):
        runs = tables_of(line(spec, train, 0.1, epochs=80))
        assert does in random_labels_regularized.verdict(runs)[-1]
        assert random_labels_regularized.table(runs)[0]["paper"] == "fails to converge"


def test_early_stopping_is_judged_by_validation_and_by_the_test_set() -> None:
    dials = {"data": "cifar10", "n_validation": 100}
    verdict = implicit.verdict(tables_of(
        line(make_spec(model="inception", **dials), 1.0, 0.50, best_test_accuracy=0.52, validation_test_accuracy=0.51),
        line(make_spec(model="inception-no-bn", **dials), 1.0, 0.46, best_test_accuracy=0.46, validation_test_accuracy=0.45),
    ))  # fmt: skip
    assert verdict[0] == (
        "inception, n = 5,000: early stopping gains +1.00 points over the last epoch when 100 validation examples "
        "choose the epoch, +2.00 when the test set itself does, as in the paper (which finds no gain)."
    )
    assert verdict[1].startswith("inception-no-bn, n = 5,000: early stopping gains -1.00 points")
    assert verdict[2] == (
        "Batch normalization adds +4.00 (1 seed, test set ± 0.71) points of test accuracy in the last epoch and +6.00 "
        "(1 seed, test set ± 0.71) at the one that is best on the test set, n = 5,000 (paper, 50,000 of CIFAR-10: 3 to 4)."
    )
