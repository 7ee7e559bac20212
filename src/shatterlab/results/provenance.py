"""The provenance of a result: the circumstances under which it was computed, stored beside it."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Provenance(BaseModel):
    """The circumstances that may explain why two results of the same job differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str | None
    """The commit of the checkout that the code ran from, with `+changes` if it had any; None outside a checkout."""
    versions: dict[str, str]
    device: str
    hardware: str
    threads: int | None = None
    """The number of processor threads; None for computations of a version that did not note it."""
    train_fingerprint: str | None = None
    """The SHA-256 of the training images and labels that a run was trained on or a computation was given, see
    `Dataset.fingerprint`; None where a computation takes no data."""
    test_fingerprint: str | None = None
    started: str
    """The time of the start, or of the last start if the training was resumed, in ISO 8601 and UTC."""
    resumed_from: int = 0
    """The epoch after which the training was last resumed; 0 if it ran without interruption."""
    model_reference: str | None = None
    """The reference of a user's network, such as `/home/me/mine.py:Net`; None for our own networks."""
    data_address: str | None = None
    """The address of a user's data, such as `npz:/home/me/mine.npz`; None for our own data sets and for arrays."""
    together: int = 1
    """The number of trainings that were done at once in a stack; the seconds of each are its share."""


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the packages that could change a number."""
    versions = {"python": platform.python_version()}
    for package in ("shatterlab", "torch", "numpy", "scikit-learn"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@cache
def commit() -> str | None:
    """The git commit of the checkout that holds this package's code, or None outside a checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes"],
            cwd=here,
            capture_output=True,
            encoding="utf-8",
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
