"""CIFAR-10's pickles: real layouts load, and no byte of a hostile one reaches anything that could be called."""

import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shatterlab import ShatterlabError
from shatterlab.data.cifar_pickle import read_cifar_pickle

RNG = np.random.default_rng(0)
N = 3
PIXELS = RNG.integers(256, size=(N, 3072), dtype=np.uint8)
LABELS = [6, 0, 9]
BATCH = {
    "batch_label": "training batch 1 of 5",
    "labels": LABELS,
    "data": PIXELS,
    "filenames": ["a.png", "b\n.png", "c"],
}


def in_bytes(value: object) -> object:
    """The batch as Python 3 knows it after it has read Python 2's."""
    if isinstance(value, dict):
        return {in_bytes(key): in_bytes(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [in_bytes(entry) for entry in value]
    return value.encode() if isinstance(value, str) else value


def written_by_python_3(protocol: int, *, keys: type = str, numpy: int = 2) -> bytes:
    content = pickle.dumps(BATCH if keys is str else in_bytes(BATCH), protocol)
    if numpy == 1:
        content = content.replace(b"\x8c\x16numpy._core.", b"\x8c\x15numpy.core.")
        content = content.replace(b"numpy._core", b"numpy.core")
        if protocol == 4:  # the frame is shorter now
            content = content[:3] + struct.pack("<Q", len(content) - 11) + content[11:]
    return content


def written_by_python_2(protocol: int) -> bytes:
    """The instructions of the published files (protocol 2), and of the same batch in Python 2's oldest protocol."""
    if protocol == 2:
        head = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x06labelsq\x04]q\x05("
        array = b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t(K\x01"
        array += (
            b"M" + struct.pack("<H", N) + b"M\x00\x0c\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNN"
        )
        array += (
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
            + struct.pack("<I", PIXELS.size)
            + PIXELS.tobytes()
            + b"tb"
        )
        labels = b"".join(b"K" + bytes([label]) for label in LABELS)
        return head + labels + b"eU\x04dataq\x06" + array + b"U\tfilenamesq\x0c]q\r(U\x05a.pngq\x0eU\x01cq\x0feu."
    array = b"cnumpy.core.multiarray\n_reconstruct\np5\n(cnumpy\nndarray\np6\n(I0\ntp7\nS'b'\np8\ntp9\nRp10\n(I1\n"
    array += b"(I%d\nI3072\ntp11\ncnumpy\ndtype\np12\n(S'u1'\np13\nI0\nI1\ntp14\nRp15\n(I3\nS'|'\np16\nNNN" % N
    array += b"I-1\nI-1\nI0\ntp17\nbI00\nS" + repr(PIXELS.tobytes())[1:].encode() + b"\np18\ntp19\nb"
    labels = b"".join(b"I%d\na" % label for label in LABELS)
    return b"(dp1\nS'labels'\np2\n(lp3\n" + labels + b"sS'data'\np4\n" + array + b'sS"it\'s"\np20\nNs.'


REAL = {
    **{f"python 3, {keys.__name__}, numpy {numpy}, protocol {protocol}": written_by_python_3(protocol, keys=keys, numpy=numpy)
       for protocol in range(5) for keys in (str, bytes) for numpy in (1, 2)},
    **{f"python 2, protocol {protocol}": written_by_python_2(protocol) for protocol in (0, 2)},
}  # fmt: skip


@pytest.mark.parametrize("content", REAL.values(), ids=REAL)
def test_every_real_layout_loads(content: bytes) -> None:
    batch = pickle.loads(content, encoding="bytes")  # noqa: S301  # these bytes are ours; they are a real pickle
    assert batch.get(b"labels", batch.get("labels")) == LABELS
    images, labels = read_cifar_pickle(content, "f")
    assert (images == PIXELS.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).all()
    assert (images.dtype, labels.tolist()) == (np.uint8, LABELS)


def changed(**changes: object) -> bytes:
    return pickle.dumps({b"data": PIXELS, b"labels": LABELS} | {k.encode(): v for k, v in changes.items()}, protocol=2)


class Hostile:  # pickle writes print as python 2 called it
    def __reduce__(self):
        return (print, ("this must never be printed",))


def test_a_malicious_pickle_is_refused_before_it_runs(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(ShatterlabError, match="wants to load __builtin__.print, which no CIFAR-10 file contains"):
        read_cifar_pickle(changed(extra=Hostile()), "data_batch_1")
    assert "must never" not in capsys.readouterr().out


@pytest.mark.parametrize("module", ["os", "numpy", "builtins", "numpy.core.multiarray"])
def test_no_global_but_arrays_can_be_built(module: str) -> None:
    for name in ("system", "load", "eval", "fromfile"):
        with pytest.raises(ShatterlabError, match="refused"):
            read_cifar_pickle(f"c{module}\n{name}\n.".encode(), "f")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        changed()[:500],
        changed(data=[1]),
        changed(labels=[2**70] * 3),
        changed(labels="ab"),
        pickle.dumps([1]),
    ],
    ids=["empty", "text", "truncated", "no-array", "huge-label", "no-labels", "list"],
)
def test_a_damaged_batch_is_one_sentence(content: bytes) -> None:
    with pytest.raises(ShatterlabError, match="truncated or no CIFAR-10 batch; delete its folder and run"):
        read_cifar_pickle(content, "data_batch_1")


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
TYPE = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR"
STATE = b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
IMAGE = b"T" + struct.pack("<I", 3072) + bytes(3072)


def batch(array: bytes) -> bytes:
    return b"(dS'labels'\n(lI1\nasS'data'\n" + array + b"s."


def array(
    shape: bytes = b"(I1\nI3072\nt", kind: bytes = TYPE + STATE, content: bytes = IMAGE, order: bytes = b"I00\n"
) -> bytes:
    return batch(ARRAY + b"(I1\n" + shape + kind + order + content + b"tb")


HOSTILE = {
    "ndarray over a foreign buffer": batch(b"cnumpy\nndarray\n((I1\nI3072\nt" + TYPE + IMAGE + b"I-4096\ntR"),
    "reconstruct another class": batch(ARRAY.replace(b"cnumpy\nndarray\n", b"cnumpy\ndtype\n")),
    "reconstruct another shape": batch(ARRAY.replace(b"(I0\nt", b"(I999999999\nt")),
    "a dtype of objects": array(kind=TYPE.replace(b"u1", b"O8") + STATE),
    "a dtype with foreign state": array(kind=TYPE + STATE.replace(b"NNNI-1", b"N(S'a'\nt(dI7")),
    "a dtype whose state is a byte off": array(kind=TYPE + STATE.replace(b"I3", b"I4")),
    "a dtype without state": array(kind=TYPE),
    "a dtype with two states": array(kind=TYPE + STATE + STATE),
    "an array in place of a dtype": array(kind=ARRAY),
    "an array in itself": batch(ARRAY + b"p1\n(I1\n(I1\nI3072\ntg1\nI00\n" + IMAGE + b"tb"),
    "an array as its bytes": array(content=ARRAY),
    "an array by columns": array(order=b"I01\n"),
    "more rows than bytes": array(shape=b"(I2\nI3072\nt"),
    "negative rows": array(shape=b"(I-1\nI3072\nt"),
    "a number for a shape": array(shape=b"I3072\n"),
    "rows as text": array(shape=b"(S'1'\nI3072\nt"),
    "an array without state": batch(ARRAY),
    "codecs other than latin-1": array(content=b"c_codecs\nencode\n(V" + b"a" * 3072 + b"\nVrot13\ntR"),
    "codecs with an error handler": array(content=b"c_codecs\nencode\n(Va\nVlatin1\nVignore\ntR"),
    "codecs of what is no text": array(content=b"c_codecs\nencode\n((lVlatin1\ntR"),
    "the same text made bytes again and again": b"c_codecs\nencode\np0\n(V" + b"a" * 10**6 + b"\nVlatin1\ntp1\n"
    + b"g0\ng1\nR" * 20_000 + b".",
    "a huge memo index": b"Nr\xff\xff\xff\x0f",
    "a huge memo index in text": b"Np99999999999\n.",
    "a memo index that is not there": b"j\xff\xff\xff\x0f.",
    "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "a text that claims 2**62 bytes": b"\x8d" + struct.pack("<Q", 2**62) + b"abc",
    "bytes that claim 4 GB": b"B\xff\xff\xff\xffabc",
    "a long integer of 2 GB": b"\x8b\xff\xff\xff\x7fabc",
    "a bytearray of 2**63 bytes": b"\x96" + struct.pack("<Q", 2**63) + b"abc",
    "a million empty dicts": b"(" + b"}" * 10**6 + b"t.",
    "very deep tuples": b")" + b"\x85" * 150_000 + b".",
    "a dict with a list for a key": b"}](l\x86s.",
    "a call of a call": b"cnumpy\ndtype\n)R)R.",
    "state for a function": b"cnumpy\ndtype\n)b.",
    "an object of a class": b"(icollections\nOrderedDict\n.",
    "a class made anew": b"cnumpy\nndarray\n)\x81.",
    "a persistent name": b"Pabc\n.",
    "an unfinished string": b"S'abc\n.",
    "an escape that python 2 never wrote": b"S'\\N{BULLET}'\n.",
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_sentence(content: bytes) -> None:
    assert read_cifar_pickle(array(), "f")[1].tolist() == [1]  # the same without malice
    with pytest.raises(ShatterlabError, match=r"^data_batch_1 (is truncated or no CIFAR-10 batch|refused: )") as caught:
        read_cifar_pickle(content, "data_batch_1")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("content", REAL.values(), ids=REAL)
def test_a_truncated_file_is_one_sentence(content: bytes) -> None:
    for size in {*range(0, len(content), 97), len(content) - 1}:
        with pytest.raises(ShatterlabError):
            read_cifar_pickle(content[:size], "f")


def test_a_changed_byte_is_read_or_refused_and_memory_stays_small() -> None:
    code = """
import random, sys
sys.path[:0] = sys.argv[1:]
from test_cifar_pickle import HOSTILE, REAL, PIXELS
from shatterlab import ShatterlabError
from shatterlab.data.cifar_pickle import read_cifar_pickle
draw, refused = random.Random(0), 0
for content in REAL.values():
    start = content.find(PIXELS.tobytes()[:8])
    places = [i for i in range(len(content)) if not start < i < start + PIXELS.size] if start > 0 else range(len(content))
    for place in draw.choices(places, k=150):
        changed = bytearray(content)
        changed[place] = draw.randrange(256)
        try:
            images, labels = read_cifar_pickle(bytes(changed), "f")
            assert images.shape[1:] == (32, 32, 3) and images.dtype == "uint8"
        except ShatterlabError:
            refused += 1
for content in HOSTILE.values():
    try:
        read_cifar_pickle(content, "f")
        raise AssertionError
    except ShatterlabError:
        pass
# Not what getrusage tells, which begins with the memory of the process that started this one.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(refused, peak)
"""
    done = subprocess.run(  # noqa: PLW1510  # the code is looked at below
        [sys.executable, "-W", "error", "-c", code, str(Path(__file__).parent), *sys.path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    refused, kilobytes = map(int, done.stdout.split())
    assert refused > 500
    assert kilobytes < 500_000
