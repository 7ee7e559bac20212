"""The result of a computation, stored in one file: its settings, its records, and the circumstances."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from .provenance import Provenance


class Measurement(BaseModel):
    """A finished computation of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    settings: dict[str, Any]
    """The settings are all arguments of the computation, as JSON values."""
    records: list[dict[str, Any]]
    """The records are the outcome, as JSON values; those of a study are read as lines of one table."""
    seconds: float
    provenance: Provenance

    @model_validator(mode="before")
    @classmethod
    def _read_first_format(cls, given: Any) -> Any:
        """Reads files of the first version, with circumstances beside the records and without a device."""
        if not isinstance(given, dict) or "provenance" in given:
            return given
        now = dict(given)
        circumstances = {name: now.pop(name, None) for name in ("commit", "versions", "hardware", "started")}
        prints = {f"{part}_fingerprint": print for part, print in now.pop("fingerprints", {}).items()}
        return now | {"provenance": circumstances | prints | {"device": "cpu"}}

    def lines(self) -> list[dict[str, Any]]:
        """The records, each together with the settings."""
        return [self.settings | record for record in self.records]

    @property
    def id(self) -> str:
        """The id of its computation."""
        return measurement_id(self.study, self.settings)


def measurement_id(study: str, settings: Mapping[str, Any]) -> str:
    """Twelve digits that depend on the study and the settings alone."""
    text = json.dumps([study, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
