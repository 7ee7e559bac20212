"""MNIST (LeCun et al., 1998) and Fashion-MNIST (Xiao et al., 2017): 60,000 + 10,000 grey images of 28 x 28."""

import re
from pathlib import Path

from ..errors import ShatterlabError
from .arrays import checked
from .dataset import Data, Dataset, pair
from .download import Download
from .formats import read_idx

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
FASHION_NAMES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def _downloads(base: str, checksums: tuple[str, ...]) -> tuple[Download, ...]:
    return tuple(
        Download(f"{name}.gz", f"{base}{name}.gz", f"md5:{md5}") for name, md5 in zip(FILES, checksums, strict=True)
    )


# MD5 of the gzipped files, as torchvision lists them; the host is a mirror of yann.lecun.com.
MNIST_DOWNLOADS = _downloads(
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
# MD5 as published at https://github.com/zalandoresearch/fashion-mnist.
FASHION_DOWNLOADS = _downloads(
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
)


SIZES = (60_000, 10_000)
"""Both data sets have so many training and test images."""
SIDE = 28
"""Their images have so many pixels a side."""


def find_mnist(folder: Path) -> Path | None:
    """The folder with MNIST's four files: `folder/mnist`, `folder/MNIST`, `raw` in either, or `folder` itself."""
    itself = (folder, folder / "raw") if _named_by(folder) in ("mnist", None) else ()
    return _first_complete(folder / "mnist", folder / "MNIST" / "raw", folder / "MNIST", *itself)


def find_fashion_mnist(folder: Path) -> Path | None:
    """As `find_mnist`; the files have the same names, so `folder` itself counts only if its path says fashion."""
    itself = (folder, folder / "raw") if _named_by(folder) == "fashion" else ()
    return _first_complete(folder / "fashion-mnist", folder / "FashionMNIST" / "raw", folder / "FashionMNIST", *itself)


def _named_by(folder: Path) -> str | None:
    """The data set that a folder, or else the nearest of its parents, is named after; "other" for EMNIST and the like.

    Data sets that were made to replace MNIST have files of the same names, so that nothing else tells them apart.
    """
    for part in (folder.resolve(), *folder.resolve().parents):
        name = part.name.lower()
        if "fashion" in name:
            return "fashion"
        if "mnist" in name:
            return "other" if re.search(r"(?<![a-z])([a-z]|not|med)mnist", name) else "mnist"
    return None


def load(place: Path) -> Data:
    """Reads the four IDX files in `place`, gzipped or not.

    Raises:
        ShatterlabError: a file is lacking or damaged, or they hold other images, or not all.
    """
    files = [_file(place, name) for name in FILES]
    if missing := [name for name, file in zip(FILES, files, strict=True) if file is None]:
        raise ShatterlabError(f"{place} lacks {missing[0]}; fetch it again with 'shatterlab data fetch'.")
    train_images, train_labels, test_images, test_labels = files
    data = pair(str(place), _set(train_images, train_labels), _set(test_images, test_labels))
    if (len(data.train), len(data.test)) != SIZES or data.train.shape != (SIDE, SIDE, 1):
        raise ShatterlabError(
            f"{place} holds {len(data.train):,} + {len(data.test):,} images of {data.train.shape[0]} x "
            f"{data.train.shape[1]} pixels, where both MNIST and Fashion-MNIST have {SIZES[0]:,} + {SIZES[1]:,} of "
            f"{SIDE} x {SIDE}; if they are of another data set, hand them over as your own, as in npz:PATH."
        )
    return data


def _set(images: Path | None, labels: Path | None) -> Dataset:
    assert images is not None
    assert labels is not None
    return checked(str(labels), read_idx(images)[..., None], read_idx(labels), classes=10)


def _first_complete(*folders: Path) -> Path | None:
    return next((folder for folder in folders if all(_file(folder, name) for name in FILES)), None)


def _file(folder: Path, name: str) -> Path | None:
    # Some tools unpack train-images-idx3-ubyte.gz as train-images.idx3-ubyte.
    names = (f"{form}{end}" for form in (name, name.replace("-idx", ".idx")) for end in ("", ".gz"))
    return next((path for each in names if (path := folder / each).is_file()), None)
