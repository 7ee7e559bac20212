"""The data sets of the house, by name. A new one is a function and a line in `DATASETS`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ShatterlabError, unknown
from . import cifar10, digits, mnist, two_photographs
from .addresses import FORMS
from .dataset import Data
from .download import Download


@dataclass(frozen=True)
class Source:
    """A data set on disk: how to find it in a folder, read it, and fetch it."""

    summary: str
    find: Callable[[Path], Path | None]
    load: Callable[[Path], Data]
    downloads: tuple[Download, ...] = ()
    other_files: tuple[Download, ...] = ()
    """Published files that are read where present but not fetched."""
    names: tuple[str, ...] = ()
    """The names of the classes, from 0; empty where the classes are numbers."""


DATASETS = {
    "cifar10": Source(
        "50,000 + 10,000 colour photographs, 32 x 32, 10 classes",
        cifar10.find,
        cifar10.load,
        cifar10.DOWNLOADS,
        (cifar10.PYTHON_ARCHIVE,),
        cifar10.NAMES,
    ),
    "mnist": Source(
        "60,000 + 10,000 handwritten digits, 28 x 28, 10 classes", mnist.find_mnist, mnist.load, mnist.MNIST_DOWNLOADS
    ),
    "fashion-mnist": Source(
        "60,000 + 10,000 pictures of clothes, 28 x 28, 10 classes",
        mnist.find_fashion_mnist,
        mnist.load,
        mnist.FASHION_DOWNLOADS,
        names=mnist.FASHION_NAMES,
    ),
    "digits": Source(
        "1,437 + 360 handwritten digits, 8 x 8, 10 classes; bundled with scikit-learn",
        lambda folder: Path("(bundled)"),
        lambda place: digits.load(),
    ),
    "photographs": Source(
        "64 + 16 tiles, 75 x 75, of two photographs; bundled with scikit-learn",
        lambda folder: Path("(bundled)"),
        lambda place: two_photographs.load(),
        names=two_photographs.NAMES,
    ),
}

HOUSE = frozenset(DATASETS)
"""The data sets that come with shatterlab; a name that is added later stands for a user's own data."""


def source(name: str) -> Source:
    """The data set called `name`.

    Raises:
        ShatterlabError: there is none; the message names the nearest.
    """
    if not isinstance(name, str) or name not in DATASETS:
        raise unknown("data set", name, [*DATASETS, *FORMS])
    if not isinstance(entry := DATASETS[name], Source):
        raise ShatterlabError(f"DATASETS['{name}'] is of type {type(entry).__name__}; make it a Source.")
    return entry
