"""Data larger than memory: read in batches, they train, score and are corrupted as in memory."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shatterlab import ShatterlabError, corrupt, load, make_spec, run
from shatterlab.corruption import CORRUPTIONS
from shatterlab.data import hold_out, photographs, resident, stored, subset
from shatterlab.data.stored import Stored


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(photographs, "_cache", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five classes of ten pictures of smooth noise, each with a colour of its class."""
    rng = np.random.default_rng(0)
    for place in range(50):
        label = place % 5
        small = rng.integers(0, 60, (4, 4, 3)) + 35 * label
        path = tmp_path / "photos" / f"class{label}" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small.astype(np.uint8)).resize((20, 16)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def limit(monkeypatch) -> None:
    """Fewer bytes than the pictures have."""
    monkeypatch.setattr(stored, "LARGEST_RESIDENT", 10_000)
    monkeypatch.setattr("shatterlab.data.splitting.LARGEST_RESIDENT", 10_000)


def on_disk(folder: Path, side: int = 16):
    from shatterlab.data import addresses

    addresses._read.cache_clear()
    return load(f"folder:{folder}?side={side}")


def test_pictures_beyond_the_limit_stay_on_disk_and_are_those_that_would_lie_in_memory(
    folder: Path, monkeypatch
) -> None:
    small = on_disk(folder)
    monkeypatch.setattr(stored, "LARGEST_RESIDENT", 10_000)
    large = on_disk(folder)
    assert small.train.on_disk is None
    assert isinstance(large.train.on_disk, Stored)
    for ours, theirs in ((large.train, small.train), (large.test, small.test)):
        assert np.array_equal(np.asarray(ours.on_disk), theirs.inputs)
        assert np.array_equal(ours.labels, theirs.labels)
        assert ours.shape == theirs.shape
    assert large.names == small.names


def test_every_one_of_many_pictures_is_at_its_place_and_in_the_hash(tmp_path: Path, limit) -> None:
    for place in range(300):
        path = tmp_path / "many" / f"class{place % 3}" / f"{place:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (place % 256, place // 256, 7)).save(path)
    data = on_disk(tmp_path / "many", side=8)
    source = data.train.on_disk.source
    names = sorted((tmp_path / "many").rglob("*.png"))
    colours = [source.read(np.array([place]))[0, 0, 0].tolist() for place in range(300)]
    assert colours == [[int(path.stem) % 256, int(path.stem) // 256, 7] for path in names]
    Image.new("RGB", (8, 8), (9, 9, 9)).save(names[-1])
    assert on_disk(tmp_path / "many", side=8).version != data.version


@pytest.mark.parametrize("dials", [{}, {"random_crop": True, "crop": 12, "flip": 0.5}, {"corruption": "random-labels"}])
def test_training_from_disk_gives_the_numbers_of_training_in_memory(folder, tmp_path, monkeypatch, dials) -> None:
    spec = make_spec(model="alexnet", epochs=3, batch_size=8, evaluate_every=1, **dials)
    in_memory = run(spec, tmp_path / "memory", data=on_disk(folder), on_row=lambda row: None)
    monkeypatch.setattr(stored, "LARGEST_RESIDENT", 10_000)
    data = on_disk(folder)
    assert data.train.on_disk
    streamed = run(spec, tmp_path / "disk", data=data, on_row=lambda row: None)
    assert streamed.last.model_dump(exclude={"seconds", "evaluation_seconds"}) == in_memory.last.model_dump(
        exclude={"seconds", "evaluation_seconds"}
    )


def test_without_room_on_the_disk_the_files_are_decoded_each_time_and_the_content_has_the_same_hash(
    folder: Path, limit, cache: Path, monkeypatch, capsys
) -> None:
    copied = on_disk(folder)
    assert isinstance(copied.train.on_disk.source, photographs.MemoryMap)
    pixels = copied.train.on_disk[:]
    for file in cache.glob("*.*"):
        file.unlink()
    photographs._opened.cache_clear()
    monkeypatch.setattr(photographs, "ROOM", 1e12)
    decoded = on_disk(folder)
    assert "has no room for their pixels" in capsys.readouterr().err
    assert isinstance(decoded.train.on_disk.source, photographs.Files)
    assert np.array_equal(decoded.train.on_disk[:], pixels)
    assert decoded.version == copied.version
    assert decoded.train.fingerprint() == copied.train.fingerprint()


def test_the_pixels_are_written_once_and_anew_when_a_file_changes(folder: Path, limit, capsys) -> None:
    first = on_disk(folder)
    assert "are read once" in capsys.readouterr().err
    assert on_disk(folder).version == first.version
    assert "are read once" not in capsys.readouterr().err
    Image.new("RGB", (20, 20), (1, 2, 3)).save(folder / "class0" / "0.png")
    os.utime(folder / "class0" / "0.png", ns=(1, 1))
    assert on_disk(folder).version != first.version
    assert "are read once" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "content"), [("json", b"[1"), ("json", b'{"version": 3}'), ("npy", b"\x93NUMPY")])
def test_a_damaged_copy_of_the_pixels_is_made_anew(folder: Path, limit, cache: Path, capsys, kind, content) -> None:
    first = on_disk(folder)
    pixels = first.train.on_disk[:]
    (kept,) = cache.glob(f"*.{kind}")
    kept.write_bytes(content)
    photographs._opened.cache_clear()
    again = on_disk(folder)
    assert capsys.readouterr().err.count("are read once") == 2
    assert again.version == first.version
    assert np.array_equal(again.train.on_disk[:], pixels)


def test_a_damaged_picture_is_named_and_leaves_no_half_copy(folder: Path, limit, cache: Path) -> None:
    (folder / "class1" / "1.png").write_bytes(b"no picture")
    with pytest.raises(ShatterlabError, match=r"class1/1\.png cannot be read as a picture"):
        on_disk(folder)
    assert not [*cache.glob("*.npy"), *cache.glob("*.json"), *cache.glob("*.part")]


def test_too_many_pictures_of_their_own_size_are_one_sentence(folder: Path, limit) -> None:
    with pytest.raises(ShatterlabError, match=r"too many to be held in memory; add \?side=PIXELS"):
        load(f"folder:{folder}")


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "true-labels"])
def test_a_corruption_is_the_same_in_every_epoch_and_process_and_for_every_part(folder: Path, limit, name: str) -> None:
    data = corrupt(on_disk(folder), name, 0.5 if name != "random-labels" else 1.0, seed=3)
    whole = data.train.on_disk[:]
    assert np.array_equal(whole, pickle.loads(pickle.dumps(data)).train.on_disk[:])  # noqa: S301
    chosen = np.array([7, 3, 30])
    assert np.array_equal(data.train.take(chosen).on_disk[:], whole[chosen])
    held = hold_out(data, 10, seed=0)
    position = {place: i for i, place in enumerate(data.train.index)}
    assert np.array_equal(held.validation.on_disk[:], whole[[position[place] for place in held.validation.index]])
    plain = on_disk(folder).train.on_disk[:]
    if name.endswith("pixels"):
        touched = data.train.corrupted
        assert 5 < touched.sum() < 35
        assert np.array_equal(whole[~touched], plain[~touched])
        assert (whole[touched] != plain[touched]).any(axis=(1, 2, 3)).all()
        assert data.train.fingerprint() != on_disk(folder).train.fingerprint()
    else:
        assert np.array_equal(whole, plain)


