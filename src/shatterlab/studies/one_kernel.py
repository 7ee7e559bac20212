"""Interpolants of the same points with one kernel: does the one of least norm generalize best?

All of them fit the points, so that fitting cannot tell them apart; all but one have a larger norm than the least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..figures.lines import lines
from ..seeds import stream
from .kernel_fits import INTERPOLATES, clone, facts_of_test, features_of, first_solvable, gammas_for
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FEWEST, not_finite
from .sentences import display, mean_of, seeds_of, sentence
from .statistics import Estimate, above, over_seeds_and_examples, share, with_seed_spread
from .study import Tables

LEAST, MORE = "least norm", "more points"
CENTRES, RANDOM_LABELS = "random centres", "random labels on the test points"
"""The interpolants of the same points, of which all but the first have a larger norm than the least."""

SPREAD = 0.035
"""The standard deviation of a test error over seeds that the fit of a single seed is assumed to have (an assumption:
three seeds of 100 to 1,000 points of MNIST, CIFAR-10 and the digits have 0.2 to 5 points)."""


def interpolants(
    data: Any, features: str, n: int, more: Sequence[int], n_test: int, dtype: Any, seed: int
) -> list[dict[str, Any]]:
    """Interpolants of the same n points with one Gaussian kernel: the one of least norm, and others of larger norm.

    The others fit more training points as well (`more` in all), or random labels on the test points, or they are sums
    around random centres: Gaussian noise with the mean and variance of the features. The last two are the bad
    interpolants of section 5. All have one gamma, at which all can be solved. Beside each stands on how many test
    points only it, and only the interpolant of least norm is right.
    """
    import numpy as np

    from ..data import at_most
    from ..theory import KernelInterpolator
    from ..theory.random_centres import interpolate_around

    subset = at_most(data, max(n, *more), n_test, seed)
    order = stream(seed, "kernels", "order").permutation(len(subset.train))  # the whole of a set is not shuffled
    X, X_test = features_of(subset.train, features)[order], features_of(subset.test, features)
    y, y_test, classes = subset.train.labels[order], subset.test.labels, data.train.classes
    n = min(n, len(X))
    rng = stream(seed, "kernels", "interpolants")
    random_labels = rng.integers(classes, size=len(y_test))
    centres = rng.normal(float(X.mean()), float(X.std()), size=X[:n].shape)
    model = KernelInterpolator("gaussian", dtype=dtype, task="classification")

    def fit_all(gamma: float) -> list[dict[str, Any]]:
        fits = []
        for size in dict.fromkeys(min(size, len(X)) for size in (n, *more)):
            fitted = clone(model, gamma=gamma).fit(X[:size], y[:size])
            fits.append((LEAST if size == n else MORE, size, fitted.norm_, fitted.residual_, fitted.predict))
        both = np.concatenate([X[:n], X_test]), np.concatenate([y[:n], random_labels])
        fitted = clone(model, gamma=gamma).fit(*both)
        fits.append((RANDOM_LABELS, n, fitted.norm_, fitted.residual_, fitted.predict))
        around = interpolate_around(centres, X[:n], np.eye(classes)[y[:n]], gamma)
        fits.append((CENTRES, n, around.norm, around.residual, lambda X: around.predict(X).argmax(axis=1)))
        records, first = [], None
        for kind, size, norm, residual, predict in fits:
            right = predict(X_test) == y_test
            first = right if first is None else first
            records.append(
                {
                    "interpolant": kind, "n": size, "common": n, "norm": norm, "residual": residual,
                    "train_error": float((predict(X[:n]) != y[:n]).mean()), "test_error": float((~right).mean()),
                    "only_this_right": int((right & ~first).sum()), "only_least_right": int((first & ~right).sum()),
                }
            )  # fmt: skip
        return records

    gammas = gammas_for(model, features, data, X, y)
    gamma, records = first_solvable(gammas, fit_all)
    shared = {"gamma": gamma, "gamma_chosen": len(gammas) > 1, "d": X.shape[1]} | facts_of_test(y_test, data)
    return [shared | record for record in records]


def name_of(record: Mapping[str, Any]) -> str:
    """The features and the data of a fit, such as `pixels of MNIST`."""
    features = "Gabor features" if record["features"] == "gabor" else record["features"]
    return f"{features} of {display(record['data'])}"


def error_of(fits: Sequence[Mapping[str, Any]]) -> str:
    """The test error of some fits: the mean over seeds, or that of one seed with the error of its test points."""
    mean = mean_of([r["test_error"] for r in fits], lambda error: f"{100 * error:.2f} %")
    if len(fits) > 1:
        return mean
    return f"{mean} (SE {100 * share(fits[0]['test_error'], fits[0]['tested']).error:.2f})"


def by_data(tables: Tables) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The records of interpolants of one kernel, by data and features."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for r in tables.records:
        if "interpolant" in r:
            groups.setdefault((r["data"], r["features"]), []).append(r)
    return groups


def _by_kind(group: Sequence[dict[str, Any]]) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Interpolants by kind and n, one for each seed."""
    kinds: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for r in group:
        kinds.setdefault((r["interpolant"], r["n"]), []).append(r)
    return kinds


