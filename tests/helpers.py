"""Small data sets, a small store, and the tables that property tests cross."""

from pathlib import Path

import numpy as np

from shatterlab.corruption import CORRUPTIONS
from shatterlab.data import Data, Dataset
from shatterlab.engines import Settings, run_all
from shatterlab.engines.tasks import do_tasks
from shatterlab.models import MODELS
from shatterlab.results import Asked, Store, Task
from shatterlab.studies import STUDIES, Tables, found_of, tables

MODEL_NAMES = [*MODELS, "mlp-2x16"]
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


# What makes a task take a moment; a task takes those of these dials that it has.
SMALL_TASKS = {
    "bias-variance": {"repeats": 20, "degrees": [0, 1, 3, 5]},
    "expressivity": {"n": 40},
    "minimum-norm": {"n": 20, "n_test": 30, "steps": 60},
    "kernels": {"n": 60, "n_test": 30, "filters": 12},
    "matrix-factorization": {"n": 10, "rank": 1, "measurements": 40},
    "gradient-descent": {"iterations": 30},
    "double-descent": {"n": 30, "n_test": 40},
    "learning-curves": {"n": 60, "pictures": 3},
}


def small_task(task: Task) -> Task:
    small = {k: v for k, v in SMALL_TASKS.get(task.study, {}).items() if k in task.settings}
    return Task(task.study, task.title, {**task.settings, **small}, task.compute)


def every_study_small(path: Path) -> Store:
    """Every study at a size that takes seconds, on the digits, two seeds, two processes."""
    store = Store(path)
    for name, study in STUDIES.items():
        small = {"n": 60, "n_test": 30, "n_validation": 20, "epochs": 3, "batch_size": 20, "evaluate_every": 1}
        if name in ("learning-curves", "label-noise"):
            small["model"] = "mlp-1x16"
        specs = list(
            {spec.id: spec for spec in (s.model_copy(update=small) for s in study.specs("demo", "digits", 2))}.values()
        )
        run_all(specs, Settings(store.path, "cpu"), jobs=2 if name == "label-noise" else 1)
        tasks = [small_task(task) for task in study.tasks("demo", "digits", 2)]
        do_tasks(tasks, store)
        run_ids, task_ids = [spec.id for spec in specs], [task.id for task in tasks]
        store.ask(Asked(study=name, scale="demo", data="digits", seeds=2, run_ids=run_ids, measurement_ids=task_ids))
    return store


def found(store: Store, name: str) -> Tables:
    """What a store holds of a study."""
    results, errors = store.results()
    assert not errors
    asked = next(asked for asked in store.asked() if asked.study == name)
    return tables(store, *found_of(store, asked, results))
