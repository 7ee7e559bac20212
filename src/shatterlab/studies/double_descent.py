"""Beyond the classical picture: the test error peaks at as many features as points, and falls again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .sentences import percent
from .study import Cells, Claim, Outcome, Scale, Study, Tables

# The numbers of features are these multiples of n, which are dense around 1, where the peak is to be located.
RATIOS = (0.1, 0.2, 1 / 3, 0.5, 0.67, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
RIDGES = (0.0, *(10.0**k for k in range(-7, 3)))
NOISE = 0.15
PEAK = 0.1
"""The peak counts as lying at n if it is within this share of n."""
SETTINGS: dict[Scale, dict[str, int]] = {
    "demo": {"n": 300, "n_test": 600, "repeats": 5},
    "cpu": {"n": 1_000, "n_test": 5_000, "repeats": 10},
    "paper": {"n": 3_000, "n_test": 10_000, "repeats": 5},
}
KINDS = {"least norm": "least_norm", "best ridge": "ridged"}


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A sweep over the number of features for each repeat, which has its own data, label noise and features."""
    dials = {name: value for name, value in SETTINGS[scale].items() if name != "repeats"}
    memory = 8 * max(RATIOS) * dials["n"] * (2 * dials["n"] + dials["n_test"])
    return [
        Computation("double-descent", f"double descent, draw {repeat + 1}",
                    {"data": data, "noise": NOISE, "seed": repeat} | dials, sweep, memory=memory)
        for repeat in range(SETTINGS[scale]["repeats"] * seeds)
    ]  # fmt: skip


