"""A user's data by name: `npz:PATH`, `csv:PATH?label=COLUMN`, `parquet:PATH?label=COLUMN`, `folder:PATH`."""

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..errors import ShatterlabError
from .dataset import Data


class Kind(NamedTuple):
    """How data of a kind are read, (path, short name, option) -> data, and what their option is called."""

    read: Callable[[Path, str, str | None], Data]
    option: str | None = None


class Address(NamedTuple):
    """What a name such as `csv:patients.csv?label=ill` says."""

    kind: str
    path: Path
    option: str | None

    @property
    def name(self) -> str:
        """Kind and file, without the folder, for people."""
        return f"{self.kind}:{self.path.name}"

    def __str__(self) -> str:
        option = "" if self.option is None else f"?{_kinds()[self.kind].option}={self.option}"
        return f"{self.kind}:{self.path}{option}"


FORMS = ("npz:PATH", "csv:PATH?label=COLUMN", "parquet:PATH?label=COLUMN", "folder:PATH")


def parse(name: str) -> Address | None:
    """The address that a name is, with `~` expanded and the path made absolute; None for a data set of the house.

    Raises:
        ShatterlabError: the name is that of a file without its kind, or has an unknown option.
    """
    form = re.fullmatch(r"(\w+):(.*?)(?:\?(\w+)=(.*))?", name, re.DOTALL)
    if form is None or form[1] not in _kinds():
        kind = {".npz": "npz", ".csv": "csv", ".parquet": "parquet"}.get(Path(name).suffix)
        if kind:
            write = next(form for form in FORMS if form.startswith(kind)).replace("PATH", name)
            raise ShatterlabError(f"{name} is a file; write {write}.")
        return None
    kind, path, option, value = form.groups()
    if not path or (option and option != _kinds()[kind].option):
        raise ShatterlabError(f"{name} is not understood; write {', '.join(FORMS[:-1])} or {FORMS[-1]}?side=PIXELS.")
    return Address(kind, Path(path).expanduser().resolve(), value)


def absolute(name: str) -> str:
    """The name of a user's data with its path made absolute; that of a data set of the house as it is."""
    address = parse(name)
    return name if address is None else str(address)


def read(address: Address) -> Data:
    """Reads the data, once for as long as no file changes. Their arrays are read-only, as others get the same ones.

    Raises:
        ShatterlabError: not there, damaged, or of a form that does not fit.
    """
    if not address.path.exists() or address.path.is_dir() != (address.kind == "folder"):
        raise ShatterlabError(
            f"{address.path} does not exist or is no {'folder' if address.kind == 'folder' else 'file'}; "
            f"name an existing one after {address.kind}:"
        )
    return _read(address, _state(address.path))


def _state(path: Path) -> tuple[object, ...]:
    if path.is_dir():
        return tuple((str(file), *_state(file)) for file in sorted(path.rglob("*")) if file.is_file())
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _read(address: Address, state: tuple[object, ...]) -> Data:
    data = read_only(_kinds()[address.kind].read(address.path, address.name, address.option))
    tell(data)
    return data


def read_only(data: Data) -> Data:
    """The data, whose arrays cannot be written to from now on."""
    for part in (data.train, data.test):
        for array in part.arrays().values():
            array.setflags(write=False)
    return data


def tell(data: Data) -> None:
    """Says what was done to a user's data, on stderr."""
    for note in data.notes:
        print(f"{data.name}: {note}", file=sys.stderr)


def _kinds() -> dict[str, Kind]:
    from . import npz, pictures, tables

    return {
        "npz": Kind(npz.read), "csv": Kind(tables.read, "label"), "parquet": Kind(tables.read, "label"),
        "folder": Kind(pictures.read, "side"),
    }  # fmt: skip
