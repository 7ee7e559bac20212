"""Random changes of files, by bytes and, where a file is JSON, by values."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytearray, bytes], bytearray]

LIMITS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = [
    b"0",
    b"-1",
    b"1",
    b"99999999999",
    b"9" * 30,
    b"1e999",
    b"-1e999",
    b"nan",
    b"NaN",
    b"inf",
    b"",
    b"1.5",
    b"\xff",
]
VALUES = [
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0", "0", "-1", "1", "1.5", "9" * 25, "9" * 5000,
    "-" + "9" * 25, "0.1", "1e308", "-1e308", "true", "false", "null", "[]", "{}", '""', '"1"', '"nan"', '"\\u0000"',
    '"\\ud800"', '"<script>alert(1)</script>"', '"../../../etc/passwd"', "[1, 2]", '{"a": 1}', '["a", null]',
    "[" * 400 + "]" * 400, '{"a":' * 400 + "1" + "}" * 400, "[" * 100_000, '"' + "a" * 70_000 + '"',
]  # fmt: skip


def _flip(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """One to four bytes become others."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        place = draw.randrange(len(content))
        content[place] = draw.choice((draw.randrange(256), content[place] ^ (1 << draw.randrange(8))))
    return content


def _flip_early(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A byte of the head or the tail, where formats keep their counts, becomes another."""
    place = min(int(draw.expovariate(1 / 60)), len(content) - 1)
    content[place if draw.random() < 0.6 else len(content) - 1 - place] = draw.randrange(256)
    return content


def _cut(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """The end is missing."""
    return content[: draw.randrange(len(content))]


def _remove(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A stretch is missing."""
    begin = draw.randrange(len(content))
    del content[begin : begin + draw.choice((1, 2, 8, 64, 512))]
    return content


def _repeat(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A stretch comes several times."""
    begin, size = draw.randrange(len(content)), draw.choice((1, 4, 30, 512))
    content[begin:begin] = content[begin : begin + size] * draw.choice((1, 2, 9, 100))
    return content


def _zeros(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A stretch is overwritten, as by a disk that lost a block."""
    begin, size = draw.randrange(len(content)), draw.choice((2, 8, 64, 512))
    content[begin : begin + size] = draw.choice((b"\0", b"\xff", b" ")) * size
    return content


def _count(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A binary number becomes one at the edge of what fits there."""
    size = draw.choice((1, 2, 4, 4, 8, 8))
    place = draw.choice((draw.randrange(len(content)), min(int(draw.expovariate(1 / 60)), len(content) - 1)))
    number = draw.choice((*LIMITS, draw.randrange(2**24), len(content) + draw.randrange(-2, 3)))
    order = draw.choice(("little", "big"))
    content[place : place + size] = (number % 256**size).to_bytes(size, order)
    return content


def _exchange(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """Two stretches change places."""
    size = draw.choice((1, 4, 8, 32))
    first, second = sorted(draw.randrange(len(content)) for _ in range(2))
    if first + size <= second:
        a, b = content[first : first + size], content[second : second + size]
        content[second : second + size], content[first : first + size] = a, b
    return content


def _splice(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """The beginning of a file and the end of another."""
    return content[: draw.randrange(len(content))] + other[draw.randrange(len(other)) :]


def _word(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """A number that is written in digits becomes an odd one."""
    begin = draw.randrange(len(content))
    if found := re.compile(rb"-?\d+(\.\d+)?").search(content, begin, begin + 5_000):
        content[found.start() : found.end()] = draw.choice(WORDS)
    return content


def _append(draw: random.Random, content: bytearray, other: bytes) -> bytearray:
    """Something follows the end."""
    return content + draw.choice((b"\0", b"\n", b"garbage", bytes(1024), other))


MUTATIONS: list[Mutation] = [
    _flip, _flip, _flip_early, _flip_early, _cut, _remove, _repeat, _zeros, _count, _count, _count, _exchange, _splice,
    _word, _append,
]  # fmt: skip


def mutated(draw: random.Random, content: bytes, other: bytes) -> bytes:
    """The content after one to three changes."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if not changed:
            break
        changed = draw.choice(MUTATIONS)(draw, changed, other or b"\0")
    return bytes(changed)


def mutated_json(draw: random.Random, content: bytes) -> bytes:
    """JSON in which one to three values, keys or places are others."""
    whole = [json.loads(content)]
    raw = {}
    for turn in range(draw.choice((1, 1, 1, 2, 3))):
        holder: Any = whole
        place: Any = 0
        while isinstance(holder[place], dict | list) and holder[place] and draw.random() < 0.8:
            holder = holder[place]
            place = draw.choice(list(holder)) if isinstance(holder, dict) else draw.randrange(len(holder))
        action = draw.random()
        if action < 0.7:
            raw[f'"@{turn}@"'] = draw.choice(VALUES)
            holder[place] = f"@{turn}@"
        elif action < 0.8 and holder is not whole:
            del holder[place]
        elif action < 0.9 and isinstance(holder, dict):
            holder[draw.choice(("", "extra", "__class__", "a" * 300))] = holder.pop(place)
        else:
            holder[place] = [holder[place]] * draw.choice((1, 2, 50))
    text = json.dumps(whole[0])
    for mark, value in raw.items():
        text = text.replace(mark, value, 1)
    return text.encode("utf-8", "surrogatepass")
