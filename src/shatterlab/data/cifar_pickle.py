"""CIFAR-10's python layout is a pickle. It is read here without calling anything that the file names.

A pickle is a program for a small stack machine, and what it may call decides what it can do. The machine is that of
Python's library, the one written in Python, with the instructions that real batches consist of (protocols 0 to 4, by
Python 2 or 3, numpy 1 or 2) and no others. Whatever the file names is an inert word, and whatever it calls is a note of
that call; an array is made afterwards, out of the one note that every batch has.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..errors import ShatterlabError, shown
from .formats import Arrays

IMAGE_BYTES = 3 * 32 * 32
MOST_INSTRUCTIONS = 200_000
"""A batch of 10,000 images has 70,000 instructions at most; each costs up to some hundred bytes of memory."""
NAMES = {
    "ndarray": ("numpy",),
    "dtype": ("numpy",),
    "_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "encode": ("_codecs",),
}
"""A batch may name these functions of these modules; naming anything else is an attempt to run code."""

LIBRARY: Any = pickle._Unpickler  # the machine in Python, whose memory is a dict
CODES = b"(.0NKMJIL\x88\x89\x8aUTSVX\x8c\x8dCB\x8e)t\x85\x86\x87]lae}dsuhjgqrp\x94cR\x93b\x80\x95"
"""The instructions of real batches: constants, strings, numbers, containers, memory, names, calls and states."""


class _Name:
    """A function that the file names; it is never looked up."""

    __slots__ = ("machine", "name")

    def __init__(self, name: str, machine: "_Machine") -> None:
        self.name, self.machine = name, machine

    def __call__(self, *arguments: Any) -> "_Call | bytes":
        return self.machine.as_bytes(*arguments) if self.name == "encode" else _Call(self.name, arguments)


class _Call:
    """A note that the file wanted to call a function, and of the state it wanted to give to what comes out."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments, self.states = name, arguments, list[Any]()

    def __setstate__(self, state: Any) -> None:
        self.states.append(state)


def _counted(instruction: Callable[[Any], None]) -> Callable[["_Machine"], None]:
    def run(machine: "_Machine") -> None:
        machine.left -= 1
        if machine.left < 0:
            raise ValueError("too many instructions")
        instruction(machine)

    return run


class _Machine(LIBRARY):
    left = MOST_INSTRUCTIONS
    bytes_left = 0
    dispatch = {code: _counted(LIBRARY.dispatch[code]) for code in CODES}  # noqa: RUF012  # as the library has it

    def find_class(self, module: str, name: str) -> _Name:
        if module not in NAMES.get(name, ()):
            raise ShatterlabError(
                f"the pickle wants to load {shown(module, 80)}.{shown(name, 80)}, which no CIFAR-10 file contains: "
                "do not trust it, delete it and fetch the original with 'shatterlab data fetch cifar10'."
            )
        return _Name(name, self)

    def as_bytes(self, text: Any, encoding: Any) -> bytes:
        """What protocols below 3 keep as text; all of it together is no longer than the file."""
        if type(text) is not str or encoding not in ("latin1", b"latin1"):
            _refuse()
        self.bytes_left -= len(text)
        if self.bytes_left < 0:
            raise ValueError("more bytes than the file holds")
        return text.encode("latin-1")

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self) -> None:
        self._set(self.pop_mark())

    def _set(self, items: list[Any]) -> None:
        # The hash of a tuple that is nested deeply enough would end the interpreter, so that only texts may be keys.
        if type(self.stack[-1]) is not dict or not all(isinstance(key, str | bytes) for key in items[::2]):
            raise ValueError("no dict, or a key that is no text")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))


def read_cifar_pickle(content: bytes, name: str) -> Arrays:
    """Images (n, 32, 32, 3) and labels out of a batch of CIFAR-10's python layout, without running its code.

    Raises:
        ShatterlabError: the file is damaged, or wants to call what no batch calls.
    """
    try:
        machine = _Machine(io.BytesIO(content), encoding="bytes")
        machine.bytes_left = len(content)
        batch = machine.load()
        pixels, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
        rows, raw = _array(pixels)
        if type(labels) is not list or not all(type(label) is int and 0 <= label < 256 for label in labels):
            _refuse()
    except ShatterlabError as error:
        raise ShatterlabError(f"{name} refused: {error}") from None
    except Exception:  # a damaged pickle raises nearly any type of error
        raise ShatterlabError(
            f"{name} is truncated or no CIFAR-10 batch; delete its folder and run 'shatterlab data fetch cifar10'."
        ) from None
    images = np.frombuffer(raw, np.uint8).reshape(rows, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)


def _array(made: _Call) -> tuple[int, bytes]:
    """Number of rows and bytes of the array of images that calls and states describe, if they describe just that."""
    (state,) = made.states
    _version, shape, kind, by_columns, raw = state
    described = (made.name, _plain(made.arguments), kind.name, _plain(kind.arguments), _plain(kind.states), by_columns)
    expected = (
        "_reconstruct",
        ("ndarray", (0,), "b"),
        "dtype",
        ("u1", 0, 1),
        [(3, "|", None, None, None, -1, -1, 0)],
        0,
    )
    rows, width = shape
    if described != expected or type(raw) is not bytes or type(rows) is not int or width != IMAGE_BYTES:
        _refuse()
    if not 0 < rows * IMAGE_BYTES == len(raw):
        _refuse()
    return rows, raw


def _plain(value: Any) -> Any:
    """Words of the file as text, two levels deep, which is as deep as those of a batch go."""

    def plain(value: Any, depth: int) -> Any:
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, tuple | list) and depth:
            return type(value)(plain(entry, depth - 1) for entry in value)
        return value.name if isinstance(value, _Name) else value

    return plain(value, 2)


def _refuse() -> NoReturn:
    raise ValueError("not what a batch holds")


_Machine.dispatch |= {
    code: _counted(method)
    for code, method in (
        (b"d"[0], _Machine.load_dict),
        (b"s"[0], _Machine.load_setitem),
        (b"u"[0], _Machine.load_setitems),
    )
}
