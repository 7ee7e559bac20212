"""The content of a user's network as one hash: its code, its constants, its structure and its first weights.

Code is hashed as Python has compiled it, without file names, line numbers, comments and docstrings, so that a network
in a moved or reformatted file is the same network. The hash covers what a function reads from its module or its closure
and the classes and functions that it calls, as far as they are the user's own; of a library it covers only the name.
"""

import dis
import functools
import hashlib
import importlib
import logging
import sys
import sysconfig
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

LIBRARIES = (
    *{str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib", "stdlib")},
    # A user's own packages, and those of the system: Debian calls the folder dist-packages.
    *{str(Path(path).resolve()) for path in sys.path if Path(path).name in ("site-packages", "dist-packages")},
    str(Path(__file__).resolve().parent.parent),
)
"""Code in these folders enters the hash by name alone; the versions of packages stand in a result's provenance."""

PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
PADDING = ("CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "NOP", "RESUME", "COPY_FREE_VARS")
"""These instructions depend on the version or the layout of the code and say nothing of what it does."""
HAS_DOCSTRING = 0x4000000
"""Python 3.13 marks code that has a docstring with this bit."""
OF_A_CLASS = {
    "__module__",
    "__doc__",
    "__dict__",
    "__weakref__",
    "__firstlineno__",
    "__static_attributes__",
    "__qualname__",
}
OF_A_MODULE = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"}


def content_of(*things: Any) -> str:
    """Sixteen hexadecimal digits: a hash of the content of functions, classes, modules, tensors and plain values."""
    digest = hashlib.sha256()
    _Content(digest.update).add(things)
    return digest.hexdigest()[:16]


class _Content:
    """Feeds the content of things to a hash, each thing once, so that cycles end."""

    def __init__(self, update: Callable[[bytes], None]) -> None:
        self.update = update
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []  # an object that is gone would give its number to another

    def word(self, *words: object) -> None:
        self.update("\0".join(map(str, words)).encode() + b"\0\0")

    def add(self, thing: Any) -> None:
        if isinstance(thing, PLAIN):
            self.word(type(thing).__name__, repr(thing))
            return
        if isinstance(thing, tuple):  # never remembered: whether equal constants are one object is up to the compiler
            self.word("tuple", len(thing))
            for item in thing:
                self.add(item)
            return
        if id(thing) in self.seen:
            self.word("again", self.seen[id(thing)])
            return
        self.seen[id(thing)] = len(self.seen)
        self.kept.append(thing)
        if isinstance(thing, list):
            self.word("list", len(thing))
            for item in thing:
                self.add(item)
        elif isinstance(thing, dict):
            self.word("dict", len(thing))
            for key, value in thing.items():
                self.add(key)
                self.add(value)
        elif isinstance(thing, set | frozenset):
            self.word("set", *sorted(map(content_of, thing)))
        elif isinstance(thing, torch.Tensor | np.ndarray | np.generic):
            self._array(thing)
        elif isinstance(thing, types.ModuleType):
            self.word("module", thing.__name__ if is_library(thing) else "")
            if not is_library(thing):  # it is used as a whole, so that all that it defines may count
                self.add({name: value for name, value in sorted(vars(thing).items()) if not name.startswith("__")})
        elif isinstance(thing, logging.Logger):
            self.word("logger", thing.name)
        elif isinstance(thing, Mapping):
            self.add(dict(thing))
        elif isinstance(thing, Sequence):
            self.add(list(thing))
        elif isinstance(thing, functools.partial):
            self.add((thing.func, thing.args, thing.keywords))
        elif isinstance(thing, types.MethodType):
            self.add((thing.__func__, thing.__self__))
        elif isinstance(thing, types.CodeType):
            self._code(thing, {})
        elif isinstance(thing, types.FunctionType):
            self._function(thing)
        elif isinstance(thing, types.BuiltinFunctionType):
            self.word("built in", thing.__module__, thing.__qualname__)
        elif isinstance(thing, type):
            self._class(thing)
        elif isinstance(thing, nn.Module):
            self._module(thing)
        else:
            self._object(thing)

    def _array(self, array: Any) -> None:
        if isinstance(array, torch.Tensor):
            whole = array.detach().cpu().resolve_conj().resolve_neg().contiguous()
            self.word("tensor", whole.dtype, tuple(whole.shape), array.requires_grad)
            self.update(whole.reshape(-1).view(torch.uint8).numpy().tobytes() if whole.numel() else b"")
        else:
            whole = np.ascontiguousarray(array)
            self.word("array", whole.dtype, whole.shape)
            self.update(whole.tobytes() if whole.dtype != object else repr(whole.tolist()).encode())

    def _function(self, function: types.FunctionType) -> None:
        if is_library(function):
            self.word("library", function.__module__, function.__qualname__)
            return
        self.word("function")
        self._code(function.__code__, function.__globals__)
        self.add((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self.word("empty cell")

    def _code(self, code: types.CodeType, names: dict[str, Any]) -> None:
        """Its instructions with what they load, and what they read from its module: `blocks.WIDTH` is followed."""
        value: Any = None
        imported: Any = None
        recent: list[Any] = []
        instructions = [i for i in dis.get_instructions(code) if i.opname not in PADDING]
        self.word(code.co_flags & ~HAS_DOCSTRING, code.co_argcount, code.co_kwonlyargcount, code.co_exceptiontable)
        for instruction, after in zip(instructions, [*instructions[1:], None], strict=True):
            name, argument = instruction.opname, instruction.argval
            following = after.opname if after else ""
            if name == "LOAD_CONST" and following == "STORE_NAME" and after and after.argval == "__doc__":
                continue
            if isinstance(argument, types.CodeType):
                self.word(name)
                self._code(argument, names)
                continue
            self.word(name)
            self.add(instruction.arg if name.endswith("_FAST") else argument)
            recent = [*recent[-1:], argument]
            if name in ("LOAD_GLOBAL", "LOAD_NAME"):
                value = names.get(str(argument))
            elif name in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, types.ModuleType):
                value = getattr(value, str(argument), None)
            elif name == "IMPORT_NAME":
                value = imported = _imported(str(argument), recent, names)
            elif name == "IMPORT_FROM":
                value = getattr(imported, str(argument), None)
            else:
                value = None
            leads_on = isinstance(value, types.ModuleType) and following in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
            if value is not None and not leads_on:
                self.add(value)

    def _class(self, thing: type) -> None:
        if is_library(thing):
            self.word("library", thing.__module__, thing.__qualname__)
            return
        self.word("class")
        self.add((type(thing), *thing.__bases__))
        for name, value in sorted(vars(thing).items()):
            if name not in OF_A_CLASS and not isinstance(
                value, types.GetSetDescriptorType | types.MemberDescriptorType
            ):
                self.word(name)
                unwrapped = value.__func__ if isinstance(value, staticmethod | classmethod) else value
                self.add((unwrapped.fget, unwrapped.fset) if isinstance(unwrapped, property) else unwrapped)

    def _module(self, module: nn.Module) -> None:
        """Hashes structure and tensors; a parameter that stands at two places is the same thing at the second one."""
        self.add(type(module))
        for name, value in sorted(vars(module).items()):
            if name not in OF_A_MODULE and not (
                name.startswith("_") and _is_empty(value)
            ):  # torch's own empty tables come and go
                self.word(name)
                # Hooks are kept under numbers that count all hooks of the process.
                self.add(list(value.values()) if "_hooks" in name and isinstance(value, dict) else value)
        for kind in (module._parameters, module._buffers, module._modules):
            for name, value in kind.items():
                self.word(name)
                self.add(value)

    def _object(self, thing: Any) -> None:
        """Hashes an object of any other class by its attributes, or by its class and its words if it has none."""
        self.add(type(thing))
        slots = [name for part in type(thing).__mro__ for name in getattr(part, "__slots__", ())]
        shown = dict(getattr(thing, "__dict__", {})) | {n: getattr(thing, n) for n in slots if hasattr(thing, n)}
        if shown:
            self.add(dict(sorted(shown.items())))
        elif " at 0x" not in repr(thing):
            self.word(repr(thing))


def _imported(name: str, recent: list[Any], names: dict[str, Any]) -> Any:
    """The user's module that an import inside a function brings, imported now if need be; None for a library."""
    level = next((value for value in recent if isinstance(value, int) and not isinstance(value, bool)), 0)
    try:
        module = importlib.import_module("." * level + name, names.get("__package__") or None)
    except Exception:
        return None  # it fails when the function runs as well, or is never run
    return sys.modules.get(name, module)


def is_library(thing: Any) -> bool:
    """Whether a function, class or module comes with Python or from an installed package, by the file it stands in."""
    if isinstance(thing, types.FunctionType):
        file: str | None = thing.__code__.co_filename
    else:
        module = thing if isinstance(thing, types.ModuleType) else sys.modules.get(thing.__module__)
        file = getattr(module, "__file__", None)
    if file is None:
        return thing.__module__ != "__main__" if hasattr(thing, "__module__") else True  # built into Python
    return file.startswith("<frozen") or str(Path(file).resolve()).startswith(LIBRARIES)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, dict | list | set | tuple) and not value)
