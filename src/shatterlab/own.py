"""A spec on a user's own network and data: they are found, and their content is written into it."""

from pathlib import Path
from typing import Any

from .data import DATASETS, HOUSE, Data, as_data, load
from .errors import ShatterlabError
from .models.own import OwnModel, is_own, own_model
from .preparation import version_of
from .spec import Spec


def on_own(
    spec: Spec, model: Any = None, data: Any = None, data_dir: Path | str | None = None
) -> tuple[Spec, OwnModel | None, Data | None]:
    """Writes the name and content of a user's network and data into a spec, and returns both as objects, too.

    Args:
        spec: the spec; its `model` and `data` may refer to the user's own, as in `mine.py:Net` and `npz:mine.npz`.
        model: replaces the spec's model: a name in `MODELS`, or what `models.own.own_model` takes.
        data: replaces the spec's data: a name in `DATASETS`, or what `data.as_data` takes.
        data_dir: the folder in which data are looked for first.

    Returns:
        The spec, and the network and the data where these are the user's own.

    Raises:
        ShatterlabError: something cannot be found, read or built; the message says what to do.
    """
    if not isinstance(spec, Spec):
        raise ShatterlabError(f"a run begins with a spec, got {type(spec).__name__}; make one with make_spec(...).")
    if isinstance(model, str) and not is_own(model):
        spec, model = spec.on(model=model, model_version=None), None
    if isinstance(data, str) and data in DATASETS:
        spec, data = spec.on(data=data, data_version=None), None
    network = own_model(model if model is not None else spec.model) if model is not None or is_own(spec.model) else None
    given = as_data(data if data is not None else spec.data) if data is not None or spec.data not in HOUSE else None
    if given is not None:
        filled: dict[str, Any] = {"data": given.name, "data_version": given.version}
        if "preprocessing" not in spec.model_fields_set:
            filled["preprocessing"] = given.train.usual_preprocessing
        spec = spec.on(**filled)
    if network is not None:
        whole = given or load(spec.data, data_dir)
        spec = spec.on(model=network.name, model_version=version_of(spec, whole, network))
    return spec, network, given
