"""Figure 1a: the loss on the training set falls to zero whatever the labels and the pixels are."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..data import DATASETS
from ..figures.curves import loss_curves
from ..figures.pictures import picture_strip
from ..jobs import Computation, Job, Training
from ..paper import FIGURE_1A_ORDER
from ..spec import make_spec
from .recipes import for_data
from .rules import FITS
from .sentences import mean_of, percent, setting
from .study import OVERFIT_LOSS, Claim, Outcome, Scale, Study, Tables

CONDITIONS = ("true-labels", "partial-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian-pixels")

LABEL_CONDITIONS = ("true-labels", "partial-labels", "random-labels")
"""These conditions share the images; they stand in the paper's order, fastest to fit first."""

# The epochs suffice for random labels to be fitted; see "number of epochs" in ASSUMPTIONS.
RUNS: dict[Scale, list[dict[str, Any]]] = {
    "demo": [{"model": "mlp-1x512", "n": 2_000, "n_test": 1_000, "epochs": 100}],
    "cpu": [
        {"model": "inception", "n": 1_000, "n_test": 1_000, "batch_size": 64, "epochs": 60},
        {"model": "mlp-1x512", "batch_size": 64, "epochs": 90},
    ],
    "paper": [{"model": "inception", "epochs": 60}],
}


def jobs(scale: Scale, data: str, seeds: int) -> list[Job]:
    """Each model of the scale under each condition, and the pictures of what the networks are asked to learn."""
    n = for_data(RUNS[scale][0], data).get("n")
    settings = {"data": data, "n": n, "pictures": PICTURES, "seed": 0}
    return [
        *(
            Training(make_spec(**for_data(dials, data), data=data, corruption=condition, seed=seed, stop="fit"))
            for dials in RUNS[scale]
            for condition in CONDITIONS
            for seed in range(seeds)
        ),
        Computation("learning-curves", "pictures of the training images", settings, pictures),
    ]


PICTURES = 10
"""This many training images are shown under each condition."""


def pictures(data: Any, n: int | None, pictures: int, seed: int) -> list[dict[str, Any]]:
    """The first training images under each condition, as PNG, with the labels they are trained on."""
    import base64
    from io import BytesIO

    import numpy as np
    from PIL import Image

    from ..corruption import corrupt
    from ..data import at_most

    records = []
    subset = at_most(data, n or len(data.train), 1, seed)
    for condition in CONDITIONS:
        train = corrupt(subset, condition, seed=seed).train
        for index in range(min(pictures, len(train))):
            image = train.as_images()[index]
            if image.dtype != np.uint8:
                image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
            if image.shape[2] != 3:
                image = image[..., :1].repeat(3, axis=2)
            file = BytesIO()
            Image.fromarray(image).save(file, "PNG")
            records.append(
                {
                    "condition": condition,
                    "index": index,
                    "label": int(train.labels[index]),
                    "true_label": int(train.true_labels[index]),
                    "png": base64.b64encode(file.getvalue()).decode(),
                }
            )
    return records


def draw(tables: Tables) -> Mapping[str, Any]:
    """The pictures, then a chart of loss curves for each model."""
    charts = {}
    if tables.records:
        first = tables.records[0]
        source = DATASETS.get(first["data"])
        charts["images"] = picture_strip(
            tables.records,
            names=source.names if source else (),
            title="What the network is asked to learn",
            subtitle=f"the same training images of {first['data']} under each condition, with the labels trained on; "
            f"seed {first['seed']}",
        )
    models = [] if tables.runs.is_empty() else tables.runs["model"].unique(maintain_order=True).to_list()
    return charts | {
        model: loss_curves(
            tables.epochs.filter(pl.col("model") == model),
            title=f"Training loss of {model} under each condition",
            subtitle=setting(tables.runs.filter(pl.col("model") == model)),
        )
        for model in models
    }


def verdict(tables: Tables) -> list[str]:
    """For each model: does it fit random labels, and in which order do the conditions end?"""
    if tables.runs.is_empty():
        return ["No run is finished yet."]
    sentences = []
    for model in tables.runs["model"].unique(maintain_order=True):
        runs = tables.runs.filter(pl.col("model") == model)
        fits = fits_random_labels(model, runs)
        sentences += [*([fits] if fits else []), order_of_conditions(model, runs)]
    return sentences


