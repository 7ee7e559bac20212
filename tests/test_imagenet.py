"""The study of ImageNet: the rows of table 2, sizes and errors, the dry run, and the bundled photographs."""

from pathlib import Path

import numpy as np
import pytest
from helpers import trainings
from PIL import Image
from sklearn.datasets import load_sample_images

from shatterlab import ShatterlabError, Store, load
from shatterlab.cli import main
from shatterlab.engines import do
from shatterlab.jobs import Training
from shatterlab.paper import TABLE_2, targets_for
from shatterlab.results import Asked
from shatterlab.studies import STUDIES, chosen, found_of, jobs_so_far, judge, tables
from shatterlab.studies.imagenet import name_of

STUDY = STUDIES["imagenet"]
PAPER = "folder:/data/imagenet?side=342"


def test_the_rows_are_those_of_table_2() -> None:
    specs = trainings(STUDY, "paper", PAPER, 1)
    assert len(specs) == len(TABLE_2) == 7
    assert [name_of(row) for row in TABLE_2] == [
        "augmentation + dropout + weight decay", "augmentation", "weight decay", "no regularizer",
        "random labels, dropout + weight decay", "random labels, weight decay", "random labels, no regularizer",
    ]  # fmt: skip
    for row, spec in zip(TABLE_2, specs, strict=True):
        assert spec.augments == row.augmentation
        assert (spec.dropout > 0, spec.weight_decay > 0) == (row.dropout, row.weight_decay)
        assert spec.corruption == ("random-labels" if row.random_labels else "true-labels")
        assert (spec.model, spec.crop, spec.optimizer, spec.n) == ("inception-v3", 299, "rmsprop", None)


@pytest.mark.parametrize(("data", "crop"), [("photographs", 75), ("folder:/x?side=96", 96), (PAPER, 299)])
@pytest.mark.parametrize("scale", ["demo", "cpu", "paper"])
def test_pictures_are_cropped_to_the_papers_size_where_they_are_large_enough(scale, data: str, crop: int) -> None:
    assert {spec.crop for spec in trainings(STUDY, scale, data, 2)} == {crop}
    assert len(trainings(STUDY, scale, data, 2)) == 14


@pytest.mark.parametrize("data", ["cifar10", "digits", "folder:/x", "folder:/x?side=32", "csv:/x?label=y"])
def test_data_that_are_too_small_are_one_sentence(data: str) -> None:
    with pytest.raises(ShatterlabError, match=r"at least 75 pixels a side, .* write --data folder:PATH\?side=75"):
        jobs_so_far(STUDY, "demo", data, 1)


def test_a_run_at_the_papers_size_is_held_against_table_2_and_a_smaller_one_is_not() -> None:
    for row, spec in zip(TABLE_2, trainings(STUDY, "paper", PAPER, 1), strict=True):
        line = spec.model_dump() | {"n": 1_281_167, "n_test": 50_000, "classes": 1_000, "fit_step": None}
        found = {target.quantity: target for target in targets_for(line)}
        assert {name: target.value for name, target in found.items()} == {
            "train_accuracy": row.train / 100, "train_top5_accuracy": row.train_top5 / 100,
            "test_accuracy": row.test / 100, "test_top5_accuracy": row.test_top5 / 100,
        }  # fmt: skip
        assert not targets_for(line | {"n": 1_000})
        assert not targets_for(line | {"epochs": 50})


def test_it_is_no_part_of_all_studies_and_has_data_of_its_own() -> None:
    assert "imagenet" not in chosen("all")
    assert chosen("imagenet")["imagenet"].data == "photographs"


def test_the_bundled_tiles_are_pieces_of_two_photographs() -> None:
    data = load("photographs")
    assert (len(data.train), len(data.test), data.train.shape, data.names) == (
        64,
        16,
        (75, 75, 3),
        ("temple", "flower"),
    )
    photos = load_sample_images().images
    for tile, label in zip(data.train.inputs, data.train.labels, strict=True):
        pieces = [
            photos[label][top : top + 75, left : left + 75] for top in range(0, 375, 75) for left in range(0, 600, 75)
        ]
        assert any(np.array_equal(tile, piece) for piece in pieces)


def test_a_dry_run_takes_a_step_of_every_row_without_the_photographs(tmp_path: Path, capsys) -> None:
    arguments = ["--scale", "paper", "--data", "folder:/absent?side=75", "--store", str(tmp_path / "store")]
    main(["run", "imagenet", *arguments, "--dry-run", "--only", "random-labels"])
    said = capsys.readouterr().out
    assert said.count("23,834,568 parameters, up to 100 epochs in batches of 256; a step from loss") == 3
    assert said.count("on noise, as the data are not here") == 3
    assert "3 runs can be trained; nothing was kept." in said
    assert not (tmp_path / "store").exists()


def test_a_dry_run_of_any_study_takes_its_steps_on_the_data_that_are_here(capsys, tmp_path: Path) -> None:
    main(["run", "table1", "--data", "digits", "--dry-run", "--only", "mlp", "--store", str(tmp_path / "store")])
    said = capsys.readouterr().out
    assert "on noise" not in said
    assert "can be trained; nothing was kept." in said


def test_a_small_study_of_photographs_is_judged_and_cannot_tell(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for place in range(10):
        path = tmp_path / "photos" / f"class{place % 5}" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (80, 90, 3)).astype(np.uint8)).save(path)
    store, data = Store(tmp_path / "store"), f"folder:{tmp_path / 'photos'}?side=75"
    asked = [jobs_so_far(STUDY, "demo", data, 1)[place] for place in (0, 3, 6)]
    few = [Training(job.spec.on(n=None, n_test=None, epochs=1, batch_size=4)).pinned() for job in asked]
    assert not [end.error for end in do(few, store, device="cpu") if end.error]
    setting = Asked(study="imagenet", scale="demo", data=data, seeds=1, run_ids=[job.id for job in few])
    results = store.results()
    found = tables(store, *found_of(store, setting, results))
    assert len(STUDY.verdict(found)) == 3
    assert {line["row"] for line in STUDY.table(found)} == {
        "augmentation + dropout + weight decay", "no regularizer", "random labels, no regularizer",
    }  # fmt: skip
    assert set(STUDY.draw(found)) == {"test-accuracy"}
    states = {outcome.state for outcome in judge(STUDY, setting, found, 0).values()}
    assert states == {"cannot tell"}
    assert {result.parameters for result in results} == {21_785_568 + 5 * 2_049}
