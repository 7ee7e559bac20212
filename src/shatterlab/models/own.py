"""A user's own network: found by reference or given as an object, built from a seed, identified by its content."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ..errors import ShatterlabError, unknown
from ..files import of_system, path_of, readable
from . import lookup
from .content import content_of
from .generators import seeded

ACCEPTED = (
    "a model is a name of `shatterlab list models`, an nn.Module class, a function that returns an nn.Module, "
    "'file.py:name' or 'package.module:name'"
)


@dataclass(frozen=True)
class OwnModel:
    """A class or function of a user's that makes a network.

    Args:
        name: for people, and the `model` of a spec; never that of a network of the house.
        make: returns an `nn.Module`; it may take `shape` (of one input as the module sees it; channels, height, width
            of an image), `classes` or `num_classes`.
        reference: `file.py:name` or `package.module:name`, as the user named it; None for an object.
    """

    name: str
    make: Callable[..., Any]
    reference: str | None = None
    versions: dict[tuple[tuple[int, ...], int], str] = field(default_factory=dict, compare=False, repr=False)
    """The versions computed so far are kept by shape and classes, as every run of a study asks for them."""

    def __reduce__(self) -> tuple[Any, ...]:
        reference = self.reference or _reference_of(self.make)
        if reference is None:
            raise ShatterlabError(
                f"{self.name} lives in this process only and cannot be handed to another; put it into a file and name "
                "it 'file.py:name', or use one process."
            )
        return own_model, (reference,)

    def build(self, shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
        """The network with the weights that its own code draws under `seed`.

        Raises:
            ShatterlabError: its code fails, or returns something other than an `nn.Module`.
        """
        with seeded(seed):
            try:
                module = self._made(shape, classes)
            except ShatterlabError:
                raise
            except Exception as error:
                raise ShatterlabError(
                    f"{self.name} could not be built for inputs of shape {shape} and {classes} classes: "
                    f"{type(error).__name__}: {error}."
                ) from error
        if not isinstance(module, nn.Module):
            raise ShatterlabError(f"{self.name} returned {type(module).__name__} where an nn.Module was expected.")
        return module

    def _made(self, shape: tuple[int, ...], classes: int) -> Any:
        offered = {"shape": shape, "classes": classes, "num_classes": classes}
        try:
            takes: Mapping[str, inspect.Parameter] = inspect.signature(self.make).parameters
        except (TypeError, ValueError):
            takes = {}
        given = {name: value for name, value in offered.items() if name in takes}
        if not given and any(taken.kind is taken.VAR_KEYWORD for taken in takes.values()):
            try:  # as torchvision's and timm's functions take it
                return self.make(num_classes=classes)
            except TypeError:
                return self.make()
        return self.make(**given)

    def version(self, shape: tuple[int, ...], classes: int) -> str:
        """A hash of its code, its structure and its first weights, for inputs of this shape.

        Raises:
            ShatterlabError: the network cannot be built, or two networks from one seed differ.
        """
        if known := self.versions.get((shape, classes)):
            return known
        first, second = (self.build(shape, classes, 0) for _ in range(2))
        lazy = next((n for n, p in first.named_parameters() if isinstance(p, nn.UninitializedParameter)), None)
        if lazy is not None:
            raise ShatterlabError(
                f"{self.name} has a lazy layer ({lazy}), whose weights no seed can draw before it sees data; give it "
                "its size, which follows from `shape`."
            )
        for (name, tensor), other in zip(first.state_dict().items(), second.state_dict().values(), strict=False):
            if not torch.equal(torch.nan_to_num(tensor), torch.nan_to_num(other)):
                raise ShatterlabError(
                    f"{self.name} draws {name} from a source that no seed reaches, as two networks from one seed "
                    "differ there; draw from the global generator of torch, numpy or random."
                )
        version = self.versions[shape, classes] = content_of(self.make, first)
        return version


def is_own(given: object) -> bool:
    """Whether a model is given as a reference or an object, and not as the name of one of our own networks."""
    return not isinstance(given, str) or ":" in given


def own_model(given: Any) -> OwnModel:
    """The user's network behind a reference, a class or a function.

    Args:
        given: an `nn.Module` class, a function, an `OwnModel`, `file.py:name` or `package.module:name`.

    Raises:
        ShatterlabError: there is no such file, module or name, or what it names makes no network.
    """
    if isinstance(given, OwnModel):
        return given
    if isinstance(given, nn.Module):
        raise ShatterlabError(
            f"{type(given).__name__} is a network that is built already, so that no seed can draw its weights anew; "
            f"give the class, or a function that builds it: model=lambda: {type(given).__name__}(...)."
        )
    if isinstance(given, str):
        return OwnModel(_name(given.rpartition(":")[2]), referred(given), readable(given))
    if not callable(given):
        raise ShatterlabError(f"the model is of type {type(given).__name__}; {ACCEPTED}.")
    named = getattr(given, "__name__", type(given).__name__)
    return OwnModel(_name("lambda" if named == "<lambda>" else named), given)


def _name(name: str) -> str:
    """Returns a name that none of our own networks has: a user's `alexnet` is not the paper's."""
    try:
        lookup(name)
    except ShatterlabError:
        return name
    return f"own {name}"


def referred(reference: str) -> Callable[..., Any]:
    """What `file.py:name` or `package.module:name` names.

    Raises:
        ShatterlabError: there is no such file, module or name, or it cannot be called.
    """
    where, _, name = reference.rpartition(":")
    module = module_at(where) if where.endswith(".py") else _from_package(where)
    named: Any = module
    for part in name.split("."):
        if not hasattr(named, part):
            raise unknown(f"name in {where}", part, [n for n, v in vars(named).items() if callable(v) and n[0] != "_"])
        named = getattr(named, part)
    if not callable(named):
        raise ShatterlabError(f"{reference} is of type {type(named).__name__}; {ACCEPTED}.")
    return named


def module_at(path: Path | str) -> ModuleType:
    """The module that a user's file makes; it is run once for each state of the file.

    Raises:
        ShatterlabError: there is no such file, or its code fails.
    """
    return _from_file(*_file(str(path)))


def _file(name: str) -> tuple[Path, int]:
    path = path_of(of_system(name), "the network").resolve()
    if not path.is_file():
        raise ShatterlabError(f"{path} is no file; name the one that holds your network, as in mine.py:Net.")
    return path, path.stat().st_mtime_ns


@cache
def _from_file(path: Path, changed: int) -> ModuleType:
    """Runs a user's file once for each state of the file; it imports from its own folder, as a script does."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    name = (
        path.stem
        if path.stem not in {*sys.modules, *sys.stdlib_module_names}
        else f"{path.stem}_{content_of(str(path))}"
    )
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ShatterlabError(f"{path} could not be run: {type(error).__name__}: {error}.") from error
    return module


