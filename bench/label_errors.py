"""Claim: wrong labels are found by held-out probability and not by memorization, and their number lies in an interval.

Labels of digits (n = 1,437), of MNIST (n = 2,000) and of CIFAR-10 (n = 2,000, features of 128 random filters) are
made wrong: symmetric (any other class), asymmetric (the next class) or nearest (the class whose mean image, or mean
features, lie nearest). For each learner 30 fits to 70 % of the examples and a cross-validation of five folds; means
over seeds of errors and fits, ± the standard deviation over these. Where cleanlab is installed, its count from the
same five folds stands beside; its default ranking by self-confidence is that of the five folds.

    python bench/label_errors.py [--data digits] [--learner forest] [--kind symmetric] [--share 0.1] [--seeds 5]
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from shatterlab.data import at_most, load
from shatterlab.measures import label_errors, memorization
from shatterlab.measures.fitting import from_sklearn
from shatterlab.theory import pooled_activations, random_filter_grams, random_filters

KINDS = ("symmetric", "asymmetric", "nearest")
LEARNERS = {
    "digits": {
        "forest": RandomForestClassifier(50),
        "logreg": LogisticRegression(max_iter=1_000),
        "1-nn": KNeighborsClassifier(1),
    },
    "mnist": {
        "forest": RandomForestClassifier(50),
        "logreg": LogisticRegression(C=0.1, max_iter=200, tol=1e-3),
        "1-nn": KNeighborsClassifier(1),
    },
    "cifar10": {"logreg": LogisticRegression(C=0.003, max_iter=200, tol=1e-3)},
}
EPOCHS = 20


def inputs(data: str) -> tuple[NDArray, NDArray[np.int64], NDArray]:
    """Features, labels and a Gram matrix of 256 random filters."""
    some = at_most(load(data), 2_000, 10, 0).train  # all of digits
    images = some.as_images()
    X = some.flat()
    if data == "cifar10":
        X = pooled_activations(images, random_filters(images, 128))
        X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-6)
    return X, some.labels, random_filter_grams(images, images[:1], 256)[0]


def planted(X: NDArray, y: NDArray[np.int64], kind: str, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The labels with a share of wrong ones."""
    wrong = rng.choice(len(y), round(share * len(y)), replace=False)
    labels, classes = y.copy(), int(y.max()) + 1
    if kind == "symmetric":
        labels[wrong] = (y[wrong] + rng.integers(1, classes, size=len(wrong))) % classes
    elif kind == "asymmetric":
        labels[wrong] = (y[wrong] + 1) % classes
    else:
        means = np.stack([X[y == c].mean(axis=0) for c in range(classes)])
        distances = ((X[wrong, None] - means) ** 2).sum(axis=2)
        distances[np.arange(len(wrong)), y[wrong]] = np.inf
        labels[wrong] = distances.argmin(axis=1)
    return labels


def losses_of_one_training(X: NDArray, y: NDArray[np.int64], seed: int) -> NDArray:
    """The loss of each example after each epoch of a perceptron with 64 hidden units, (EPOCHS, n)."""
    model = MLPClassifier((64,), random_state=seed, batch_size=64)
    losses = []
    for _ in range(EPOCHS):
        model.partial_fit(X, y, classes=np.arange(10))
        losses.append(-np.log(np.maximum(model.predict_proba(X)[np.arange(len(y)), y], 1e-12)))
    return np.array(losses)


def found(ranking: label_errors.Ranking, wrong: NDArray[np.bool_]) -> tuple[float, float]:
    """Area under the curve and average precision of a ranking; an example without a score is the least suspect."""
    scores = np.nan_to_num(ranking.scores, nan=-1e9)
    return float(roc_auc_score(wrong, scores)), float(average_precision_score(wrong, scores))


