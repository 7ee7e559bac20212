"""Dials that several studies share, so that their runs are the same and are done once."""

from typing import Any

from ..paper import SCHEDULES, Table1Row
from ..spec import WEIGHT_DECAY, Spec, make_spec
from .study import Scale

# Each model has the dials of all its rows, then the changes for random labels, which take longer and may stop early.
# Table 1's batch size, epochs and weight decay are assumptions, see ASSUMPTIONS. The smaller sets decay the rate
# every few passes: once a pass it would die, and once per 50,000 images it would never fall.
TABLE_1_DIALS: dict[Scale, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "demo": {
        "alexnet": ({"n": 500, "n_test": 1_000, "batch_size": 32, "epochs": 45}, {"epochs": 50}),
        "mlp-1x512": ({"n": 2_000, "n_test": 1_000, "epochs": 60}, {"epochs": 100}),
    },
    "cpu": {
        "inception": (
            {"n": 2_000, "n_test": 5_000, "batch_size": 64, "epochs": 50, "decay_every": 4_000, "evaluate_every": 10},
            {"epochs": 80},
        ),
        "inception-no-bn": (
            {"n": 2_000, "n_test": 5_000, "batch_size": 64, "epochs": 45, "decay_every": 10_000, "evaluate_every": 10,
             "learning_rate": 0.004},
            {"epochs": 150},
        ),
        "alexnet": (
            {"n": 5_000, "n_test": 5_000, "batch_size": 64, "epochs": 60, "decay_every": 10_000, "evaluate_every": 5},
            {"epochs": 80},
        ),
        "mlp-3x512": ({"epochs": 40}, {"epochs": 50}),
        "mlp-1x512": ({"batch_size": 64, "epochs": 60}, {"epochs": 90}),
    },
    "paper": {
        model: (
            ({"batch_size": 64} if model == "mlp-1x512" else {}) | {"epochs": true, "stop": "fit"},
            {"epochs": random},
        )
        for model, (true, random) in SCHEDULES.items()
    },
}  # fmt: skip

RANDOM_CROPS = {"cifar10": 28, "mnist": 24, "fashion-mnist": 24, "digits": 7}
"""The side of the random crop in pixels: the paper's 28 of 32, and for other sets one that leaves room to move."""


def for_data(dials: dict[str, Any], data: str, epochs: int = 400) -> dict[str, Any]:
    """The dials of a run; where the data are the digits, which are few and small, the dials are cut down to them."""
    return dials | {"n": 500, "n_test": None, "batch_size": 32, "epochs": epochs} if data == "digits" else dials


def specs_of(row: Table1Row, scale: Scale, data: str, seeds: int) -> list[Spec]:
    """The specs of a row, one for each seed."""
    dials, random = TABLE_1_DIALS[scale][row.model]
    dials = dials | ({"corruption": "random-labels", "stop": "fit"} | random if row.random_labels else {})
    dials = for_data(dials, data, 400 if row.random_labels else 60)
    if row.weight_decay:
        dials = dials | {"weight_decay": WEIGHT_DECAY}
    crop = {"random_crop": row.crop, "crop": RANDOM_CROPS.get(data)}
    return [make_spec(**dials, **crop, model=row.model, data=data, seed=seed) for seed in range(seeds)]
