"""Which labels does a network know only because it was shown them: wrong ones more than right ones?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corruption import corrupt
from ..data import at_most
from ..figures.lines import lines
from ..jobs import Computation
from ..measures import label_errors, memorization
from ..measures.fitting import generator
from .house_networks import MODELS, networks_of, rate_of, remedy_of
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import FITS
from .sentences import count_of, display, percent, seeds_of, sentence
from .statistics import LEVEL, Estimate, above, corrected, over_seeds_and_examples
from .study import Cells, Claim, Scale, Study, Tables

NOISE = 0.2
"""In one of the two conditions a label is replaced by a wrong one with this probability."""

CONDITIONS = {"true labels": 0.0, "wrong labels": NOISE}
"""The conditions by name, each with the probability that a label is wrong."""

BOOTSTRAPS = 200
"""Fits and examples are resampled so often for the errors of what is compared."""

QUANTILES = tuple(place / 20 for place in range(21))
"""The distribution of the scores is kept at these quantiles."""

COMPARED = ("memorized_right", "memorized_wrong", "gap", "auc_held_out", "auc_memorized", "auc_gap")
"""The names of what `compare` returns, each beside its error."""

FEWEST_WRONG = 20
"""Fewer wrong labels than this say little about wrong labels (an assumption)."""

# Each scale has the examples, the subsets that are fitted, and the most optimizer steps of a fit.
SIZES: dict[Scale, dict[str, int]] = {
    "demo": {"n": 500, "draws": 30, "steps": 2_500},
    "cpu": {"n": 2_000, "draws": 30, "steps": 10_000},
    "paper": {"n": 10_000, "draws": 100, "steps": 50_000},
}
BATCH = 32


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """A computation for each network, condition and seed, which fits all subsets."""
    small = data == "digits"
    sizes, models = (SIZES["demo"], MODELS["demo"]) if small else (SIZES[scale], MODELS[scale])
    return [
        Computation(
            "memorization",
            f"what {model} memorizes of {condition}",
            {
                "data": data,
                "model": model,
                "condition": condition,
                "noise": noise,
                **sizes,
                "batch": BATCH,
                "rate": rate_of(model, data),
                "seed": seed,
            },
            measure,
        )
        for seed, model, (condition, noise) in product(range(seeds), models, CONDITIONS.items())
    ]


def measure(
    data: Any,
    model: str,
    condition: str,
    noise: float,
    n: int,
    draws: int,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Fits subsets of 70 % of the examples, and scores each example by what the fits with it know that others do not.

    Args:
        data: a `Data`.
        model: the name of a network of the house.
        condition: a key of `CONDITIONS`, for the record.
        noise: the probability that a label is replaced by a wrong one.
        n: the examples of the training set that are used; fewer where there are fewer.
        draws: how many subsets are fitted.
        steps: the most optimizer steps of a fit.
        batch: examples in each step.
        rate: the learning rate.
        seed: seed of the examples, the wrong labels, the subsets and the weights.

    Returns:
        A single record: the number of examples `pool`, of those in a subset `size`, and of `wrong` labels;
        `least_fitted`, the smallest share of its own labels that a fit predicts; `unfinished`, how many fits were still
        improving; `mean` with `mean_error` over fits, and `share`, of all scores, see `measures.memorization`;
        `quantiles` of the scores of `right` and of wrong labels; and where there are wrong labels what `compare` says.

    Raises:
        ShatterlabError: a training diverged.
    """
    from ..errors import ShatterlabError
    from ..learners.networks import LARGEST_STACK, Task

    subset = at_most(data, n, 1, seed)
    examples = corrupt(subset, "partial-labels", noise, seed, label_noise="symmetric").train if noise else subset.train
    images, labels = examples.as_images(), examples.labels
    wrong = labels != examples.true_labels
    networks = networks_of(model, examples, data.name, examples.classes, steps=steps, batch=batch, rate=rate)
    asked = memorization.requests(len(labels), draws=draws, seed=seed)
    together = LARGEST_STACK if networks.stacks else 1
    outcomes, fitted, unfinished = [], [], 0
    for start in range(0, len(asked), together):
        some = asked[start : start + together]
        tasks = [Task(one.rows, labels[one.rows], one.fit_seed) for one in some]
        for one, trained in zip(some, networks.fit_together(images, tasks), strict=True):
            if isinstance(trained, ShatterlabError):
                raise trained
            outcomes.append(memorization.observe(trained, one.rows, images, labels))
            fitted.append(float((trained(images[one.rows]) == labels[one.rows]).mean()))
            unfinished += not trained.finished
    found = memorization.estimate(outcomes, seed=seed)
    has = np.isfinite(found.scores)

    def spread(which: NDArray[np.bool_]) -> list[float] | None:
        scores = found.scores[which & has]
        return np.round(np.quantile(scores, QUANTILES), 4).tolist() if len(scores) else None

    return [
        {
            "pool": len(labels),
            "size": found.size,
            "wrong": int(wrong.sum()),
            "least_fitted": min(fitted),
            "unfinished": unfinished,
            "mean": found.mean,
            "mean_error": found.mean_error,
            "share": found.share,
            "quantiles": {"right": spread(~wrong), "wrong": spread(wrong)},
        }
        | (compare(outcomes, labels, wrong, seed) if wrong.any() and not wrong.all() else {})
    ]


