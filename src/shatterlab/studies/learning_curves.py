"""Figure 1a: the loss on the training set falls to zero whatever the labels and the pixels are."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from ..data import DATASETS
from ..figures.curves import loss_curves
from ..figures.pictures import picture_strip
from ..jobs import Computation, Job, Training
from ..paper import FIGURE_1A_ORDER, FIGURE_1A_STEPS
from ..spec import PAPER_TRAINING_SIZE, make_spec
from .outcome import Outcome, all_of, cannot_tell
from .recipes import for_data
from .rules import FEWEST, FITS, LABELS_OFF, mislabelled
from .sentences import count_of, display, mean_of, percent, points, sentence, setting
from .statistics import falling, share
from .study import OVERFIT_LOSS, Cells, Claim, Scale, Study, Tables

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
            title=f"Training loss of {display(model)} under each condition",
            subtitle=setting(tables.runs.filter(pl.col("model") == model)),
        )
        for model in models
    }


def table(tables: Tables) -> list[Cells]:
    """A line for each network and condition; at the paper's size beside the steps of a reproduction of figure 1a."""
    if tables.runs.is_empty():
        return []
    return [
        {
            "network": display(str(model)),
            "condition": str(condition).replace("-", " "),
            "n": runs["n"][0],
            "seeds": len(runs),
            "train %": points(runs["train_accuracy"]),
            "test %": points(runs["test_accuracy"]),
            f"steps to a loss of {OVERFIT_LOSS:g}": mean_of(runs["overfit_step"].to_list(), "{:,.0f}".format)
            if runs["overfit_step"].is_not_null().all()
            else "not reached",
            "steps, reproduction of figure 1a": f"{FIGURE_1A_STEPS[str(condition)]:,}"
            if condition in FIGURE_1A_STEPS and _as_in_figure_1a(runs.row(0, named=True))
            else "—",
        }
        for (model, condition), runs in tables.runs.group_by("model", "corruption", maintain_order=True)
    ]


def _as_in_figure_1a(run: Mapping[str, Any]) -> bool:
    return (run["model"], run["data"], run["n"], run["batch_size"]) == (
        "inception",
        "cifar10",
        PAPER_TRAINING_SIZE,
        128,
    )


def verdict(tables: Tables) -> list[str]:
    """For each model: does it fit random labels, and in which order do the conditions end?"""
    if tables.runs.is_empty():
        return ["No run is finished yet."]
    sentences = []
    for model, runs in tables.runs.group_by("model", maintain_order=True):
        random = runs.filter(pl.col("corruption") == "random-labels")
        sentences += [fits_random_labels(random)] if len(random) else []
        sentences.append(order_of_conditions(str(model[0]), runs))
    return sentences


def fits_random_labels(random: pl.DataFrame) -> str:
    """The paper's central finding in one sentence, from one model's runs on random labels."""
    line = random.row(0, named=True)
    fits = min(random["train_accuracy"]) >= FITS
    budget = "" if fits else f" within {max(random['epochs'].to_list()):,} epochs"
    return sentence(
        f"{display(line['model'])} {'fits' if fits else 'does not fit'} random labels at n = {line['n']:,}{budget}:",
        f"train accuracy {mean_of(random['train_accuracy'].to_list(), percent)}",
        compared=f"test accuracy {mean_of(random['test_accuracy'].to_list(), percent)}, where labels without a "
        f"pattern give {percent(1 / line['classes'])}",
    )


def order_of_conditions(model: str, runs: pl.DataFrame) -> str:
    """The steps until each condition is overfitted, fastest first, compared with the order in figure 1a."""
    means = runs.group_by("corruption").agg(
        pl.col("overfit_step").mean(), pl.col("overfit_step").is_null().any().alias("unfinished")
    )
    unfinished = sorted(means.filter("unfinished")["corruption"].to_list())
    ended = means.filter(~pl.col("unfinished")).sort("overfit_step", "corruption")
    name = display(model)
    if ended.is_empty():
        return f"{name}: no condition reached a training loss of {OVERFIT_LOSS:g} within the epochs given."
    steps = dict(ended.select("corruption", "overfit_step").iter_rows())
    listed = ", ".join(f"{condition.replace('-', ' ')} {step:,.0f}" for condition, step in steps.items())
    rest = f" (not yet: {', '.join(unfinished).replace('-', ' ')})" if unfinished else ""
    seeds = runs["seed"].n_unique()
    where = f"in steps, means of {seeds} seeds" if seeds > 1 else "in steps"
    return f"{name} reaches a training loss of {OVERFIT_LOSS:g} ({where}): {listed}{rest}{_against_the_paper(steps)}."


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


