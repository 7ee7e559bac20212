"""What `shatterlab list` shows: the tables of names as plain records."""

from collections.abc import Callable

from .corruption import CORRUPTIONS
from .data import DATASETS, find
from .models import MODELS

CIFAR_AS_SEEN = (28, 28, 3)
"""CIFAR-10 after the centre crop; the shape that the paper's parameter counts are for."""


def _datasets() -> list[dict[str, str | int]]:
    return [
        {"name": name, "found in": str(find(name) or "not found"), "what": source.summary}
        for name, source in DATASETS.items()
    ]


def _corruptions() -> list[dict[str, str | int]]:
    return [{"name": name, "what": corruption.summary} for name, corruption in CORRUPTIONS.items()]


def _models() -> list[dict[str, str | int]]:
    return [
        {
            "name": name,
            "parameters": model.parameters(CIFAR_AS_SEEN, 10),
            "what": f"{model.summary} (counted for CIFAR-10)",
        }
        for name, model in MODELS.items()
    ]


def _studies() -> list[dict[str, str | int]]:
    from .studies import STUDIES

    return [{"name": name, "question": study.question, "source": study.source} for name, study in STUDIES.items()]


LISTS: dict[str, Callable[[], list[dict[str, str | int]]]] = {
    "datasets": _datasets,
    "corruptions": _corruptions,
    "models": _models,
    "studies": _studies,
}
