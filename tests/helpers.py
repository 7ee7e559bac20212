"""Small data sets, a small store, and the tables that property tests cross."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from shatterlab import ShatterlabError
from shatterlab.corruption import CORRUPTIONS
from shatterlab.data import Data, Dataset
from shatterlab.engines import do
from shatterlab.jobs import Computation, Job, Training
from shatterlab.models import MODELS
from shatterlab.results import Asked, Store
from shatterlab.row import Row
from shatterlab.spec import Spec
from shatterlab.studies import STUDIES, Study, Tables, asked_of, found_of, jobs_so_far, tables
from shatterlab.training import learner_for, train_together

MODEL_NAMES = [*(name for name, model in MODELS.items() if model.smallest == 1), "mlp-2x16"]
CORRUPTION_NAMES = list(CORRUPTIONS)

PAPER_PARAMETERS = {
    "mlp-1x512": 1_209_866,
    "mlp-3x512": 1_735_178,
    "alexnet": 1_387_786,
    "inception": 1_649_402,
    "inception-no-bn": 1_649_402,
}


def noise_data(n: int = 40, n_test: int = 20, shape=(8, 8, 3), classes: int = 4, seed: int = 0) -> Data:
    """Images and labels without any pattern, for properties that hold whatever the data are."""
    rng = np.random.default_rng(seed)

    def part(size: int) -> Dataset:
        return Dataset(
            rng.integers(256, size=(size, *shape), dtype=np.uint8), rng.integers(classes, size=size), classes
        )

    return Data(part(n), part(n_test))


# What makes a computation take a moment; each takes those of these dials that it has.
SMALL_COMPUTATIONS = {
    "bias-variance": {"repeats": 20, "degrees": [0, 1, 3, 5]},
    "expressivity": {"n": 40},
    "lemma": {"n": 10},
    "three-routes": {"n": 8, "n_test": 20, "steps": 60},
    "minimum-norm": {"n": 20, "n_test": 30, "steps": 60},
    "kernels": {"n": 60, "n_test": 30, "filters": 12, "more": [80]},
    "matrix-factorization": {"n": 10, "rank": 1, "measurements": 40},
    "gradient-descent": {"iterations": 30},
    "double-descent": {"n": 30, "n_test": 40},
    "learning-curves": {"n": 60, "pictures": 3},
    "complexity-measures": {"n": 30, "n_test": 40, "batch_sizes": [10], "loss": 0.5, "epochs": 8},
    "capacity": {"n": 24, "d": 3, "draws": 2, "steps": 20},
    "certificate": {"n": 100, "steps": 20},
    "memorization": {"n": 40, "draws": 4, "steps": 20},
    "critical-samples": {"n": 30, "points": 10, "trainings": 2, "steps": 20},
}
SMALL_TRAINING = {"n": 60, "n_test": 30, "n_validation": 20, "epochs": 3, "batch_size": 20, "evaluate_every": 1}


def small(job: Job, **dials) -> Job:
    """The job at a size that takes a moment."""
    if isinstance(job, Training):
        return Training(job.spec.model_copy(update=SMALL_TRAINING | dials))
    less = {k: v for k, v in SMALL_COMPUTATIONS.get(job.study, {}).items() if k in job.settings}
    return Computation(job.study, job.title, {**job.settings, **less}, job.compute)


def trainings(study: Study, scale, data: str, seeds: int) -> list[Spec]:
    """The specs that a study asks for at first."""
    return [job.spec for job in jobs_so_far(study, scale, data, seeds) if isinstance(job, Training)]


def computations(study: Study, scale, data: str, seeds: int) -> list[Computation]:
    """What a study asks to be computed at first."""
    return [job for job in jobs_so_far(study, scale, data, seeds) if isinstance(job, Computation)]


def train_all(specs: list[Spec], path: Path, **options) -> list[str]:
    """Trains all on the processor; returns what went wrong."""
    jobs = [Training(spec) for spec in specs]
    return [ended.error for ended in do(jobs, Store(path), device="cpu", **options) if ended.error]


HOUSE = {name: study for name, study in STUDIES.items() if study.data is None}
"""The studies that run on whatever data are named, which `shatterlab run all` does."""


def every_study_small(path: Path) -> Store:
    """Every study at a size that takes seconds, on the digits, two seeds, two processes."""
    store, of_studies = Store(path), {}
    for name, study in HOUSE.items():
        dials = {"model": "mlp-1x16"} if name in ("learning-curves", "label-noise") else {}
        of_studies[name] = [small(job, **dials) for job in jobs_so_far(study, "demo", "digits", 2)]
    for ended in do([job for jobs in of_studies.values() for job in jobs], store, device="cpu", workers=2):
        assert not ended.error
    for name, jobs in of_studies.items():
        ids = [list(dict.fromkeys(job.id for job in jobs if isinstance(job, kind))) for kind in (Training, Computation)]
        store.ask(Asked(study=name, scale="demo", data="digits", seeds=2, run_ids=ids[0], measurement_ids=ids[1]))
    return store


def found(store: Store, name: str) -> Tables:
    """What a store holds of a study."""
    results = store.results()
    assert not store.unreadable
    asked = next(asked for asked in asked_of(store) if asked.study == name)
    return tables(store, *found_of(store, asked, results))


def trained(spec: Spec, data: Data, model, optimizer, *, start: int = 0) -> Iterator[Row]:
    """The rows of a training without a store; what ends it is raised."""
    stack = learner_for([model], [optimizer], bf16=spec.precision == "bf16")
    for ends in train_together([spec], [data], stack, start=start):
        if isinstance(ends[0], ShatterlabError):
            raise ends[0]
        yield ends[0].row


def square(number: int, seed: int) -> list[dict]:
    """A computation that is quickly done, or fails."""
    if number < 0:
        raise ValueError(f"{number} is negative")
    return [{"square": number**2}]


def count(data, more: int) -> list[dict]:
    """A computation on data."""
    return [{"count": len(data.train) + more}]


def endless(mark: str) -> list[dict]:
    """A computation that says that it has begun and then works without a word."""
    Path(mark).touch()
    while True:
        np.linalg.svd(np.ones((200, 200)))


def killed() -> list[dict]:
    """A computation whose process is killed, as the system does with one that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def serious_barriers(page: Any, part: str = "html") -> list[str]:
    """What keeps readers with a handicap from a part of a page that is open in a browser, as axe names it."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, context=part).response["violations"]
    return [one["id"] for one in violations if one["impact"] in ("serious", "critical")]
