"""A user's own data: every way in gives the same examples, labels of any kind are mapped, content is the identity."""

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from shatterlab import ShatterlabError, corrupt, load
from shatterlab.data import Data, Dataset, addresses, as_data, find, hold_out, image_shape, subset, verify_dataset
from shatterlab.data.labels import map_labels
from shatterlab.own import on_own
from shatterlab.spec import make_spec

X, Y = load_iris(return_X_y=True)
SPECIES = np.array(["setosa", "versicolor", "virginica"])[Y]
ORDER = np.random.default_rng(0).permutation(150)
PARTS = X[ORDER[:120]], Y[ORDER[:120]], X[ORDER[120:]], Y[ORDER[120:]]
DIGITS = load_digits()


def frame(part: slice = slice(None)) -> pl.DataFrame:
    columns = {f"leaf {i}": X[ORDER, i] for i in range(4)} | {"species": SPECIES[ORDER]}
    return pl.DataFrame(columns)[part]


def same(data: Data, other: Data) -> bool:
    return all(getattr(data, p).fingerprint() == getattr(other, p).fingerprint() for p in ("train", "test"))


class Items(torch.utils.data.Dataset):
    """A torch Dataset that counts how often each item is read."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y, self.reads = x, y, np.zeros(len(x), int)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        self.reads[i] += 1
        return torch.from_numpy(self.x[i]), int(self.y[i])


def ways(folder: Path) -> dict[str, object]:
    """The same 120 + 30 flowers in every form that is accepted."""
    x_train, y_train, x_test, y_test = PARTS
    np.savez(folder / "iris.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return {
        "numpy": PARTS,
        "lists": [part.tolist() for part in PARTS],
        "pairs": ((x_train, y_train), (x_test, y_test)),
        "mapping": dict(zip(("x_train", "y_train", "x_test", "y_test"), PARTS, strict=True)),
        "tensors": tuple(map(torch.from_numpy, PARTS)),
        "frames": (frame()[:120], frame()[120:], "species"),
        "frames beside labels": (frame()[:120].drop("species"), SPECIES[ORDER[:120]], frame()[120:].drop("species"), SPECIES[ORDER[120:]]),
        "torch Datasets": (Items(x_train, y_train), Items(x_test, y_test)),
        "data": as_data(PARTS),
        "name": f"npz:{folder / 'iris.npz'}",
        "path": folder / "iris.npz",
    }  # fmt: skip


WAYS = [
    "numpy",
    "lists",
    "pairs",
    "mapping",
    "tensors",
    "frames",
    "frames beside labels",
    "torch Datasets",
    "data",
    "name",
    "path",
]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_gives_the_same_examples(tmp_path: Path, way: str) -> None:
    data = as_data(ways(tmp_path)[way])
    assert same(data, as_data(PARTS))
    assert (data.train.shape, data.train.classes, data.train.inputs.dtype) == ((4,), 3, np.float32)
    assert len(data.version or "") == 16
    assert (data.version == as_data(PARTS).version) == ("frame" not in way)  # the frames name their classes


@pytest.mark.parametrize(
    "way", ["parquet", "csv", "csv with semicolons", "frame", "one frame beside labels", "torch Dataset", "arrays"]
)
def test_a_missing_test_set_is_split_off_for_every_seed_alike(tmp_path: Path, capsys, way: str) -> None:
    table, name = frame(), f"{way[:7].strip()}:{tmp_path / 'iris'}?label=species"
    if way == "parquet":
        table.write_parquet(tmp_path / "iris")
    else:
        table.write_csv(tmp_path / "iris", separator=";" if "semi" in way else ",")
    given = {"frame": (table, "species"), "one frame beside labels": (table.drop("species"), table["species"]),
             "torch Dataset": Items(X[ORDER], Y[ORDER]), "arrays": (X[ORDER], SPECIES[ORDER])}.get(way, name.replace("csv wit", "csv"))  # fmt: skip
    data = as_data(given)
    assert (len(data.train), len(data.test)) == (120, 30)
    assert same(data, as_data((X[ORDER], Y[ORDER])))
    said = capsys.readouterr().err
    assert f"{data.name}: 30 of 150 examples were split off as the test set, the same ones for every seed." in said
    if way != "torch Dataset":
        assert data.names == ("setosa", "versicolor", "virginica")
        assert "labels 'setosa', 'versicolor', 'virginica' became 0, 1, 2." in said


@pytest.mark.parametrize(
    ("labels", "expected", "names"),
    [
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2], ()),
        (["no", "yes"] * 3, [0, 1] * 3, ("no", "yes")),
        ([b"no", b"yes"] * 3, [0, 1] * 3, ("no", "yes")),
        (["10", "9", "1"] * 2, [2, 1, 0] * 2, ("1", "9", "10")),
        ([True, False] * 3, [1, 0] * 3, ("False", "True")),
        (np.array([True, False] * 3, object), [1, 0] * 3, ("False", "True")),
        ([1, 2, 3] * 2, [0, 1, 2] * 2, ("1", "2", "3")),
        ([0, 100, 900] * 2, [0, 1, 2] * 2, ("0", "100", "900")),
        ([-1, 1] * 3, [0, 1] * 3, ("-1", "1")),
        ([1.0, 0.0] * 3, [1, 0] * 3, ()),
        (np.array([2**63, 5] * 3, np.uint64), [1, 0] * 3, ("5", str(2**63))),
        (np.eye(4)[[0, 2, 3, 0, 2, 3, 0, 2]], [0, 2, 3, 0, 2, 3, 0, 2], ()),
        (np.array([[0], [1]] * 3), [0, 1] * 3, ()),
        (pl.Series(["b", "a"] * 3, dtype=pl.Categorical), [1, 0] * 3, ("a", "b")),
    ],
)
def test_labels_of_any_kind_become_numbers_from_zero(labels, expected: list[int], names: tuple[str, ...]) -> None:
    mapped = map_labels("mine", labels)
    assert (mapped.labels[0].tolist(), mapped.names) == (expected, names)
    assert mapped.labels[0].dtype == np.int64
    assert bool(mapped.notes) == bool(names)


def test_training_and_test_labels_are_mapped_together() -> None:
    mapped = map_labels("mine", ["b", "c"] * 4, ["a", "c"])
    assert (mapped.labels[0][:2].tolist(), mapped.labels[1].tolist(), mapped.classes) == ([1, 2], [0, 2], 3)


@pytest.mark.parametrize("labels", [["a", None] * 3, [1.0, np.nan] * 3, np.array([1, None] * 3, object)])
def test_a_missing_label_is_named(labels) -> None:
    with pytest.raises(ShatterlabError, match="mine lacks the label of example 1"):
        map_labels("mine", labels)


@pytest.mark.parametrize(("labels", "shown"), [([0] * 6, "0"), (["ill"] * 6, "'ill'"), ([True] * 6, "True")])
def test_a_single_class_is_refused(labels, shown: str) -> None:
    with pytest.raises(ShatterlabError, match=f"mine has the label {shown} at every example; a classifier has nothing"):
        map_labels("mine", labels)


def test_pandas_frames_and_labels_are_read() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({f"leaf {i}": X[ORDER, i] for i in range(4)}).assign(species=pd.Categorical(SPECIES[ORDER]))
    assert same(as_data((table, "species")), as_data((frame(), "species")))
    ill = pd.Series(SPECIES[ORDER] == "setosa", dtype="boolean")
    assert as_data((table.drop(columns="species"), ill)).names == ("False", "True")
    assert as_data((X[ORDER], ill)).names == ("False", "True")
    ill[3] = pd.NA
    with pytest.raises(ShatterlabError, match="lacks the label of example 3"):
        as_data((X[ORDER], ill))
    with pytest.raises(ShatterlabError, match="column 'leaf 0' of frame lacks 1 of 150 values"):
        as_data((table.assign(**{"leaf 0": [None, *X[1:, 0]]}), "species"))


SHAPES = [
    ((30, 8, 8), np.uint8, (8, 8), np.uint8, False),
    ((30, 8, 8), np.int32, (8, 8), np.uint8, False),
    ((30, 8, 8, 3), np.float64, (8, 8, 3), np.float32, False),
    ((30, 3, 8, 8), np.float32, (8, 8, 3), np.float32, True),
    ((30, 1, 8, 8), np.uint8, (8, 8, 1), np.uint8, True),
    ((30, 3, 8, 3), np.uint8, (3, 8, 3), np.uint8, False),
    ((30, 8, 8, 5), np.uint8, (8, 8, 5), np.uint8, False),
    ((30, 12, 8, 8), np.float32, (8, 8, 12), np.float32, True),
    ((30, 10, 8, 7), np.float32, (8, 7, 10), np.float32, True),
    ((30, 8, 8, 8), np.uint8, (8, 8, 8), np.uint8, True),
    ((30, 5, 8, 5), np.uint8, (8, 5, 5), np.uint8, True),
    ((30, 8, 5, 8), np.uint8, (5, 8, 8), np.uint8, True),
    ((30, 10, 3, 7), np.uint8, (3, 7, 10), np.uint8, True),
    ((30, 3, 3, 8), np.uint8, (3, 8, 3), np.uint8, True),
    ((30, 7), np.uint8, (7,), np.uint8, False),
    ((30, 7), np.int32, (7,), np.int64, False),
    ((30, 7), bool, (7,), np.float32, False),
    ((30, 7), np.float16, (7,), np.float32, False),
    ((30, 2, 4, 4, 3), np.float32, (2, 4, 4, 3), np.float32, False),
]


@pytest.mark.parametrize(("shape", "dtype", "kept", "kept_type", "first"), SHAPES)
def test_inputs_of_any_shape_keep_it_and_channels_go_last(shape, dtype, kept, kept_type, first: bool) -> None:
    x = np.random.default_rng(0).integers(2, size=shape).astype(dtype)
    data = as_data((x, np.arange(30) % 3, x, np.arange(30) % 3))
    train = data.train
    assert (train.shape, train.inputs.dtype) == (kept, kept_type)
    assert (train.inputs == (np.moveaxis(x, 1, 3) if first else x)).all()
    unusual = len(kept) == 3 and (kept[2] not in (1, 3, 4) or kept[0] == 3)
    assert any("pixels with" in note for note in data.notes) == unusual
    assert np.array_equal(as_data(data).train.inputs, train.inputs)  # what has been ordered once is not turned again


def test_the_way_out_that_the_note_names_is_taken_as_it_is() -> None:
    def part(n: int) -> Dataset:
        return Dataset(np.zeros((n, 8, 5, 8), np.float32), np.arange(n) % 3, 3)

    assert as_data(Data(part(30), part(9))).train.shape == (8, 5, 8)


def test_the_networks_of_the_house_see_images() -> None:
    assert [image_shape(shape) for shape in ((5,), (8, 6), (8, 6, 3))] == [(1, 5, 1), (8, 6, 1), (8, 6, 3)]
    data = as_data((DIGITS.images, DIGITS.target))
    assert data.train.as_images().shape == (1438, 8, 8, 1)
    assert np.shares_memory(data.train.as_images(), data.train.inputs)
    with pytest.raises(ShatterlabError, match="cannot read token ids; bring a model with an embedding"):
        as_data((X.astype(int), Y)).train.as_images()
    with pytest.raises(ShatterlabError, match=r"not examples of shape \(2, 2, 2, 2\); bring a model of your own"):
        image_shape((2, 2, 2, 2))


def test_a_user_s_arrays_are_neither_copied_nor_protected() -> None:
    x, y = X.astype(np.float32), Y.copy()
    data = as_data((x, y, x, y))
    assert np.shares_memory(data.train.inputs, x)
    assert x.flags.writeable
    before = data.version
    x[0] += 1
    assert as_data((x, y, x, y)).version != before  # nothing is kept under a stale name
    assert as_data(data).version != before


def test_a_file_is_read_once_until_it_changes(tmp_path: Path, monkeypatch) -> None:
    from shatterlab.data import npz

    reads = []
    real = npz.read
    monkeypatch.setattr(npz, "read", lambda *arguments: reads.append(1) or real(*arguments))
    name = str(ways(tmp_path)["name"])
    versions = {as_data(name).version for _ in range(64)} | {on_own(make_spec(data=name))[0].data_version}
    assert (len(reads), len(versions)) == (1, 1)
    x_train, y_train, x_test, y_test = PARTS
    np.savez(tmp_path / "iris.npz", x_train=x_train + 1, y_train=y_train, x_test=x_test, y_test=y_test)
    os.utime(tmp_path / "iris.npz", ns=(1, 1))
    assert {as_data(name).version} != versions
    assert len(reads) == 2


@pytest.mark.parametrize("part", range(4))
def test_every_part_of_the_content_counts(part: int) -> None:
    other = [array.copy() for array in PARTS]
    other[part][0] = other[part][1] = 2
    other[part][1] = 1
    assert as_data(tuple(other)).version != as_data(PARTS).version


def test_a_spec_on_own_data_has_a_short_name_and_the_version(tmp_path: Path) -> None:
    data = as_data(ways(tmp_path)["name"])
    spec, _, given = on_own(make_spec(), data=data)
    assert (spec.data, spec.data_version, spec.preprocessing) == ("npz:iris.npz", data.version, "standardize")
    assert given is not None
    assert on_own(make_spec(data="digits")) == (make_spec(data="digits"), None, None)


def test_tables_take_numbers_booleans_and_few_texts(tmp_path: Path, capsys) -> None:
    table = pl.DataFrame({"age": [40, 50, 60, 70] * 5, "fat": [True, False] * 10, "sex": ["m", "f"] * 10, "ill": ["no", "yes"] * 10})  # fmt: skip
    table.write_csv(tmp_path / "patients.csv")
    data = as_data(f"csv:{tmp_path / 'patients.csv'}?label=ill")
    whole = np.concatenate([data.train.inputs, data.test.inputs])
    assert (whole.shape, whole.dtype, data.name) == ((20, 4), np.float32, "csv:patients.csv")
    assert whole.sum(axis=0).tolist() == [1100, 10, 10, 10]
    assert "column 'sex' of texts became 2 columns of 0 and 1." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["01", "1"], ("01", "1")),
        (["01", "02"], ("01", "02")),
        (["1", "2"], ("1", "2")),
        (["0", "1"], ()),
        (["1.0", "2.0"], ("1", "2")),
        (["true", "false"], ("False", "True")),
    ],
)
def test_labels_of_a_csv_are_numbers_only_if_they_are_written_as_such(tmp_path: Path, labels, names) -> None:
    lines = [f"{i},{label}" for i in range(10) for label in labels]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *lines]))
    data = as_data(f"csv:{tmp_path / 't.csv'}?label=b")
    assert (data.names, data.train.classes) == (names, 2)


@pytest.mark.parametrize(
    ("content", "label", "message"),
    [
        ("a,b\n1,x\n2,y\n", "?label=c", "unknown column 'c'. Known: a, b"),
        ("age,class\n1,x\n2,y\n", "?label=clas", "did you mean 'class'"),
        ("a,b\n1,x\n2,y\n", "", r"name the column of the labels, as in csv:t.csv\?label=COLUMN; there are a, b"),
        ("a,b\n1,x\n,y\n", "?label=b", "column 'a' of csv:t.csv lacks 1 of 2 values; fill them in"),
        ("a,b\n1,x\nnan,y\n", "?label=b", "column 'a' of csv:t.csv lacks 1 of 2 values"),
        ("a,b\n1,x\n2,\n", "?label=b", "csv:t.csv lacks the label of example 1"),
        ("b\nx\ny\n", "?label=b", "csv:t.csv needs features"),
        ("", "?label=b", "cannot be read as a table"),
        ("a,b\n1,x\n1,2,3\n", "?label=b", "cannot be read as a table"),
        ("a,b\n" + "".join(f"n{i},x\n" for i in range(30)), "?label=b", "column 'a' of csv:t.csv has 30 different texts"),
        ("a,b\n" + "".join(f"{i},{i / 7}\n" for i in range(30)), "?label=b", "predicting numbers is regression"),
        ("a,b\n" + "".join(f"{i},{i}\n" for i in range(30)), "?label=b", "has 30 classes in 30 training examples"),
        ("a,b\n1,x\n2,y\n", "?lable=b", "is not understood; write npz:PATH, csv:PATH"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_fit_is_one_sentence(tmp_path: Path, content: str, label: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(ShatterlabError, match=message):
        as_data(f"csv:{tmp_path / 't.csv'}{label}")


def pictures(root: Path, part: slice, **how: object) -> None:
    from PIL import Image

    for i in range(*part.indices(len(DIGITS.target))):
        folder = root / f"class-{DIGITS.target[i]}"
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray((DIGITS.images[i] * 15).astype(np.uint8))
        image = Image.fromarray(DIGITS.images[i].astype(np.uint16)) if how.get("mode") == "I;16" else image
        image.convert(how.get("mode", "L")).resize(how.get("size", (8, 8))).save(
            folder / f"{i:04}.{how.get('kind', 'png')}"
        )  # type: ignore[arg-type]


@pytest.mark.parametrize("test", ["test", "val", "valid", "validation", None])
def test_folders_of_classes_load(tmp_path: Path, test: str | None) -> None:
    pictures(tmp_path / "digits" / ("train" if test else ""), slice(0, 200))
    if test:
        pictures(tmp_path / "digits" / test, slice(200, 250))
    data = as_data(f"folder:{tmp_path / 'digits'}")
    assert (len(data.train), len(data.test)) == ((200, 50) if test else (160, 40))
    assert (data.train.shape, data.train.inputs.dtype, data.name) == ((8, 8, 1), np.uint8, "folder:digits")
    assert data.names == tuple(f"class-{i}" for i in range(10))
    flat = {
        (image.tobytes(), label)
        for part in (data.train, data.test)
        for image, label in zip(part.inputs, part.labels, strict=True)
    }
    assert {((DIGITS.images[i] * 15).astype(np.uint8).tobytes(), DIGITS.target[i]) for i in range(200)} <= flat


def test_pictures_of_other_modes_and_sizes_are_made_alike_or_refused(tmp_path: Path) -> None:
    pictures(tmp_path / "p", slice(0, 60))
    pictures(tmp_path / "p", slice(60, 70), mode="RGB")
    pictures(tmp_path / "p", slice(70, 80), mode="P")
    assert as_data(f"folder:{tmp_path / 'p'}").train.shape == (8, 8, 3)
    pictures(tmp_path / "p", slice(80, 81), size=(9, 12))
    with pytest.raises(ShatterlabError, match=r"has 8 x 8 pixels and .*0080.png 9 x 12; add \?side=8"):
        as_data(f"folder:{tmp_path / 'p'}")
    assert as_data(f"folder:{tmp_path / 'p'}?side=6").train.shape == (6, 6, 3)
    pictures(tmp_path / "p", slice(81, 82), mode="I;16")
    with pytest.raises(ShatterlabError, match="more than 8 bits a pixel"):
        as_data(f"folder:{tmp_path / 'p'}?side=6")
    (tmp_path / "p" / "class-1" / "0081.png").write_bytes(b"hello")
    with pytest.raises(ShatterlabError, match="0081.png cannot be read as a picture"):
        as_data(f"folder:{tmp_path / 'p'}?side=6")
    with pytest.raises(ShatterlabError, match="side must be a number of pixels such as 32, got '0'"):
        as_data(f"folder:{tmp_path / 'p'}?side=0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ShatterlabError, match="holds no pictures; it needs a folder for each class"):
        as_data(f"folder:{tmp_path / 'empty'}")


@pytest.mark.parametrize(
    "given",
    [None, 3, "no such name", (), (X,), (X, Y, X), (X, "y"), ("digits", "digits"), {"x": X}, (X, None), object(),
     (Items(X, Y), "label"), [(X, Y)] * 3, (X, Y, X, Y, X), [[1, [2]], [0, 1]]],
)  # fmt: skip
def test_anything_else_is_answered_with_what_is_accepted(given: object) -> None:
    with pytest.raises(ShatterlabError, match=r"csv:(mine.csv|PATH)\?label=COLUMN"):
        as_data(given)


def test_data_of_a_user_s_own_making_are_looked_at() -> None:
    dataset = Dataset(X, Y, 3)  # type: ignore[arg-type]
    data = as_data(Data(dataset, dataset))
    assert data.train.inputs.dtype == np.float32
    assert data.version
    with pytest.raises(ShatterlabError, match=r"train set has label 2 at example 100; labels must be integers in 0..1"):
        as_data(Data(Dataset(X, Y, 2), dataset))  # type: ignore[arg-type]


def test_names_of_files_are_understood(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ways(tmp_path)
    assert find("npz:~/iris.npz") == tmp_path / "iris.npz"
    assert verify_dataset("npz:~/iris.npz")[0].startswith("npz:~/iris.npz: 120 training and 30 test examples of (4,)")
    assert str(addresses.parse("csv:~/a?b.csv?label=x?y=z")) == f"csv:{tmp_path}/a?b.csv?label=x?y=z"
    with pytest.raises(ShatterlabError, match="iris.npz is a file; write npz:iris.npz"):
        load("iris.npz")
    with pytest.raises(ShatterlabError, match="does not exist or is no folder; name an existing one after folder:"):
        load("folder:~/iris.npz")
    with pytest.raises(ShatterlabError, match="Known: cifar10, .*npz:PATH"):
        load("json:x")


def test_a_data_folder_may_be_a_str_with_a_tilde(mnist: str) -> None:
    folder = os.environ["SHATTERLAB_DATA"]
    assert len(load("mnist", data_dir=folder).train) == 60_000
    with pytest.raises(ShatterlabError, match="is not a folder"):
        load("mnist", data_dir="~/no such folder")


def test_torch_is_not_imported_for_arrays() -> None:
    import subprocess

    code = "import sys, numpy as np; from shatterlab.data import as_data; as_data((np.eye(12), np.arange(12) % 2)); assert 'torch' not in sys.modules and 'polars' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )


@pytest.mark.parametrize("table", [load_breast_cancer, load_wine])
def test_conditions_of_a_table_act_on_columns(table) -> None:
    x, y = table(return_X_y=True)
    data = as_data((x, y))
    shuffled, each = (corrupt(data, name, seed=0).train for name in ("shuffled-pixels", "random-pixels"))
    permutation = [
        np.flatnonzero((data.train.inputs == column[:, None]).all(axis=0))[0] for column in shuffled.inputs.T
    ]
    assert sorted(permutation) == list(range(x.shape[1]))
    assert permutation != sorted(permutation)
    assert (np.sort(each.inputs, axis=1) == np.sort(data.train.inputs, axis=1)).all()
    assert not any((each.inputs == data.train.inputs).all(axis=0))
    noise = corrupt(data, "gaussian-pixels", seed=0).train.inputs
    error = data.train.inputs.std(axis=0) / len(noise) ** 0.5
    assert (np.abs(noise.mean(axis=0) - data.train.inputs.mean(axis=0)) < 4.5 * error).all()
    assert np.allclose(noise.std(axis=0), data.train.inputs.std(axis=0), rtol=0.25)


def test_conditions_of_texts_act_on_places_and_keep_token_ids() -> None:
    ids = np.random.default_rng(0).choice([3, 7, 500], size=(2_000, 6), p=[0.7, 0.2, 0.1])
    ids[:, 0] = 1  # a token that starts every text
    data = as_data((ids, np.arange(2_000) % 2))
    shuffled = corrupt(data, "shuffled-pixels", seed=0).train.inputs
    assert (shuffled == 1).all(axis=0).sum() == 1
    each = corrupt(data, "random-pixels", seed=0).train.inputs
    assert np.abs((each == 1).mean(axis=0) - 1 / 6).max() < 0.05
    noise = corrupt(data, "gaussian-pixels", seed=0).train
    assert noise.inputs.dtype == np.int64
    for token, share in zip(*np.unique(data.train.inputs, return_counts=True), strict=True):
        assert abs((noise.inputs == token).mean() - share / data.train.inputs.size) < 0.02
    assert noise.corrupted.all()


def test_a_grid_is_shuffled_as_the_image_it_is() -> None:
    grid = as_data((DIGITS.images, DIGITS.target))
    image = as_data((DIGITS.images[..., None], DIGITS.target))
    for name in ("shuffled-pixels", "random-pixels", "gaussian-pixels"):
        after = [corrupt(data, name, seed=3).train.inputs for data in (grid, image)]
        assert (after[0] == after[1][..., 0]).all()


def test_labels_assigned_at_random_are_kept_apart_from_wrong_ones() -> None:
    data = corrupt(as_data((X, Y)), "random-labels", seed=0)
    assert data.train.assigned.all()
    assert 0.5 < data.train.corrupted.mean() < 0.8  # a third is right by chance
    data = hold_out(subset(data, 100, None, 0), 20, 0)
    assert data.validation is not None
    assert data.validation.assigned.all()
    assert data.version == as_data((X, Y)).version
    half = corrupt(as_data((X, Y)), "partial-labels", 0.5, seed=0).train
    assert 0.35 < half.assigned.mean() < 0.65
    assert (half.assigned >= half.corrupted).all()


def test_pictures_are_in_the_same_order_on_windows() -> None:
    from pathlib import PureWindowsPath

    from shatterlab.data.pictures import _by_name

    paths = [PureWindowsPath(name) for name in ("a/x.png", "B/x.png", "a/X.png")]
    assert [path.as_posix() for path in sorted(paths, key=_by_name)] == ["B/x.png", "a/X.png", "a/x.png"]
