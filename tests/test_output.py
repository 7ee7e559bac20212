"""What becomes of a command's words: pipes, full disks, poor encodings, closed streams, names that steer terminals."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from shatterlab import ShatterlabError
from shatterlab.cli import main
from shatterlab.cli.output import Output, names_escaped, streams
from shatterlab.cli.progress import Progress
from shatterlab.cli.terminal import print_records
from shatterlab.errors import escaped
from shatterlab.jobs import Training
from shatterlab.spec import make_spec

STEER = "a\x1b[31m\x07b\u202ec"
SHOWN = "a\\x1b[31m\\x07b\\u202ec"
COMMANDS = {
    "bare": [],
    "version": ["--version"],
    "help": ["--help"],
    "list": ["list"],
    "data": ["data", "verify", "digits"],
    "json": ["list", "models", "--json"],
}
every_command = pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def ends(words: list[str], redirected: str, **environment: str) -> subprocess.CompletedProcess:
    """The end of a command of which a shell redirects the output."""
    command = [sys.executable, "-c", "import sys; from shatterlab.cli import main; main(sys.argv[1:])", *words]
    shell = ["bash", "-c", f'set -o pipefail; "$@" {redirected}', "bash", *command]
    return subprocess.run(
        shell, capture_output=True, encoding="utf-8", errors="replace", check=False, env=os.environ | environment
    )


@every_command
def test_a_reader_that_has_enough_ends_a_command_as_a_success(words: list[str]) -> None:
    done = ends(words, "| head -c 1")
    assert (done.returncode, done.stderr) == (0, "")


@full
@every_command
def test_a_full_disk_is_one_sentence(words: list[str]) -> None:
    done = ends(words, "> /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("shatterlab: the output could not be written (No space left on device); make room")
    assert len(done.stderr.splitlines()) == 1


@full
def test_notes_that_cannot_be_written_keep_no_result_back(tmp_path: Path) -> None:
    words = ["train", "--data", "digits", "--n", "40", "--epochs", "1", "--model", "mlp-1x4", "--store", str(tmp_path)]
    done = ends(words, "2> /dev/full")
    assert done.returncode == 0
    assert "mlp-1x4 true-labels seed 0 on digits" in done.stdout
    assert ends(["show", "nope"], "2> /dev/full").returncode == 2


@every_command
def test_closed_streams_are_no_error(words: list[str]) -> None:
    assert ends(words, ">&-").returncode == 0
    assert ends(words, "2>&-").returncode == 0


@every_command
def test_characters_that_the_encoding_lacks_are_replaced(words: list[str]) -> None:
    done = ends(words, "", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_tables_with_a_dash_are_shown_in_any_encoding(monkeypatch) -> None:
    bytes_of = io.BytesIO()
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(bytes_of, encoding="ascii")
        patch.setattr(sys, "stdout", stream)
        with streams():
            print_records([{"name": "größer", "value": None}])
        stream.flush()
    assert b"gr??er" in bytes_of.getvalue()


def test_control_characters_of_names_are_shown_and_those_of_texts_left() -> None:
    assert escaped(STEER) == SHOWN
    assert escaped("two\nlines\tand größer — 数据") == "two\nlines\tand größer — 数据"
    assert escaped(escaped(STEER)) == SHOWN
    assert escaped("\udcff") == "\\udcff"


def test_errors_escape_the_names_they_repeat() -> None:
    with pytest.raises(ShatterlabError, match="unknown model") as error:
        raise ShatterlabError(f"unknown model '{STEER}'")
    assert SHOWN in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        ["list", STEER],
        [f"--{STEER}"],
        ["train", "--data", f"npz:{STEER}.npz"],
        ["train", "--model", f"{STEER}.py:Net", "--data", "digits"],
        ["run", STEER],
        ["show", STEER],
        ["show", "--store", STEER],
        ["data", "verify", STEER],
        ["train", "--corruption", STEER, "--data", "digits"],
    ],
    ids=lambda words: words[0],
)
def test_no_argument_reaches_the_terminal_with_its_control_characters(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out + said.err
    assert "\\x1b[31m" in said.out + said.err


def test_names_of_files_and_classes_are_escaped_in_what_commands_print(tmp_path: Path, capsys) -> None:
    x, y = np.random.default_rng(0).random((40, 3)), np.array([STEER, "plain"] * 20)
    np.savez(tmp_path / f"{STEER}.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    name = f"npz:{tmp_path / STEER}.npz"
    store = ["--store", str(tmp_path / STEER)]
    main(["train", "--model", "mlp-1x4", "--data", name, "--epochs", "1", *store])
    main(["show", *store])
    main(["data", "verify", name])
    main(["report", *store])
    said = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & {*said.out, *said.err}
    assert SHOWN in said.out
    assert SHOWN in said.err


def test_bars_escape_titles_and_what_is_printed_above_them(monkeypatch) -> None:
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    job = Training(make_spec(model=f"{STEER}", data="digits"))
    with names_escaped(), Progress([job]) as progress:
        progress.update(job, None)
        print(STEER, file=sys.stderr)
        print("printed", STEER)
    shown = screen.getvalue()
    assert "\x1b[31m\x07" not in shown
    assert "\x1b" in shown  # the bars themselves move the cursor
    assert shown.count("a\\x1b[31m") >= 2
    assert sys.stderr is screen


def test_rich_writes_past_what_escapes() -> None:
    screen = io.StringIO()
    console = Console(file=Output(Output(screen), escapes=True), force_terminal=True, color_system="standard")  # type: ignore[arg-type]
    console.print("[red]x")
    assert "\x1b[31mx" in screen.getvalue()


def test_a_command_leaves_the_streams_as_they_were(capsys) -> None:
    before = sys.stdout, sys.stderr
    main(["--version"])
    with pytest.raises(SystemExit):
        main(["show", "nope"])
    assert (sys.stdout, sys.stderr) == before


def test_a_word_that_is_in_no_title_is_an_error_that_names_some(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "lemma", "--only", "alexnet", "--store", str(tmp_path)])
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.startswith(
        "shatterlab: no title has 'alexnet' in it; --only takes a part of a title, of which there are "
    )
    assert "lemma" in said.partition("such as")[2]


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([{"[b]x": "[red]y[/red]"}, {"[b]x": "[/z]"}], ["[b]x", "[red]y[/red]", "[/z]"]),
        ([{"a": 1.5}, {"a": None}], ["1.5", "—"]),
        ([{"a": None}], ["—"]),
        ([{"a": [1, 2]}, {"a": {"k": 1}}, {"a": True}], ["[1, 2]", "{'k': 1}", "True"]),
        ([{"a": 1}, {"b": 2}], ["1", "2", "—"]),
        ([{"a": ""}], ["a"]),
    ],
)
def test_a_table_of_a_study_of_ones_own_is_shown_as_written(lines, shown, capsys) -> None:
    print_records(lines)
    said = capsys.readouterr().out
    assert all(text in said for text in shown)


def test_a_table_without_lines_or_columns_is_not_shown(capsys) -> None:
    print_records([])
    print_records([{}])
    assert capsys.readouterr().out == ""


def test_a_title_keeps_its_brackets(capsys) -> None:
    print_records([{"a": "a column that is wider than the title"}], "a [/title] in brackets")
    assert "a [/title] in brackets" in capsys.readouterr().out
