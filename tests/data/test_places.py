"""Where data lie: folders of other tools, data sets with the same file names, what is there already, `~`."""

import struct
from pathlib import Path

import numpy as np
import pytest

from shatterlab import ShatterlabError, Store, load
from shatterlab.cli import main
from shatterlab.data import fetch_dataset, find, verify_dataset
from shatterlab.data.mnist import FILES


@pytest.fixture(autouse=True)
def nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data but those of a test, and no server in reach."""
    monkeypatch.setenv("SHATTERLAB_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("shatterlab.data.download.reachable", lambda url: False)


def four_files(folder: Path, shape: tuple[int, int] = (28, 28), dot: bool = False) -> Path:
    """Files with the names of MNIST's, of 12 and 6 images."""
    folder.mkdir(parents=True)
    for name in FILES:
        n = 12 if "train" in name else 6
        array = np.zeros((n, *shape), np.uint8) if "images" in name else np.arange(n, dtype=np.uint8) % 10
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / (name.replace("-idx", ".idx") if dot else name)).write_bytes(head + array.tobytes())
    return folder


@pytest.mark.parametrize("below", ["FashionMNIST/raw", "FashionMNIST", "fashion-mnist", "data/fashion/raw"])
def test_fashion_is_not_mnist_wherever_the_path_begins(tmp_path: Path, monkeypatch, below: str) -> None:
    folder = four_files(tmp_path / below)
    for start in (folder, folder.parent, tmp_path):
        assert find("mnist", start) is None
    assert find("fashion-mnist", folder) == folder
    monkeypatch.chdir(folder)
    assert find("mnist", ".") is None
    assert find("fashion-mnist", ".") == Path()


@pytest.mark.parametrize("name", ["KMNIST", "emnist", "qmnist", "notMNIST", "my_kmnist"])
def test_what_was_made_to_replace_mnist_is_not_mnist(tmp_path: Path, name: str) -> None:
    folder = four_files(tmp_path / name / "raw")
    for start in (folder, folder.parent):
        assert find("mnist", start) is None
        assert find("fashion-mnist", start) is None


@pytest.mark.parametrize(
    "below", ["mnist", "MNIST", "MNIST/raw", "my-mnist", "fashion-projects/mnist", "digits/of/lecun"]
)
@pytest.mark.parametrize("dot", [False, True])
def test_mnist_is_found_under_the_names_of_several_tools(tmp_path: Path, below: str, dot: bool) -> None:
    folder = four_files(tmp_path / below, dot=dot)
    assert find("mnist", folder) == folder
    if below in ("mnist", "MNIST", "MNIST/raw"):
        assert find("mnist", tmp_path) is not None


@pytest.mark.parametrize("shape", [(20, 17), (28, 28)])
def test_images_of_another_number_or_size_are_not_mnist(tmp_path: Path, shape: tuple[int, int]) -> None:
    four_files(tmp_path / "mnist", shape)
    message = rf"holds 12 \+ 6 images of {shape[0]} x {shape[1]} pixels, where both MNIST and Fashion-MNIST have 60,000"
    for use in (load, verify_dataset):
        with pytest.raises(ShatterlabError, match=message):
            use("mnist", tmp_path)


@pytest.mark.parametrize("end", [".bin", ""])
@pytest.mark.parametrize("name", ["cifar-10-batches-bin", "anything"])
def test_cifar10s_own_folder_is_accepted(tmp_path: Path, end: str, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / f"data_batch_1{end}").write_bytes(b"")
    assert find("cifar10", folder) == folder
    with pytest.raises(ShatterlabError, match="data_batch_2"):
        load("cifar10", folder)
    assert find("cifar10", tmp_path) == (folder if name.startswith("cifar") else None)


def test_fetching_what_is_there_is_a_success_without_a_network(tmp_path: Path, capsys) -> None:
    folder = four_files(tmp_path / "mnist")
    assert fetch_dataset("mnist", tmp_path) == folder
    main(["data", "fetch", "mnist", "--data-dir", str(folder)])
    main(["data", "fetch", "digits", "--data-dir", str(tmp_path / "nothing")])
    assert str(folder) in capsys.readouterr().out


def test_a_published_file_that_is_damaged_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"cut")
    with pytest.raises(ShatterlabError, match="out of reach"):
        fetch_dataset("cifar10", tmp_path)


def test_a_fetch_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    for folder in (tmp_path / "new" / "deeper", None):
        with pytest.raises(ShatterlabError, match="out of reach"):
            fetch_dataset("mnist", folder)
    (tmp_path / "kept").mkdir()
    with pytest.raises(ShatterlabError, match="out of reach"):
        fetch_dataset("mnist", tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert not [*(tmp_path / "kept").iterdir()]


@pytest.mark.parametrize(
    ("name", "near"),
    [("DIGITS", "digits"), ("CIFAR-10", "cifar10"), ("FashionMNIST", "fashion-mnist"), ("mnits", "mnist")],
)
def test_a_data_set_is_guessed_whatever_its_case_and_hyphens(name: str, near: str) -> None:
    with pytest.raises(ShatterlabError, match=f"unknown data set '{name}'; did you mean '{near}'"):
        load(name)


@pytest.mark.parametrize("name", ["resnet", "ResNet18", "vgg16"])
def test_nothing_is_guessed_where_nothing_is_near(name: str) -> None:
    from shatterlab import build

    with pytest.raises(ShatterlabError) as error:
        build(name, (28, 28, 3), 10)
    assert "did you mean" not in str(error.value)


def test_home_is_expanded_wherever_a_path_comes_in(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    home = tmp_path / "home"
    home.mkdir()
    assert Store("~/runs").path == home / "runs"
    np.savez(home / "mine.npz", x_train=np.random.default_rng(0).random((40, 3)), y_train=np.arange(40) % 2)
    assert len(load("npz:~/mine.npz").train) == 32
    folder = four_files(home / "mnist")
    assert find("mnist", "~") == folder
    monkeypatch.setenv("SHATTERLAB_DATA", "~")
    assert find("mnist") == folder
    small = ["--model", "mlp-1x4", "--data", "npz:~/mine.npz", "--epochs", "1"]
    main(["train", *small, "--store=~/runs"])
    main(["report", "--store=~/runs", "--out=~/pages/page.html"])
    main(["show", "--store=~/runs"])
    main(["explore", "--out=~/explore.html"])
    main(["run", "lemma", "--store=~/studies"])
    main(["figures", "lemma", "--store=~/studies", "--out=~/figures"])
    assert (home / "pages" / "page.html").exists()
    assert (home / "explore.html").exists()
    assert (home / "figures" / "captions.txt").exists()
    assert not [*tmp_path.rglob("~")]


def test_an_empty_path_is_refused(tmp_path: Path, capsys) -> None:
    for use in (lambda: Store(""), lambda: Store(" "), lambda: load("mnist", ""), lambda: Store(tmp_path).report("")):
        with pytest.raises(ShatterlabError, match="is empty; name one, or '.' for the current folder"):
            use()
    for words in (
        ["show", "--store", ""],
        ["show", "--store="],
        ["report", "--out", ""],
        ["data", "verify", "mnist", "--data-dir="],
    ):
        with pytest.raises(SystemExit):
            main(words)
        assert "is empty; name a path" in capsys.readouterr().err
    with pytest.raises(ShatterlabError, match="no user that is known here"):
        Store("~nobody-of-this-name/runs")
    with pytest.raises(ShatterlabError, match="named by a path, got int"):
        load("mnist", 3)  # type: ignore[arg-type]
