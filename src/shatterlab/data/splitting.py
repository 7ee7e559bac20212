"""Taking parts of data at random: fewer examples, and a validation set."""

from dataclasses import replace

import numpy as np

from ..errors import ShatterlabError
from ..seeds import stream
from .dataset import Data, Dataset
from .stored import LARGEST_RESIDENT


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
        parts.append(in_memory(part.take(chosen)))
    return replace(data, train=parts[0], test=parts[1])


def in_memory(dataset: Dataset) -> Dataset:
    """The data set with inputs that are on disk read into memory, if they are few enough for it."""
    if dataset.on_disk is None or len(dataset) > most_in_memory(dataset):
        return dataset
    return replace(dataset, inputs=np.asarray(dataset.on_disk))


def most_in_memory(dataset: Dataset) -> int:
    """The number of examples like these that are held in memory together."""
    return max(1, LARGEST_RESIDENT // int(np.prod(dataset.shape)))


def resident(data: Data, seed: int = 0) -> Data:
    """Data for what needs them in memory: those on disk are cut at random to as many as are held there."""
    if not (data.train.on_disk or data.test.on_disk):
        return data
    cut = at_most(data, most_in_memory(data.train), most_in_memory(data.test), seed)
    read = replace(cut, train=in_memory(cut.train), test=in_memory(cut.test))
    note = f"{len(cut.train):,} of {len(data.train):,} training examples are looked at, as memory holds no more."
    return replace(read, notes=(*data.notes, note) if len(cut.train) < len(data.train) else data.notes)


def standardized(data: Data) -> Data:
    """Brings each column of features to mean 0 and deviation 1 over the training set; a constant column to 0.

    Raises:
        ShatterlabError: the inputs are token ids, whose size means nothing.
    """
    if data.train.are_tokens:
        raise ShatterlabError("token ids cannot be standardized, as their size means nothing; use preprocessing=none.")
    if data.train.on_disk or data.test.on_disk:
        raise ShatterlabError("images on disk cannot be standardized column by column; use preprocessing=whiten.")
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
