"""The studies. A new one is a file and a line in `STUDIES`."""

from ..errors import unknown
from . import (
    bias_variance,
    capacity,
    certificate,
    complexity_measures,
    critical_samples,
    double_descent,
    expressivity,
    gradient_descent,
    imagenet,
    implicit,
    kernels,
    label_noise,
    learning_curves,
    lemma,
    matrix_factorization,
    memorization,
    minimum_norm,
    overparameterization,
    precision,
    random_labels_regularized,
    regularizers,
    table1,
    three_routes,
    timeline,
)
from .judging import Evaluation, command_of, evaluate, judge, without_misfits
from .outcome import STATES, Outcome, Remedy, State, cannot_tell
from .study import (
    CHAPTERS,
    TAKEAWAYS,
    Claim,
    Scale,
    Study,
    Tables,
    asked_of,
    at_full_size,
    found_of,
    jobs_so_far,
    tables,
)

__all__ = [
    "CHAPTERS",
    "STATES",
    "STUDIES",
    "TAKEAWAYS",
    "Claim",
    "Evaluation",
    "Outcome",
    "Remedy",
    "Scale",
    "State",
    "Study",
    "Tables",
    "asked_of",
    "at_full_size",
    "cannot_tell",
    "chosen",
    "command_of",
    "evaluate",
    "found_of",
    "jobs_so_far",
    "judge",
    "tables",
    "without_misfits",
]

STUDIES: dict[str, Study] = {
    "bias-variance": bias_variance.STUDY,
    "overparameterization": overparameterization.STUDY,
    "learning-curves": learning_curves.STUDY,
    "label-noise": label_noise.STUDY,
    "timeline": timeline.STUDY,
    "precision": precision.STUDY,
    "expressivity": expressivity.STUDY,
    "lemma": lemma.STUDY,
    "table1": table1.STUDY,
    "imagenet": imagenet.STUDY,
    "random-labels-regularized": random_labels_regularized.STUDY,
    "regularizers": regularizers.STUDY,
    "implicit": implicit.STUDY,
    "minimum-norm": minimum_norm.STUDY,
    "three-routes": three_routes.STUDY,
    "kernels": kernels.STUDY,
    "matrix-factorization": matrix_factorization.STUDY,
    "gradient-descent": gradient_descent.STUDY,
    "double-descent": double_descent.STUDY,
    "complexity-measures": complexity_measures.STUDY,
    "capacity": capacity.STUDY,
    "certificate": certificate.STUDY,
    "memorization": memorization.STUDY,
    "critical-samples": critical_samples.STUDY,
}
"""The studies by name, in the lecture's order."""


def chosen(name: str) -> dict[str, Study]:
    """The study called `name`, or for `all` those that have no data of their own.

    Raises:
        ShatterlabError: there is no such study; the message names the nearest one.
    """
    if name == "all":
        return {name: study for name, study in STUDIES.items() if study.data is None}
    if name not in STUDIES:
        raise unknown("study", name, [*STUDIES, "all"])
    return {name: STUDIES[name]}