def fits_random_labels(model: str, runs: pl.DataFrame) -> str | None:
    """The paper's central finding in one sentence, or None without a run on random labels."""
    random = runs.filter(pl.col("corruption") == "random-labels")
    if random.is_empty():
        return None
    train, test = random["train_accuracy"].to_list(), random["test_accuracy"].to_list()
    fits = sum(train) / len(train) >= FITS
    budget = "" if fits else f" within {max(random['epochs'].to_list()):,} epochs"
    return (
        f"{model} {'fits' if fits else 'does not fit'} random labels{budget}: {mean_of(train, percent)} train, "
        f"{mean_of(test, percent)} test, "
        f"chance {100 / random['classes'][0]:.0f} %."
    )


def order_of_conditions(model: str, runs: pl.DataFrame) -> str:
    """The steps until each condition is overfitted, fastest first, compared with the order in figure 1a."""
    means = runs.group_by("corruption").agg(
        pl.col("overfit_step").mean(), pl.col("overfit_step").is_null().any().alias("unfinished")
    )
    unfinished = sorted(means.filter("unfinished")["corruption"].to_list())
    ended = means.filter(~pl.col("unfinished")).sort("overfit_step", "corruption")
    if ended.is_empty():
        return f"{model}: no condition reached a training loss of {OVERFIT_LOSS:g} within the epochs given."
    steps = dict(ended.select("corruption", "overfit_step").iter_rows())
    listed = ", ".join(f"{name} {step:,.0f}" for name, step in steps.items())
    rest = f" (not yet: {', '.join(unfinished)})" if unfinished else ""
    return f"{model}, steps to a training loss of {OVERFIT_LOSS:g}: {listed}{rest}{_against_the_paper(steps)}."


def _against_the_paper(steps: Mapping[str, float]) -> str:
    """Whether the order agrees with the paper, as far as the overfitted conditions can tell; ties agree."""
    claims = []
    same_images = [steps[name] for name in LABEL_CONDITIONS if name in steps]
    if len(same_images) == len(LABEL_CONDITIONS):
        claims.append(
            "of those that share the images true labels are fastest and random labels slowest, as in the paper"
            if same_images == sorted(same_images)
            else "true labels are not the fastest or random labels not the slowest of those that share the images, "
            "unlike in the paper"
        )
    if set(FIGURE_1A_ORDER) <= steps.keys():
        in_order = [steps[name] for name in FIGURE_1A_ORDER]
        claims.append(
            "the order of figure 1a"
            if in_order == sorted(in_order)
            else f"figure 1a's order is {' < '.join(FIGURE_1A_ORDER)}"
        )
    return "".join(f"; {claim}" for claim in claims)


def _fit(conditions: tuple[str, ...]) -> Callable[[Tables], Outcome | None]:
    """Makes the check whether every model fits the training set under each of these conditions, in every seed."""

    def check(tables: Tables) -> Outcome | None:
        if tables.runs.is_empty():
            return None
        runs = tables.runs.filter(pl.col("corruption").is_in(conditions))
        if set(runs["corruption"]) != set(conditions):
            return None
        parts = [
            f"{model} {name} {percent(worst)} train at n = {n:,}"
            for model, name, n, worst in runs.group_by("model", "corruption", "n", maintain_order=True)
            .agg(pl.col("train_accuracy").min())
            .iter_rows()
        ]
        worst = min(runs["train_accuracy"])
        return Outcome(worst >= FITS, f"{', '.join(parts)} (least of {runs['seed'].n_unique()} seeds)")

    return check


STUDY = Study(
    question="Can the network fit labels and images that carry no pattern, and how much longer does that take?",
    source="Zhang et al. (2017), section 2.2, figure 1a",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    claims=(
        Claim(
            "Deep neural networks easily fit random labels.",
            f"every network has a train accuracy of at least {percent(FITS)} on random labels, in every seed",
            _fit(("random-labels",)),
        ),
        Claim(
            "They fit shuffled pixels, random pixels and Gaussian noise as well.",
            f"every network has a train accuracy of at least {percent(FITS)} under all three, in every seed",
            _fit(("shuffled-pixels", "random-pixels", "gaussian-pixels")),
        ),
    ),
    assumptions=(
        "batch size",
        "initialization",
        "learning-rate decay",
        "pixel corruption",
        "partially corrupted labels",
        "number of epochs",
        "training loss of a curve",
        "time to overfit",
    ),
)
