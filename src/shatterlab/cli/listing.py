"""`shatterlab list`: the tables of names as records."""

from typing import Annotated, Literal

import tyro

from .flags import Json, print_json

CIFAR_AS_SEEN = (28, 28, 3)
"""CIFAR-10 has this shape after the centre crop; the paper's parameter counts are for it."""


def command(
    what: Annotated[
        Literal["all", "datasets", "corruptions", "models", "studies"],
        tyro.conf.Positional,
        tyro.conf.arg(help="Default: all."),
    ] = "all",
    /,
    json: Json = False,
) -> None:
    """Show what there is: data sets and where they were found, corruptions, models with parameter counts, studies.

    Example: shatterlab list models
    """
    lists = {"datasets": _datasets, "corruptions": _corruptions, "models": _models, "studies": _studies}
    chosen = {name: make() for name, make in lists.items() if what in ("all", name)}
    if json:
        print_json(chosen)
        return
    from .terminal import print_records

    for name, lines in chosen.items():
        print_records(lines, name)
        print()


def _datasets() -> list[dict[str, str | int]]:
    from ..data import DATASETS, find

    return [
        {"name": name, "found in": str(find(name) or "not found"), "what": source.summary}
        for name, source in DATASETS.items()
    ]


def _corruptions() -> list[dict[str, str | int]]:
    from ..corruption import CORRUPTIONS

    return [{"name": name, "what": corruption.summary} for name, corruption in CORRUPTIONS.items()]


def _models() -> list[dict[str, str | int]]:
    from ..models import MODELS

    return [
        {
            "name": name,
            "parameters": model.parameters(seen := CIFAR_AS_SEEN if model.smallest < 28 else (299, 299, 3), 10),
            "what": f"{model.summary} (counted for {'CIFAR-10' if seen == CIFAR_AS_SEEN else '299 pixels'})",
        }
        for name, model in MODELS.items()
    ]


def _studies() -> list[dict[str, str | int]]:
    from ..studies import STUDIES

    return [{"name": name, "question": study.question, "source": study.source} for name, study in STUDIES.items()]
