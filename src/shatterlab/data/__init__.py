"""Where data come from. A new data set of the house is a file here and a line in `registry.DATASETS`."""

from .addresses import FORMS
from .dataset import Data, Dataset, image_shape
from .finding import data_folders, fetch_dataset, find, load, verify_dataset
from .own import as_data
from .registry import DATASETS, HOUSE, Source
from .splitting import at_most, hold_out, resident, standardized, subset

__all__ = [
    "DATASETS",
    "FORMS",
    "HOUSE",
    "Data",
    "Dataset",
    "Source",
    "as_data",
    "at_most",
    "data_folders",
    "fetch_dataset",
    "find",
    "hold_out",
    "image_shape",
    "load",
    "resident",
    "standardized",
    "subset",
    "verify_dataset",
]
