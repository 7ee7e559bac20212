"""Dropout for any network, its own code untouched."""

from torch import nn

from ..errors import ShatterlabError


def with_dropout(model: nn.Module, probability: float) -> nn.Module:
    """Puts dropout before every linear layer but one that sees the pixels.

    In training each input of such a layer is zeroed with `probability` and otherwise divided by
    1 - probability; in evaluation nothing happens (Srivastava et al., 2014, JMLR 15:1929). For a
    perceptron these are all hidden layers, for AlexNet the inputs of its three linear layers as in
    Krizhevsky et al. (2012), for Inception the features before the classifier as in Szegedy et al. (2015).

    Args:
        model: changed in place; each such `nn.Linear` becomes `Sequential(Dropout, Linear)`.
        probability: in [0, 1); 0 changes nothing.

    Returns:
        `model`.

    Raises:
        ShatterlabError: no layer to put dropout before.
    """
    if probability == 0:
        return model
    weighted = [module for module in model.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)]
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.Linear) and child is not weighted[0]
    ]
    if not places:
        raise ShatterlabError(
            f"{type(model).__name__} has no linear layer above its first for dropout to act on; use dropout=0."
        )
    for parent, name, child in places:
        setattr(parent, name, nn.Sequential(nn.Dropout(probability), child))
    return model
