"""Tables for the claims of minimum-norm."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from verdicts.made import Cases, tables_of

from shatterlab.studies import Tables
from shatterlab.studies.minimum_norm import APART, ARRIVED, AWAY, DIFFERENT, OUTSIDE, SAME

NAN = float("nan")
KINDS = ("gradient descent from zero", "SGD from zero", "gradient descent from random")


def path(
    what: str, left: Sequence[float] = (0.9, 0.3, 0.05, 0.001), seed: int = 0, **changes: Any
) -> list[dict[str, Any]]:
    """The records of a path of descent of which these shares of the distance are left after 10, 100, ... steps."""
    control = what.endswith("random")
    return [
        {
            "what": what, "seed": seed, "n": 30, "d": 64, "data": "digits", "step": 10 ** (i + 1), "to_limit": share,
            "to_least_norm": (0.73**2 + share**2) ** 0.5 if control else share, "norm": 1.0, "least_norm": 1.0,
            "span_angle": 0.8 if control else 1e-15,
        } | changes
        for i, share in enumerate(left)
    ]  # fmt: skip


def paths(seed: int = 0, **of_kind: Any) -> list[dict[str, Any]]:
    """All three kinds; `zero`, `sgd` and `random` change one of them."""
    names = dict(zip(("zero", "sgd", "random"), KINDS, strict=True))
    return [r for short, what in names.items() for r in path(what, seed=seed, **of_kind.get(short, {}))]


def _null_paths(rng: np.random.Generator) -> Tables:
    """SGD from zero ends elsewhere, leaves the span, diverges or was never run, or the start decides nothing."""
    end = ARRIVED * (1 + rng.exponential(0.2))
    how = rng.integers(6)
    changes: dict[str, Any] = {
        0: {"sgd": {"left": (0.9, 0.5, 2 * end, end)}},
        1: {"sgd": {"left": (0.9, end, end * 0.98, end)}},
        2: {"sgd": {"span_angle": 10 ** rng.uniform(-6, 0)}},
        3: {"random": {"to_least_norm": ARRIVED * rng.random()}},
        4: {"sgd": {"left": (0.9, NAN, NAN, NAN), "span_angle": NAN}},
        5: {},
    }[int(how)]
    records = [r for seed in range(rng.integers(1, 4)) for r in paths(seed, **changes)]
    return tables_of(records=[r for r in records if how < 5 or r["what"] != KINDS[1]])


def squared(difference: float = 4e-16, seed: int = 0) -> list[dict[str, Any]]:
    """Two optima of the squared loss, as the first versions measured them and nothing else."""
    return [
        {
            "what": "optimum", "optimum": name, "seed": seed, "norm": norm, "train_loss": 1e-30, "test_accuracy": 0.6,
            "curvature_difference": difference, "largest_curvature": 9.0, "flat_directions": 34, "n": 30, "d": 64,
        }
        for name, norm in (("least norm", 1.0), ("another", 1.4))
    ]  # fmt: skip


def general(
    loss: str, optimum: float = 1e-9, elsewhere: float = 0.4, excess: float = 1e-20, seed: int = 0, apart: float = 1.0
) -> list[dict[str, Any]]:
    """Curvatures of a loss along five directions, those of other points changed by these shares.

    Args:
        apart: the distance of the two optima, relative to the least norm.
    """
    curvatures = np.array([0.3, 0.9, 1.4, 0.7, 1.1])
    changes = {
        "least norm": 0.0,
        "another optimum": optimum,
        "zero weights": -elsewhere,
        "random weights": -1.2 * elsewhere,
    }
    return [
        {
            "what": "curvature", "loss": loss, "seed": seed, "point": point, "n": 30, "d": 64,
            "norm": (1 + apart**2) ** 0.5 if point == "another optimum" else 1.0,
            "distance": 0.0 if point == "least norm" else apart,
            "excess_loss": 0.5 if point in ("zero weights", "random weights") else excess,
            "curvatures": (curvatures * (1 + by)).tolist(),
        }
        for point, by in changes.items()
    ]  # fmt: skip


def curved(seeds: int = 1, losses: Sequence[str] = ("log-cosh", "logistic"), **dials: float) -> Tables:
    records = [r for seed in range(seeds) for loss in losses for r in general(loss, seed=seed, **dials)]
    return tables_of(records=squared() + records)


def early(table: Tables) -> Tables:
    """The same as records that were made before distances were kept."""
    return tables_of(records=[{k: v for k, v in r.items() if k != "distance"} for r in table.records])


def _null_curvatures(rng: np.random.Generator) -> Tables:
    """Two optima differ by more than rounding, or nothing does, or there is one optimum, or a number is missing."""
    how = rng.integers(4)
    if how == 0:
        return curved(2, optimum=SAME * (1 + rng.exponential(1.0)) * rng.choice([-1, 1]))
    if how == 1:
        return curved(2, elsewhere=DIFFERENT * 0.999 * rng.random())
    return curved(2, apart=APART * 0.999 * rng.random()) if how == 2 else curved(2, optimum=NAN)


CASES = [
    Cases(
        confirmed={
            "all arrive, the control elsewhere": tables_of(records=paths()),
            "three seeds": tables_of(records=[r for seed in range(3) for r in paths(seed)]),
        },
        contradicted={
            "SGD leaves the span": tables_of(records=paths(sgd={"span_angle": 0.3})),
            "SGD moves away": tables_of(records=paths(sgd={"left": (0.9, 0.3, 0.4, 0.6)})),
            "SGD stands still elsewhere": tables_of(records=paths(sgd={"left": (0.9, 0.6, 0.6, 0.6)})),
        },
        not_shown={
            "an angle of a little more than rounding": tables_of(records=paths(sgd={"span_angle": 2e-6})),
            "and of almost too much": tables_of(records=paths(sgd={"span_angle": OUTSIDE})),
        },
        cannot_tell={
            "SGD has 1.7 % left and comes nearer": tables_of(records=paths(sgd={"left": (0.9, 0.3, 0.05, 0.017)})),
            "SGD hovers at 1.1 %": tables_of(records=paths(sgd={"left": (0.9, 0.3, 0.0110, 0.0111)})),
            "SGD stands still half way": tables_of(records=paths(sgd={"left": (0.9, AWAY, AWAY, AWAY)})),
            "SGD diverges": tables_of(records=paths(sgd={"left": (0.9, NAN, NAN, NAN), "span_angle": NAN})),
            "SGD leaves for infinity": tables_of(records=paths(sgd={"left": (0.9, 2.0, 1e9, 1e99), "span_angle": 0.1})),
            "no SGD": tables_of(records=path(KINDS[0]) + path(KINDS[2])),
            "the control diverges": tables_of(records=paths(random={"left": (0.9, NAN), "span_angle": NAN})),
            "one of three seeds is on its way": tables_of(
                records=paths() + paths(1) + paths(2, zero={"left": (0.9, 0.5, 0.2, 0.1)})
            ),
            "no control": tables_of(records=paths()[:8]),
            "the control arrives at the least norm as well": tables_of(
                records=paths(random={"to_least_norm": 0.001, "span_angle": 1e-15})
            ),
            "the control has not arrived at all": tables_of(records=paths(random={"left": (0.9, 0.8, 0.7, 0.6)})),
            "a path of one step": tables_of(records=paths(sgd={"left": (0.9,)})),
        },
        null=_null_paths,
    ),
    Cases(
        confirmed={
            "one seed": curved(),
            "three seeds": curved(3),
            "norms tell two optima apart where no distance was kept": early(curved()),
        },
        contradicted={
            "two optima differ": curved(optimum=0.05),
            "in one loss": tables_of(records=general("log-cosh") + general("logistic", optimum=0.02)),
        },
        not_shown={"two optima differ a little more than by rounding": curved(optimum=1e-4)},
        cannot_tell={
            "the squared loss alone, which cannot fail": tables_of(records=squared()),
            "one loss is missing": curved(losses=("log-cosh",)),
            "points that are no optima have the same curvature, too": curved(elsewhere=0.0),
            "in one seed": tables_of(
                records=general("log-cosh") + general("log-cosh", elsewhere=0.001, seed=1) + general("logistic")
            ),
            "an optimum that is none": curved(excess=1e-3),
            "one optimum under two names": curved(optimum=0.0, apart=0.0),
            "the same without a distance": early(curved(optimum=0.0, apart=0.0)),
            "a curvature that is no number": curved(optimum=NAN),
            "elsewhere": curved(elsewhere=NAN),
        },
        null=_null_curvatures,
    ),
]
