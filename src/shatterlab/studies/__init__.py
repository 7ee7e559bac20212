"""The studies. A new one is a file and a line in `STUDIES`."""

from ..errors import unknown
from . import implicit, label_noise, learning_curves, overparameterization, random_labels_regularized, table1
from .study import SCALES, Scale, Study, Tables, tables

__all__ = ["SCALES", "STUDIES", "Scale", "Study", "Tables", "chosen", "tables"]

STUDIES: dict[str, Study] = {
    "learning-curves": learning_curves.STUDY,
    "label-noise": label_noise.STUDY,
    "table1": table1.STUDY,
    "random-labels-regularized": random_labels_regularized.STUDY,
    "implicit": implicit.STUDY,
    "overparameterization": overparameterization.STUDY,
}


def chosen(name: str) -> dict[str, Study]:
    """The study called `name`, or all of them for `all`.

    Raises:
        ShatterlabError: no such study; the message names the nearest.
    """
    if name == "all":
        return STUDIES
    if name not in STUDIES:
        raise unknown("study", name, [*STUDIES, "all"])
    return {name: STUDIES[name]}
