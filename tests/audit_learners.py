"""Learners whose fits take made-up seconds, so that an audit of minutes is a test of a second."""

from collections.abc import Callable
from typing import Any

import numpy as np


class Clock:
    """Seconds that pass only when a learner says so, by `tick(seconds)`.

    `tick` is a list's own method, of which the content of a learner holds the name alone: the time is no part of it.
    """

    def __init__(self) -> None:
        self.passed: list[float] = []
        self.tick = self.passed.append

    def __call__(self) -> float:
        return sum(self.passed)

    @property
    def now(self) -> float:
        return self()


def nearest(clock: Clock, seconds: Callable[[int], float] = lambda n: 0.5) -> Callable[..., Any]:
    """1-nearest neighbour, a fit of which takes `seconds(n)`."""
    tick = clock.tick

    def one_nearest(X: Any, y: Any, seed: int) -> Any:
        tick(seconds(len(y)))
        inputs, labels = np.asarray(X, float), np.asarray(y)

        def predict(asked: Any) -> Any:
            distances = ((np.asarray(asked, float)[:, None] - inputs) ** 2).sum(axis=2)
            return labels[distances.argmin(axis=1)]

        return predict

    return one_nearest


def constant(clock: Clock, seconds: float = 0.5) -> Callable[..., Any]:
    """The most frequent class."""
    tick = clock.tick

    def most_frequent(X: Any, y: Any, seed: int) -> Any:
        tick(seconds)
        most = int(np.bincount(y).argmax())
        return lambda asked: np.full(len(asked), most)

    return most_frequent


def blobs(n: int = 90, classes: int = 3, d: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Clouds around a centre for each class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    centres = rng.normal(size=(classes, d)) * 4
    return (centres[y] + rng.normal(size=(n, d))).astype(np.float32), y
