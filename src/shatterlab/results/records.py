"""Records: the JSON files of a store. Each names the format that it is written in and carries a checksum.

A record is a JSON object. Three entries come first: `format`, `shatterlab` (the version that wrote the file) and
`checksum` (over everything else); the other entries are those of the record itself. Files of the first format, which
was in use before there were numbers, lack all three.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import from_json

from ..errors import DamagedError, NewerError, UnreadableError, our_version

FORMAT = 2
"""The number of the format that this version writes; it reads this one and all earlier ones."""
LARGEST = 256 * 2**20
"""A record of more bytes than this is none of ours: the largest that any study writes is a hundred times smaller."""
HEAD = ("format", "shatterlab", "checksum")
"""The entries that every file has from format 2 on, beside those of the record and the notes."""

Record = TypeVar("Record", bound=BaseModel)


def text_of(record: BaseModel | Mapping[str, Any], **notes: str) -> str:
    """The content of a record's file.

    Args:
        record: the record; numbers in it that are not finite become null.
        notes: further entries, such as the hash of another file, which belong to the file and not to the record.
    """
    body = json.loads(record.model_dump_json()) if isinstance(record, BaseModel) else dict(record)
    body = {"format": FORMAT, "shatterlab": our_version()} | notes | body
    return json.dumps({"checksum": _checksum(body)} | body, indent=1)


def read(path: Path, kind: type[Record], notes: tuple[str, ...] = ()) -> tuple[Record, dict[str, str]]:
    """Reads the record of a file.

    Args:
        path: the file.
        kind: the model that the record has to fit.
        notes: names of the entries that `text_of` was given beside the record.

    Returns:
        The record, and those of the notes that the file has.

    Raises:
        DamagedError: the file is cut short, changed, no such record, or a folder stands in its place.
        NewerError: a later version wrote the file.
        UnreadableError: the system does not let us read it.
    """
    body = read_body(path)
    found = {name: str(body.pop(name)) for name in notes if name in body}
    try:
        # Numbers, tuples and defaults of earlier formats are read in pydantic's own mode for JSON.
        return kind.model_validate_json(json.dumps(body)), found
    except Exception as error:  # what converts earlier formats may raise anything over a damaged file
        raise damaged(path, _said(error)) from None


def read_body(path: Path) -> dict[str, Any]:
    """The entries of a record's file without its head, of which format and checksum have been checked; see `read`."""
    content = content_of(path)
    try:
        body = from_json(content, allow_inf_nan=False)
    except ValueError:
        raise damaged(path, "it is cut short or no JSON") from None
    if not isinstance(body, dict):
        raise damaged(path, "it holds no JSON object")
    head = {name: body.get(name) for name in HEAD}
    refuse_newer(path, head["format"], FORMAT, head["shatterlab"])
    if head["format"] is not None and body.pop("checksum", None) != _checksum(body):
        raise damaged(path, "its content does not fit its checksum")
    return {name: value for name, value in body.items() if name not in HEAD}


def content_of(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file of the store.

    Raises:
        DamagedError: a folder stands in its place, or it is larger than `largest` bytes.
        UnreadableError: the system does not let us read it.
    """
    try:
        if path.stat().st_size > largest:
            raise damaged(path, f"it has more than {largest / 2**20:.0f} MB")
        return path.read_bytes()
    except IsADirectoryError:
        raise damaged(path, "it is a folder where a file belongs") from None
    except OSError as error:
        if path.is_dir():  # Windows refuses to open folders in other words
            raise damaged(path, "it is a folder where a file belongs") from None
        raise UnreadableError(
            path, f"{path} cannot be read ({error.strerror}); give yourself the right to read it and try again."
        ) from None


def refuse_newer(path: Path, found: object, known: int, writer: object) -> None:
    """Refuses a file of a later format than the one we know, which is intact and is left alone.

    Args:
        path: the file.
        found: the number of its format; None for the first one, which has none.
        known: the number of the latest format that we read.
        writer: the version of shatterlab that wrote the file, if it tells.
    """
    if isinstance(found, int) and found > known:
        raise NewerError(path, found, known, writer)
    if found is not None and not isinstance(found, int):
        raise damaged(path, "its format is no number")


def damaged(path: Path, what: str) -> DamagedError:
    """The error for a damaged file of the store, with the way to mend it."""
    return DamagedError(
        path,
        f"{path} is damaged: {what}; the command that made it moves it aside and does that part again, all else is "
        "kept.",
    )


def _checksum(body: Mapping[str, Any]) -> str:
    """A hash of the values alone, so that a file whose lines are indented in another way is no other file."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _said(error: Exception) -> str:
    """The first thing that a validation found, in a few words."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f"its entries are of the wrong kind ({type(error).__name__})"
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where + ': ' if where else ''}{message[0].lower()}{message[1:]}"
