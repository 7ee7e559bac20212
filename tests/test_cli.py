"""What a user types and what comes back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shatterlab.cli import main

SMALL = ["--model", "mlp-1x16", "--data", "digits", "--n", "100", "--epochs", "2"]


def shatterlab(capsys: pytest.CaptureFixture, *arguments: str, code: int = 0) -> str:
    """What a command prints; on failure the message."""
    try:
        main(list(arguments))
        left = 0
    except SystemExit as stop:
        left = int(stop.code or 0)
    said = capsys.readouterr()
    assert left == code, said.err
    return said.err if code else said.out


def test_train_prints_the_contracts_json(capsys, tmp_path: Path) -> None:
    out = shatterlab(
        capsys, "train", *SMALL, "--corruption", "partial-labels", "--amount", "0.3", "--json", "--store", str(tmp_path)
    )
    record = json.loads(out)
    wanted = {"model", "data", "corruption", "n", "epochs", "parameters", "train_accuracy", "test_accuracy", "train_loss",
              "steps", "seconds", "run_id"}  # fmt: skip
    assert wanted <= record.keys()
    assert (record["model"], record["n"], record["epochs"], record["amount"]) == ("mlp-1x16", 100, 2, 0.3)


def test_train_prints_a_sentence_with_the_last_epoch(capsys, tmp_path: Path) -> None:
    out = shatterlab(capsys, "train", *SMALL, "--store", str(tmp_path))
    assert out.startswith(
        "mlp-1x16 true-labels seed 0 on digits, n = 100, 1,210 parameters: after epoch 2 (2 steps) train "
    )


def test_every_dial_of_the_spec_is_a_flag(capsys) -> None:
    from shatterlab import Spec

    said = shatterlab(capsys, "train", "--help")
    for dial in Spec.model_fields:
        assert (f"--{dial.replace('_', '-')} " in said) != dial.endswith("_version")  # these are filled in


@pytest.mark.parametrize("what", ["datasets", "corruptions", "models", "studies"])
def test_list_shows_every_name_as_text_and_json(capsys, what: str) -> None:
    records = json.loads(shatterlab(capsys, "list", what, "--json"))[what]
    text = shatterlab(capsys, "list", what)
    assert all(record["name"] in text for record in records)


def test_list_models_has_the_papers_parameter_counts(capsys) -> None:
    records = json.loads(shatterlab(capsys, "list", "models", "--json"))["models"]
    assert {record["name"]: record["parameters"] for record in records}["inception"] == 1_649_402


def test_show_and_report_follow_a_run(capsys, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path)]
    record = json.loads(shatterlab(capsys, "train", *SMALL, "--json", *store))
    assert record["run_id"] in shatterlab(capsys, "show", *store)
    assert json.loads(shatterlab(capsys, "show", "--json", *store))[0]["run_id"] == record["run_id"]
    header, line = shatterlab(capsys, "show", "--csv", *store).splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True))["run_id"] == record["run_id"]
    out = shatterlab(capsys, "report", *store, "--out", str(tmp_path / "page.html"))
    assert out == f"Report: {tmp_path / 'page.html'}\n"
    assert record["run_id"] in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "--model", "alexnot", "--data", "digits"],
            "unknown model 'alexnot'; did you mean 'alexnet'? Known: ",
        ),
        (["train", "--data", "digit"], "unknown data set 'digit'; did you mean 'digits'?"),
        (
            ["train", "--data", "digits", "--corruption", "random-label"],
            "unknown corruption 'random-label'; did you mean 'random-labels'?",
        ),
        (["train", "--amount", "20"], "amount must lie in [0, 1], got 20; for twenty percent write amount=0.2"),
        (
            ["train", "--data", "digits", "--n", "5000"],
            "n=5,000 is more than the 1,437 examples there are; ask for at most 1,437.",
        ),
        (
            ["train", "--data", "digits", "--crop", "28"],
            "crop=28 is larger than the images of 8 x 8; ask for at most 8.",
        ),
        (["run", "label-nose"], "unknown study 'label-nose'; did you mean 'label-noise'?"),
        (["run", "label-noise", "--data", "digits", "--seeds", "0"], "--seeds and --jobs must be at least 1."),
        (
            ["show", "--store", "nowhere"],
            "the store nowhere holds no finished runs; start with 'shatterlab run learning-curves'.",
        ),
        (
            ["report", "--store", "nowhere"],
            "the store nowhere holds no finished runs; start with 'shatterlab run learning-curves'.",
        ),
        (
            ["data", "verify", "cifar10", "--data-dir", "nowhere"],
            "--data-dir nowhere is not a folder; name the one that holds cifar10.",
        ),
        (
            ["train", "--data", "npz:no.npz"],
            "{tmp}/no.npz does not exist or is no file; name an existing one after npz:",
        ),
        (
            ["train", "--data", "digits", "--model", "mlp-9x99999999"],
            "mlp-9x99999999 is too large to build; write mlp-LxW with",
        ),
        (
            ["train", "--data", "digits", "--model", "inception", "--n", "1", "--crop", "1", "--epochs", "1"],
            "inception true-labels seed 0 failed: ",
        ),
        (["train", "--lr", "0.1"], "there is no flag --lr; did you mean --learning-rate?"),
        (["train", "--n-train=5"], "there is no flag --n-train; did you mean --n?"),
        (["show", "--csv", "--json"], "--csv and --json exclude each other; choose one."),
        (["data", "verify", "cifar"], "unknown data set 'cifar'; did you mean 'cifar10'?"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(capsys, tmp_path: Path, arguments: list[str], message: str) -> None:
    said = shatterlab(capsys, *arguments, code=2)
    assert said.startswith(f"shatterlab: {message.replace('{tmp}', str(tmp_path))}")
    assert said.count("\n") == 1


def test_a_misspelt_flag_is_answered_with_the_right_one(capsys) -> None:
    assert "--corruption" in shatterlab(capsys, "train", "--coruption", "random-labels", code=2)


def test_a_damaged_result_is_told_after_the_others_are_shown(capsys, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path)]
    record = json.loads(shatterlab(capsys, "train", *SMALL, "--json", *store))
    (tmp_path / "0123456789ab").mkdir()
    (tmp_path / "0123456789ab" / "result.json").write_text("{")
    with pytest.raises(SystemExit) as stop:
        main(["show", *store])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert record["run_id"] in said.out
    assert "result.json is damaged: it is cut short or no JSON; the command that made it moves it aside" in said.err


def test_run_falls_back_to_the_digits_with_one_line_that_says_why(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SHATTERLAB_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("shatterlab.data.download.reachable", lambda url: False)
    from shatterlab.cli.run import available_data

    assert available_data("demo", None) == "digits"
    assert (
        "Using scikit-learn's bundled digits instead of CIFAR-10: https://www.cs.toronto.edu" in capsys.readouterr().out
    )
    said = shatterlab(capsys, "run", "learning-curves", "--scale", "cpu", code=2)
    assert "is out of reach" in said


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "--store", "x"], ["report", "--store", "x"], ["--help"], ["train", "--help"]]
)
def test_commands_that_do_not_train_never_import_torch(arguments: list[str], tmp_path: Path) -> None:
    code = f"import sys; from shatterlab.cli import main\ntry:\n main({arguments})\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_any_path_of_a_user_can_be_shown(capsys, tmp_path: Path) -> None:
    import numpy as np

    folder = tmp_path / "[bold]" / "[" / "b]"
    folder.mkdir(parents=True)
    arrays = {
        "x_train": np.ones((60, 4, 4)),
        "y_train": np.arange(60) % 2,
        "x_test": np.ones((4, 4, 4)),
        "y_test": np.arange(4) % 2,
    }
    np.savez(folder / "own[bold].npz", **arrays)  # type: ignore[arg-type]
    name = f"npz:{folder / 'own[bold].npz'}"
    shatterlab(capsys, "run", "learning-curves", "--data", name, "--store", "s", "--jobs", "1")
    assert "[bold].npz" in shatterlab(capsys, "show", "--json", "--store", "s")
    assert "learning-curves (demo" in shatterlab(capsys, "show", "--store", "s")


def test_a_study_keeps_its_seeds_and_drops_runs_it_no_longer_wants(capsys, tmp_path: Path, monkeypatch) -> None:
    from shatterlab import Store, make_spec
    from shatterlab.jobs import Training
    from shatterlab.studies import STUDIES, Study

    def study(epochs: int) -> Study:
        return Study("?", "here", lambda tables: {}, lambda tables: [f"{len(tables.runs)} runs."],
            lambda scale, data, seeds: [
                Training(make_spec(model="mlp-1x4", data=data, n=20, epochs=epochs, seed=seed)) for seed in range(seeds)
            ])  # fmt: skip

    def run(epochs: int, seeds: int) -> int:
        monkeypatch.setitem(STUDIES, "tiny", study(epochs))
        options = ["--data", "digits", "--jobs", "1", "--store", str(tmp_path), "--seeds", str(seeds)]
        assert f"{seeds} runs." in shatterlab(capsys, "run", "tiny", *options)
        (asked,) = Store(tmp_path).asked()
        return len(asked.run_ids)

    assert [run(epochs=1, seeds=3), run(epochs=1, seeds=1)] == [3, 3]
    assert "3 runs." in shatterlab(capsys, "show", "tiny", "--store", str(tmp_path))
    run(epochs=2, seeds=1)
    said = shatterlab(capsys, "show", "tiny", "--store", str(tmp_path))
    assert "2 of 3 runs missing" in said


def test_a_study_runs_at_one_precision_and_in_parts(capsys, tmp_path: Path, monkeypatch) -> None:
    from shatterlab import Store, make_spec
    from shatterlab.jobs import Training
    from shatterlab.studies import STUDIES, Study

    dials = {"data": "digits", "n": 20, "epochs": 1}
    named = [{"model": "mlp-1x4"}, {"model": "mlp-1x8"}, {"model": "mlp-1x8", "precision": "float32"}]
    study = Study("?", "here", lambda tables: {}, lambda tables: [f"{len(tables.runs)} runs."],
        lambda scale, data, seeds: [Training(make_spec(**dials, **one)) for one in named])  # fmt: skip
    monkeypatch.setitem(STUDIES, "tiny", study)
    run = ["run", "tiny", "--data", "digits", "--jobs", "1", "--store", str(tmp_path)]
    assert "1 runs." in shatterlab(capsys, *run, "--precision", "bf16", "--only", "1X4")
    assert "3 runs." in shatterlab(capsys, *run, "--precision", "bf16")
    assert sorted(result.spec.precision for result in Store(tmp_path).results()) == ["bf16", "bf16", "float32"]
    assert "tiny (demo, digits, bf16)" in shatterlab(capsys, "show", "tiny", "--store", str(tmp_path))
    shatterlab(capsys, *run)
    assert {asked.precision for asked in Store(tmp_path).asked()} == {"bf16", None}


def test_the_texts_and_numbers_of_ones_own_study_are_shown_as_written(capsys, tmp_path: Path, monkeypatch) -> None:
    from shatterlab.studies import STUDIES, Study

    lines = [{"name": "[bold]a[/]", "share": 0.25, "count": 1234, "missing": None}]
    for name, table in (("brackets", lines), ("empty", [])):
        study = Study(
            "Is [this] shown [/b]?",
            "[src]",
            lambda _: {},
            lambda _: ["a [red]verdict ["],
            _numbers,
            lambda _, table=table: table,
        )
        monkeypatch.setitem(STUDIES, name, study)
        said = shatterlab(capsys, "run", name, "--store", str(tmp_path / "store"), "--jobs", "1")
        assert "Is [this] shown [/b]?" in said
        assert "a [red]verdict [" in said
        if table:
            assert "[bold]a[/]" in said
            assert said.split()[-3:] == ["0.25", "1,234", "—"]
        shatterlab(capsys, "report", "--store", str(tmp_path / "store"))


def _number(seed: int) -> list[dict]:
    return [{"x": 1.0, "seed": seed}]


def _numbers(scale, data, seeds):
    from shatterlab.jobs import Computation

    return [Computation("brackets", "a [/b] title [", {"seed": 0}, _number)]
