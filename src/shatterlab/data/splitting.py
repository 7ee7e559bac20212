"""Taking parts of data at random: fewer examples, and a validation set."""

from dataclasses import replace

import numpy as np

from ..errors import ShatterlabError
from ..seeds import stream
from .dataset import Data


def subset(data: Data, n: int | None, n_test: int | None, seed: int) -> Data:
    """`n` training and `n_test` test examples drawn without replacement; None keeps all.

    Raises:
        ShatterlabError: more asked for than there are.
    """
    parts = []
    for part, size, name in ((data.train, n, "n"), (data.test, n_test, "n_test")):
        if size is None or size == len(part):
            parts.append(part)
            continue
        if size > len(part):
            raise ShatterlabError(
                f"{name}={size:,} is more than the {len(part):,} examples there are; ask for at most {len(part):,}."
            )
        chosen = stream(seed, "subset", name).permutation(len(part))[:size]
        parts.append(part.take(chosen))
    return replace(data, train=parts[0], test=parts[1])


def standardized(data: Data) -> Data:
    """Brings each column of features to mean 0 and deviation 1 over the training set; a constant column to 0.

    Raises:
        ShatterlabError: the inputs are token ids, whose size means nothing.
    """
    if data.train.are_tokens:
        raise ShatterlabError("token ids cannot be standardized, as their size means nothing; use preprocessing=none.")
    mean = data.train.inputs.mean(axis=0, dtype=np.float64)
    deviation = data.train.inputs.std(axis=0, dtype=np.float64)
    deviation = np.where(deviation > 0, deviation, 1)
    parts = (replace(p, inputs=((p.inputs - mean) / deviation).astype(np.float32)) for p in (data.train, data.test))
    return replace(data, train=next(parts), test=next(parts))


def at_most(data: Data, n: int, n_test: int, seed: int) -> Data:
    """As `subset`, or all there are where there are fewer."""
    return subset(data, min(n, len(data.train)), min(n_test, len(data.test)), seed)


def hold_out(data: Data, n_validation: int, seed: int) -> Data:
    """Moves `n_validation` training examples, drawn at random, into a validation set; 0 leaves the data as they are.

    Applied after corruption, so that validation labels are as wrong as the training labels: whoever holds
    out examples of a mislabelled set has no others.

    Raises:
        ShatterlabError: nothing would be left to train on.
    """
    if n_validation == 0:
        return data
    n = len(data.train) - n_validation
    if n < 1:
        raise ShatterlabError(
            f"n_validation={n_validation:,} leaves nothing of the {len(data.train):,} training examples; "
            f"ask for at most {len(data.train) - 1:,}."
        )
    order = stream(seed, "validation").permutation(len(data.train))
    return replace(data, train=data.train.take(order[:n]), validation=data.train.take(order[n:]))
