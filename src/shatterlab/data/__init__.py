"""Where data come from. A new source is a file here and a line in `registry.DATASETS`."""

from .dataset import Data, Dataset
from .finding import data_folders, fetch_dataset, find, load, verify_dataset
from .identity import data_version, pin
from .registry import DATASETS, Source
from .splitting import at_most, hold_out, subset

__all__ = [
    "DATASETS",
    "Data",
    "Dataset",
    "Source",
    "at_most",
    "data_folders",
    "data_version",
    "fetch_dataset",
    "find",
    "hold_out",
    "load",
    "pin",
    "subset",
    "verify_dataset",
]