def sweep(data: Any, n: int, n_test: int, noise: float, seed: int) -> list[dict[str, Any]]:
    """Errors of the fit of least norm and of the fit with the ridge that is best on validation data.

    Labels of the training points are replaced by a wrong class with probability `noise`; the ridge is chosen on a
    validation set of n points with labels as noisy.
    """
    import numpy as np

    from ..corruption import corrupt
    from ..data import at_most, hold_out
    from ..theory import random_relu_features, ridge_path

    n = min(n, len(data.train) // 2)
    subset = hold_out(
        corrupt(at_most(data, 2 * n, n_test, seed), "partial-labels", noise, seed, label_noise="symmetric"), n, seed
    )
    assert subset.validation is not None
    parts = [part.flat().astype(float) for part in (subset.train, subset.validation, subset.test)]
    mean, deviation = parts[0].mean(), parts[0].std()
    X, X_validation, X_test = ((part - mean) / deviation for part in parts)
    one_hot = np.eye(data.train.classes)
    y, y_validation, y_test = (one_hot[part.labels] for part in (subset.train, subset.validation, subset.test))

    def scores(F: Any, w: Any, target: Any) -> tuple[float, float]:
        fitted = F @ w
        return (
            float((fitted.argmax(axis=1) != target.argmax(axis=1)).mean()),
            float(((fitted - target) ** 2).sum(axis=1).mean()),
        )

    records = []
    weights_seed = int(stream(seed, "double-descent", "weights").integers(2**31))
    counts = sorted({max(1, round(ratio * n)) for ratio in RATIOS})
    most = counts[-1]
    # The features of a smaller model are the first ones of a larger model.
    every = [random_relu_features(part, most, weights_seed) * most**0.5 for part in (X, X_validation, X_test)]
    for count in counts:
        F, F_validation, F_test = (part[:, :count] / count**0.5 for part in every)
        path = ridge_path(F, y, RIDGES)
        chosen = min(range(len(RIDGES)), key=lambda i: scores(F_validation, path[i], y_validation)[1])
        for kind, index in (("least norm", 0), ("best ridge", chosen)):
            error, loss = scores(F_test, path[index], y_test)
            records.append(
                {
                    "kind": kind,
                    "features": count,
                    "n": n,
                    "ridge": RIDGES[index],
                    "test_error": error,
                    "test_loss": loss,
                    "train_error": scores(F, path[index], y)[0],
                    "norm": float(np.linalg.norm(path[index])),
                }
            )
    return records


def curve(tables: Tables, kind: str, quantity: str) -> dict[int, float]:
    """The mean of a quantity over draws, at each number of features."""
    draws: dict[int, list[float]] = {}
    for r in tables.records:
        if r["kind"] == kind:
            draws.setdefault(r["features"], []).append(r[quantity])
    return {features: sum(values) / len(values) for features, values in sorted(draws.items())}


def table(tables: Tables) -> list[Cells]:
    """Test errors at each number of features, means over draws."""
    bare, ridged = (curve(tables, kind, "test_error") for kind in KINDS)
    losses, ridged_losses = (curve(tables, kind, "test_loss") for kind in KINDS)
    n = tables.records[0]["n"]
    return [
        {
            "features": features,
            "features / n": f"{features / n:.2f}",
            "least norm: test error": percent(bare[features]),
            "squared loss": f"{losses[features]:.3g}",
            "best ridge: test error": percent(ridged[features]),
            "its squared loss": f"{ridged_losses[features]:.3g}",
        }
        for features in bare
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Test error and squared loss against the number of features."""
    first = tables.records[0]
    draws = len({r["seed"] for r in tables.records})
    shared: dict[str, Any] = {
        "log_x": True,
        "subtitle": f"{first['data']}, n = {first['n']:,}, {percent(first['noise'])} of labels wrong, {draws} draws",
        "x_title": "random ReLU features",
        "rules": {"n": first["n"]},
    }
    return {
        "error": lines(tables.records, "features", "test_error", "kind", y_format="%",
                       title="Test error against the size of the model", y_title="test error", **shared),
        "loss": lines(tables.records, "features", "test_loss", "kind", log_y=True,
                      title="Squared test loss against the size of the model", y_title="squared loss", **shared),
    }  # fmt: skip


class Descent(NamedTuple):
    """The place of the peak and whether the curves fall again, from means over draws."""

    n: int
    peak: int
    """The number of features at which the squared loss of the least-norm fit is largest."""
    largest: int
    """The largest number of features."""
    bump: float
    """The largest rise of the squared loss with the best ridge as features are added, as a share."""
    error: Mapping[int, float]
    loss: Mapping[int, float]
    ridged_error: Mapping[int, float]

    @property
    def at_n(self) -> bool:
        """Whether the peak lies at n."""
        return abs(self.peak - self.n) <= PEAK * self.n

    @property
    def falls_again(self) -> bool:
        """Whether the test error at the most features lies below that at the peak."""
        return self.error[self.largest] < self.error[self.peak]


def descent(tables: Tables) -> Descent:
    """The descent that the records show."""
    error, loss = (curve(tables, "least norm", quantity) for quantity in ("test_error", "test_loss"))
    ridged_error, ridged = (curve(tables, "best ridge", quantity) for quantity in ("test_error", "test_loss"))
    least, bump = float("inf"), 0.0
    for value in ridged.values():
        least, bump = min(least, value), max(bump, value / least - 1)
    return Descent(tables.records[0]["n"], max(loss, key=loss.__getitem__), max(error), bump, error, loss, ridged_error)


def verdict(tables: Tables) -> list[str]:
    """Where is the peak, does the error fall again, and does the best ridge remove the peak?"""
    d = descent(tables)
    before = min(value for features, value in d.error.items() if features < d.n)
    return [
        f"The squared test loss of the least-norm fit peaks at {d.peak:,} features, {'at' if d.at_n else 'not at'} n = "
        f"{d.n:,}: {d.loss[d.peak]:.3g} there against {d.loss[d.largest]:.3g} at {d.largest:,}; the test error "
        f"{'falls again' if d.falls_again else 'does not fall again'}, {percent(before)} at best below n, "
        f"{percent(d.error[d.peak])} at the peak, {percent(d.error[d.largest])} at {d.largest:,} (means of "
        f"{len({r['seed'] for r in tables.records})} draws).",
        f"A ridge chosen on held-out data {'removes' if d.bump < PEAK else 'does not remove'} the peak: its squared "
        f"loss rises by at most {percent(d.bump)} as features are added, and its test error at {d.peak:,} features is "
        f"{percent(d.ridged_error[d.peak])}.",
    ]


def _descends_again(tables: Tables) -> Outcome | None:
    if not tables.records:
        return None
    d = descent(tables)
    return Outcome(
        d.at_n and d.falls_again and d.bump < PEAK,
        f"peak at {d.peak:,} features for n = {d.n:,}, test error {percent(d.error[d.peak])} there and "
        f"{percent(d.error[d.largest])} at {d.largest:,}; with the best ridge the loss rises by at most "
        f"{percent(d.bump)}",
    )


STUDY = Study(
    question="What becomes of the test error when a model grows beyond the point where it fits every label?",
    source="Belkin et al. (2019), Nakkiran et al. (2021); the lecture's question after overparameterization",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Beyond as many features as points the test error falls again, and the best ridge removes the peak "
            "(Belkin et al., 2019; Nakkiran et al., 2021).",
            f"the squared test loss of the least-norm fit peaks within {percent(PEAK)} of n features, the test error "
            "at the most features lies below that at the peak, and with the best ridge the loss never rises by "
            f"{percent(PEAK)}",
            _descends_again,
        ),
    ),
)
