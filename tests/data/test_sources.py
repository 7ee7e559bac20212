"""Finding, fetching, cutting to size, and a user's own arrays."""

import functools
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import noise_data
from hypothesis import given
from hypothesis import strategies as st

from shatterlab import ShatterlabError, load
from shatterlab.data import DATASETS, digits, find, subset
from shatterlab.data.download import Download, fetch


def test_digits_are_read_as_scikit_learn_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = digits._table()
    monkeypatch.setattr("shatterlab.data.digits.find_spec", lambda name: None)
    theirs = digits._table()
    assert np.array_equal(pixels, theirs[0])
    assert np.array_equal(labels, theirs[1])


def test_digits_need_nothing_and_never_change() -> None:
    data = load("digits")
    assert (len(data.train), len(data.test), data.train.shape, data.train.classes) == (1437, 360, (8, 8, 1), 10)
    assert data.train.inputs.max() == 255
    assert data.train.fingerprint()[:16] == "1c0a04b9239ad6ea"


@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_subset_has_n_different_examples(n: int, seed: int) -> None:
    data = noise_data()
    part = subset(data, n, None, seed).train
    assert len(part) == n
    assert len(np.unique(part.inputs.reshape(n, -1), axis=0)) == n
    assert part.fingerprint() == subset(data, n, 5, seed).train.fingerprint()


def test_more_than_there_is_says_how_much_there_is() -> None:
    with pytest.raises(ShatterlabError, match=r"n=41 is more than the 40 examples there are; ask for at most 40\."):
        subset(noise_data(), 41, None, 0)


def test_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(ShatterlabError, match="unknown data set 'cifar-10'; did you mean 'cifar10'"):
        find("cifar-10")


def test_missing_data_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHATTERLAB_DATA", str(tmp_path))
    with pytest.raises(
        ShatterlabError, match=r"was not found in .*; run 'shatterlab data fetch fashion-mnist', or name"
    ):
        load("fashion-mnist")


GOOD = {
    "x_train": np.zeros((12, 4, 4), np.uint8),
    "y_train": np.arange(12) % 6,
    "x_test": np.zeros((3, 4, 4), np.uint8),
    "y_test": np.arange(3),
}


def own(tmp_path: Path, **changes: object) -> str:
    path = tmp_path / "own.npz"
    np.savez(path, **{name: array for name, array in (GOOD | changes).items() if array is not None})  # type: ignore[arg-type]
    return f"npz:{path}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "lacks the array y_test; write it with numpy.savez"),
        ({"y_train": np.arange(5) % 2}, r"has 12 examples but labels of shape \(5,\)"),
        ({"y_train": np.arange(12) / 2}, "has labels such as 0.5: predicting numbers is regression"),
        ({"y_train": np.full(12, np.nan)}, "lacks the label of example 0"),
        ({"y_train": np.arange(12)}, "has 12 classes in 12 training examples, as if each had its own"),
        ({"y_train": np.zeros((12, 2))}, r"has labels of shape \(12, 2\); expected one for each example"),
        ({"y_train": np.array(list("abababababab"))}, "has texts and numbers as labels"),
        ({"x_train": np.zeros((0, 4, 4))}, "holds no examples"),
        ({"x_train": np.full((12, 4, 4), np.nan)}, "not finite in float32"),
        ({"x_train": np.full((12, 4, 4), 300)}, "integer pixels outside 0..255"),
        ({"x_train": np.full((12, 4), -1)}, "integer token ids below 0; store numbers that are measurements as floats"),
        ({"x_train": np.zeros((12, 4, 5), np.uint8)}, "they must agree"),
        ({"x_train": np.array(3.0)}, "expected one row an example"),
        ({"x_train": np.zeros((12, 0, 4))}, "holds no examples"),
        ({"x_train": np.full((12, 4, 4), 1e300)}, "not finite in float32"),
        ({"x_train": np.zeros((12, 4, 4), complex)}, "has entries of type complex128"),
        ({"x_train": np.array([None] * 12)}, "cannot be read as an npz archive of plain arrays"),
    ],
)
def test_wrong_arrays_are_one_sentence(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ShatterlabError, match=message):
        load(own(tmp_path, **changes), tmp_path)


