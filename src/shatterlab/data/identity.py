"""A user's data count by their content: what a run on them is called depends on every byte."""

import hashlib
from pathlib import Path

from ..errors import ShatterlabError
from ..spec import Spec


def pin(spec: Spec) -> Spec:
    """The spec with the content of a user's npz file written in, so that a changed file is another run.

    Raises:
        ShatterlabError: the file cannot be read.
    """
    version = data_version(spec.data)
    if version is None:
        return spec
    return spec.model_copy(update={"data": f"npz:{Path(spec.data[4:]).resolve()}", "data_version": version})


def data_version(name: str) -> str | None:
    """The beginning of the SHA-256 of a user's npz file; None for data sets of `DATASETS`, which do not change.

    Raises:
        ShatterlabError: the file cannot be read.
    """
    if not name.startswith("npz:"):
        return None
    path = Path(name[4:]).resolve()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ShatterlabError(f"{path} cannot be read ({error.strerror}); name an existing file after npz:") from None
