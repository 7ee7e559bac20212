"""What a terminal of 80 columns shows: bars with their times, tables and sentences whose words are whole."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import square
from rich.console import Console

from shatterlab import Store, make_spec
from shatterlab.cli import main, terminal
from shatterlab.cli.progress import Progress, Remaining, clock
from shatterlab.jobs import Computation, Training
from shatterlab.row import Row

LONG = make_spec(
    model="mlp-1x512", data="digits", corruption="partial-labels", amount=0.4, random_crop=False, epochs=100
)
JOB = Training(LONG)


def row(epoch: int) -> Row:
    return Row(
        epoch=epoch, step=epoch * 10, learning_rate=0.1, online_loss=1.234, online_accuracy=0.5, seconds=0.1,
        evaluation_seconds=0.0,
    )  # fmt: skip


def computation(number: int, study: str = "squares") -> Computation:
    return Computation(study, f"square of {number}", {"number": number, "seed": 0}, square)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed as a terminal of 80 columns shows it."""
    screen = io.StringIO()

    def console(**options):
        file = options.pop("file", screen)
        width = options.pop("width", 80)
        return Console(file=file, width=width, force_terminal=True, color_system=None, **{**options, "stderr": False})

    monkeypatch.setattr(terminal, "Console", console)
    monkeypatch.setattr("shatterlab.cli.progress.Console", console)
    monkeypatch.setattr("builtins.print", lambda *words, end="\n": screen.write(" ".join(map(str, words)) + end))
    return screen


@pytest.mark.parametrize("width", [80, 120])
def test_title_bar_state_and_times_are_all_there(narrow: io.StringIO, width: int, monkeypatch) -> None:
    progress = Progress([JOB, *map(computation, range(3))])
    progress.console.width = width
    progress.update(JOB, row(39))
    progress.update(JOB, row(40))
    progress.update(computation(1), None)
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    screen.print(progress.bars.get_renderable())
    lines = [line.rstrip() for line in screen.file.getvalue().splitlines()]
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    whole, training, other = lines

    assert re.search(r"^all .*━.* 0/4 done +0:00:00 +ETA \d+:\d\d", whole)
    assert re.search(r"^mlp-1x512 partial-labels.*[━╸╺].* 40/100, .*0:00:00", training)
    assert other.startswith("square of 1")


def test_a_row_without_a_terminal_is_one_line_for_each_job(capsys) -> None:
    progress = Progress([JOB])
    for epoch in (1, 2):
        progress.update(JOB, row(epoch))
    progress.end(JOB)
    assert capsys.readouterr().err == f"[1/1] {JOB.title}: epoch 2/100, loss 1.234, train 50.0 %\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_measured_seconds_and_not_the_first_estimate() -> None:
    now, jobs = Clock(), [*map(computation, range(4))]
    left = Remaining(jobs, {job.id: 10.0 for job in jobs}, now)
    assert left.seconds() is None
    left.begin(jobs[0], 0.0)
    now.now = 30.0  # three times as slow as expected
    left.reach(jobs[0], 1.0)
    assert left.seconds() == pytest.approx(90)
    assert left.share() == pytest.approx(0.25)


def test_a_job_of_which_nothing_is_known_counts_for_what_its_kind_took() -> None:
    now = Clock()
    slow, fast = [computation(i, "slow") for i in range(2)], [computation(i, "fast") for i in range(2)]
    left = Remaining([*slow, *fast], {}, now)
    left.begin(slow[0], 0.0)
    now.now = 9.0
    left.reach(slow[0], 1.0)
    left.begin(fast[0], 0.0)
    now.now = 10.0
    left.reach(fast[0], 1.0)
    assert left.seconds() == pytest.approx(10)


def test_epochs_of_an_earlier_call_are_not_taken_for_speed() -> None:
    now = Clock()
    left = Remaining([JOB], {JOB.id: 100.0}, now)
    left.begin(JOB, 0.5)
    now.now = 10.0
    left.reach(JOB, 0.6)
    assert left.seconds() == pytest.approx(40)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61, "1:01"), (3_599.6, "1:00:00"), (7_322, "2:02:02")])
def test_times_are_clocks(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_table_too_wide_for_the_terminal_goes_on_below_and_breaks_no_word(narrow: io.StringIO) -> None:
    lines = [
        {
            "network": name,
            **{f"a long heading {i}": 123_456.25 + i for i in range(8)},
            "remark": "words that may be wrapped somewhere",
        }
        for name in ("inception-no-bn", "mlp-1x512")
    ]
    terminal.print_records(lines)
    shown = narrow.getvalue().splitlines()
    assert max(map(len, shown)) <= 80
    assert sum("inception-no-bn" in line for line in shown) >= 2  # at the beginning of each part
    words = set(" ".join(shown).split())
    assert {"inception-no-bn", "wrapped", "somewhere", *(f"{123_456.25 + i:,.6g}" for i in range(8))} <= words


def test_sentences_are_wrapped_between_words_and_commands_stay_whole(narrow: io.StringIO) -> None:
    command = "shatterlab run label-noise --scale paper --data cifar10 --precision bf16 --store a/long/path/of/a/folder/somewhere"
    terminal.say(
        "13 of 33 runs are unfinished, which is a sentence too long for a line of eighty columns: " + command, 2, 4
    )
    *sentence, last = narrow.getvalue().splitlines()
    assert last == "    " + command
    assert max(map(len, sentence)) <= 80
    assert " ".join(" ".join(sentence).split()).startswith("13 of 33 runs are unfinished, which is a sentence too")


def test_every_study_is_shown_within_80_columns(narrow: io.StringIO, small_store: Store) -> None:
    main(["show", "--store", str(small_store.path)])
    wide = [line for line in narrow.getvalue().splitlines() if len(line) > 80 and "shatterlab run" not in line]
    assert wide == []


def test_run_all_ends_with_the_tally_and_the_next_command(capsys, small_store: Store, monkeypatch) -> None:
    from shatterlab.cli.run import _print_end

    _print_end(["confirmed", "confirmed", "cannot tell"], Store("my runs"))
    assert capsys.readouterr().out == (
        "\n3 claims: 2 confirmed, 1 cannot tell.\nNext: shatterlab report --store 'my runs' --open\n"
    )


def test_report_opens_the_page_that_it_wrote(capsys, small_store: Store, tmp_path, monkeypatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("webbrowser.open", seen.append)
    main(["report", "--store", str(small_store.path), "--out", str(tmp_path / "page.html"), "--open"])
    assert seen == [(tmp_path / "page.html").as_uri()]


def test_a_terminal_without_our_signs_shows_the_rest() -> None:
    store = str(Path(__file__).parent / "fixtures" / "store-0")
    done = subprocess.run(
        [sys.executable, "-m", "shatterlab", "show", "--store", store],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"label-noise (demo, digits)" in done.stdout
