"""The meaning of the flag --model of `run`: a name that the package knows, or a user's own network."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..studies.adapt import Own


def own_of(model: str | None) -> "Own | None":
    """Finds the network that takes the place of those of a study; None where none is named.

    Args:
        model: a model's name, or `file.py:name` or `package.module:name` for a network of the user's own.

    Raises:
        ShatterlabError: there is no such model; the message says what to do.
    """
    from ..models import lookup
    from ..studies.adapt import Own

    if model is None:
        return None
    if ":" in model:
        from ..models.own import own_model

        network = own_model(model)
        return Own(network.name, network)
    lookup(model)
    return Own(model)
