"""CIFAR-10's python layout is a pickle. It is read here without calling anything that the file names.

A pickle is a program for a small stack machine, and what it may call decides what it can do. This reader knows the
few instructions that real batches consist of (protocols 0 to 4, written by Python 2 or 3 with numpy 1 or 2). The four
functions of numpy and codecs that batches call are inert stand-ins: an array is nothing but its bytes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShatterlabError
from .formats import Arrays

IMAGE_BYTES = 3 * 32 * 32
"""An image has this many bytes."""
MOST_INSTRUCTIONS = 200_000
"""A batch of 10,000 images has 70,000 instructions at most; each costs up to some hundred bytes of memory."""
MODULES = {
    "ndarray": ("numpy",),
    "dtype": ("numpy",),
    "_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "encode": ("_codecs",),
}
"""A batch may name these functions of these modules; naming anything else is an attempt to run code."""

# A length of so many bytes is followed by content of that length, which stands for a value.
CONTENTS: dict[bytes, tuple[int, Callable[[bytes], Any]]] = {
    b"U": (1, bytes), b"T": (4, bytes), b"C": (1, bytes), b"B": (4, bytes), b"\x8e": (8, bytes),
    b"\x8c": (1, bytes.decode), b"X": (4, bytes.decode), b"\x8d": (8, bytes.decode),
    b"\x8a": (1, lambda digits: int.from_bytes(digits, "little", signed=True)),
}  # fmt: skip
NUMBERS = {b"K": (1, False), b"M": (2, False), b"J": (4, True)}
"""A number follows in so many bytes, with or without a sign."""
CONSTANTS: dict[bytes, Callable[[], Any]] = {
    b"(": lambda: _Mark, b"N": lambda: None, b"\x88": lambda: True, b"\x89": lambda: False,
    b")": tuple, b"]": list, b"}": dict,
}  # fmt: skip
COLLECTED: dict[bytes, tuple[type, int]] = {
    b"\x85": (tuple, 1), b"\x86": (tuple, 2), b"\x87": (tuple, 3), b"t": (tuple, -1),
    b"l": (list, -1), b"d": (dict, -1), b"a": (list, 1), b"e": (list, -1), b"s": (dict, 2), b"u": (dict, -1),
}  # fmt: skip
"""So many values, or for -1 those since the mark, become this or are added to one."""
_ESCAPED = rb"\\(?:x[0-9a-f]{2}|[\\'\"nrt])"
QUOTED = re.compile(rb"'((?:[^'\\\n]++|%b)*+)'\n|\"((?:[^\"\\\n]++|%b)*+)\"\n" % (_ESCAPED, _ESCAPED))
"""Protocol 0 writes a string of Python 2 like this."""


class _Name(str):
    """A function that the file names; it is never looked up."""

    __slots__ = ()


class _Mark:
    """It lies on the stack where a list, a tuple or a dict begins."""


@dataclass(eq=False)
class _Made:
    """A call returned this: the type of unsigned bytes or an array of them. Its state is set once, from the file."""

    kind: str
    content: bytes | None = None


def read_cifar_pickle(content: bytes, name: str) -> Arrays:
    """Images (n, 32, 32, 3) and labels out of a batch of CIFAR-10's python layout, without running its code.

    Raises:
        ShatterlabError: the file is damaged, or wants to call what no batch calls.
    """
    damaged = ShatterlabError(
        f"{name} is truncated or no CIFAR-10 batch; delete its folder and run 'shatterlab data fetch cifar10'."
    )
    try:
        batch = _Machine(content).run()
    except ShatterlabError as error:
        raise ShatterlabError(f"{name} refused: {error}") from None
    except (ValueError, LookupError, TypeError):
        raise damaged from None
    if type(batch) is not dict:
        raise damaged
    pixels, labels = (batch.get(key.encode(), batch.get(key)) for key in ("data", "labels"))
    if type(pixels) is not _Made or pixels.kind != "array" or pixels.content is None:
        raise damaged
    if type(labels) is not list or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise damaged
    images = np.frombuffer(pixels.content, np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int64)


class _Machine:
    """Each instruction pushes a plain value, collects or combines some; any Python error is a damaged file."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0

    def run(self) -> Any:
        for _ in range(MOST_INSTRUCTIONS):
            code = self._take(1)
            if code == b".":
                return self.stack.pop()
            if not self._push_value(code) and not self._collect(code):
                self._call(code)
        raise ValueError

    def _take(self, size: int) -> bytes:
        """The next bytes, which must be there: no memory is reserved for a length that the file only claims."""
        _must(size <= len(self.content) - self.at)
        self.at += size
        return self.content[self.at - size : self.at]

    def _number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "little", signed=signed)

    def _line(self) -> bytes:
        return self._take(self.content.index(b"\n", self.at) + 1 - self.at)[:-1]

    def _decimal(self) -> int:
        text = self._line().removesuffix(b"L")
        _must(len(text) <= 11)
        return int(text)

    def _push_value(self, code: bytes) -> bool:
        if code in CONTENTS:
            size, read = CONTENTS[code]
            value = read(self._take(self._number(size)))
        elif code in NUMBERS:
            value = self._number(*NUMBERS[code])
        elif code in CONSTANTS:
            value = CONSTANTS[code]()
        elif code in (b"g", b"h", b"j"):
            value = self.memo[self._decimal() if code == b"g" else self._number(1 if code == b"h" else 4)]
        elif code == b"I" and self.content[self.at : self.at + 3] in (b"00\n", b"01\n"):
            value = self._line() == b"01"
        elif code in (b"I", b"L"):
            value = self._decimal()
        elif code == b"V":
            value = self._line().decode("raw-unicode-escape")
        elif code == b"S" and (quoted := QUOTED.match(self.content, self.at)):
            self.at = quoted.end()
            value = quoted[quoted.lastindex or 1].decode("unicode_escape").encode("latin-1")
        else:
            return False
        self.stack.append(value)
        return True

    def _collect(self, code: bytes) -> bool:
        """Makes tuples, lists and dicts of what was pushed, and keeps the value on top under a number."""
        stack = self.stack
        if code in (b"p", b"q", b"r", b"\x94"):
            size = {b"q": 1, b"r": 4}.get(code)
            key = self._number(size) if size else self._decimal() if code == b"p" else len(self.memo)
            self.memo[key] = stack[-1]
            return True
        if code in (b"\x80", b"\x95"):  # the number of the protocol and the length of a frame say nothing needed
            self._take(1 if code == b"\x80" else 8)
            return True
        if code not in COLLECTED:
            return False
        kind, count = COLLECTED[code]
        values: list[Any] = []
        while len(values) != count and (value := stack.pop()) is not _Mark:
            values.append(value)
        values.reverse()
        if code in b"\x85\x86\x87tld":
            stack.append(tuple(values) if kind is tuple else kind())
        _must(type(stack[-1]) is kind)
        if kind is list:
            stack[-1].extend(values)
        elif kind is dict:
            _must(all(type(key) in (bytes, str) for key in values[::2]))
            stack[-1].update(zip(values[::2], values[1::2], strict=True))
        return True

    def _call(self, code: bytes) -> None:
        if code in (b"c", b"\x93"):
            module, name = [self._line().decode() for _ in range(2)] if code == b"c" else self.stack[-2:]
            _must(type(module) is type(name) is str)
            if code == b"\x93":
                del self.stack[-2:]
            if module not in MODULES.get(name, ()):
                shown = ascii(f"{module[:40]}.{name[:40]}")[1:-1]
                raise ShatterlabError(
                    f"the pickle wants to load {shown}, which no CIFAR-10 file contains: "
                    "do not trust it, delete it and fetch the original with 'shatterlab data fetch cifar10'."
                )
            self.stack.append(_Name(name))
        elif code == b"R":
            arguments, function = self.stack.pop(), self.stack.pop()
            self.stack.append(made := _called(function, arguments))
            # Text that is kept in the memo could be turned into bytes again and again, each time in new memory.
            self.encoded += len(made) if isinstance(made, bytes) else 0
            _must(self.encoded <= len(self.content))
        else:
            _must(code == b"b")
            state = self.stack.pop()
            _set_state(self.stack[-1], state)