FROM_CHANCE = 3
"""A test accuracy after training on what carries no pattern lies within this many standard errors of 1 / K."""


def _fit(conditions: tuple[str, ...]) -> Callable[[Tables], Outcome]:
    """Makes the check whether every network fits its training set under each of these conditions, in every seed."""

    def check(tables: Tables) -> Outcome:
        runs = tables.runs
        return all_of(
            _fitted(tables, runs.filter(pl.col("model") == model), condition)
            for model in ([] if runs.is_empty() else runs["model"].unique(maintain_order=True))
            for condition in conditions
        )

    return check


def _fitted(tables: Tables, of_model: pl.DataFrame, condition: str) -> Outcome:
    """What the runs of one network under one condition show: the worst seed decides."""
    runs = of_model.filter(pl.col("corruption") == condition)
    name = f"{display(of_model['model'][0])} on {condition.replace('-', ' ')}"
    if runs.is_empty():
        return cannot_tell(f"{name} has not been trained", "finish")
    seeds = f", least of {len(runs)} seeds" if len(runs) > 1 else ""
    numbers = f"{name} {percent(min(runs['train_accuracy']))} train{seeds}, n = {runs['n'][0]:,}"
    parts = [_of_run(tables, of_model, run, name) for run in runs.iter_rows(named=True)]
    if condition == "random-labels" and (wrong := mislabelled(runs)):
        parts.append(wrong)
    return replace(all_of(parts), numbers=numbers)


def _of_run(tables: Tables, of_model: pl.DataFrame, run: Mapping[str, Any], name: str) -> Outcome:
    train, test, chance = run["train_accuracy"], run["test_accuracy"], 1 / run["classes"]
    if run["n"] < FEWEST:
        return cannot_tell(f"{count_of(run['n'], 'example')} can be fitted by chance", "scale")
    if train < FITS:
        true = of_model.filter((pl.col("corruption") == "true-labels") & (pl.col("seed") == run["seed"]))
        trains = len(true) > 0 and min(true["train_accuracy"]) >= FITS
        losses = tables.epochs.filter(pl.col("run_id") == run["run_id"])["online_loss"].to_list()
        if trains and falling(losses) is False:
            return Outcome("contradicted", "")
        why = "its loss was still falling" if trains else "true labels are not fitted either"
        return cannot_tell(f"{name} reached {percent(train)} within {run['epochs']:,} epochs, and {why}", "scale")
    if run["corruption"] == "random-labels" and abs(test - chance) > FROM_CHANCE * share(chance, run["n_test"]).error:
        return cannot_tell(
            f"{name} has a test accuracy of {percent(test)}, away from the {percent(chance)} of labels without any "
            "pattern"
        )
    return Outcome("confirmed", "")


STUDY = Study(
    question="Can the network fit labels and images that carry no pattern, and how much longer does that take?",
    source="Zhang et al. (2017), section 2.2, figure 1a",
    chapter="Randomization tests",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Deep neural networks easily fit random labels.",
            f"Confirmed if every network has a train accuracy of at least {percent(FITS)} on at least {FEWEST} random "
            f"labels in every seed, where the share of wrong labels lies within {LABELS_OFF} standard errors of "
            f"1 - 1/K and the test accuracy within {FROM_CHANCE} of 1/K. Contradicted if a network that fits true "
            "labels does not fit random ones and its loss has stopped falling.",
            _fit(("random-labels",)),
        ),
        Claim(
            "They fit shuffled pixels, random pixels and Gaussian noise as well.",
            f"Confirmed if every network has a train accuracy of at least {percent(FITS)} on at least {FEWEST} "
            "examples under each of the three, in every seed. Contradicted if a network that fits true labels does not "
            "and its loss has stopped falling.",
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
