"""What is said of runs: what tells them apart, which are unfinished, taken up again or done already."""

from pathlib import Path

import pytest
from torch import nn

from shatterlab import Store, make_spec, run
from shatterlab.cli import main
from shatterlab.results.result import brief_table

SPEC = make_spec(model="mlp-1x4", data="digits", n=40, n_test=20, epochs=1)


def test_only_what_differs_between_runs_of_one_model_has_a_column(tmp_path: Path) -> None:
    results = [run(spec, tmp_path) for spec in (SPEC, SPEC.on(model="mlp-1x5", learning_rate=0.1))]
    assert not {"version", "optimizer", "learning rate"} & brief_table(results)[0].keys()
    results += [run(SPEC.on(**dials), tmp_path) for dials in ({"learning_rate": 0.02}, {"optimizer": "adam"})]
    lines = brief_table(results)
    assert [(line["optimizer"], line["learning rate"]) for line in lines] == [
        ("sgd", "0.01"),
        ("sgd", "0.1"),
        ("sgd", "0.02"),
        ("adam", "0.001"),
    ]
    assert [*lines[0]][-1] == "run"
    assert "version" not in lines[0]


def test_two_versions_of_a_network_are_told_apart(tmp_path: Path, capsys) -> None:
    def first(shape, classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def edited(shape, classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Linear(3, classes))

    edited.__name__ = first.__name__
    results = [run(SPEC, tmp_path, model=model) for model in (first, edited)]
    versions = [result.spec.model_version[:8] for result in results]
    assert [line["version"] for line in brief_table(results)] == versions
    assert all(f"<td>{version}</td>" in Store(tmp_path)._repr_html_() for version in versions)
    main(["show", "--store", str(tmp_path)])
    shown = capsys.readouterr().out
    assert all(version in shown for version in versions)


class Kill(Exception):
    pass


def kill(row) -> None:
    raise Kill


def said(capsys, *arguments: str) -> str:
    main(list(arguments))
    return capsys.readouterr().out


def test_unfinished_runs_are_counted_by_show_and_report(tmp_path: Path, capsys) -> None:
    store = ["--store", str(tmp_path)]
    for seed in range(2):
        with pytest.raises(Kill):
            run(SPEC.on(seed=seed), tmp_path, on_row=kill)
    with pytest.raises(SystemExit):
        main(["show", *store])
    assert "holds no finished runs; 2 runs are unfinished; the command that began them" in capsys.readouterr().err
    run(SPEC, tmp_path)
    line = "1 run is unfinished; the command that began it goes on with it."
    assert said(capsys, "show", *store).endswith(f"\n{line}\n")
    assert said(capsys, "report", *store).endswith(f"\n{line}\n")
    assert line not in said(capsys, "show", "--csv", *store)
    run(SPEC.on(seed=1), tmp_path)
    assert "unfinished" not in said(capsys, "show", *store)


def test_a_run_that_goes_on_and_one_that_is_done_say_so(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("shatterlab.spine.CHECKPOINT_SECONDS", -1)
    spec, flags = (
        SPEC.on(epochs=3),
        ["--model", "mlp-1x4", "--data", "digits", "--n", "40", "--n-test", "20", "--epochs", "3"],
    )

    def stop(row) -> None:
        if row.epoch == 2:
            raise Kill

    def train(store: Path) -> None:
        main(["train", *flags, "--store", str(store)])

    for again, store in ((lambda store: run(spec, store), tmp_path / "a"), (train, tmp_path / "b")):
        with pytest.raises(Kill):
            run(spec, store, on_row=stop)
        assert capsys.readouterr().err == ""
        again(store)
        assert f"{spec.title} goes on after epoch 1\n" in capsys.readouterr().err
        again(store)
        assert f"{spec.title} is already done, run {spec.id}\n" in capsys.readouterr().err
