"""What ran where: the circumstances of a result, stored beside it."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Provenance(BaseModel):
    """Enough to tell why two results of the same job might differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str | None
    """The checkout that the code ran from, with `+changes` if it had any; None outside a checkout."""
    versions: dict[str, str]
    device: str
    hardware: str
    threads: int | None = None
    """Processor threads; None for computations of a version that did not note them."""
    train_fingerprint: str | None = None
    """SHA-256 of the training images and labels (see `Dataset.fingerprint`): as trained on, or as handed to a
    computation; None where a computation takes no data."""
    test_fingerprint: str | None = None
    started: str
    """ISO 8601, UTC; the last start, if the training was resumed."""
    resumed_from: int = 0
    """The epoch after which the training was last taken up again; 0 if it ran in one go."""
    model_reference: str | None = None
    """What a user's network was found by, such as `/home/me/mine.py:Net`; None for others."""
    data_address: str | None = None
    """What a user's data were read from, such as `npz:/home/me/mine.npz`; None for the house's and for arrays."""
    together: int = 1
    """Trainings that were stacked and done at once; the seconds of each are its share."""


@cache
def versions() -> dict[str, str]:
    """Of python and of the packages whose change could change a number."""
    found = {"python": platform.python_version()}
    for package in ("shatterlab", "torch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str | None:
    """The git commit this package's code lies in, or None."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        # An installed package may lie inside somebody else's checkout, whose commit says nothing about us.
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", __file__], cwd=here, capture_output=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() or None
