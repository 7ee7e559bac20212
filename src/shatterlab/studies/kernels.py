"""Interpolation with kernels: every training label is fitted by one linear solve, and the test error is good."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..figures.lines import lines
from ..jobs import Computation
from ..paper import MNIST_GAMMA, SECTION_5
from .rules import SIGNIFICANCE
from .sentences import mean_of, percent
from .study import Cells, Claim, Outcome, Scale, Study, Tables

FULL = {"mnist": 60_000, "cifar10": 50_000}
"""The paper trains on this many points of each data set."""
SIZES: dict[Scale, tuple[int, ...]] = {"demo": (300, 1_000), "cpu": (1_000, 3_000, 10_000), "paper": (60_000,)}
# Each pair is a number of training points and a number of filters: about six features a point, as the paper has five.
FILTERS: dict[Scale, tuple[tuple[int, int], ...]] = {
    "demo": ((500, 384),),
    "cpu": ((1_000, 768), (3_000, 2_304), (10_000, 7_680), (20_000, 15_360)),
    "paper": ((50_000, 32_000),),
}
TEST: dict[Scale, int] = {"demo": 1_000, "cpu": 10_000, "paper": 10_000}

GAMMAS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The candidates for gamma, in units of one over the mean squared distance of training points."""
NARROWER = 4
"""A chosen gamma is doubled at most this many times."""
RIDGES = (0.0, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""The candidates for the ridge, for kernels with values near 1 on the diagonal."""
INTERPOLATES = 1e-2
"""A solve without ridge counts as an interpolation if the residual of its one-hot targets is at most this."""
HELD_OUT = 1_000
"""Gamma and ridge are chosen on at most this many training points, after a fit of at most twice as many others."""
TRAIN_SCORED = 5_000
"""The training error is measured on at most this many points."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """Pixels and Gabor wavelets of MNIST and pixels and random filters of CIFAR-10; on other data all three."""
    places = {"mnist": ("pixels", "gabor"), "cifar10": ("pixels",)} if data in FULL else {data: ("pixels", "gabor")}
    wanted: list[tuple[Any, str, str, int, dict[str, int]]] = []
    for source, kinds in places.items():
        for features in kinds:
            for n in dict.fromkeys(min(size, FULL.get(source, size)) for size in SIZES[scale]):
                wanted.append((gaussian, source, features, n, {}))
    source = "cifar10" if data in FULL else data
    wanted += [(filtered, source, "random filters", n, {"filters": count}) for n, count in FILTERS[scale]]
    return [
        Computation(
            "kernels",
            f"a kernel on {features} of {source}, n = {n:,}",
            {"data": source, "features": features, "n": n, "n_test": TEST[scale], **more}
            | {"dtype": "float32", "seed": seed},
            compute,
            memory=2 * 4 * n * n,  # a kernel matrix and its factor, in float32
        )
        for seed in range(seeds)
        for compute, source, features, n, more in wanted
    ]


def gaussian(data: Any, features: str, n: int, n_test: int, dtype: Any, seed: int) -> list[dict[str, Any]]:
    """Fits a Gaussian kernel on pixels in [0, 1] or on Gabor features, without and with a ridge.

    Gamma is chosen on held-out training points, without a ridge, then the ridge for that gamma. A wide kernel can be
    solved for few points rather than for many: gamma is doubled until it can be solved for all.
    """
    import numpy as np

    from ..data import at_most
    from ..theory import KernelInterpolator, gabor_features

    subset = at_most(data, n, n_test, seed)
    X, X_test = (
        part.flat() if features == "pixels" else gabor_features(part.as_images())
        for part in (subset.train, subset.test)
    )
    y = subset.train.labels
    given = MNIST_GAMMA if features == "pixels" and data.train.shape == (28, 28, 1) else None
    model = KernelInterpolator("gaussian", given, dtype=dtype, task="classification")
    gammas = [given]
    if given is None:
        unit = 1 / (2 * float(X.var(axis=0, dtype=np.float64).sum()))
        chosen = _best([clone(model, gamma=unit * multiple) for multiple in GAMMAS], X, y).gamma
        gammas = [chosen * 2**doubled for doubled in range(NARROWER + 1)]
    for gamma in gammas:
        try:
            scored = _with_and_without_ridge(clone(model, gamma=gamma), X, y, X_test, subset.test.labels)
            break
        except ValueError:
            if gamma == gammas[-1]:
                raise
    shared = {
        "gamma": gamma, "gamma_chosen": given is None, "n": len(X), "d": X.shape[1], "classes": data.train.classes,
    }  # fmt: skip
    return [shared | record for record in scored]


def filtered(
    data: Any, features: str, n: int, n_test: int, filters: int, dtype: Any, seed: int
) -> list[dict[str, Any]]:
    """Fits a linear kernel on pooled responses of random filters, without and with a ridge chosen on training data.

    There are no records for images smaller than a patch.
    """
    from ..data import at_most, image_shape
    from ..theory import KernelInterpolator, random_filter_grams
    from ..theory.patch_filters import PATCH

    if min(image_shape(data.train.shape)[:2]) < PATCH:
        return []  # no patch fits into such images
    subset = at_most(data, n, n_test, seed)
    gram, against = random_filter_grams(subset.train.as_images(), subset.test.as_images(), filters, seed)
    model = KernelInterpolator("precomputed", dtype=dtype, task="classification")
    shared = {"n": len(gram), "d": 8 * filters, "classes": data.train.classes}
    scored = _with_and_without_ridge(model, gram, subset.train.labels, against, subset.test.labels)
    return [shared | record for record in scored]


def clone(model: Any, **changes: Any) -> Any:
    """An unfitted copy of a model with some arguments changed."""
    return type(model)(**(model.get_params() | changes))


def _with_and_without_ridge(model: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> list[dict[str, Any]]:
    """Scores of the interpolant, and of the ridge that does best on held-out training points, if it is not 0."""
    bare = {"ridge": "none", "ridge_used": 0.0} | _scores(model, X, y, X_test, y_test)
    best = _best([clone(model, ridge=ridge) for ridge in RIDGES], X, y)
    if best.ridge == 0:
        return [bare, bare | {"ridge": "chosen"}]
    return [bare, {"ridge": "chosen", "ridge_used": best.ridge} | _scores(best, X, y, X_test, y_test)]


def _best(models: Sequence[Any], X: Any, y: Any) -> Any:
    """The model with the least error on held-out training points, the first of equals; subsets are in random order."""
    held = max(1, min(HELD_OUT, len(y) // 3))
    fit, held_out = slice(0, min(2 * held, len(y) - held)), slice(len(y) - held, len(y))

    def error(model: Any) -> float:
        pairwise = model.kernel == "precomputed"
        try:
            model.fit(X[fit, fit] if pairwise else X[fit], y[fit])
        except ValueError:  # the Gram matrix is not positive definite in this precision
            return float("inf")
        if model.ridge == 0 and model.residual_ > INTERPOLATES:
            return float("inf")
        return float((model.predict(X[held_out, fit] if pairwise else X[held_out]) != y[held_out]).mean())

    return min(models, key=error)


def _scores(model: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> dict[str, Any]:
    from time import perf_counter

    from ..machine import peak_memory

    with peak_memory() as peak:
        start = perf_counter()
        model.fit(X, y)
        seconds = perf_counter() - start
        memory = peak()
    scored = slice(0, TRAIN_SCORED)
    return {
        "test_error": float((model.predict(X_test) != y_test).mean()),
        "train_error": float((model.predict(X[scored]) != y[scored]).mean()),
        "norm": model.norm_,
        "residual": model.residual_,
        "solve_seconds": seconds,
        "peak_memory": memory,
        "tested": len(y_test),
    }


def _no_ridge_is_best(record: Mapping[str, Any]) -> bool:
    """Whether the record repeats the fit without a ridge, as a ridge of 0 was chosen."""
    return bool(record["ridge"] == "chosen" and record["ridge_used"] == 0)


def _name(record: Mapping[str, Any]) -> str:
    return f"{record['data']}, {record['features']}{' + ridge' if record['ridge'] == 'chosen' else ''}"


def _stated(record: Mapping[str, Any]) -> str:
    """The paper's number, with its n where that is another one."""
    for entry in SECTION_5:
        if (entry.data, entry.features, entry.regularized) == (
            record["data"], record["features"], record["ridge"] == "chosen",
        ):  # fmt: skip
            size = FULL[entry.data]
            return percent(entry.error) + ("" if record["n"] == size else f" at n = {size:,}")
    return "—"


def table(tables: Tables) -> list[Cells]:
    """A line for each fit, with the paper's number."""
    return [
        {
            "data": r["data"],
            "features": r["features"] + (f" ({r['filters']:,})" if "filters" in r else ""),
            "n": r["n"],
            "seed": r["seed"],
            "gamma": "—" if "gamma" not in r else f"{r['gamma']:.3g}{'' if r['gamma_chosen'] else ' (given)'}",
            "ridge": "none" if r["ridge"] == "none" else f"{r['ridge_used']:g}",
            "train error": percent(r["train_error"]),
            "test error": f"{100 * r['test_error']:.2f} %",
            "paper": _stated(r),
            "norm": f"{r['norm']:.1f}",
            "solve s": f"{r['solve_seconds']:.1f}",
            "GB": "—" if r["peak_memory"] is None else f"{r['peak_memory'] / 1e9:.1f}",
        }
        for r in sorted(tables.records, key=lambda r: (_name(r), r["n"], r["seed"]))
        if not _no_ridge_is_best(r)
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """Test error against n for each data set."""
    charts = {}
    for data in dict.fromkeys(r["data"] for r in tables.records):
        of_data = [r for r in tables.records if r["data"] == data]
        # A ridge that was never chosen draws the curve without one again.
        ridged = {r["features"] for r in of_data if r["ridge_used"] > 0}
        records = [
            r | {"kernel on": _name(r).partition(", ")[2]}
            for r in of_data
            if r["ridge"] == "none" or r["features"] in ridged
        ]
        tested, seeds = max(r["tested"] for r in records), len({r["seed"] for r in records})
        charts[data.replace(":", "-")] = lines(
            records, "n", "test_error", "kernel on", log_x=True, log_y=True, y_format=".1~%",
            title=f"Interpolation of {data} with kernels",
            subtitle=f"{tested:,} test images, {seeds} seed{'s' * (seeds > 1)}; float32",
            x_title="training points n", y_title="test error",
        )  # fmt: skip
    return charts


def at_largest_n(tables: Tables) -> dict[str, list[Any]]:
    """The records at the largest n, one for each seed, by data, features and ridge.

    On a small set several sizes are cut to the same n; such repeats of a seed are left out.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for r in tables.records:
        groups.setdefault(_name(r), []).append(r)
    return {
        name: list({r["seed"]: r for r in group if r["n"] == max(g["n"] for g in group)}.values())
        for name, group in groups.items()
    }


def verdict(tables: Tables) -> list[str]:
    """Is every label fitted, how good is the fit on new points, and does a larger norm mean a worse one?"""
    sentences = []
    for name, runs in at_largest_n(tables).items():
        if all(map(_no_ridge_is_best, runs)):
            sentences.append(f"{name}, n = {runs[0]['n']:,}: on held-out training points no ridge is best.")
            continue
        error = mean_of([r["test_error"] for r in runs], lambda share: f"{100 * share:.2f} %")
        norm = mean_of([r["norm"] for r in runs], "{:.1f}".format)
        scored = "" if runs[0]["n"] <= TRAIN_SCORED else f" on {TRAIN_SCORED:,} of them"
        train = mean_of([r["train_error"] for r in runs], percent)
        fits = "fits every label" if all(map(_fits, runs)) else f"has a training error of {train}{scored}"
        stated = _stated(runs[0])
        beside = "" if stated == "—" else f" (paper: {stated})"
        sentences.append(f"{name}, n = {runs[0]['n']:,}: {fits}, test error {error}{beside}, norm {norm}.")
    return [*sentences, *(_gabor_against_pixels(*pair) for pair in pairs(tables).values())]


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether every training label is predicted, as it is where each one-hot target is missed by less than a half."""
    missed = record["residual"] >= 0.5 or record["ridge_used"] > 0  # a ridge is no part of what is predicted
    return bool(record["train_error"] == 0 and (record["n"] <= TRAIN_SCORED or not missed))


def pairs(tables: Tables) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """For each data set the records of pixels and Gabor features, without ridge, at the largest n and first seed."""
    pairs: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for data in dict.fromkeys(r["data"] for r in tables.records):
        bare = [r for r in tables.records if r["data"] == data and r["ridge"] == "none"]
        pixels, gabor = ({(r["n"], -r["seed"]): r for r in bare if r["features"] == f} for f in ("pixels", "gabor"))
        if both := pixels.keys() & gabor.keys():
            pairs[data] = pixels[max(both)], gabor[max(both)]
    return pairs


def _better_with_larger_norm(pixels: Mapping[str, Any], gabor: Mapping[str, Any]) -> bool:
    return bool(gabor["test_error"] < pixels["test_error"] and gabor["norm"] > pixels["norm"])


def _gabor_against_pixels(pixels: Mapping[str, Any], gabor: Mapping[str, Any]) -> str:
    """A sentence that says whether the better features have the larger norm, as in the paper."""
    where = f"On {gabor['data']}, n = {gabor['n']:,}, Gabor features"
    if _better_with_larger_norm(pixels, gabor):
        return (
            f"{where} lower the test error while the norm grows, as in the paper: the least norm does not predict "
            "which features generalize. (Norms are sqrt(sum alpha y) in each kernel's own space; the paper does not "
            "say which it means.)"
        )
    return (
        f"{where} have test error {percent(gabor['test_error'])} and norm {gabor['norm']:.1f}, pixels "
        f"{percent(pixels['test_error'])} and {pixels['norm']:.1f}: unlike in the paper, not a lower error with a "
        "larger norm."
    )


def _interpolates_well(tables: Tables) -> Outcome | None:
    """Judges the first seed of each kind of features."""
    largest = [runs[0] for runs in at_largest_n(tables).values() if runs[0]["ridge"] == "none"]
    fine, parts = True, []
    for r in largest:
        # Records of the first version lack the number of classes, which was always ten.
        chance = 1 - 1 / r.get("classes", 10)
        error = (chance * (1 - chance) / r["tested"]) ** 0.5
        fine &= _fits(r) and r["test_error"] < chance - SIGNIFICANCE * error
        parts.append(f"{_name(r)} {100 * r['test_error']:.2f} % test error at n = {r['n']:,}")
    return Outcome(fine, "; ".join(parts)) if parts else None


def _norm_misleads(tables: Tables) -> Outcome | None:
    if not (found := pairs(tables)):
        return None
    pixels, gabor = max(found.values(), key=lambda pair: (pair[0]["n"], -pair[0]["seed"]))
    return Outcome(
        _better_with_larger_norm(pixels, gabor),
        f"{gabor['data']}, n = {gabor['n']:,}: Gabor {100 * gabor['test_error']:.2f} %, norm {gabor['norm']:.1f}; "
        f"pixels {100 * pixels['test_error']:.2f} %, norm {pixels['norm']:.1f}",
    )


STUDY = Study(
    question="Does a kernel machine that fits every label without regularization generalize?",
    source="Zhang et al. (2017), section 5",
    chapter="Linear models and what descent prefers",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Kernel machines that fit every label generalize without regularization.",
            "at the largest n of each kind of features every training label is fitted, without a ridge, and the test "
            f"error lies {SIGNIFICANCE} standard errors of the test set below chance",
            _interpolates_well,
        ),
        Claim(
            "Minimum norm does not predict generalization.",
            "at the largest n that both have, Gabor features have a lower test error and a larger norm than pixels",
            _norm_misleads,
        ),
    ),
    assumptions=("kernels",),
)