def cleanlab_count(probabilities: NDArray, y: NDArray[np.int64], wrong: NDArray[np.bool_]) -> tuple[float, float]:
    """How many labels cleanlab flags, and the share of them that are wrong; nan where it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return np.nan, np.nan
    flagged = find_label_issues(y, probabilities, n_jobs=1)
    return float(flagged.sum()), float(wrong[flagged].mean()) if flagged.any() else np.nan


def one(
    fit: Callable, X: NDArray, true: NDArray[np.int64], kind: str, share: float, draws: int, seed: int
) -> dict[str, float]:
    """The numbers of one seed."""
    y = planted(X, true, kind, share, np.random.default_rng([seed, KINDS.index(kind)]))
    wrong = y != true
    start = time.perf_counter()
    outcomes = [memorization.do(r, fit, X, y) for r in memorization.requests(len(y), draws=draws, seed=seed)]
    taken = time.perf_counter() - start
    memory = memorization.estimate(outcomes)
    probabilities = label_errors.held_out(outcomes)
    folds = label_errors.held_out(label_errors.do(r, fit, X, y) for r in label_errors.requests(y, seed=seed))
    count = label_errors.expected_errors(probabilities, y)
    flagged, precision = cleanlab_count(folds, y, wrong)
    numbers = {
        "fits s": taken,
        "mem wrong": float(np.nanmean(memory.scores[wrong])) if wrong.any() else np.nan,
        "mem right": float(np.nanmean(memory.scores[~wrong])),
        "low": count.low,
        "expected": count.expected,
        "high": count.high,
        "covers": float(count.low <= wrong.sum() <= count.high),
        "cleanlab flags": flagged,
        "precision": precision,
    }
    if wrong.any():
        numbers["AUC"], numbers["AP"] = found(label_errors.rank(probabilities, y), wrong)
        few = label_errors.held_out(outcomes[:7])
        numbers["AUC 7"], numbers["AP 7"] = found(label_errors.rank(few, y), wrong)
        numbers["AUC 5 folds"], numbers["AP 5 folds"] = found(label_errors.rank(folds, y), wrong)
        numbers["AUC mem"], _ = found(label_errors.Ranking(memory.scores, "memorization"), wrong)
    return numbers


def by_one_training(
    X: NDArray, gram: NDArray, true: NDArray[np.int64], kind: str, share: float, seed: int
) -> dict[str, float]:
    """The rankings that need no repeated fits."""
    y = planted(X, true, kind, share, np.random.default_rng([seed, KINDS.index(kind)]))
    numbers: dict[str, float] = {}
    for name, ranking in (
        ("loss", lambda: label_errors.rank_by_loss(losses_of_one_training(X, y, seed))),
        ("kernel", lambda: label_errors.rank_by_kernel(gram, y)),
    ):
        start = time.perf_counter()
        numbers[f"AUC {name}"], numbers[f"AP {name}"] = found(ranking(), y != true)
        numbers[f"{name} s"] = time.perf_counter() - start
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", choices=LEARNERS, nargs="*", default=list(LEARNERS))
    parser.add_argument("--learner", nargs="*", default=["forest", "logreg", "1-nn", "one training"])
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=list(KINDS))
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=30)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    for data in asked.data:
        X, true, gram = inputs(data)
        for name in asked.learner:
            if name != "one training" and name not in LEARNERS[data]:
                continue
            for kind in asked.kind:
                if name == "one training":
                    rows = [by_one_training(X, gram, true, kind, asked.share, seed) for seed in range(asked.seeds)]
                else:
                    fit = from_sklearn(LEARNERS[data][name], n_classes=10)
                    rows = [one(fit, X, true, kind, asked.share, asked.draws, s) for s in range(asked.seeds)]
                print(f"{data}, n = {len(true)}, {name}, {kind}, {asked.share:.0%} wrong, {asked.seeds} seeds:")
                for key in rows[0]:
                    values = np.array([row[key] for row in rows])
                    digits = 0 if key in ("low", "expected", "high", "cleanlab flags") else 3
                    print(f"    {key:<15}{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}", flush=True)


if __name__ == "__main__":
    main()
