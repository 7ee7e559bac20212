"""What an audit leaves: five sentences, numbers with their errors, a score for each example, charts, and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import ShatterlabError, one_of
from ..figures.lines import lines
from ..figures.pictures import png
from ..files import path_of
from ..measures import bounds, label_errors, linear, memorization
from .budget import Purse, told
from .card import Answer, Facts, Share, card, percent
from .driver import CONDITIONS, Findings, Record
from .fits import Subject, test_points

SHOWN = 12
"""So many suspects, memorized examples and influential pairs are shown."""
SLOWDOWN_SECONDS = 0.02
"""A ratio of fit seconds is told only where both fits take at least this long; shorter ones are mostly overhead."""


@dataclass(frozen=True)
class Audit:
    """The outcome of `audit`.

    Args:
        answer: whether random labels are memorized.
        card: five sentences: what it can memorize, what it did, what is guaranteed, where to look, what to do next.
        cut: sentences on what the budget or the learner did not allow.
        record: all of it but the scores as JSON values, as the page shows it.
        findings: the numbers as the measures give them.
    """

    answer: Answer
    card: tuple[str, ...]
    cut: tuple[str, ...]
    record: Mapping[str, Any] = field(repr=False)
    findings: Findings = field(repr=False)
    _scores: pl.DataFrame = field(repr=False)
    _charts: Mapping[str, Any] = field(repr=False)

    @property
    def verdict(self) -> str:
        """The five sentences of the card, each on a line."""
        return "\n".join(self.card)

    def table(self) -> pl.DataFrame:
        """A line for each number: part, quantity, value, its standard error, over what, n. Shares are in [0, 1]."""
        return pl.DataFrame(
            [row for part in self.record["parts"] for row in part["rows"]],
            schema={"part": pl.String, "quantity": pl.String, "value": pl.Float64, "error": pl.Float64,
                    "over": pl.String, "n": pl.Int64},
        )  # fmt: skip

    def part(self, name: str) -> Mapping[str, Any]:
        """One part: its `sentences`, `rows` and `examples`.

        Args:
            name: `randomization`, `capacity`, `rademacher`, `certificate`, `memorization`, `suspects` or `critical`.

        Raises:
            ShatterlabError: there is no such part.
        """
        parts = {part["id"]: part for part in self.record["parts"]}
        return parts[one_of("part", name, parts)]

    def scores(self) -> pl.DataFrame:
        """A line for each audited training example, in the order in which the data were handed over.

        `example` is its place there. Then its label; `memorization` with its standard `error`, `inside` and `outside`
        (shares of fits with and without it that predict its label) and `times_inside`; `suspicion` (1 less the mean
        held-out probability of its label) and `predicted`, the class that is likeliest without it; `loss` (the sum over
        the epochs of one training) and `kernel`, where there are such. What is not known is null.
        """
        return self._scores

    def figure(self) -> Any:
        """The charts, one below the other, as an altair chart.

        Raises:
            ShatterlabError: the budget left nothing to draw.
        """
        import altair

        if not self._charts:
            raise ShatterlabError("there is nothing to draw, as the budget left those parts out; give the audit more.")
        charts = [chart.copy() for chart in self._charts.values()]
        config = charts[0].config
        for chart in charts:
            chart.config = altair.Undefined  # which only the outermost chart may have
        whole = altair.vconcat(*charts, config=config)
        return whole.resolve_scale(color="independent", strokeDash="independent")

    def to_html(self, path: Path | str) -> Path:
        """Writes the audit as one HTML page that needs no connection.

        Raises:
            ShatterlabError: the file cannot be written.
        """
        from ..report import write_audit

        return write_audit(self.record, path_of(path, "the page"))

    def __str__(self) -> str:
        cut = "".join(f"\n  - {sentence}" for sentence in self.cut)
        return f"{self.record['title']}\n\n{self.verdict}" + (f"\n\nNot looked at, or cut:{cut}" if cut else "")

    def _repr_html_(self) -> str:
        from ..report import audit_face

        return audit_face(self.record)


def assemble(
    subject: Subject, found: Findings, purse: Purse, whole: int, seed: int, surrogate: str | None
) -> Audit:  # fmt: skip
    """Turns findings into an audit.

    Args:
        subject: what was audited.
        found: what came of its fits.
        purse: the budget.
        whole: number of training examples there are, audited or not.
        seed: seed of the resamplings.
        surrogate: see `session.audit`.
    """
    pool = subject.pool
    memory = memorization.estimate(found.subsets, seed=seed) if len(found.subsets) > 1 else None
    outcomes = found.subsets or found.folds
    held_out = label_errors.held_out(outcomes) if outcomes else None
    ranking = None if held_out is None else label_errors.rank(held_out, pool.y)
    count = None
    if held_out is not None and found.has_probabilities:
        try:
            count = label_errors.expected_errors(held_out, pool.y, seed=seed)
        except ValueError as error:
            found.left_out["the number of wrong labels"] = str(error)
    elif held_out is not None:
        found.left_out["the number of wrong labels"] = (
            "it needs probabilities; the ranking rests on how often the label was predicted without its example"
        )
    influential = None
    if found.subsets and found.subsets[0].n_test:
        influential = memorization.influence(found.subsets, most=SHOWN)
    kernel = _kernel(subject, found) if surrogate == "kernel" else None
    losses = found.conditions["true-labels"][0].get("losses")
    scores = _scores(subject, memory, ranking, held_out, losses, kernel)
    places = pool.index
    facts = _facts(subject, found, memory, count,
                   [] if ranking is None else [int(places[i]) for i in ranking.order[:SHOWN]])  # fmt: skip
    sentences = card(facts)
    charts = _charts(found, memory, subject)
    parts = [
        _randomization(facts, found),
        _capacity(facts, found),
        _rademacher(found),
        _certificate(facts, found),
        _memorized(subject, memory, influential),
        _suspects(subject, ranking, held_out, count, found, kernel),
        _critical(found, subject.pool.pictures is not None),
    ]
    cut = _cut(subject, found, purse, whole)
    for part in parts:
        part["charts"] = [name for name in charts if name.startswith(part["id"])]
        for row in part["rows"]:
            row["part"] = part["title"]
    record = {
        "title": f"{subject.given.name} on {pool.name}, n = {len(pool):,}",
        "learner": subject.given.name,
        "data": pool.name,
        "n": len(pool),
        "whole": whole,
        "n_test": len(pool.y_test),
        "classes": pool.classes,
        "budget": purse.budget,
        "seconds": purse.spent,
        "seed": seed,
        "answer": facts.answer,
        "card": sentences,
        "cut": cut,
        "notes": [*pool.notes],
        "parts": parts,
        "charts": {name: chart.to_dict() for name, chart in charts.items()},
        "versions": {"learner": subject.version, "data": pool.version},
    }
    return Audit(facts.answer, tuple(sentences), tuple(cut), record, found, scores, charts)


def _facts(
    subject: Subject,
    found: Findings,
    memory: memorization.Memorization | None,
    count: label_errors.ErrorCount | None,
    look_at: Sequence[int],
) -> Facts:
    pool = subject.pool
    true, random = found.conditions["true-labels"], found.conditions["random-labels"]
    partial = found.conditions.get("partial-labels")
    changed = sum(record["changed"] for record in partial or ())
    weights = true[0].get("weights")
    slowdown, unit = _slowdown(true, random)
    exact = found.capacities.exact if found.capacities else None
    theory = None
    if weights and weights[0] == 1 and pool.classes == 2 and pool.numeric and exact:
        flat = np.asarray(pool.X, dtype=np.float64).reshape(len(pool), -1)
        rank = int(np.linalg.matrix_rank(flat - flat.mean(axis=0)))
        theory = linear.linear_capacity(max(rank, 1))
    test = Share.of([record["test_wrong"] for record in true], true[0]["of_test"])
    certificate = found.certificate
    without = (certificate or {}).get("known_wrong") or (certificate or {}).get("rigorous")
    return Facts(
        random_fitted=Share.of([record["of"] - record["train_wrong"] for record in random], random[0]["of"]),
        unfinished=any(not record["finished"] for record in random),
        slowdown=slowdown,
        slowdown_in=unit,
        train_error=Share.of([record["train_wrong"] for record in true], true[0]["of"]),
        test_error=test,
        majority_error=1 - float(np.bincount(pool.y_test, minlength=pool.classes).max() / len(pool.y_test)),
        classes=pool.classes,
        n=len(pool),
        capacity=exact,
        linear=theory,
        memorized=None if memory is None else (memory.mean, memory.mean_error, memory.draws),
        changed_fitted=Share.of([sum(r["changed_fitted"] for r in partial)], changed) if partial and changed else None,
        rademacher=None if found.signs is None else (found.signs.value, found.signs.error, found.signs.draws),
        bound=bounds.held_out(true[0]["test_wrong"], true[0]["of_test"]),
        random_bound=None if without is None else (without["bound"], without["verdict"]),
        suspects=None if count is None else (count.low, count.expected, count.high, count.n),
        look_at=look_at,
        memorized_at=() if memory is None else [int(pool.index[i]) for i in memory.order[:SHOWN]],
    )


def _slowdown(true: Sequence[Record], random: Sequence[Record]) -> tuple[float | None, str]:
    """How many times the steps, or the seconds, of true labels fitting random ones takes."""
    if any("steps_to_overfit" in record for record in true):
        pairs = [(t["steps_to_overfit"], r["steps_to_overfit"]) for t, r in zip(true, random, strict=False)]
        ratios = [r / t for t, r in pairs if t and r]
        return (fmean(ratios), "steps") if ratios else (None, "steps")
    seconds = [fmean(record["seconds"] for record in records) for records in (true, random)]
    return (seconds[1] / seconds[0], "seconds") if min(seconds) > SLOWDOWN_SECONDS else (None, "seconds")


def _row(quantity: str, value: float | None, error: float | None, over: str, n: int | None) -> dict[str, Any]:
    def finite(number: float | None) -> float | None:
        return None if number is None or not np.isfinite(number) else float(number)

    return {"quantity": quantity, "value": finite(value), "error": finite(error), "over": over, "n": n}


def _part(id: str, title: str, sentences: Sequence[str], rows: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": id, "title": title, "sentences": list(sentences), "rows": list(rows), "examples": []} | more


def _randomization(facts: Facts, found: Findings) -> dict[str, Any]:
    rows = []
    for name, _ in CONDITIONS:
        if not (records := found.conditions.get(name)):
            continue
        n, m, repeats = records[0]["of"], records[0]["of_test"], len(records)
        over = "examples" if repeats == 1 else f"examples, {repeats} repeats"
        train = Share.of([record["train_wrong"] for record in records], n)
        test = Share.of([record["test_wrong"] for record in records], m)
        rows.append(_row(f"{name}: training error", train.value, train.error, over, n))
        rows.append(_row(f"{name}: test error", test.value, test.error, over, m))
        if not all(record["finished"] for record in records):
            rows.append(
                _row(f"{name}: fits still improving", sum(not r["finished"] for r in records), None, "", repeats)
            )
    if facts.slowdown is not None:
        rows.append(_row(f"times the {facts.slowdown_in} of true labels that random ones take", facts.slowdown, None,
                         f"{len(found.conditions['random-labels'])} repeats", facts.n))  # fmt: skip
    words = {
        "memorizes": "It memorizes: random labels, which cannot be learnt, are fitted.",
        "not within this budget, still falling": "It did not memorize within this budget; its loss was still falling.",
        "cannot": "It cannot memorize these many random labels.",
    }
    return _part("randomization", "Randomization tests", [words[facts.answer]], rows)


def _capacity(facts: Facts, found: Findings) -> dict[str, Any]:
    if found.capacities is None:
        return _missing("capacity", "Capacity", found)
    rows, sentences = [], []
    for one in (found.capacities.exact, found.capacities.near):
        kind = "exactly" if one.tolerance == 0 else f"up to {percent(one.tolerance)} errors"
        more = "at least, " if one.at_least else ""
        rows.append(_row(f"random labels fitted {kind}", one.value, one.error, f"{more}{one.draws} draws", one.n))
        sentences.append(str(one))
    low, high = found.capacities.exact.bracket
    if found.capacities.exact.fresh and found.capacities.exact.all_fitted < found.capacities.exact.draws:
        lower, upper = found.capacities.exact.fresh_fitted
        sentences.append(
            f"Its draws lie between {low:,} and {high:,}; of {found.capacities.exact.fresh} fresh draws {lower} were "
            f"fitted at the lower end and {upper} at the upper."
        )
    parameters = next((r["parameters"] for r in found.conditions.get("true-labels", ()) if "parameters" in r), None)
    if parameters is not None:
        sentences.append(f"The learner has {parameters:,} parameters.")
    if facts.linear is not None:
        sentences.append(
            f"Cover's theory for planes of this dimension: {facts.linear.mean:.0f}, from {facts.linear.low} to "
            f"{facts.linear.high} in nine of ten draws."
        )
    return _part("capacity", "Capacity", sentences, rows)


def _rademacher(found: Findings) -> dict[str, Any]:
    title = "Empirical Rademacher complexity"
    if found.signs is None:
        return _missing("rademacher", title, found)
    one = found.signs
    row = _row("lower bound on the Rademacher complexity", one.value, one.error, f"{one.draws} draws", one.n)
    return _part("rademacher", title, [str(one)], [row])


def _certificate(facts: Facts, found: Findings) -> dict[str, Any]:
    title = "What is guaranteed"
    sentences, rows = [], []
    if facts.bound is not None:
        rows.append(_row("test error, 95 % bound by hold-out", facts.bound, None, "test examples", facts.test_error.n))
        sentences.append(
            f"By hold-out, which assumes nothing of the learner: error <= {percent(facts.bound)} with 95 % confidence "
            f"(n = {facts.test_error.n:,}), for the first of the fits to true labels."
        )
    certificate = found.certificate
    if certificate is None:
        sentences.append(f"Bounds by random labels are left out: {found.left_out.get('certificate', 'no time')}.")
        return _part("certificate", title, sentences, rows)
    for name in ("known_wrong", "rigorous", "published"):
        if one := certificate[name]:
            sentences.append(one["text"])
            rows.append(_row(f"error bound, {name.replace('_', ' ')} labels" if name == "known_wrong" else
                             f"error bound by random labels, {name}", one["bound"], None, "random labels",
                             one["points"]))  # fmt: skip
    if certificate["assumption"]:
        sentences.append(certificate["assumption"])
    else:
        sentences.append("These assume that the learner minimizes training errors exactly, which is not tested here.")
    return _part("certificate", title, sentences, rows)


def _memorized(
    subject: Subject, memory: memorization.Memorization | None, influential: memorization.Influence | None
) -> dict[str, Any]:
    title, pool = "Memorization and influence", subject.pool
    if memory is None:
        return _part("memorization", title, ["Left out: see below what the budget did not allow."], [])
    rows = [
        _row("mean memorization", memory.mean, memory.mean_error, f"{memory.draws} fits", memory.n),
        _row(f"share with a score of {memorization.MEMORIZED:g} or more", memory.share, memory.share_error,
             f"{memory.draws} fits", memory.n),
    ]  # fmt: skip
    sentences = [str(memory)]
    examples = [_example(subject, int(i), f"memorization {memory.scores[i]:.2f} ± {memory.errors[i]:.2f}")
                for i in memory.order[:SHOWN] if np.isfinite(memory.scores[i])]  # fmt: skip
    pairs = []
    if influential is not None:
        sentences.append(str(influential))
        points = test_points(pool, 0)
        for pair in influential.pairs[:SHOWN]:
            text = f"influence {pair.value:+.2f} ± {pair.error:.2f}, p = {pair.p:.2g}"
            pairs.append([_example(subject, pair.train, text), _tested(subject, int(points[pair.test]))])
    return _part("memorization", title, sentences, rows, examples=examples, pairs=pairs)


def _suspects(
    subject: Subject,
    ranking: label_errors.Ranking | None,
    held_out: NDArray[np.float64] | None,
    count: label_errors.ErrorCount | None,
    found: Findings,
    kernel: label_errors.Ranking | None,
) -> dict[str, Any]:
    title, pool = "Likely label errors", subject.pool
    if ranking is None or held_out is None:
        return _missing("suspects", title, found, "subsets")
    fits = len(found.subsets) or len(found.folds)
    sentences, rows = [f"Ranked by {ranking.method} over {fits} fits; memorization is no error detector."], []
    if count is not None:
        rows.append(_row("expected number of wrong labels", count.expected, None,
                         f"90 % interval {count.low:.0f} to {count.high:.0f}", count.n))  # fmt: skip
        sentences.append(str(count))
    others = []
    if losses := found.conditions["true-labels"][0].get("losses"):
        others.append(("the sum of the training loss", np.asarray(losses)))
    if kernel is not None:
        others.append((kernel.method, kernel.scores))
    for name, scores in others:
        known = np.isfinite(ranking.scores)
        shared = len(set(ranking.order[:SHOWN].tolist()) & set(np.argsort(-scores)[:SHOWN].tolist()))
        sentences.append(f"Of the {SHOWN} most suspect, {shared} are also among those by {name} (n = {known.sum():,}).")
    examples = []
    for i in ranking.order[:SHOWN].tolist():
        if np.isfinite(ranking.scores[i]):
            likeliest = int(np.nanargmax(held_out[i]))
            text = f"labelled {pool.label(int(pool.y[i]))}, looks like {pool.label(likeliest)}"
            if likeliest == pool.y[i]:
                text = f"labelled {pool.label(likeliest)}, the least sure"
            examples.append(_example(subject, i, f"{text} ({held_out[i, pool.y[i]]:.2f})"))
    return _part("suspects", title, sentences, rows, examples=examples)


def _critical(found: Findings, pixels: bool) -> dict[str, Any]:
    title = "Critical samples"
    if not found.critical:
        return _missing("critical", title, found)
    unit = "of the range of a pixel" if pixels else "standard deviations"
    rows = [
        _row(f"{condition}: critical within {one['radius']:g} {unit}", one["share"], one["error"],
             f"points, {one['method']}", one["n"])
        for condition, shares in found.critical.items()
        for one in shares
    ]  # fmt: skip
    method = next(iter(found.critical.values()))[0]["method"]
    text = f"Shares of points with another class nearby, lower bounds by {method}; compare conditions at equal radii."
    return _part("critical", title, [text], rows)


def _missing(id: str, title: str, found: Findings, part: str = "") -> dict[str, Any]:
    return _part(id, title, [f"Left out: {found.left_out.get(part or id, 'the budget ended before')}."], [])


def _cut(subject: Subject, found: Findings, purse: Purse, whole: int) -> list[str]:
    names = {"subsets": "memorization and label errors", "rademacher": "random signs", "critical": "critical samples"}
    cut = []
    if len(subject.pool) < whole:
        cut.append(f"{len(subject.pool):,} of {whole:,} training examples were audited, drawn at random.")
    if subject.networks is not None:
        cut.append(f"Each network takes at most {subject.networks.steps:,} steps, whatever n is.")
    if found.capacities is not None and found.capacities.exact.draws < 10:
        cut.append(f"Capacity rests on {_draws(found.capacities.exact.draws)}, not ten.")
    if found.signs is not None and found.signs.draws < 10:
        cut.append(f"The Rademacher complexity rests on {_draws(found.signs.draws)}, not ten.")
    cut += [f"{names.get(part, part)}: {reason}." for part, reason in found.left_out.items()]
    cut += [f"Of the learner: {note}." for note in found.notes if note]
    if purse.spent > 1.2 * purse.budget:
        cut.append(
            f"It took {told(purse.spent)} and not {told(purse.budget)}, as a single fit took longer than foreseen."
        )
    return cut


def _draws(count: int) -> str:
    return f"{count} draw{'s' * (count > 1)}"


def _scores(
    subject: Subject,
    memory: memorization.Memorization | None,
    ranking: label_errors.Ranking | None,
    held_out: NDArray[np.float64] | None,
    losses: Sequence[float] | None,
    kernel: label_errors.Ranking | None,
) -> pl.DataFrame:
    pool = subject.pool
    columns: dict[str, Any] = {
        "example": pool.index.astype(np.int64),
        "label": [pool.label(int(c)) for c in pool.y],
    }
    if memory is not None:
        columns |= {
            "memorization": memory.scores, "error": memory.errors, "inside": memory.inside, "outside": memory.outside,
            "times_inside": memory.times_inside,
        }  # fmt: skip
    if ranking is not None and held_out is not None:
        known = np.isfinite(held_out).all(axis=1)
        likeliest = np.where(known, np.nan_to_num(held_out).argmax(axis=1), -1)
        columns["suspicion"] = ranking.scores
        columns["predicted"] = [pool.label(int(c)) if c >= 0 else None for c in likeliest]
    if losses is not None:
        columns["loss"] = np.asarray(losses, dtype=np.float64)
    if kernel is not None:
        columns["kernel"] = kernel.scores
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None)).sort("example")


def _kernel(subject: Subject, found: Findings) -> label_errors.Ranking | None:
    """The labels ranked by exact leave-one-out of a kernel on random filters."""
    from ..theory import random_filter_grams

    if subject.pool.pictures is None:
        found.left_out["the kernel as surrogate"] = "its random filters need images"
        return None
    images = subject.pool.pictures
    gram, _ = random_filter_grams(images, images[:1], 256)
    return label_errors.rank_by_kernel(gram, subject.pool.y)


def _example(subject: Subject, i: int, text: str) -> dict[str, Any]:
    """A training example for people to look at, as a picture or a few of its values."""
    pool = subject.pool
    return {
        "example": int(pool.index[i]),
        "label": pool.label(int(pool.y[i])),
        "text": text,
        "png": None if pool.pictures is None else png(pool.pictures[i]),
        "row": None if pool.pictures is not None else _values(pool.X, i),
    }


def _tested(subject: Subject, j: int) -> dict[str, Any]:
    pool = subject.pool
    return {
        "example": int(pool.index_test[j]),
        "label": pool.label(int(pool.y_test[j])),
        "text": "test example",
        "png": None if pool.pictures_test is None else png(pool.pictures_test[j]),
        "row": None if pool.pictures_test is not None else _values(pool.X_test, j),
    }


def _values(X: Any, i: int) -> str:
    if hasattr(X, "tocsr"):
        row = X[i]
        return f"{row.nnz} of {row.shape[1]} numbers are not 0"
    if hasattr(X, "iloc"):
        return ", ".join(f"{name} {value}" for name, value in list(X.iloc[i].items())[:6])
    if hasattr(X, "row"):
        return ", ".join(f"{name} {value}" for name, value in list(X.row(i, named=True).items())[:6])
    one = X[i]
    if isinstance(one, str):
        return one[:200]
    return ", ".join(f"{value:.4g}" if isinstance(value, float | np.floating) else str(value) for value in
                     np.ravel(one)[:8])  # fmt: skip


def _charts(found: Findings, memory: memorization.Memorization | None, subject: Subject) -> dict[str, Any]:
    charts: dict[str, Any] = {}
    name = subject.given.name
    if found.capacities is not None and len(found.capacities.curve) > 1:
        curve = found.capacities.curve
        records = [{"n": point.n, "error": point.error, "labels": "random labels"} for point in curve]
        charts["capacity-curve"] = lines(
            records, "n", "error", "labels", log_x=True, y_format="%", x_title="number of random labels",
            y_title="training error", title=f"How many random labels {name} fits",
            subtitle=f"training error, mean of {curve[0].draws} draws",
        )  # fmt: skip
    if memory is not None:
        known = np.sort(memory.scores[np.isfinite(memory.scores)])[::-1]
        places = np.unique(np.linspace(0, len(known) - 1, 200).astype(int))
        records = [
            {"share": float((i + 1) / len(known)), "score": float(known[i]), "of": "training examples"} for i in places
        ]
        charts["memorization-curve"] = lines(
            records, "share", "score", "of", x_format="%", x_title="share of the training examples",
            y_title="memorization", dots=False, title=f"How much {name} memorizes of each label",
            subtitle=f"n = {memory.n:,}, sorted, {memory.draws} fits to subsets; single scores are known to about "
            f"{float(np.nanmedian(memory.errors)):.2f} (SE)",
        )  # fmt: skip
    if len(found.critical) > 1:
        records = [
            {"radius": one["radius"], "share": one["share"], "condition": condition}
            for condition, shares in found.critical.items()
            for one in shares
        ]
        charts["critical-shares"] = lines(
            records, "radius", "share", "condition", log_x=True, y_format="%", x_title="radius",
            y_title="critical training points", title="Points with another class nearby",
            subtitle=f"{name}, {next(iter(found.critical.values()))[0]['n']} points, a lower bound",
        )  # fmt: skip
    return charts
