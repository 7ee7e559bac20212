"""The command line, with a file for each command. tyro makes flags of the arguments of each `command` function.

Only `run` and `train` import torch, and only once they start, so that everything else answers at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import tyro

from ..errors import ShatterlabError, escaped, out_of_memory
from ..ranks import started_rank
from ..results.store import DEFAULT_STORE
from ..spec import ALIASES
from . import audit, data, explore, figures, listing, report, run, show, train, watch
from .output import escaping, names_escaped, streams

QUESTION = "Does this network memorize or does it generalize, and why?"

COMMANDS: dict[str, Callable[..., None]] = {
    "list": listing.command,
    "data": data.command,
    "run": run.command,
    "train": train.command,
    "audit": audit.command,
    "show": show.command,
    "report": report.command,
    "figures": figures.command,
    "explore": explore.command,
    "watch": watch.command,
}

PATHS = ("--store", "--data-dir", "--out", "--scores", "--unlabelled")
"""These flags take a path."""

NEXT_STEPS = {
    "shatterlab run all": "every study at its smallest size, in minutes",
    "shatterlab run learning-curves": "one of them; `shatterlab list studies` names all",
    "shatterlab watch --open": "the results in the browser, while they arrive",
    "shatterlab report": "the results as one HTML page",
    "shatterlab train --model alexnet --corruption random-labels --n 1000 --stop fit": "one run of your own",
    "shatterlab train --model mine.py:Net --data npz:mine.npz --corruption random-labels": "your own network and data",
    "shatterlab audit sklearn.neighbors:KNeighborsClassifier --budget 1m": "any learner, on the digits",
    "shatterlab run --help": "every command explains itself",
}
"""The commands that are suggested to somebody who typed the bare name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; a `ShatterlabError` is printed as a sentence and gives the exit code 2."""
    with streams():
        try:
            try:
                _main(sys.argv[1:] if arguments is None else arguments)
            finally:
                sys.stdout.flush()  # what is wrong with the output is found out here and not when Python ends
        except ShatterlabError as error:
            print(f"shatterlab{f' (rank {started_rank()})' * (started_rank() > 0)}: {error}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            print("\nshatterlab: stopped. Run the same command again to go on where it was left.", file=sys.stderr)
            sys.exit(130)
        except (MemoryError, RuntimeError, ImportError, OSError) as error:
            if not out_of_memory(error):
                raise
            said = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            print(
                f"shatterlab: there is not enough memory ({said}); make room, or ask for less with a smaller --jobs, "
                "--n or --scale, then run the same command again: what was finished is kept.",
                file=sys.stderr,
            )
            sys.exit(2)


def _main(given: Sequence[str]) -> None:
    if not given:
        _print_next()
        return
    if list(given) == ["--version"]:
        from .. import __version__

        print(f"shatterlab {__version__}")
        return
    if started_rank() != 0:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # rank 0 speaks for all
    app = tyro.extras.SubcommandApp()
    for name, command in COMMANDS.items():
        app.command(name=name)(escaping(command))
    if given[0] == "train":
        _refuse_aliases(given)
    _refuse_empty_paths(given)
    # Help and errors of tyro are coloured by control characters, unless the words that they repeat have some.
    with names_escaped() if any(escaped(word) != word for word in given) else nullcontext():
        app.cli(
            prog="shatterlab",
            description=f"{QUESTION} Start with: shatterlab run all",
            args=given,
            config=(tyro.conf.FlagCreatePairsOff,),
        )


def _refuse_aliases(flags: Sequence[str]) -> None:
    """Answers a flag that is another tool's word for a dial with ours, which is spelt too differently to be guessed."""
    for flag in flags:
        name = flag.partition("=")[0]
        if name.startswith("--") and (dial := ALIASES.get(name[2:].replace("-", "_"))):
            raise ShatterlabError(f"there is no flag {name}; did you mean --{dial.replace('_', '-')}?")


def _refuse_empty_paths(words: Sequence[str]) -> None:
    """Refuses an empty path, as of a variable that is not set, which would stand for the current folder."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        flag, given, value = word.partition("=")
        if flag in PATHS and not (value if given else following or "" if following is not None else "-").strip():
            raise ShatterlabError(f"{flag} is empty; name a path, or '.' for the current folder.")


def _print_next() -> None:
    print(f"{QUESTION}\n")
    for command, what in NEXT_STEPS.items():
        print(f"  {command}\n      {what}")
    finished = len([*DEFAULT_STORE.glob("*/result.json"), *DEFAULT_STORE.glob("measured/*.json")])
    if finished:
        print(f"\n{DEFAULT_STORE} here holds {finished:,} finished runs: go on with 'shatterlab report'.")
