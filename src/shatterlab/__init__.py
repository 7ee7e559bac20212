"""shatterlab: does this network memorize or does it generalize, and why?

The public names are loaded when first used, so that importing the package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auditing import Audit, audit
    from .corruption import corrupt
    from .data import load
    from .errors import ShatterlabError
    from .models import build
    from .report import write_report
    from .results import Result
    from .shelf import Store
    from .spec import Spec, make_spec
    from .spine import run

_HOMES = {
    "Audit": ".auditing",
    "Result": ".results",
    "ShatterlabError": ".errors",
    "Spec": ".spec",
    "Store": ".shelf",
    "audit": ".auditing",
    "build": ".models",
    "corrupt": ".corruption",
    "load": ".data",
    "make_spec": ".spec",
    "run": ".spine",
    "write_report": ".report",
}

__all__ = [
    "Audit", "Result", "ShatterlabError", "Spec", "Store", "audit", "build", "corrupt", "load", "make_spec", "run",
    "write_report",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # here, as it takes longer than all else that an import needs

        return version("shatterlab")
    if name not in _HOMES:
        raise AttributeError(f"module 'shatterlab' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
