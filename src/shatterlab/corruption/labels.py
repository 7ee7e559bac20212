"""Corrupted labels, in both conventions of the literature, each with its name."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from ..data.dataset import Dataset
from ..errors import ShatterlabError

LabelNoise = Literal["uniform", "symmetric"]


def corrupt_labels(
    dataset: Dataset, amount: float, rng: np.random.Generator, convention: LabelNoise = "uniform"
) -> Dataset:
    """Replaces each label, independently with probability `amount`, by a random class.

    Args:
        dataset: n labelled examples.
        amount: probability in [0, 1].
        rng: the generator that draws the labels.
        convention: `"uniform"` draws from all classes, the true one included, so that
            amount * (1 - 1/classes) of the labels end up wrong (Zhang et al., 2017, section 2);
            `"symmetric"` draws from the wrong classes only, so that `amount` of the labels end up wrong.

    Returns:
        The data set with new labels; `assigned` marks the labels that were drawn, `corrupted` those now wrong.

    Raises:
        ShatterlabError: there is no such convention.
    """
    if not isinstance(convention, str) or convention not in get_args(LabelNoise):
        raise ShatterlabError(
            f"label_noise must be 'uniform' (drawn from all classes) or 'symmetric' (from the wrong ones), "
            f"got {convention!r}."
        )
    n, classes = len(dataset), dataset.classes
    replaced = rng.random(n) < amount
    if convention == "uniform":
        drawn = rng.integers(classes, size=n)
    elif classes > 1:
        drawn = (dataset.true_labels + rng.integers(1, classes, size=n)) % classes
    else:
        drawn = dataset.true_labels
    labels = np.where(replaced, drawn, dataset.true_labels)
    return replace(dataset, labels=labels, corrupted=labels != dataset.true_labels, assigned=replaced)