def test_a_file_that_is_no_archive_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("hello")
    for name, message in (
        ("x.npz", "cannot be read"),
        ("y.npz", "does not exist or is no file; name an existing one after npz:"),
    ):
        with pytest.raises(ShatterlabError, match=message):
            load(f"npz:{tmp_path / name}")


def test_a_changed_byte_of_a_compressed_archive_is_read_or_one_sentence(tmp_path: Path) -> None:
    path, sentences = tmp_path / "own.npz", []
    np.savez_compressed(
        path, **{name: np.resize(np.arange(50, dtype=array.dtype), array.shape) for name, array in GOOD.items()}
    )  # type: ignore[arg-type]
    content = path.read_bytes()
    for place, value in np.random.default_rng(0).integers([len(content), 256], size=(1_000, 2)):
        path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        try:
            load(f"npz:{path}")
        except ShatterlabError as error:
            sentences.append(str(error))
    assert len(sentences) > 400
    assert not any("\n" in sentence for sentence in sentences)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server of the folder `published` on this machine."""
    (tmp_path / "published").mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "published"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_download_is_checked_kept_and_repaired(tmp_path: Path, server: str) -> None:
    (tmp_path / "published" / "a.bin").write_bytes(b"content")
    file = Download("a.bin", f"{server}/a.bin", f"sha256:{hashlib.sha256(b'content').hexdigest()}")
    fetch((file,), tmp_path / "here")
    assert (tmp_path / "here" / "a.bin").read_bytes() == b"content"
    (tmp_path / "here" / "a.bin").write_bytes(b"cont")
    fetch((file,), tmp_path / "here")
    assert (tmp_path / "here" / "a.bin").read_bytes() == b"content"
    (tmp_path / "published" / "a.bin").unlink()
    fetch((file,), tmp_path / "here")


def test_what_a_killed_transfer_left_is_removed_and_what_is_arriving_is_not(tmp_path: Path, server: str) -> None:
    (tmp_path / "published" / "a.bin").write_bytes(b"content")
    file = Download("a.bin", f"{server}/a.bin", f"sha256:{hashlib.sha256(b'content').hexdigest()}")
    here = tmp_path / "here"
    here.mkdir()
    old, new, foreign = (here / name for name in (".a.bin.1.ab.tmp", ".a.bin.2.cd.tmp", ".b.bin.1.ab.tmp"))
    for path in (old, new, foreign):
        path.write_bytes(b"con")
    for path in (old, foreign):
        os.utime(path, (0, 0))
    fetch((file,), here)
    assert sorted(here.iterdir()) == sorted([new, foreign, here / "a.bin"])


def test_a_wrong_checksum_leaves_nothing_behind(tmp_path: Path, server: str) -> None:
    (tmp_path / "published" / "a.bin").write_bytes(b"other")
    file = Download("a.bin", f"{server}/a.bin", f"sha256:{hashlib.sha256(b'content').hexdigest()}")
    with pytest.raises(
        ShatterlabError, match="does not have the checksum sha256:.*; try again later, or put the file into"
    ):
        fetch((file,), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_server_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    file = Download("a.bin", "http://127.0.0.1:9/a.bin", "md5:0")
    with pytest.raises(ShatterlabError, match="is out of reach .*; connect to the network, or put the file into"):
        fetch((file,), tmp_path / "here")


@pytest.mark.parametrize("name", [name for name, source in DATASETS.items() if source.downloads])
def test_every_download_names_a_checksum(name: str) -> None:
    for file in DATASETS[name].downloads:
        algorithm, _, digits = file.checksum.partition(":")
        assert len(digits) == {"md5": 32, "sha256": 64}[algorithm]
        int(digits, 16)
