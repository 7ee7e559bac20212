"""Arrays of unknown origin become data, or end in a sentence that says what is wrong with them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ShatterlabError
from ..seeds import stream
from .dataset import Data, Dataset, Inputs, digest, pair
from .labels import map_labels
from .stored import Stored

ACCEPTED = (
    "data can be (x_train, y_train, x_test, y_test), (x, y), (frame, 'label'), (train_frame, test_frame, 'label'), a "
    "torch Dataset or two, the Data of shatterlab.load, or a name such as 'digits', 'npz:mine.npz', "
    "'csv:mine.csv?label=COLUMN', 'folder:photos'"
)
TEST_SHARE, MOST_TEST = 5, 10_000
"""Where there is no test set, one example in five is split off, and no more than ten thousand."""
BESIDE = ("true_labels", "corrupted", "assigned", "index")
"""A `Dataset` holds these beside its inputs and labels, one entry an example."""
CHANNELS = (1, 3, 4)
"""An axis of so many entries can be the channels of an image."""


def checked(name: str, inputs: Any, labels: np.ndarray, classes: int, *, ordered: bool = False) -> Dataset:
    """A `Dataset` whose labels are integers in 0..classes-1.

    Args:
        name: the name of the file or array, for messages.
        inputs, ordered: see `checked_inputs`.
        labels: (n,) or (n, 1).
        classes: number of classes.
    """
    inputs, labels = checked_inputs(name, inputs, ordered=ordered), labels.ravel()
    _one_label_each(name, inputs, labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= classes)) if labels.dtype.kind in "iu" else [0]
    if len(wrong):
        raise ShatterlabError(
            f"{name} has label {labels[wrong[0]]} at example {wrong[0]}; labels must be integers in 0..{classes - 1}, "
            "so the file is damaged or of another data set."
        )
    return Dataset(inputs, labels.astype(np.int64), classes)


def assembled(
    name: str, x: Sequence[Any], y: Sequence[Any], notes: tuple[str, ...] = (), *, are_classes: bool = False
) -> Data:
    """A user's arrays as data: labels of any kind are mapped, and a missing test set is split off.

    Args:
        name: a short name for people and messages.
        x: the inputs of the training set, and those of the test set if there is one, see `checked_inputs`.
        y: the labels of each, see `labels.map_labels`.
        notes: sentences on what was done to the arrays before.
        are_classes: see `labels.map_labels`.
    """
    inputs = []
    for what, given, labels in zip(("x_train", "x_test"), x, y, strict=False):
        part = checked_inputs(f"{name}: {what}", given)
        if part.ndim == 4 and channels_axis(*part.shape[1:]) is None:
            # No axis looks like channels: they are last if the two others alone are equal, and else first, as in torch.
            _, first, second, third = part.shape
            if not first == second != third:
                part = np.moveaxis(part, 1, 3)
        _one_label_each(f"{name}: {what}", part, labels)
        inputs.append(part)
    mapped = map_labels(name, *y, are_classes=are_classes)
    train, *test = (Dataset(part, labels, mapped.classes) for part, labels in zip(inputs, mapped.labels, strict=True))
    notes += mapped.notes
    if train.are_tokens:
        notes += ("rows of integers are taken for token ids; make them floats if they are measurements.",)
    if train.inputs.ndim == 4 and _may_be_read_otherwise(*train.shape):
        height, width, channels = train.shape
        notes += (
            f"each image of shape {x[0].shape[1:]} was read as {height} x {width} pixels with {channels} "
            f"channel{'s' * (channels > 1)}; if that is wrong, hand over a shatterlab.data.Data, whose images are "
            "(n, height, width, channels).",
        )
    if test:
        data = pair(name, train, *test)
    else:
        n = len(train)
        size = min(n // TEST_SHARE, MOST_TEST)
        if not size:
            raise ShatterlabError(f"{name} has {n} examples, too few to split a test set off; give it a test set.")
        order = stream(0, "own data", "test set").permutation(n)
        data = Data(train.take(order[size:]), train.take(order[:size]))
        notes += (f"{size:,} of {n:,} examples were split off as the test set, the same ones for every seed.",)
    return with_version(replace(data, name=name, names=mapped.names, notes=notes))


def with_version(data: Data) -> Data:
    """The data with the first 16 hexadecimal digits of the SHA-256 of their content."""
    parts = [part for part in (data.train, data.test, data.validation) if part is not None]
    names = np.frombuffer("\n".join(data.names).encode(), np.uint8)
    content = [
        value
        for part in parts
        for value in (
            np.frombuffer(part.on_disk.fingerprint().encode(), np.uint8) if part.on_disk else part.inputs,
            part.labels,
            part.true_labels,
            part.corrupted,
        )
    ]
    classes = np.array([part.classes for part in parts])
    return replace(data, version=digest(*content, classes, names)[:16])


def checked_again(data: Data) -> Data:
    """Data that a user may have made or changed, with inputs and labels looked at and the version of their content."""
    parts = []
    for name, part in (("train", data.train), ("test", data.test)):
        inputs, labels = as_array(part.inputs), as_array(part.labels)
        sound = checked(f"{name} set", inputs, labels, part.classes, ordered=data.version is not None)
        # What was not given is the array of the labels itself, and remains so where that is converted.
        others = {each: as_array(value) for each in BESIDE if (value := getattr(part, each)) is not part.labels}
        for each, values in others.items():
            if values.shape != sound.labels.shape:
                raise ShatterlabError(
                    f"{name} set has {len(sound):,} examples but {each} of shape {values.shape}; they must match."
                )
        made = {"true_labels": sound.labels} | others
        parts.append(replace(part, inputs=sound.inputs, labels=sound.labels, **made))
    both = pair("data", *parts)
    return with_version(replace(data, train=both.train, test=both.test))


def as_array(values: Any) -> Any:
    """Numbers of any library as a numpy array, without a copy where that is possible; `Stored` ones as they are."""
    torch = sys.modules.get("torch")
    if isinstance(values, Stored):
        return values
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ShatterlabError(f"{type(values).__name__} is no array ({error}); {ACCEPTED}.") from None


def checked_inputs(name: str, inputs: Any, *, ordered: bool = False) -> Inputs:
    """Inputs in one of the types of `Dataset`, images with channels last, without a copy where that is possible.

    Args:
        name: the name of the file or array, for messages.
        inputs: numbers or booleans, one row an example. Integers (n, length) that are not uint8 are token ids, other
            integers are pixels in 0..255. Images whose channels are first, see `channels_axis`, get them last.
        ordered: whether the channels of images have been put last already.
    """
    if isinstance(inputs, Stored):
        return inputs  # type: ignore[return-value]  # see `Dataset`
    if inputs.ndim < 2:
        raise ShatterlabError(f"{name} has shape {inputs.shape}; expected one row an example, as in x[:, None].")
    if inputs.size == 0:
        raise ShatterlabError(f"{name} holds no examples of at least one number; give it some.")
    if inputs.dtype.kind == "b":
        inputs = inputs.astype(np.float32)
    elif inputs.dtype.kind in "iu" and inputs.dtype != np.uint8:
        tokens = inputs.ndim == 2
        if inputs.min() < 0 or inputs.max() > (np.iinfo(np.int64).max if tokens else 255):
            raise ShatterlabError(
                f"{name} has integer {'token ids below 0' if tokens else 'pixels outside 0..255'}; "
                "store numbers that are measurements as floats."
            )
        inputs = inputs.astype(np.int64 if tokens else np.uint8, copy=False)
    elif inputs.dtype.kind == "f":
        with np.errstate(over="ignore"):
            inputs = inputs.astype(np.float32, copy=False)
        if not np.isfinite(inputs).all():
            raise ShatterlabError(
                f"{name} has numbers that are not finite in float32; replace the NaN or infinite values."
            )
    elif inputs.dtype != np.uint8:
        raise ShatterlabError(f"{name} has entries of type {inputs.dtype}; store them as uint8 or float32.")
    first = not ordered and inputs.ndim == 4 and channels_axis(*inputs.shape[1:]) == 1
    return np.moveaxis(inputs, 1, 3) if first else inputs


def _one_label_each(name: str, inputs: Inputs, labels: Any) -> None:
    if np.shape(labels)[:1] != (len(inputs),):
        raise ShatterlabError(
            f"{name} has {len(inputs)} examples but labels of shape {np.shape(labels)}; they must match one to one."
        )


def channels_axis(first: int, second: int, third: int) -> int | None:
    """The axis of images (n, first, second, third) that holds their channels: 1, 3, or None if the shape cannot tell.

    An axis of 1, 3 or 4 entries is the channels; if both ends are of this kind, it is the first one where the two
    others are equal, and else the last.
    """
    if first in CHANNELS and (second == third != first or third not in CHANNELS):
        return 1
    return 3 if third in CHANNELS else None


def _may_be_read_otherwise(height: int, width: int, channels: int) -> bool:
    """Whether another axis could as well be the channels, so that the user is told how the shape was read."""
    return channels not in CHANNELS or height in CHANNELS or (channels == width != height)
