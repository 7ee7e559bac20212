"""Audits on a page: one alone, or those of a store in a chapter of the report. They come as JSON values."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from ..results import Store
from ..results.records import damaged, read_body
from .alone import write_alone
from .render import Section, render

CHAPTER = "your-audits"


def audits_of(store: Store) -> list[Mapping[str, Any]]:
    """The records of the finished audits of a store, by title; files that cannot be read are then `unreadable`."""
    paths = sorted(path for path in (store.path / "audits").glob("*.json") if not path.name.endswith(".plan.json"))
    records = [found for path in paths if (found := store.readable(_read, path))]
    return sorted(records, key=lambda record: str(record["title"]))


def _read(path: Path) -> Mapping[str, Any]:
    record = read_body(path)
    try:
        audit_section(record)
        record["title"]
    except Exception as error:  # the template finds what is missing
        raise damaged(path, f"it lacks a part of an audit ({type(error).__name__}: {error})") from None
    return record


def audit_section(record: Mapping[str, Any], *, alone: bool = False) -> Section:
    """The section of one audit."""
    id = f"{CHAPTER}-{hashlib.sha256(json.dumps(record['versions']).encode()).hexdigest()[:8]}-{record['seed']}"
    charts = {f"{id}-{name}": chart for name, chart in record["charts"].items()}
    return render(id, "audit", charts=charts, audit=record, alone=alone)


def audit_sections(store: Store) -> list[Section]:
    """The chapter of the audits of a store; nothing where there are none."""
    records = audits_of(store)
    if not records:
        return []
    question = "What a budget told of each learner: does it memorize, what is guaranteed, which labels to look at?"
    chapter = render(CHAPTER, "chapter", title="Your audits", question=question, missing=[])
    return [chapter, *map(audit_section, records)]


def write_audit(record: Mapping[str, Any], out: Path) -> Path:
    """Writes one audit as a page that needs no connection.

    Raises:
        ShatterlabError: the file cannot be written.
    """
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = f"An audit with shatterlab: does it memorize or does it generalize, and why? Made {made}."
    return write_alone(audit_section(record, alone=True), out, title=record["title"], about=about)


def audit_face(record: Mapping[str, Any]) -> str:
    """An audit in a notebook: its title and its five sentences."""
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in record["card"])
    return f"<b>{escape(record['title'])}</b><ul>{sentences}</ul>"
