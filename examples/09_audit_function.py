"""An audit of a function: ten means cannot memorize, so that their training error says much about their test error."""

from collections.abc import Callable
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.datasets import load_digits

import shatterlab as sl


def nearest_mean(X: np.ndarray, y: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Predicts the class whose mean is nearest; it draws nothing, so that the seed goes unused."""
    classes = np.unique(y)
    means = np.stack([X[y == c].mean(axis=0) for c in classes])
    return lambda new: classes[((new[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)]


with TemporaryDirectory() as folder:
    audit = sl.audit(nearest_mean, load_digits(return_X_y=True), budget="10s", store=folder, quiet=True)
print(audit.verdict)
print(f"\nIn one word, it {audit.answer} memorize.")
print(audit.findings.capacities)
print(audit.findings.signs)

chart = audit.figure()