def _called(function: Any, arguments: Any) -> bytes | _Made:
    """What the three calls of a batch return; their arguments are fixed but for the text that is bytes in disguise."""
    _must(type(function) is _Name and type(arguments) is tuple)
    if function == "encode":
        text, encoding = arguments
        _must(type(text) is str and encoding == "latin1")
        return text.encode("latin-1")
    if function == "_reconstruct":
        kind, shape, letter = arguments
        _must(type(kind) is _Name and kind == "ndarray" and shape == (0,) and letter in (b"b", "b"))
        return _Made("array")
    _must(function == "dtype" and arguments[0] in (b"u1", "u1") and arguments[1:] == (False, True))
    return _Made("bytes")


def _set_state(made: Any, state: Any) -> None:
    """Fills an array of n x 3072 unsigned bytes, or confirms their type."""
    _must(type(made) is _Made and made.content is None and type(state) is tuple)
    if made.kind == "bytes":
        _must(state[0] == 3 and state[1] in (b"|", "|") and state[2:] == (None, None, None, -1, -1, 0))
        made.content = b""
        return
    version, (rows, columns), dtype, by_columns, content = state
    _must(version == 1 and by_columns is False and type(rows) is int and type(content) is bytes)
    _must(type(dtype) is _Made and dtype.kind == "bytes" and dtype.content is not None)
    _must(columns == IMAGE_BYTES and rows * IMAGE_BYTES == len(content))
    made.content = content


def _must(be_so: bool) -> None:
    if not be_so:
        raise ValueError
