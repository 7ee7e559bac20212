"""The result of a finished run: its spec, its last and best epoch, and the circumstances."""

from collections.abc import Sequence
from html import escape

from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

from ..errors import DivergedError
from ..row import Count, Row, Seconds, Share
from ..spec import Spec
from .provenance import Provenance

APART = {
    "version": "model_version",
    "data version": "data_version",
    "optimizer": "optimizer",
    "learning rate": "learning_rate",
}
"""The headings and dials that tell runs of one model on the same data apart where a table for people would not."""


class Result(BaseModel):
    """The result of a run. Its file `result.json` is written last: it exists if and only if the run is complete."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    spec: Spec
    parameters: NonNegativeInt
    """The number of trainable numbers in the model."""
    n: Count
    """The number of training examples."""
    n_test: Count
    classes: Count
    names: tuple[str, ...] = ()
    """The names of the classes, in the order of their numbers; empty where the labels were these numbers."""
    majority: Share | None = None
    """The share of the largest class of the test set, which is what guessing gives; None in the first version."""
    wrong_labels: Share
    """The share of the training labels that differ from the true ones."""
    last: Row
    """The last epoch, always evaluated in full."""
    best_test_accuracy: Share
    """The accuracy of the evaluated epoch that is best ON THE TEST SET, as the paper reports early stopping."""
    best_test_epoch: Count
    validation_epoch: Count | None = None
    """The first evaluated epoch with the best validation accuracy, where early stopping stops; None without a split."""
    validation_test_accuracy: Share | None = None
    """The test accuracy in `validation_epoch`, which early stopping reaches without a look at the test set."""
    fit_step: Count | None
    """The first step at which an evaluation had 100 % train accuracy and a loss < 0.01; None if there was none."""
    seconds: Seconds
    """The time of training and evaluation, summed over the epochs."""
    evaluation_seconds: Seconds
    provenance: Provenance

    @model_validator(mode="after")
    def _epochs_lie_within_the_run(self) -> "Result":
        last = self.last
        if last.epoch > self.spec.epochs:
            raise ValueError(f"the last epoch is {last.epoch} of {self.spec.epochs}")
        if max(self.best_test_epoch, self.validation_epoch or 1) > last.epoch or (self.fit_step or 1) > last.step:
            raise ValueError(f"something happened after the last epoch, {last.epoch}")
        return self

    @property
    def id(self) -> str:
        """The run's id, `spec.id`."""
        return self.spec.id

    @property
    def train_accuracy(self) -> float | None:
        """The share of training examples right in the last epoch, labels as trained on."""
        return self.last.train_accuracy

    @property
    def test_accuracy(self) -> float | None:
        """The share of test examples right in the last epoch, labels as they are."""
        return self.last.test_accuracy

    def summary(self) -> dict[str, str | int | float | None]:
        """The run as one flat record of every dial of its spec and the outcome of the last epoch."""
        return {
            "run_id": self.id,
            **self.spec.model_dump(),
            "regularizers": self.spec.regularizers,
            "n": self.n,
            "n_test": self.n_test,
            "classes": self.classes,
            "majority": self.majority,
            "parameters": self.parameters,
            "epochs": self.last.epoch,
            "steps": self.last.step,
            "online_accuracy": self.last.online_accuracy,
            "train_loss": self.last.train_loss,
            "train_accuracy": self.last.train_accuracy,
            "train_top5_accuracy": self.last.train_top5_accuracy,
            "corrupted_fitted": self.last.corrupted_fitted,
            "wrong_labels": self.wrong_labels,
            "test_loss": self.last.test_loss,
            "test_accuracy": self.last.test_accuracy,
            "test_top5_accuracy": self.last.test_top5_accuracy,
            "best_test_accuracy": self.best_test_accuracy,
            "best_test_epoch": self.best_test_epoch,
            "validation_epoch": self.validation_epoch,
            "validation_test_accuracy": self.validation_test_accuracy,
            "fit_step": self.fit_step,
            "seconds": self.seconds,
            "device": self.provenance.device,
        }

    def brief(self) -> dict[str, str | int]:
        """The run as a line of a table for people, which maps headings to cells."""
        spec = self.spec
        return {
            "model": spec.model + ("" if spec.precision == "float32" else f", {spec.precision}"),
            "condition": spec.corruption + ("" if spec.amount in (0, 1) else f" {spec.amount:g}"),
            "regularizers": spec.regularizers,
            "data": spec.data,
            "seed": spec.seed,
            "n": self.n,
            "epochs": self.last.epoch,
            "train %": f"{100 * (self.last.train_accuracy or 0):.2f}",
            "test %": f"{100 * (self.last.test_accuracy or 0):.2f}",
            "run": self.id,
        }

    def _repr_html_(self) -> str:
        return html_table([self])

    def __str__(self) -> str:
        """Three lines that say what was trained, what it fitted and predicted correctly, and how long it took."""
        last = self.last
        shares = {
            "train": last.train_accuracy,
            "test": last.test_accuracy,
            "corrupted examples fitted": last.corrupted_fitted,
        }
        numbers = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items() if share is not None)
        return (
            f"{self.spec.title} on {self.spec.data}, n = {self.n:,}, {self.parameters:,} parameters\n"
            f"{numbers} after {last.epoch} epochs\n"
            f"{self.seconds:,.1f} s on {self.provenance.device}, run {self.id} of its store"
        )


class Diverged(BaseModel):
    """What is left of a run whose loss was no longer a finite number: it has ended, and has no result."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    spec: Spec
    epoch: Count
    """The epoch in which the loss became infinite, from 1."""
    provenance: Provenance

    @property
    def error(self) -> DivergedError:
        """The error with which the training ended."""
        return DivergedError(self.spec.title, self.epoch, self.spec.learning_rate)

    def __str__(self) -> str:
        return str(self.error)


def brief_table(results: Sequence[Result]) -> list[dict[str, str | int]]:
    """The runs as lines of a table for people, with a column for each dial of `APART` in which some runs differ."""
    lines = [result.brief() for result in results]
    things = [(result.spec.model, result.spec.data) for result in results]
    for heading, dial in APART.items():
        values = [getattr(result.spec, dial) for result in results]
        if len(set(zip(things, values, strict=True))) > len(set(things)):
            for line, value in zip(lines, values, strict=True):
                line[heading] = "—" if value is None else f"{value:g}" if isinstance(value, float) else value[:8]
    return [{name: line[name] for name in (*(name for name in line if name != "run"), "run")} for line in lines]


def html_table(results: Sequence[Result]) -> str:
    """Finished runs as an HTML table with one line for each; names that users chose are escaped."""
    lines = brief_table(results)
    rows = [[f"{cell:,}" if isinstance(cell, int) else escape(cell) for cell in line.values()] for line in lines]
    head = "".join(f"<th>{escape(name)}</th>" for name in lines[0])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
