"""Images and labels as plain arrays, train and test together."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ShatterlabError

MOST_CLASSES = 100_000
"""A label beyond this is taken for a damaged file."""


@dataclass(frozen=True)
class Dataset:
    """n labelled images.

    Args:
        images: uint8 in 0..255, or float32 in [0, 1]; shape (n, height, width, channels).
        labels: int64 in 0..classes-1, shape (n,): what a model is trained on or scored against.
        classes: number of classes.
        true_labels: int64, shape (n,): the labels before any corruption. Default: `labels`.
        corrupted: bool, shape (n,): which examples differ from the original. Default: none.
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: int
    true_labels: NDArray[np.int64] = field(default=None)  # type: ignore[arg-type]
    corrupted: NDArray[np.bool_] = field(default=None)  # type: ignore[arg-type]

    def __post_init__(self) -> None:
        if self.true_labels is None:
            object.__setattr__(self, "true_labels", self.labels)
        if self.corrupted is None:
            object.__setattr__(self, "corrupted", np.zeros(len(self.labels), dtype=bool))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels of an image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def flat(self) -> NDArray[np.float32]:
        """Pixels as numbers in [0, 1], (n, height * width * channels), float32."""
        rows = self.images.reshape(len(self), -1).astype(np.float32)
        return rows / np.float32(255) if self.images.dtype == np.uint8 else rows

    def take(self, indices: NDArray[np.int64]) -> "Dataset":
        """The examples at `indices`, in their order."""
        return replace(
            self,
            images=self.images[indices],
            labels=self.labels[indices],
            true_labels=self.true_labels[indices],
            corrupted=self.corrupted[indices],
        )

    def fingerprint(self) -> str:
        """SHA-256 of images and labels, their shapes and types: equal exactly when the data are equal."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Data:
    """A training and a test set, which travel together: one pixel permutation has to reach both.

    A validation set is held out of the training set by `hold_out`, after corruption, and is None before.
    """

    train: Dataset
    test: Dataset
    validation: Dataset | None = None

    def _repr_html_(self) -> str:
        from ..faces import data_face

        return data_face({"train": self.train, "test": self.test}, self.train.images, names=())


def checked(name: str, images: np.ndarray, labels: np.ndarray, classes: int | None = None) -> Dataset:
    """A `Dataset` out of arrays of unknown origin, or an error that says what is wrong with them.

    Args:
        name: of the file or array, for messages.
        images: (n, height, width), (n, height, width, channels) or flat (n, features);
            integers in 0..255 or floats.
        labels: (n,) or (n, 1) integers from 0.
        classes: number of classes; default: the largest label + 1.
    """
    if images.ndim == 0 or labels.ndim == 0:
        raise ShatterlabError(f"{name} is a single number; expected one image and one label an example.")
    if images.size == 0:
        raise ShatterlabError(f"{name} holds no images; give it at least one.")
    if len(images) != len(labels):
        raise ShatterlabError(f"{name} has {len(images)} images but {len(labels)} labels; they must match one to one.")
    if images.ndim == 2:
        images = images[:, None, :, None]
    elif images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4:
        raise ShatterlabError(
            f"{name} has images of shape {images.shape}; expected (n, height, width, channels), "
            "(n, height, width) or (n, features)."
        )
    if images.dtype.kind in "iu":
        if images.dtype != np.uint8 and (images.min() < 0 or images.max() > 255):
            raise ShatterlabError(f"{name} has integer pixels outside 0..255; store them as floats in [0, 1].")
        images = images.astype(np.uint8, copy=False)
    elif images.dtype.kind == "f":
        with np.errstate(over="ignore"):
            images = images.astype(np.float32, copy=False)
        if not np.isfinite(images).all():
            raise ShatterlabError(
                f"{name} has pixels that are not finite in float32; replace the NaN or infinite values."
            )
    else:
        raise ShatterlabError(f"{name} has pixels of type {images.dtype}; store them as uint8 or float32.")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ShatterlabError(
            f"{name} has labels of shape {labels.shape} and type {labels.dtype}; "
            "expected one integer from 0 for each image."
        )
    top = min(int(labels.max()), MOST_CLASSES - 1) if classes is None else classes - 1
    wrong = np.flatnonzero((labels < 0) | (labels > top))
    if len(wrong):
        raise ShatterlabError(
            f"{name} has label {labels[wrong[0]]} at example {wrong[0]}; labels must lie in 0..{top}, "
            "so the file is damaged or of another data set."
        )
    return Dataset(images, labels.astype(np.int64), top + 1)


def pair(name: str, train: Dataset, test: Dataset) -> Data:
    """Train and test set as one, if their images are alike; both get the larger number of classes."""
    if train.shape != test.shape or train.images.dtype != test.images.dtype:
        raise ShatterlabError(
            f"{name} has training images of {train.shape} {train.images.dtype} and test images of "
            f"{test.shape} {test.images.dtype}; they must agree."
        )
    classes = max(train.classes, test.classes)
    return Data(replace(train, classes=classes), replace(test, classes=classes))