def test_pixels_are_permuted_within_their_image_and_noise_has_the_moments_of_the_data(folder: Path, limit) -> None:
    plain = on_disk(folder)
    pixels = plain.train.on_disk[:].reshape(40, -1, 3)
    for name in ("shuffled-pixels", "random-pixels"):
        changed = corrupt(plain, name, seed=1).train.on_disk[:].reshape(40, -1, 3)
        for ours, theirs in zip(changed, pixels, strict=True):
            assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))
    assert plain.train.on_disk.moments() == pytest.approx((pixels.mean(), pixels.std()))
    noise = corrupt(plain, "gaussian-pixels", seed=1).train.on_disk[:]
    assert noise.mean() == pytest.approx(pixels.mean(), rel=0.05)
    assert noise.std() == pytest.approx(pixels.std(), rel=0.1)


def test_a_part_that_fits_into_memory_is_held_there(folder: Path, limit) -> None:
    data = on_disk(folder)
    few = subset(data, 10, None, seed=0)
    assert few.train.on_disk is None
    assert few.test.on_disk
    position = {place: i for i, place in enumerate(data.train.index)}
    assert np.array_equal(few.train.inputs, data.train.on_disk[[position[place] for place in few.train.index]])
    cut = resident(data)
    assert cut.train.on_disk is None
    assert cut.train.inputs.nbytes <= 10_000


def test_an_audit_of_pictures_on_disk_looks_at_as_many_as_memory_holds_and_says_so(folder: Path, limit) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    from shatterlab.auditing.pool import pool_of
    from shatterlab.learners import given_learner

    pool, _ = pool_of(on_disk(folder), given_learner(KNeighborsClassifier(1)))
    assert len(pool) == 13
    assert any("13 of 40 training examples are looked at" in note for note in pool.notes)


def test_an_epoch_that_ends_in_an_error_names_the_picture(folder: Path, limit, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "ROOM", 1e12)
    data = on_disk(folder)
    (folder / "class2" / "2.png").unlink()
    with pytest.raises(ShatterlabError, match=r"class2/2\.png cannot be read .* put it back"):
        run(make_spec(model="mlp-1x8", epochs=1), tmp_path / "store", data=data, on_row=lambda row: None)
