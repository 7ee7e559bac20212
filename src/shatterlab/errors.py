"""The one exception that users meet: a sentence that says what is wrong and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class ShatterlabError(Exception):
    """A mistake the user can mend. The command line prints the sentence and exits with code 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> ShatterlabError:
    """The error for a name that is in no table, with the nearest known one.

    >>> print(unknown("model", "alexnot", ["alexnet", "inception"]))
    unknown model 'alexnot'; did you mean 'alexnet'? Known: alexnet, inception
    """
    names = list(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    question = f"; did you mean '{near[0]}'?" if near else "."
    return ShatterlabError(f"unknown {kind} '{name}'{question} Known: {', '.join(names)}")
