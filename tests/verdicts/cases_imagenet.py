"""Tables for the claims of imagenet."""

from typing import Any

import numpy as np
from verdicts.made import Cases, alike, falling_losses, run, standing_losses, tables_of

from shatterlab.paper import TABLE_2, Table2Row, table_2_changes
from shatterlab.studies import Tables
from shatterlab.studies.imagenet import EARLIER, KEPT, MOSTLY

TRUE = [row for row in TABLE_2 if not row.random_labels]
BARE = TRUE[-1]
RANDOM = TABLE_2[-1]
CLASSES = 100
N_TEST = 2_000


def of_row(row: Table2Row, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A run of a row of table 2, with the paper's numbers where nothing else is said."""
    random = {"wrong_labels": 1 - 1 / CLASSES, "test_accuracy": 1 / CLASSES} if row.random_labels else {}
    dials = {"model": "inception-v3", "data": "folder:photos", "crop": 75, "n": 20_000, "n_test": N_TEST, "seed": seed}
    outcome = {
        "classes": CLASSES, "majority": 1 / CLASSES, "train_accuracy": row.train / 100, "test_accuracy": row.test / 100,
        "best_test_accuracy": (row.best_test or row.test) / 100, "train_top5_accuracy": None,
        "test_top5_accuracy": None,
    }  # fmt: skip
    return run(**{**dials, **table_2_changes(row), **outcome, **random, **changes})


def table_2(seeds: int = 1, **bare: Any) -> list[dict[str, Any]]:
    """All rows on true labels, with other numbers for the one without regularizers."""
    return [of_row(row, seed, **(bare if row is BARE else {})) for row in TRUE for seed in range(seeds)]


def random_labels(train: float, losses: list[float], seeds: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Random labels fitted to some share, beside true labels that are fitted."""
    return [
        line
        for seed in range(seeds)
        for line in (of_row(RANDOM, seed, train_accuracy=train, losses=losses, **changes), of_row(BARE, seed))
    ]


def _null_random(rng: np.random.Generator) -> Tables:
    """A network that is stuck somewhere below what counts."""
    seeds = int(rng.integers(1, 4))
    share = float(rng.uniform(0.1, MOSTLY - 1e-6))
    return tables_of(random_labels(share, standing_losses(), seeds))


def _null_kept(rng: np.random.Generator) -> Tables:
    """A network that keeps just the share that counts of what it has with each regularizer."""
    seeds = int(rng.integers(1, 4))
    chance = 1 / CLASSES
    helped = float(rng.uniform(0.4, 0.8))
    lines = []
    for row in TRUE:
        level = helped if row is not BARE else chance + KEPT * (helped - chance)
        for seed, right in enumerate(alike(rng, level, seeds, N_TEST)):
            lines.append(of_row(row, seed, right=right, train_accuracy=1.0))
    return tables_of(lines)


def _null_earlier(rng: np.random.Generator) -> Tables:
    """A best epoch that beats the last by just what counts, give or take the luck of a test set."""
    lines = []
    for row in TRUE:
        for seed in range(int(rng.integers(1, 4))):
            level = 0.6 + 0.01 * rng.standard_normal()
            last, best = (float(rng.binomial(N_TEST, at) / N_TEST) for at in (level, level + EARLIER))
            lines.append(of_row(row, seed, test_accuracy=last, best_test_accuracy=max(last, best)))
    return tables_of(lines)


FEW = {"n": 64}

CASES = [
    Cases(
        confirmed={
            "the paper's numbers": tables_of(random_labels(0.952, falling_losses())),
            "two seeds": tables_of(random_labels(1.0, falling_losses(), 2)),
        },
        contradicted={"stuck, though true labels are fitted": tables_of(random_labels(0.4, standing_losses()))},
        cannot_tell={
            "still falling": tables_of(random_labels(0.4, falling_losses())),
            "true labels are not fitted either": tables_of(
                [of_row(RANDOM, train_accuracy=0.4, losses=standing_losses()), of_row(BARE, train_accuracy=0.5)]
            ),
            "true labels were not tried": tables_of([of_row(RANDOM, train_accuracy=0.4, losses=standing_losses())]),
            "few photographs": tables_of(random_labels(1.0, falling_losses(), **FEW)),
            "a loss that is no number": tables_of(random_labels(0.4, [2.0, float("nan")])),
            "labels that are not as wrong as asked for": tables_of(
                random_labels(1.0, falling_losses(), wrong_labels=0.5)
            ),
            "no run": tables_of(table_2()),
        },
        null=_null_random,
    ),
    Cases(
        confirmed={"the paper's numbers": tables_of(table_2()), "three seeds": tables_of(table_2(3))},
        contradicted={"a quarter is kept": tables_of(table_2(3, test_accuracy=0.15))},
        not_shown={"just about what counts": tables_of(table_2(1, test_accuracy=0.395))},
        cannot_tell={
            "not fitted": tables_of(table_2(train_accuracy=0.9)),
            "few photographs": tables_of([line | FEW for line in table_2()]),
            "nothing to compare with": tables_of([of_row(BARE)]),
            "an accuracy that is no number": tables_of(table_2(test_accuracy=float("nan"))),
        },
        null=_null_kept,
    ),
    Cases(
        confirmed={"three seeds of the paper's numbers, 50,000 test images": tables_of(
            [line | {"n_test": 50_000} for line in table_2(3)]
        )},
        contradicted={"the last epoch is the best": tables_of(
            [of_row(row, seed, best_test_accuracy=row.test / 100, n_test=50_000) for row in TRUE for seed in range(3)]
        )},
        not_shown={"one seed of 2,000 test images": tables_of(table_2())},
        cannot_tell={
            "few photographs": tables_of([line | FEW for line in table_2()]),
            "no generalization": tables_of(
                [of_row(row, test_accuracy=0.01, best_test_accuracy=0.012) for row in TRUE]
            ),
            "no run": tables_of([of_row(RANDOM)]),
            "an accuracy that is no number": tables_of(table_2(test_accuracy=float("nan"))),
        },
        null=_null_earlier,
    ),
]  # fmt: skip