def compare(
    outcomes: Sequence[memorization.SubsetOutcome], labels: NDArray[np.int64], wrong: NDArray[np.bool_], seed: int
) -> dict[str, float]:
    """Compares wrong labels with right ones: how much they are memorized, and how well two scores find them.

    Args:
        outcomes: the fits, each of which has seen some of the examples.
        labels: (n,) the labels, of which some are wrong.
        wrong: (n,) which are; some are and some are not.
        seed: seed of the resamplings.

    Returns:
        `memorized_right` and `memorized_wrong`, the mean scores of both kinds of labels, and their difference `gap`;
        `auc_held_out` and `auc_memorized`, the probability that of a wrong and a right label the wrong one has the
        smaller held-out probability, or the larger score, ties counting half, and their difference `auc_gap`. Each has
        a standard error, under its name with `_error`, by a bootstrap of fits and examples together, as the same fits
        tell of all examples. Nothing where the fits are too few for a score of either kind.
    """
    n, draws = len(labels), len(outcomes)
    inside, correct = (
        np.stack([np.unpackbits(getattr(one, name), count=n) for one in outcomes]).astype(np.float64)
        for name in ("inside", "correct")
    )
    own = np.zeros((draws, n))  # the probability of the label by a fit that has not seen the example
    for place, one in enumerate(outcomes):
        own[place, one.held_out_rows] = one.held_out[np.arange(len(one.held_out)), labels[one.held_out_rows]]

    def numbers(of_fits: NDArray[np.float64], of_examples: NDArray[np.float64]) -> dict[str, float]:
        seen, unseen = of_fits @ inside, of_fits @ (1 - inside)
        known = (seen > 0) & (unseen > 0) & (of_examples > 0)
        if not (known & wrong).any() or not (known & ~wrong).any():
            return dict.fromkeys(COMPARED, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = (of_fits @ (inside * correct)) / seen - (of_fits @ ((1 - inside) * correct)) / unseen
            probabilities = (of_fits @ own) / unseen
        weights = np.where(known, of_examples, 0.0)
        right_mean, wrong_mean = (
            float(scores[known & which] @ weights[known & which] / weights[known & which].sum())
            for which in (~wrong, wrong)
        )
        held, memorized = (
            weighted_auc(suspect[known], wrong[known], weights[known])
            for suspect in (label_errors.rank(probabilities[:, None], np.zeros(n, dtype=int)).scores, scores)
        )
        return {
            "memorized_right": right_mean,
            "memorized_wrong": wrong_mean,
            "gap": wrong_mean - right_mean,
            "auc_held_out": held,
            "auc_memorized": memorized,
            "auc_gap": held - memorized,
        }

    found = numbers(np.ones(draws), np.ones(n))
    if not np.isfinite(list(found.values())).all():
        return {}
    rng = generator(seed, "bootstrap of fits and examples", 0)
    resampled = [
        numbers(
            rng.multinomial(draws, np.full(draws, 1 / draws)).astype(np.float64),
            rng.multinomial(n, np.full(n, 1 / n)).astype(np.float64),
        )
        for _ in range(BOOTSTRAPS)
    ]
    errors = {f"{name}_error": float(np.nanstd([one[name] for one in resampled], ddof=1)) for name in found}
    both = found | errors
    return both if np.isfinite(list(both.values())).all() else {}


def weighted_auc(scores: NDArray[np.float64], positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """The probability that a positive example has the larger score, ties counting half.

    Args:
        scores: (n,) finite numbers.
        positive: (n,) which examples are positive; some are and some are not.
        weights: (n,) how often each example counts, at least 0, with some of either kind.

    >>> round(weighted_auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False]), np.ones(4)), 3)
    0.875
    """
    _, place = np.unique(scores, return_inverse=True)
    high = np.bincount(place, weights=weights * positive)
    low = np.bincount(place, weights=weights * ~positive)
    below = np.cumsum(low) - low
    return float(high @ (below + low / 2) / (high.sum() * low.sum()))


def _groups(tables: Tables, condition: str) -> dict[str, list[dict[str, Any]]]:
    """The records of each network under one condition, one for each seed."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in tables.records:
        if record["condition"] == condition:
            groups.setdefault(record["model"], []).append(record)
    return groups


def _over_seeds(records: Sequence[Mapping[str, Any]], name: str) -> Estimate:
    """The mean over seeds of a number, with the error of fits and examples that each record has."""
    values, variances = [r[name] for r in records], [r[f"{name}_error"] ** 2 for r in records]
    return over_seeds_and_examples(values, variances, min(r["pool"] for r in records))


def _with_error(records: Sequence[Mapping[str, Any]], name: str) -> str:
    found = _over_seeds(records, name)
    return f"{found.value:.3f} (SE {found.error:.3f})"


def table(tables: Tables) -> list[Cells]:
    """A line for each network, condition and seed."""

    def cell(record: Mapping[str, Any], name: str) -> str:
        return f"{record[name]:.3f} (SE {record[f'{name}_error']:.3f})" if record.get(name) is not None else "—"

    return [
        {
            "network": display(record["model"]),
            "condition": record["condition"],
            "seed": record["seed"],
            "n": record["pool"],
            "subsets": record["draws"],
            "wrong labels": record["wrong"],
            "mean memorization": cell(record, "mean"),
            f"scores of {memorization.MEMORIZED:g} or more": percent(record["share"]),
            "of right labels": cell(record, "memorized_right"),
            "of wrong labels": cell(record, "memorized_wrong"),
            "AUC, held-out probability": cell(record, "auc_held_out"),
            "AUC, memorization": cell(record, "auc_memorized"),
        }
        for record in tables.records
    ]


def draw(tables: Tables) -> Mapping[str, Any]:
    """The distribution of the scores of right and of wrong labels, for each network."""
    places = []
    for record in tables.records:
        for kind, scores in record["quantiles"].items():
            labels = f"{kind} labels" if record["wrong"] else "all labels right"
            name = f"{display(record['model'])}, {labels}"
            if record["wrong"] and kind == "right":
                name += f" beside {percent(NOISE)} wrong ones"
            pairs = zip(QUANTILES, scores or [], strict=False)
            places += [{"share": place, "score": score, "labels": name} for place, score in pairs]
    if not places:
        return {}
    return {
        "scores": lines(
            places, "share", "score", "labels", x_format="%", y_format=".1f", dots=False,
            title="How much each label is memorized, the least memorized first",
            subtitle=f"1: known only if shown, 0: known anyway; {_where(tables)}, mean and SD",
            x_title="share of the labels with a smaller score", y_title="memorization score",
        )
    }  # fmt: skip


def _where(tables: Tables) -> str:
    first = tables.records[0]
    return (
        f"{display(first['data'])}, n = {first['pool']:,}, {count_of(first['draws'], 'subset')} of {first['size']:,}, "
        f"{seeds_of(tables.records)}"
    )


def verdict(tables: Tables) -> list[str]:
    """How much networks memorize of right and of wrong labels, and which score finds the wrong ones."""
    if not tables.records:
        return ["No network has been trained yet."]
    sentences = []
    for model, records in _groups(tables, "wrong labels").items():
        if compared := [record for record in records if "gap" in record]:
            sentences.append(
                sentence(
                    f"Of wrong labels {display(model)} memorizes on average",
                    f"{_with_error(compared, 'memorized_wrong')}, of the right labels beside them "
                    f"{_with_error(compared, 'memorized_right')}",
                    "a score of 1 means that a label is known only if it was shown",
                    f"their held-out probability finds them with an AUC of "
                    f"{_with_error(compared, 'auc_held_out')}, how "
                    f"much they are memorized with one of {_with_error(compared, 'auc_memorized')}, "
                    f"where 0.5 is chance",
                    caveat=f"{compared[0]['wrong']:,} wrong labels, {_where(tables)}",
                )
            )
    for model, records in _groups(tables, "true labels").items():
        found = _over_seeds(records, "mean")
        sentences.append(
            sentence(
                f"Where all labels are right, {display(model)} memorizes on average",
                f"{found.value:.3f} (SE {found.error:.3f} over fits)",
                f"{percent(float(np.mean([r['share'] for r in records])))} of the labels have a score of "
                f"{memorization.MEMORIZED:g} or more",
                caveat=_where(tables),
            )
        )
    return sentences


def _ready(records: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """The outcome `cannot tell` where a network has not fitted its subsets, or there are few wrong labels, or None."""
    for record in records:
        if record["wrong"] < FEWEST_WRONG or "gap" not in record:
            return cannot_tell(
                f"{count_of(record['wrong'], 'wrong label')} of n = {record['pool']:,} are too few",
                remedy_of(record["data"]),
            )
        if record["least_fitted"] < FITS:
            unfinished = f", and {record['unfinished']} of {record['draws']} fits were still improving"
            return cannot_tell(
                f"{display(record['model'])} reached {percent(record['least_fitted'])} train accuracy on a subset "
                f"within {record['steps']:,} steps{unfinished if record['unfinished'] else ''} (seed {record['seed']})",
                remedy_of(record["data"]),
            )
    return None


def _judged(tables: Tables, name: str, numbers_of: Any) -> Outcome:
    """Whether a difference is above 0 for every network, beyond its error over fits, examples and seeds."""
    groups = _groups(tables, "wrong labels")
    parts = []
    for records in groups.values():
        compared = [record for record in records if name in record]
        numbers = numbers_of(compared) if compared else ""
        if unready := _ready(records):
            parts.append(replace(unready, numbers=numbers))
            continue
        found = _over_seeds(compared, name)
        # One network of several contradicts the claim, so that these share the level.
        if above(found, 0, corrected(len(groups))) == "contradicted":
            parts.append(Outcome("contradicted", numbers))
        else:
            parts.append(Outcome("confirmed" if above(found, 0) == "confirmed" else "not shown", numbers))
    return all_of(parts) if parts else NO_RUNS


def _tail(records: Sequence[Mapping[str, Any]]) -> str:
    first = records[0]
    return (
        f"{first['wrong']:,} wrong labels of n = {first['pool']:,}, {count_of(first['draws'], 'subset')}, "
        f"{seeds_of(records)}"
    )


def _wrong_more(tables: Tables) -> Outcome:
    def numbers(records: Sequence[Mapping[str, Any]]) -> str:
        return (
            f"{display(records[0]['model'])} memorizes {_with_error(records, 'memorized_wrong')} of wrong labels and "
            f"{_with_error(records, 'memorized_right')} of right ones, a difference of {_with_error(records, 'gap')} "
            f"({_tail(records)})"
        )

    return _judged(tables, "gap", numbers)


def _held_out_better(tables: Tables) -> Outcome:
    def numbers(records: Sequence[Mapping[str, Any]]) -> str:
        return (
            f"with {display(records[0]['model'])} wrong labels are found with an AUC of "
            f"{_with_error(records, 'auc_held_out')} by held-out probability and "
            f"{_with_error(records, 'auc_memorized')} "
            f"by memorization, a difference of {_with_error(records, 'auc_gap')} ({_tail(records)})"
        )

    return _judged(tables, "auc_gap", numbers)


STUDY = Study(
    question="Which examples are memorized?",
    source="Zhang et al. (2017), section 6; Feldman and Zhang (2020), sections 1 and 3; Northcutt et al. (2021)",
    chapter="The closing questions",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Networks that fit every label memorize wrong labels more than right ones.",
            "Confirmed if for every network the mean memorization of wrong labels lies above that of the right labels "
            f"beside them, beyond its error at {percent(LEVEL)} over fits, examples and seeds. Contradicted if for one "
            "network it lies below, where the networks share the level. Memorization is how much "
            "likelier a label is to "
            f"be predicted by fits that were shown it; every fit has to reach {percent(FITS)} train accuracy, and at "
            f"least {FEWEST_WRONG} labels have to be wrong.",
            _wrong_more,
        ),
        Claim(
            "The probability that networks give to a label without having seen it finds wrong labels better than how "
            "much they memorize it.",
            "Confirmed if for every network the area under the ROC curve (AUC) of the held-out probability lies above "
            f"that of memorization, by the same fits, beyond the error of the difference at "
            f"{percent(LEVEL)} over fits, "
            "examples and seeds. Contradicted if for one network it lies below, where the networks share "
            "the level. The "
            "premises are those of the claim above.",
            _held_out_better,
        ),
    ),
)
