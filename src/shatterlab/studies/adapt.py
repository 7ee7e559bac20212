"""Adapting a study's jobs: a user's network takes the place of the study's own, and sizes are cut to smaller data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..data import Data
from ..jobs import Job, Training
from ..spec import Spec, make_spec

if TYPE_CHECKING:
    from ..models.own import OwnModel

VALIDATION_PART = 5
"""At most one training example in this many is held out of a data set that is smaller than a study asks for."""

RECIPE = frozenset(
    {
        *("model", "learning_rate", "initialization", "momentum", "decay", "decay_every"),
        *("n", "n_test", "batch_size", "epochs", "evaluate_every"),
    }
)
"""Dials that belong to a model and the size at which a study trains it, and not to what the study asks of it."""


@dataclass(frozen=True)
class Own:
    """The network that takes the place of those of a study.

    Args:
        name: name of the network, as in the spec.
        network: the network itself where it is a user's; None for one of our own.
    """

    name: str
    network: "OwnModel | None" = None


def for_own(jobs: Sequence[Job], own: Own) -> list[Job]:
    """The jobs with a user's network in place of a study's, one for each, so that several may be equal.

    The user's network takes over the settings of the study's first model, and once those that only other models have:
    the same conditions, regularizers and seeds, with the study's numbers of examples and epochs and its batch size.
    Learning rate and start of the weights are the defaults of the user's network.
    """
    kinds: dict[str, tuple[str, Spec]] = {}
    adapted: list[Job] = []
    for job in jobs:
        if not isinstance(job, Training):
            adapted.append(job)
            continue
        asked = job.spec.model_dump(exclude=set(RECIPE))
        model, first = kinds.setdefault(repr(asked), (job.spec.model, job.spec))
        spec = first if model != job.spec.model else job.spec
        dials = spec.model_dump(include=spec.model_fields_set - {"learning_rate", "initialization"})
        adapted.append(Training(make_spec(**dials | {"model": own.name}), own.network))
    return adapted


def sized(spec: Spec, data: Data) -> Spec:
    """Cuts the sizes in a study's spec to a data set that is smaller than they are."""
    sizes: dict[str, int | None] = {
        name: None
        for name, wanted, part in (
            ("n", (spec.n or 0) + spec.n_validation, data.train),
            ("n_test", spec.n_test or 0, data.test),
        )
        if wanted > len(part)
    }
    if "n" in sizes and spec.n_validation:
        # Most of the data set has to be left to train on.
        sizes["n_validation"] = min(spec.n_validation, max(1, len(data.train) // VALIDATION_PART))
    return spec.model_copy(update=sizes)
