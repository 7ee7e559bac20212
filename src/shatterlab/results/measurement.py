"""What was computed beside training: a study's task with its settings and what came out, one file each."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Task:
    """Something a study computes beside training.

    Args:
        study: name of the study.
        title: what is computed, for a line of progress.
        settings: every dial, JSON values; handed to `compute` by name. The value of `data`, a data set's name, is
            replaced by the data set.
        compute: returns records of JSON values.
    """

    study: str
    title: str
    settings: Mapping[str, Any]
    compute: Callable[..., list[dict[str, Any]]]

    @property
    def id(self) -> str:
        """Depends on the study and the settings alone."""
        return measurement_id(self.study, self.settings)


class Measurement(BaseModel):
    """A finished task of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    settings: dict[str, Any]
    """Every dial of the task, JSON values."""
    records: list[dict[str, Any]]
    """What came out, JSON values; the records of a study are read as lines of one table."""
    seconds: float
    commit: str | None
    versions: dict[str, str]
    hardware: str
    started: str
    """ISO 8601, UTC."""
    fingerprints: dict[str, str] = {}
    """SHA-256 of the training and the test set that was handed in, whole (see `Dataset.fingerprint`)."""

    def lines(self) -> list[dict[str, Any]]:
        """The records, each with the settings."""
        return [self.settings | record for record in self.records]

    @property
    def id(self) -> str:
        """That of its task."""
        return measurement_id(self.study, self.settings)


def measurement_id(study: str, settings: Mapping[str, Any]) -> str:
    """Twelve digits that depend on the study and the settings alone."""
    text = json.dumps([study, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