def _ratio(runs: Sequence[Mapping[str, Any]], group: Sequence[Mapping[str, Any]]) -> float:
    """The norms of some interpolants over the least ones: the mean over seeds, each of which has its own kernel."""
    least = {r["seed"]: r["norm"] for r in group if r["interpolant"] == LEAST}
    ratios = [r["norm"] / least[r["seed"]] for r in runs if r["seed"] in least]
    return sum(ratios) / len(ratios) if ratios else float("nan")


def draw(tables: Tables) -> dict[str, Any]:
    """Test error against norm for each data set."""
    charts = {}
    for (data, features), group in by_data(tables).items():
        means = [
            {
                "norm": _ratio(runs, group),
                "test_error": sum(r["test_error"] for r in runs) / len(runs),
                "interpolant": LEAST if kind == MORE else kind,
            }
            for (kind, _), runs in _by_kind(group).items()
        ]
        n = sorted({r["n"] for r in group})
        charts[f"{data.replace(':', '-')}-norms"] = lines(
            means, "norm", "test_error", "interpolant", log_x=True, y_format="~%",
            title=f"Norm and test error of interpolants of the same {n[0]:,} points",
            subtitle=f"{features} of {data}, one Gaussian kernel; least norm at n = {', '.join(f'{k:,}' for k in n)}; "
            f"means of {seeds_of(group)}",
            x_title="norm, relative to the least", y_title="test error",
        )  # fmt: skip
    return charts


def error_above_least(runs: Sequence[Mapping[str, Any]]) -> Estimate:
    """The test error of some interpolants less that of the interpolant of least norm, paired by test point."""
    values, variances = [], []
    for r in runs:
        b, c, n = r["only_least_right"], r["only_this_right"], r["tested"]
        values.append((b - c) / n)
        variances.append(max(b + c - (b - c) ** 2 / n, 1.0) / n**2)
    return with_seed_spread(over_seeds_and_examples(values, variances, min(r["tested"] for r in runs)), spread=SPREAD)


def in_words(group: Sequence[dict[str, Any]]) -> list[str]:
    """Error and norm of the interpolants of the same points with one kernel, that of least norm first."""
    parts = []
    for (kind, n), runs in _by_kind(group).items():
        name = f"least norm at n = {n:,}" if kind in (LEAST, MORE) else kind
        norm = "" if kind == LEAST else f" with {_ratio(runs, group):,.1f} times the norm"
        parts.append(f"{name} {error_of(runs)}{norm}")
    return parts


def answer(group: Sequence[dict[str, Any]]) -> str:
    """The same as a sentence."""
    subject = (
        f"On {name_of(group[0])}, interpolants of the same {group[0]['common']:,} points with one kernel have these "
    )
    return sentence(f"{subject}test errors:", *in_words(group), caveat=_tested(group))


def _tested(group: Sequence[Mapping[str, Any]]) -> str:
    return f"{group[0]['tested']:,} test points"


def norm_misleads(tables: Tables) -> Outcome:
    """Judges the interpolants of one kernel on each data set."""
    groups = by_data(tables)
    if not groups:
        unknown = cannot_tell("interpolants of one kernel have not been computed", "finish")
        return unknown if tables.records else NO_RUNS
    used = ("norm", "residual", "train_error", "test_error")
    if broken := not_finite((r for group in groups.values() for r in group), used):
        return broken
    return all_of(
        replace(_misleads(group), numbers=f"{name_of(group[0])}: {'; '.join(in_words(group))}; {_tested(group)}")
        for group in groups.values()
    )


def _misleads(group: Sequence[dict[str, Any]]) -> Outcome:
    """Whether the interpolant of least norm is better than some of the others and worse than another one."""
    name, kinds = name_of(group[0]), _by_kind(group)
    for r in group:
        if r["residual"] is None or not r["residual"] <= INTERPOLATES or r["train_error"] > 0:
            return cannot_tell(f"an interpolant on {name} misses a target: {r['interpolant']} (seed {r['seed']})")
    if group[0]["common"] < FEWEST:
        return cannot_tell(f"{group[0]['common']} points of at least {FEWEST} on {name}", "scale")
    most = max((n for kind, n in kinds if kind == MORE), default=0)
    judged = [(MORE, most), *((kind, group[0]["common"]) for kind in (CENTRES, RANDOM_LABELS))]
    if not all(entry in kinds for entry in judged):
        return cannot_tell(f"{name} has too few points for a larger training set")
    least = {r["seed"]: r["norm"] for r in group if r["interpolant"] == LEAST}
    if not all(r["norm"] > least[r["seed"]] for entry in judged for r in kinds[entry]):
        return cannot_tell(f"rounding hides on {name} that the least norm is the least")
    states = [above(error_above_least(kinds[entry]), 0) for entry in judged]
    if "confirmed" in states and "contradicted" in states:
        return Outcome("confirmed", "")
    return Outcome("not shown" if "not shown" in states else "contradicted", "")
