"""shatterlab: does this network memorize or does it generalize, and why?

The public names are loaded when first used, so that importing the package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .corruption import corrupt
    from .data import load
    from .errors import ShatterlabError
    from .models import build
    from .results import Result, Store
    from .spec import Spec, make_spec
    from .spine import run

__all__ = ["Result", "ShatterlabError", "Spec", "Store", "build", "corrupt", "load", "make_spec", "run"]

_HOMES = {
    "Result": ".results",
    "ShatterlabError": ".errors",
    "Spec": ".spec",
    "Store": ".results",
    "build": ".models",
    "corrupt": ".corruption",
    "load": ".data",
    "make_spec": ".spec",
    "run": ".spine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shatterlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name], __name__), name)
