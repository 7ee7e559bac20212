"""Reading files: what was written comes back, and a damaged or hostile file is one sentence."""

import gzip
import io
import pickle
import struct
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shatterlab import ShatterlabError, load
from shatterlab.data import find, formats, verify_dataset
from shatterlab.data.cifar_pickle import read_cifar_pickle
from shatterlab.data.mnist import FILES

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(10_000, 3072), dtype=np.uint8)
LABELS = RNG.integers(10, size=10_000)


@cache
def cifar_binary() -> bytes:
    return np.hstack([LABELS[:, None].astype(np.uint8), PIXELS]).tobytes()


def cifar_pickle(**changes: object) -> bytes:
    batch = {b"data": PIXELS, b"labels": LABELS.tolist(), b"batch_label": b"one"} | {
        k.encode(): v for k, v in changes.items()
    }
    return pickle.dumps(batch, protocol=2)


plain_pickle = cache(cifar_pickle)


def cifar_folder(root: Path, layout: str) -> Path:
    folder = root / f"cifar-10-batches-{layout}"
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        if layout == "bin":
            (folder / f"{name}.bin").write_bytes(cifar_binary())
        else:
            (folder / name).write_bytes(plain_pickle())
    return folder


@pytest.fixture
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of this test's own."""
    monkeypatch.setenv("SHATTERLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_binary_and_pickle_hold_the_same_images() -> None:
    expected = PIXELS.reshape(-1, 3, 32, 32)
    for images, labels in (
        formats.read_cifar_binary(cifar_binary(), "f"),
        read_cifar_pickle(cifar_pickle(), "f"),
    ):
        assert (labels == LABELS).all()
        assert (images[:, 5, 7, 1] == expected[:, 1, 5, 7]).all()


@pytest.mark.parametrize("layout", ["bin", "py"])
@pytest.mark.parametrize("archive", [False, True])
def test_every_cifar10_layout_loads(only_here: Path, layout: str, archive: bool) -> None:
    folder = cifar_folder(only_here, layout)
    if archive:
        name = "cifar-10-binary.tar.gz" if layout == "bin" else "cifar-10-python.tar.gz"
        with tarfile.open(only_here / name, "w:gz", compresslevel=0) as tar:
            tar.add(folder, folder.name)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    data = load("cifar10")
    assert (len(data.train), len(data.test), data.train.shape) == (50_000, 10_000, (32, 32, 3))
    assert (data.test.labels == LABELS).all()


def test_a_truncated_binary_file_is_one_sentence(only_here: Path) -> None:
    folder = cifar_folder(only_here, "bin")
    (folder / "data_batch_3.bin").write_bytes(cifar_binary()[:-100])
    with pytest.raises(ShatterlabError, match=r"data_batch_3.bin is truncated or no CIFAR-10 file"):
        load("cifar10")
    (folder / "data_batch_3.bin").write_bytes(cifar_binary()[: 3073 * 500])
    with pytest.raises(ShatterlabError, match=r"data_batch_3.bin is truncated: 500 images instead of 10,000"):
        load("cifar10")
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(ShatterlabError, match=r"data_batch_3.bin cannot be read as CIFAR-10 \(No such file"):
        load("cifar10")


def test_a_label_out_of_range_is_one_sentence(only_here: Path) -> None:
    folder = cifar_folder(only_here, "bin")
    broken = bytearray(cifar_binary())
    broken[3073 * 4] = 99
    (folder / "test_batch.bin").write_bytes(broken)
    with pytest.raises(ShatterlabError, match=r"label 99 at example 4; labels must be integers in 0\.\.9"):
        load("cifar10")


def test_a_truncated_archive_is_one_sentence(only_here: Path) -> None:
    only_here.mkdir()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        member.size = len(cifar_binary())
        tar.addfile(member, io.BytesIO(cifar_binary()))
    (only_here / "cifar-10-binary.tar.gz").write_bytes(buffer.getvalue()[:100_000])
    with pytest.raises(ShatterlabError, match="cannot be read as CIFAR-10 .*; delete it and run"):
        load("cifar10")


def idx(array: np.ndarray) -> bytes:
    return (
        b"\x00\x00\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(np.uint8).tobytes()
    )


@pytest.mark.parametrize("gz", [False, True])
def test_idx_files_load_gzipped_or_not(only_here: Path, gz: bool, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.data.mnist.SIZES", (30, 30))
    folder = only_here / "fashion-mnist"
    folder.mkdir(parents=True)
    images, labels = RNG.integers(256, size=(30, 28, 28)), np.arange(30) % 10
    for name in FILES:
        content = idx(images if "images" in name else labels)
        (folder / (name + ".gz" * gz)).write_bytes(gzip.compress(content) if gz else content)
    data = load("fashion-mnist")
    assert (data.train.inputs[..., 0] == images).all()
    assert (data.test.labels == labels).all()
    assert find("mnist") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "is no IDX file"),
        (idx(np.zeros((5, 28, 28)))[:-1], "is truncated: 3,919 bytes where its header says 3,920"),
        (idx(np.zeros((5, 28, 28))) + b"xy", "is longer than the 3,920 bytes that its header says"),
        (gzip.compress(idx(np.zeros((5, 28, 28))))[:-9], "cannot be read as an IDX file"),
    ],
    ids=["no IDX file", "truncated", "too long", "truncated inside gzip"],  # gzip's bytes hold the time
)
def test_a_damaged_idx_file_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ShatterlabError, match=message):
        formats.read_idx(path)


def test_the_real_mnist_has_the_published_tensors(mnist: str) -> None:
    data = load(mnist)
    assert (data.train.inputs.shape, data.test.inputs.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert np.bincount(data.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_the_real_cifar10_has_its_classes_in_equal_parts(cifar10: str) -> None:
    assert np.bincount(load(cifar10).train.labels).tolist() == [5000] * 10
    assert verify_dataset(cifar10)[0].startswith("cifar10: 50,000 training and 10,000 test images")
