"""What a few runs were when their numbers were last looked at: `python tests/golden.py` writes golden.json anew.

Look at what `git diff` shows of it afterwards: another id, hash or order means that results from before are not those
of now, which users have to be told (CHANGES.md).
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from shatterlab import Spec, make_spec, run
from shatterlab.corruption import CORRUPTIONS
from shatterlab.data import Dataset, find
from shatterlab.preparation import prepare
from shatterlab.training.sets import Pool

FILE = Path(__file__).parent / "fixtures" / "golden.json"

ON_DIGITS = {"data": "digits", "model": "mlp-1x64", "n": 200, "n_test": 50, "batch_size": 20}
ON_CIFAR10 = {"data": "cifar10", "model": "mlp-1x64", "n": 50, "n_test": 20, "batch_size": 10}
# At its usual rate of 0.1 a net of normalized layers makes 3e-3 of a difference in the last bit within two steps.
INCEPTION = {"model": "inception", "n": 20, "batch_size": 10, "n_test": 10, "learning_rate": 0.001}
WIDE = {"random_crop": True, "flip": 0.5, "rotation": 15.0, "brightness": 0.2, "contrast": 0.2}
SPECS: dict[str, dict[str, Any]] = {
    **{f"digits {name}": ON_DIGITS | {"corruption": name} for name in CORRUPTIONS},
    **{f"cifar10 {name}": ON_CIFAR10 | {"corruption": name} for name in CORRUPTIONS},
    "digits wrong labels": ON_DIGITS | {"corruption": "partial-labels", "amount": 0.3, "label_noise": "symmetric"},
    "digits augmented": ON_DIGITS | WIDE | {"crop": 7, "dropout": 0.3, "optimizer": "adam", "learning_rate": 0.001},
    "digits two seeds": ON_DIGITS | {"corruption": "random-labels", "data_seed": 1, "training_seed": 2},
    "digits inception": ON_DIGITS | INCEPTION,
    "cifar10 alexnet": ON_CIFAR10 | {"model": "alexnet", "corruption": "random-labels"},
    "cifar10 inception": ON_CIFAR10 | INCEPTION | {"corruption": "shuffled-pixels"},
}


def sha256(array: Any, dtype: str) -> str:
    """The hash of an array's values, with the least significant byte first on every machine."""
    return hashlib.sha256(np.ascontiguousarray(array).astype(dtype).tobytes()).hexdigest()


def hashes(part: Dataset) -> dict[str, str]:
    return {"labels": sha256(part.labels, "<i8"), "pixels": sha256(part.inputs, "u1")}


def observed(dials: dict[str, Any]) -> dict[str, Any]:
    """What a run of one epoch is and does on the processor, as golden.json holds it.

    `images` is the hash of the images before they are corrupted: CIFAR-10 is handed around in several encodings.
    """
    spec = make_spec(**dials, epochs=1, evaluate_every=1)
    data, clean = prepare(spec), prepare(Spec(**spec.model_dump() | {"corruption": "true-labels", "amount": 0.0}))
    orders = []

    def places(pool: Pool, order: Any, look_up: Any = Pool.places) -> Any:
        orders.append(order.tolist())
        return look_up(pool, order)

    with tempfile.TemporaryDirectory() as store, patch.object(Pool, "places", places):
        row = run(spec, store, device="cpu").last
    return {
        "id": spec.id,
        "images": sha256(clean.train.inputs, "u1"),
        "train": hashes(data.train),
        "test": hashes(data.test),
        "order": sha256(orders[0][0], "<i8"),
        "losses": [*(row.online_losses or ()), row.train_loss, row.test_loss],
    }


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    if find("cifar10") is None:
        sys.exit("This needs CIFAR-10: name its folder in $SHATTERLAB_DATA.")
    FILE.write_text(json.dumps({name: observed(dials) for name, dials in SPECS.items()}, indent=1) + "\n")
