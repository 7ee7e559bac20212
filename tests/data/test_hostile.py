"""Damaged and hostile files: each reader reads or refuses them in one sentence, and takes little memory over it."""

import gzip
import io
import os
import pickle
import random
import struct
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest
from PIL import EpsImagePlugin, Image

from shatterlab import ShatterlabError, cli, load
from shatterlab.data import addresses, cifar10, find, finding, mnist, tables
from shatterlab.data.cifar_pickle import read_cifar_pickle
from shatterlab.data.formats import read_idx
from shatterlab.data.mnist import FILES
from shatterlab.results.examples import Examples, packed, unpacked

sys.path.append(str(Path(__file__).parent.parent.parent / "soak"))
from files import Decoder, Watch
from readers import MAKERS, OUTCOMES, READ, REFUSED, input_of, trial

INPUTS = 100
"""So many for each reader; `make soak` tries a million."""
OF_THE_STORE = ()
"""The tests of the store change these."""
SAFE = 2**26
"""What comes out of a small file takes no more bytes than these."""


@contextmanager
def little_memory(most: int = SAFE) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(Watch())


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
@pytest.mark.parametrize("name", MAKERS)
def test_intact_files_are_read_and_changed_ones_are_read_or_refused(name, tmp_path, monkeypatch, decoder) -> None:
    monkeypatch.setenv("SHATTERLAB_DATA", str(tmp_path))
    for module, constant in ((cifar10, "PER_FILE"), (mnist, "SIZES"), (mnist, "SIDE")):  # the soak makes these small
        monkeypatch.setattr(module, constant, getattr(module, constant))
    monkeypatch.setattr(tables, "decode_elsewhere", decoder)
    reader = MAKERS[name](tmp_path)
    assert (READ, "") in [trial(reader, seed.pack(seed.content)) for seed in reader.seeds]
    for index in range(0 if name in OF_THE_STORE else INPUTS):
        outcome, said = trial(reader, input_of(reader, random.Random(f"{name}/{index}")))
        assert outcome <= REFUSED, f"input {index}: {OUTCOMES[outcome]}, {said}"


