"""A user's data count by their content: the identity of a run on them depends on every byte."""

from dataclasses import replace

from ..spec import Spec
from .addresses import parse, read
from .dataset import Data


def pin(spec: Spec, data: Data | None = None) -> Spec:
    """The spec with the version of a user's data written in, so that changed data are another run.

    Args:
        spec: what is to be done.
        data: what it is done on, whose short name goes into the spec as well. Default: what `spec.data` names, whose
            place stays in the spec.

    Raises:
        ShatterlabError: the file that the spec names cannot be read.
    """
    if data is None:
        address = parse(spec.data)
        if address is None:
            return spec
        data = replace(read(address), name=str(address))
    return spec if data.version is None else spec.model_copy(update={"data": data.name, "data_version": data.version})


def data_version(name: str) -> str | None:
    """The version of a user's data, by name; None for data sets of the house, which do not change.

    Raises:
        ShatterlabError: the file cannot be read.
    """
    address = parse(name)
    return None if address is None else read(address).version
