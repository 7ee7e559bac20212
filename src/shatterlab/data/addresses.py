"""A user's data by name: `npz:PATH`, `csv:PATH?label=COLUMN`, `parquet:PATH?label=COLUMN`, `folder:PATH`."""

import re
import sys
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

from ..errors import ShatterlabError, reading
from ..files import of_system, readable
from ..ranks import started_rank
from .dataset import Data, Dataset

FORMS = ("npz:PATH", "csv:PATH?label=COLUMN", "parquet:PATH?label=COLUMN", "folder:PATH")
# The module that reads data of a kind, by `read(path, short name, option)`, and what the option is called.
KINDS = {"npz": ("npz", ""), "csv": ("tables", "label"), "parquet": ("tables", "label"), "folder": ("pictures", "side")}


class Address(NamedTuple):
    """What a name such as `csv:patients.csv?label=ill` says; the path is absolute."""

    kind: str
    path: Path
    option: str | None

    def __str__(self) -> str:
        return readable(f"{self.kind}:{self.path}" + (f"?{KINDS[self.kind][1]}={self.option}" if self.option else ""))


def parse(name: str) -> Address | None:
    """The address that a name is, with `~` expanded; None for a data set of the house.

    Raises:
        ShatterlabError: the name is that of a file without its kind, lacks a path or has an unknown option.
    """
    if not isinstance(name, str):
        return None  # which `registry.source` refuses
    name = of_system(name)
    form = re.fullmatch(r"(npz|csv|parquet|folder):(.*?)(?:\?(\w+)=(.*))?", name, re.DOTALL)
    if form is None:
        if Path(name).suffix[1:] in KINDS:
            write = next(form for form in FORMS if form.startswith(Path(name).suffix[1:]))
            raise ShatterlabError(f"{name} is a file; write {write.replace('PATH', name)}.")
        return None
    kind, path, option, value = form.groups()
    if not path or (option or "") not in ("", KINDS[kind][1]):
        raise ShatterlabError(f"{name} is not understood; write {', '.join(FORMS[:-1])} or {FORMS[-1]}?side=PIXELS.")
    with reading(name, "the address of data", "name an existing file or folder"):
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
    wanted = "folder" if address.kind == "folder" else "file"
    with reading(address.path, f"a {wanted}", f"name one that this user may read after {address.kind}:"):
        if not (address.path.is_dir() if wanted == "folder" else address.path.is_file()):  # a pipe may never end
            raise ShatterlabError(
                f"{address.path} does not exist or is no {wanted}; name an existing one after {address.kind}:"
            )
        state = _state(address.path)
    return _read(address, state)


def _state(path: Path) -> tuple[object, ...]:
    if path.is_dir():
        return tuple((str(file), *_state(file)) for file in sorted(path.rglob("*")) if file.is_file())
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


@lru_cache(maxsize=2)
def _read(address: Address, state: tuple[object, ...]) -> Data:
    module = import_module(f".{KINDS[address.kind][0]}", __package__)
    with reading(address.path, f"data of the kind {address.kind}", "look at its content, or write it anew"):
        made = module.read(address.path, readable(f"{address.kind}:{address.path.name}"), address.option)
        data = read_only(replace(made, address=str(address)))
    tell(data)
    return data


def read_only(data: Data) -> Data:
    """The data with arrays that cannot be written to; those that they were made of can be, as before."""
    return replace(data, train=_protected(data.train), test=_protected(data.test))


def _protected(part: Dataset) -> Dataset:
    views = {name: array.view() for name, array in part.arrays().items()}
    for view in views.values():
        view.setflags(write=False)
    return replace(part, **views)  # type: ignore[arg-type]


def tell(data: Data) -> None:
    """Says on stderr what was done to a user's data; only one of the processes that work together does."""
    if parent_process() is not None or started_rank() != 0:
        return
    for note in data.notes:
        print(f"{data.name}: {note}", file=sys.stderr)
