"""What the flags --model and --data of `run` stand for: names that the package knows, or a user's own objects."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..studies.adapt import Own


def own_of(model: str | None, data: str | None) -> "Own":
    """Finds a user's network and data.

    Args:
        model: a model's name, or `file.py:name` or `package.module:name` for a network of the user's own.
        data: a data set's name or `npz:PATH`, which are read by name; any other text with a colon is the user's own.

    Raises:
        ShatterlabError: there is no such model or data; the message says what to do.
    """
    from ..models import lookup
    from ..studies.adapt import Own

    dials: dict[str, Any] = {}
    network = arrays = None
    if model and ":" in model:
        from ..models.own import own_model  # type: ignore[import-not-found, attr-defined, unused-ignore]

        network = own_model(model)
        dials["model"] = network.name
    elif model:
        lookup(model)
        dials["model"] = model
    if data and ":" in data and not data.startswith("npz:"):
        from ..data import own  # type: ignore[attr-defined, unused-ignore]

        arrays = own(data)
        dials |= {"data": data, "data_version": arrays.version}
    return Own(dials, network, arrays)