def idx(*shape: int, size: int) -> bytes:
    return b"\0\0\x08" + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(size)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_an_idx_file_that_is_too_long_is_called_so(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / FILES[0]
    path.write_bytes(pack(idx(5, 28, 28, size=5 * 28 * 28 + 1)))
    with pytest.raises(ShatterlabError, match=r"is longer than the 3,920 bytes that its header says; delete it and"):
        read_idx(path)


@pytest.mark.parametrize("claimed", [3_200_000_000, 1000], ids=["as the header says", "beyond the header"])
def test_an_idx_file_that_unpacks_to_a_thousand_times_its_size_takes_little_memory(tmp_path: Path, claimed) -> None:
    path = tmp_path / f"{FILES[0]}.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(idx(claimed, size=0))
        for _ in range(100):
            file.write(bytes(10**6))
    with little_memory(), pytest.raises(ShatterlabError, match="more than the 47,040,000 of MNIST|is longer than"):
        read_idx(path)


def archive(folder: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    (folder / "cifar10").mkdir()
    path = folder / "cifar10" / "cifar-10-binary.tar.gz"
    with gzip.open(path, "wb", 1) as file:
        for member in members:
            file.write(member.tobuf(tarfile.GNU_FORMAT) + content)
    return path


def batch_member(kind: bytes, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    member.type, member.size, member.linkname = kind, size, "/etc/passwd"
    return member


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_SPARSE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_only_plain_members_of_an_archive_are_read(tmp_path: Path, kind: bytes) -> None:
    """Such as one of 227 bytes, whose sparse member stands for 3 GB of zeros."""
    path = archive(tmp_path, batch_member(kind, 0))
    if kind == tarfile.GNUTYPE_SPARSE:
        header = bytearray(gzip.decompress(path.read_bytes()))
        header[483:495] = b"%011o\0" % (3 * 2**30)  # the size of the whole, of which nothing is stored
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header[:512])
        path.write_bytes(gzip.compress(bytes(header)))
        assert path.stat().st_size < 300
    with little_memory(), pytest.raises(ShatterlabError, match="lacks data_batch_1.bin; delete it and run"):
        load("cifar10", tmp_path)


def test_a_member_of_an_archive_that_is_larger_than_a_batch_is_refused_before_it_is_read(tmp_path: Path) -> None:
    archive(tmp_path, batch_member(tarfile.REGTYPE, 10**8), content=bytes(10**8))
    with (
        little_memory(),
        pytest.raises(ShatterlabError, match="data_batch_1.bin is of 100,000,000 bytes or more where"),
    ):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_an_archive_that_goes_on_and_on_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive(tmp_path, batch_member(kind, 10**8), content=bytes(10**8))
    with little_memory(), pytest.raises(ShatterlabError, match="where CIFAR-10 has at most 65,536"):
        load("cifar10", tmp_path)


def test_every_changed_byte_of_a_compressed_archive_of_examples_is_read_or_refused() -> None:
    draw = np.random.default_rng(0)
    place, labels = np.arange(60), draw.integers(10, size=(3, 60))
    content = packed({"test": Examples(place, labels[0], labels[1], place % 3 == 0, labels[2])})
    refused = 0
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= draw.integers(1, 256)
        try:
            unpacked(bytes(changed))
        except ValueError:  # of which the store makes a sentence
            refused += 1
    assert refused > len(content) / 3


def test_no_byte_of_a_dtype_in_a_pickle_reaches_numpy() -> None:
    batch = {b"labels": [3, 1], b"data": np.zeros((2, 3072), np.uint8)}
    content = pickle.dumps(batch, 2)
    assert read_cifar_pickle(content, "f")[1].tolist() == [3, 1]
    begin = content.index(b"dtype")
    end = content.index(b"tq", begin + 20) + 10  # the state, in which a wrong byte makes numpy read foreign memory
    for position in range(begin, end):
        for value in (*range(0, 256, 16), ord("N"), ord("K"), ord("}"), ord("q"), 255):
            changed = content[:position] + bytes([value]) + content[position + 1 :]
            with suppress(ShatterlabError):
                assert read_cifar_pickle(changed, "f")[0].shape == (2, 32, 32, 3)


@pytest.mark.parametrize("read", ["", "?side=8"], ids=["as they are", "resized"])
@pytest.mark.parametrize(
    ("side", "said"), [(9_000, "unpacks from .* as traps do"), (30_000, "cannot be read as a pict")]
)
def test_a_small_picture_of_very_many_pixels_is_refused(tmp_path: Path, side: int, said: str, read: str) -> None:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, chunk in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b"")):
        content += struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").write_bytes(content)
    with little_memory(), pytest.raises(ShatterlabError, match=f"cat/0.png {said}"):
        load(f"folder:{tmp_path}{read}")


def test_postscript_that_is_called_a_picture_is_not_run(tmp_path: Path, monkeypatch) -> None:
    runs = []
    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *given, **more: runs.append(given) or Image.new("L", (8, 8)).im
    )
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(ShatterlabError, match="0.png cannot be read as a picture"):
        load(f"folder:{tmp_path}")
    assert not runs


def test_an_archive_of_arrays_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "own.npz", x_train=np.zeros((10**8, 1), np.uint8), y_train=np.arange(9))
    with little_memory(), pytest.raises(ShatterlabError, match="x_train unpacks from .* save it with numpy.savez"):
        load(f"npz:{tmp_path / 'own.npz'}")


def test_an_array_that_claims_more_than_its_archive_holds_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x_train=np.zeros((12, 4)), y_train=np.arange(12) % 3)
    content = (tmp_path / "own.npz").read_bytes()
    (tmp_path / "own.npz").write_bytes(content.replace(b"(12, 4), }", b"(10**9,)}").replace(b"(10**9,)", b"(99999,)"))
    with pytest.raises(ShatterlabError, match="cannot be read as an npz archive of plain arrays"):
        load(f"npz:{tmp_path / 'own.npz'}")


def test_a_parquet_file_that_ends_its_decoder_is_one_sentence(tmp_path: Path) -> None:
    path = Path(__file__).parent / "aborts.parquet"  # a run in it counts 2**58 values
    with pytest.raises(ShatterlabError, match=r"aborts.parquet cannot be read as a table \(.*\); give it"):
        load(f"parquet:{path}?label=ill")


