"""A study's jobs, made to fit: with a user's network in place of the study's own, and cut to a smaller data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..data import Data
from ..jobs import Job, Training
from ..spec import Spec, make_spec

if TYPE_CHECKING:
    from ..models.own import OwnModel  # type: ignore[import-not-found, unused-ignore]

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
    """A user's network, a user's data, or both, in place of those of a study.

    Args:
        dials: those of the spec that name them.
        model: the network; None where `dials` names one of the package's, or none.
        data: the data; None where they are read by name.
    """

    dials: Mapping[str, Any] = field(default_factory=dict)
    model: "OwnModel | None" = None
    data: Data | None = None


def for_own(jobs: Sequence[Job], own: Own) -> list[Job]:
    """The jobs with a user's network and data in place of a study's, one for each, so that several may be equal.

    The settings that a study has for its first model are taken over, and those that only others have, once: the same
    conditions, regularizers and seeds, with the study's numbers of examples and epochs and its batch size. Learning
    rate and start of the weights are the defaults of the user's network.
    """
    named = "model" in own.dials
    kinds: dict[str, tuple[str, Spec]] = {}
    adapted: list[Job] = []
    for job in jobs:
        if not isinstance(job, Training):
            version = {"data_version": own.dials["data_version"]} if own.data is not None and job.needs else {}
            adapted.append(replace(job, data=own.data, settings={**job.settings, **version}))
            continue
        asked = job.spec.model_dump(exclude=set(RECIPE))
        key = repr(asked) if named else job.id
        model, first = kinds.setdefault(key, (job.spec.model, job.spec))
        spec = first if named and model != job.spec.model else job.spec
        left_to_defaults = {"learning_rate", "initialization"} if named else set()
        dials = spec.model_dump(include=spec.model_fields_set - left_to_defaults)
        adapted.append(Training(make_spec(**dials | {**own.dials}), own.model, own.data))
    return adapted


def sized(spec: Spec, data: Data) -> Spec:
    """A study's spec cut to a smaller data set, where it is one."""
    sizes: dict[str, int | None] = {
        name: None
        for name, wanted, part in (
            ("n", (spec.n or 0) + spec.n_validation, data.train),
            ("n_test", spec.n_test or 0, data.test),
        )
        if wanted > len(part)
    }
    if "n" in sizes and spec.n_validation:
        # What is left to train on has to be most of it.
        sizes["n_validation"] = min(spec.n_validation, max(1, len(data.train) // VALIDATION_PART))
    return spec.model_copy(update=sizes)
