"""The one exception that users meet: a sentence that says what is wrong and what to do."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

# Control characters but for tab and new line, those that turn the direction of a line, and halves of characters.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""The text with its control characters as Python writes them, so that no name of a file can steer a terminal.

    >>> print(escaped("a\x1b[31m.npz"))
    a\x1b[31m.npz
    """
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


class ShatterlabError(Exception):
    """A mistake the user can mend. The command line prints the sentence and exits with code 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(escaped(sentence))


class UnreadableError(ShatterlabError):
    """A file of the store cannot be read; everything else in the store can.

    Args:
        path: the file.
        sentence: what is wrong and what to do.
    """

    def __init__(self, path: Path, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:  # a worker process sends it to its parent
        return type(self), (self.path, str(self))


class DamagedError(UnreadableError):
    """A file does not hold what was written to it; the command that made it moves it aside and makes it again."""


class NewerError(UnreadableError):
    """A later version wrote the file, which is intact and is left alone.

    Args:
        path: the file.
        found: the number of its format.
        known: the number of the latest format that we read.
        writer: the version of shatterlab that wrote the file, None where it does not tell.
    """

    def __init__(self, path: Path, found: int, known: int, writer: object = None) -> None:
        super().__init__(
            path,
            f"{path} is of format {found}, written by shatterlab {writer or 'of a later version'}; this is shatterlab "
            f"{our_version()}, which reads formats up to {known}: the file is left alone, and "
            "'pip install --upgrade shatterlab' reads it.",
        )
        self.given = path, found, known, writer

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), self.given


def our_version() -> str:
    """The version of shatterlab that is running."""
    from importlib.metadata import PackageNotFoundError, version  # here, as importing it takes long

    try:
        return version("shatterlab")
    except PackageNotFoundError:  # the code is used without being installed
        return "unknown"


class DivergedError(ShatterlabError):
    """A training ended because its loss was no longer a finite number.

    Args:
        title: which training it was.
        epoch: the epoch in which the loss was no longer finite, from 1.
        learning_rate: that of the training.
    """

    def __init__(self, title: str, epoch: int, learning_rate: float) -> None:
        super().__init__(
            f"{title} diverged in epoch {epoch} (the loss is not finite); lower --learning-rate, now {learning_rate:g}."
        )
        self.title, self.epoch, self.learning_rate = title, epoch, learning_rate

    def __reduce__(self) -> tuple[type, tuple[str, int, float]]:
        return type(self), (self.title, self.epoch, self.learning_rate)


def listed(errors: Sequence[ShatterlabError], most: int = 5) -> str:
    """Several sentences as one text, a line for each; of many the first ones and how many there are."""
    lines = [str(error) for error in errors[:most]]
    if more := len(errors) - len(lines):
        lines.append(f"... and {more:,} more files ({len(errors):,} in all).")
    return "\n".join(lines)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of any library says that memory has run out."""
    words = ("out of memory", "allocate memory", "failed to map segment", "can't start new thread")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def unknown(kind: str, name: object, known: Iterable[str]) -> ShatterlabError:
    """The error for a name that is in no table, with the nearest known one, however its letters are written.

    >>> print(unknown("model", "alexnot", ["alexnet", "inception"]))
    unknown model 'alexnot'; did you mean 'alexnet'? Known: alexnet, inception
    >>> print(unknown("data set", "DIGITS", ["cifar10", "digits"]))
    unknown data set 'DIGITS'; did you mean 'digits'? Known: cifar10, digits
    """
    names = list(known)
    near = near_to(str(name), names)
    question = f"; did you mean '{near}'?" if near else "."
    return ShatterlabError(f"unknown {kind} '{shown(escaped(str(name)))}'{question} Known: {', '.join(names)}")


def one_of(kind: str, name: object, known: Collection[str]) -> str:
    """The name, which has to be a text that is known.

    Raises:
        ShatterlabError: it is anything else, see `unknown`.
    """
    if not isinstance(name, str) or name not in known:
        raise unknown(kind, name, known)
    return name


@contextmanager
def reading(path: object, kind: str, advice: str) -> Iterator[None]:
    """Turns whatever a damaged or hostile file makes its reader raise into one sentence.

    Libraries raise nearly any type of error over such files, and a panic of code in Rust is not even an `Exception`.

    Args:
        path: the file, or its name for people.
        kind: what it is read as, such as `a table`.
        advice: what the user can do about it if it is damaged.

    Raises:
        ShatterlabError: anything went wrong in the block; its own ShatterlabErrors pass as they are.

    >>> with reading("mine.npz", "an npz archive", "write it again"):
    ...     raise KeyError("x_train")
    Traceback (most recent call last):
    shatterlab.errors.ShatterlabError: mine.npz cannot be read as an npz archive ('x_train'); write it again.
    """
    try:
        yield
    except (ShatterlabError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        reason = shown(getattr(error, "strerror", None) or error) or type(error).__name__
        if isinstance(error, PermissionError):  # the file may be intact
            advice = "let this user read it"
        if isinstance(error, MemoryError):
            reason, advice = "it takes more memory than there is", "make room, or look whether it is damaged"
        raise ShatterlabError(f"{path} cannot be read as {kind} ({reason}); {advice}.") from None


def shown(value: object, most: int = 120) -> str:
    r"""A value of a file as a message shows it: printable, on one line, and short.

    >>> shown("two\nlines"), shown("a" * 9, most=8)
    ('two lines', 'aaaaa...')
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)[: 4 * most]).split())
    return text if len(text) <= most else text[: most - 3] + "..."


def near_to(word: str, names: Iterable[str]) -> str | None:
    """The name that a word most likely stands for, whatever its case, hyphens and underscores; None if none is near."""
    folded = {_folded(name): name for name in reversed(list(names))}
    # resnet and alexnet share half of their letters, and are not meant for each other.
    near = get_close_matches(_folded(word), folded, n=1, cutoff=0.65)
    inside = [name for fold, name in folded.items() if len(word) > 2 and fold.startswith(_folded(word))]
    return folded[near[0]] if near else inside[-1] if inside else None


def _folded(name: str) -> str:
    return re.sub(r"[-_. ]", "", name.casefold())