def test_a_small_parquet_file_of_very_many_rows_is_refused(tmp_path: Path) -> None:
    zeros = pl.DataFrame({"a": pl.zeros(10_000_000, pl.Int8, eager=True), "ill": pl.zeros(10_000_000, eager=True)})
    zeros.write_parquet(tmp_path / "own.parquet")
    with (
        little_memory(),
        pytest.raises(ShatterlabError, match="unpacks from .* as traps do; if it is yours, write it as"),
    ):
        load(f"parquet:{tmp_path / 'own.parquet'}?label=ill")


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_a_pipe_is_no_file(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ShatterlabError, match="does not exist or is no file"):
        load(f"{kind}:{tmp_path / 'pipe'}")


@pytest.mark.parametrize("path", ["a" * 5_000, "a\0b", "~nobody-of-this-name/x"], ids=["long", "zero byte", "no user"])
@pytest.mark.parametrize("kind", ["npz", "csv", "folder"])
def test_a_path_that_cannot_be_is_one_sentence(kind: str, path: str) -> None:
    for ask in (load, find):
        with pytest.raises(ShatterlabError, match="cannot be read as .*; (name|let)"):
            ask(f"{kind}:{path}")


def test_nobody_is_told_to_remove_a_file_that_is_closed_or_too_large_for_memory(tmp_path: Path, monkeypatch) -> None:
    damaged_mnist(tmp_path)
    for error, said in (
        (PermissionError(13, "Permission denied"), "let this user read it"),
        (MemoryError(), "make room"),
    ):
        monkeypatch.setattr(Path, "open", Mock(side_effect=error))
        with pytest.raises(ShatterlabError, match=said) as caught:
            load("mnist", tmp_path)
        assert "delete" not in str(caught.value)


def test_a_line_of_commas_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("," * 10**6 + "\n1,2\n")
    with (
        little_memory(),
        pytest.raises(ShatterlabError, match="has more than 65,536 columns; hand it over as npz:PATH"),
    ):
        load(f"csv:{tmp_path / 'own.csv'}?label=a")


def test_damaged_inputs_without_labels_are_one_sentence(tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "x.npy", np.zeros((9, 64)))
    content = (tmp_path / "x.npy").read_bytes()
    for changed in (
        b"",
        content[:-1],
        content.replace(b"(9, 64)", b"(9**9,)"),
        content.replace(b"(9, 64)", b"(99999,)"),
    ):
        (tmp_path / "x.npy").write_bytes(changed)
        with pytest.raises(SystemExit) as ended:
            cli.main(["audit", "sklearn.neighbors:KNeighborsClassifier", "--unlabelled", str(tmp_path / "x.npy")])
        assert ended.value.code == 2
        assert "x.npy cannot be read as an .npy file" in capsys.readouterr().err


def damaged_npz(folder: Path) -> list[str]:
    file = io.BytesIO()
    np.savez_compressed(file, x_train=np.random.default_rng(0).random((40, 5)), y_train=np.arange(40) % 4)
    content = bytearray(file.getvalue())
    content[len(content) // 3] ^= 255
    (folder / "own.npz").write_bytes(content)
    return [f"npz:{folder / 'own.npz'}"]


def damaged_mnist(folder: Path) -> list[str]:
    (folder / "mnist").mkdir()
    for name in FILES:
        (folder / "mnist" / name).write_bytes(idx(4_000_000_000, size=10))
    return ["mnist", "--data-dir", str(folder)]


def damaged_csv(folder: Path) -> list[str]:
    (folder / "own.csv").write_bytes(b'a,b\n1,"x\n2,y\n\xff\xfe,,,\n')
    return [f"csv:{folder / 'own.csv'}?label=b"]


def damaged_parquet(folder: Path) -> list[str]:
    return [f"parquet:{Path(__file__).parent / 'aborts.parquet'}?label=ill"]


@pytest.mark.parametrize("damaged", [damaged_npz, damaged_mnist, damaged_csv, damaged_parquet])
def test_a_damaged_file_is_the_same_sentence_in_verify_and_in_train(
    damaged, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *flags = damaged(tmp_path)
    said = []
    for command in (["data", "verify", name], ["train", "--model", "mlp-1x8", "--epochs", "1", "--data", name]):
        addresses._read.cache_clear()
        finding._load_from.cache_clear()
        with pytest.raises(SystemExit) as ended:
            cli.main([*command, *flags])
        assert ended.value.code == 2
        said.append(capsys.readouterr().err.strip().splitlines()[-1])
    assert said[0] == said[1]
    assert "smaller model" not in said[0]
    assert "Traceback" not in said[0]