def _from_package(name: str) -> ModuleType:
    if name.partition(".")[0] == "torchvision":
        _find_torchvision()
    if "" not in sys.path:
        sys.path.insert(0, "")  # packages in the current folder, as for `python -m`
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ShatterlabError(
            f"there is no module {error.name} for the model {name}; install it, or name a file: path/to/file.py:name."
        ) from None
    except Exception as error:
        raise ShatterlabError(f"{name} could not be imported: {type(error).__name__}: {error}.") from error


def _find_torchvision() -> None:
    """Imports torchvision.

    Raises:
        ShatterlabError: it is not installed, or does not load beside the installed torch. Installed by itself it would
            replace torch by the version that it was built for, so that the sentence names both.
    """
    both = (
        f"install the two as one build: pip install torch=={torch.__version__.partition('+')[0]} torchvision "
        "--index-url https://download.pytorch.org/whl/cpu"
    )
    try:
        importlib.import_module("torchvision.models")
    except ModuleNotFoundError:
        raise ShatterlabError(f"torchvision is not installed; {both}") from None
    except (RuntimeError, ImportError, OSError) as error:
        raise ShatterlabError(
            f"torchvision's compiled operators do not load beside torch {torch.__version__} ({error}); {both}"
        ) from None


def _reference_of(given: Any) -> str | None:
    """The reference by which another process would find an object of this one, or None where it cannot."""
    name, module = getattr(given, "__qualname__", "<"), sys.modules.get(getattr(given, "__module__", ""))
    if "<" in name or module is None or getattr(module, name.partition(".")[0], None) is None:
        return None
    if module.__name__ != "__main__" and getattr(module, "__spec__", None):
        return f"{module.__name__}:{name}"
    file = getattr(module, "__file__", None)
    return f"{Path(file).resolve()}:{name}" if file and file.endswith(".py") else None
