"""Charts of more than fits into a chart."""

import json
import re
from itertools import combinations, pairwise
from pathlib import Path

import polars as pl
import pytest

import shatterlab
from shatterlab.figures.curves import best_so_far, loss_curves, online_accuracy
from shatterlab.figures.lines import lines
from shatterlab.figures.rows import accuracy_rows
from shatterlab.figures.style import (
    CONDITION_COLOURS,
    END_GAP,
    FEWEST_FOR_A_LINE,
    GREY,
    MODEL_COLOURS,
    MOST_ROWS,
    ON_DARK,
    end_names,
    thinned,
)
from shatterlab.figures.timeline import losses_by, memorization_timeline
from shatterlab.figures.trends import trend

EPOCHS, SEEDS = 150, 100
MANY = pl.DataFrame(
    [
        {"run_id": f"{name}-{seed}", "run": f"{name}-{seed}", "name": name, "model": name, "corruption": name, "condition": name, "corrupted_fitted": 0.5, "seed": seed,
         "epoch": epoch, "step": 10 * epoch, "online_loss": 2.0 / epoch, "online_accuracy": 0.5, "test_accuracy": 0.4,
         "amount": epoch / EPOCHS, "test": 0.4, "source": "measured", "row": "none", "where": "here"}
        for name in ("true-labels", "random-labels") for seed in range(SEEDS) for epoch in range(1, EPOCHS + 1)
    ]
)  # fmt: skip
WORDS = {"title": "t", "subtitle": "s"}
CHARTS = {
    "losses by condition": lambda: losses_by("condition", MANY, **WORDS),
    "memorization": lambda: memorization_timeline(MANY, **WORDS),
    "loss curves": lambda: loss_curves(MANY, **WORDS),
    "online accuracy": lambda: online_accuracy(MANY, **WORDS),
    "best so far": lambda: best_so_far(MANY, **WORDS),
    "lines": lambda: lines(MANY.to_dicts(), "step", "online_loss", "name", **WORDS),
    "trend": lambda: trend(MANY, "online_loss", y_title="y", **WORDS),
    "rows": lambda: accuracy_rows(MANY, order=["none"], chance=0.1, **WORDS),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_thirty_thousand_rows_is_drawn_from_a_few_thousand(name: str) -> None:
    drawn = CHARTS[name]().to_dict()
    assert len(json.dumps(drawn)) < 3_000_000
    assert all(len(rows) < 5_000 for rows in drawn["datasets"].values())


def test_a_thinned_curve_keeps_its_ends() -> None:
    kept = thinned(MANY, "run_id")
    assert len(kept) <= 1.1 * MOST_ROWS
    for _, curve in kept.group_by("run_id"):
        assert curve["epoch"].min() == 1
        assert curve["epoch"].max() == EPOCHS
    few = MANY.head(MOST_ROWS)
    assert thinned(few, "run_id").equals(few)


def test_a_mean_is_of_all_rows_though_few_are_drawn() -> None:
    rows = [{"x": 1.0, "y": float(i), "by": "a"} for i in range(9_001)]
    drawn = lines(rows, "x", "y", "by", **WORDS).to_dict()
    assert [{"by": "a", "x": 1.0, "y": 4_500.0}] in drawn["datasets"].values()


def marks(drawn: dict, kind: str) -> list[list[dict]]:
    """The rows of each layer that draws marks of a kind."""
    layers = drawn.get("layer", [drawn])
    shared = drawn.get("data", {}).get("name")
    return [
        drawn["datasets"][layer.get("data", {}).get("name", shared)]
        for layer in layers
        if layer["mark"]["type"] == kind
    ]


def luminance(colour: str) -> float:
    """The relative luminance of the Web Content Accessibility Guidelines, 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def papers() -> tuple[str, str]:
    """The background of the page while it is light and while it is dark."""
    css = (Path(shatterlab.__file__).parent / "report" / "page.css").read_text()
    light, dark = re.findall(r"--paper: (#[0-9a-fA-F]{3,6})", css)[:2]
    return tuple("#" + "".join(2 * c for c in colour[1:]) if len(colour) == 4 else colour for colour in (light, dark))


@pytest.mark.parametrize("colour", ON_DARK)
def test_every_colour_stands_out_four_to_one_from_the_page_in_both_themes(colour: str) -> None:
    light, dark = papers()
    assert contrast(colour, light) >= 4
    assert contrast(ON_DARK[colour], dark) >= 4


def test_the_page_has_a_dark_colour_for_every_colour_of_a_chart() -> None:
    sources = (Path(shatterlab.__file__).parent).rglob("*.py")
    named = {match for path in sources for match in re.findall(r"\"(#[0-9A-Fa-f]{6})\"", path.read_text())}
    assert named == {*ON_DARK, *ON_DARK.values()}
    assert {*CONDITION_COLOURS.values(), *MODEL_COLOURS, GREY} <= set(ON_DARK)


def test_the_curve_of_true_labels_is_not_the_palest() -> None:
    light, dark = papers()
    for paper, shown in ((light, {colour: colour for colour in ON_DARK}), (dark, ON_DARK)):
        contrasts = {name: contrast(shown[colour], paper) for name, colour in CONDITION_COLOURS.items()}
        assert contrasts["true-labels"] > min(contrasts.values())


def fading(lasts: dict[str, int]) -> pl.DataFrame:
    """Runs whose loss is 1 / epoch, each with its number of epochs of ten steps."""
    rows = [
        {"run_id": name, "corruption": name, "seed": 0, "epoch": epoch, "step": 10 * epoch, "online_loss": 1 / epoch, "online_accuracy": 0.5}
        for name, last in lasts.items() for epoch in range(1, last + 1)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def test_a_dot_marks_the_first_epoch_with_a_loss_of_a_tenth() -> None:
    drawn = loss_curves(fading({"true-labels": 12, "random-labels": 9}), **WORDS).to_dict()
    ((dot,),) = marks(drawn, "point")
    assert (dot["corruption"], dot["step"]) == ("true-labels", 100)


def test_the_empty_right_part_of_the_loss_curves_is_cut_and_the_subtitle_says_so() -> None:
    drawn = loss_curves(fading({"true-labels": 100, "random-labels": 30}), **WORDS).to_dict()
    (rows,) = marks(drawn, "line")
    assert max(row["step"] for row in rows) == 110
    assert "cut at step 112" in drawn["title"]["subtitle"]


def test_loss_curves_that_never_fall_are_drawn_whole_without_dots() -> None:
    drawn = loss_curves(fading({"true-labels": 9}), **WORDS).to_dict()
    assert marks(drawn, "point") == []
    assert len(marks(drawn, "line")[0]) == 9


@pytest.mark.parametrize("places", [1, 2, 3, 6])
def test_no_line_goes_through_fewer_than_three_places(places: int) -> None:
    records = [{"x": float(x), "y": float(x + seed), "by": "a"} for x in range(1, places + 1) for seed in range(2)]
    runs = pl.DataFrame([{"model": "a", "amount": r["x"] / 10, "seed": 0, "y": r["y"]} for r in records[::2]])
    for drawn in (lines(records, "x", "y", "by", **WORDS).to_dict(), trend(runs, "y", y_title="y", **WORDS).to_dict()):
        assert bool(marks(drawn, "line")) == (places >= FEWEST_FOR_A_LINE)
        assert len(marks(drawn, "point")[0]) >= places
        assert all(rows for rows in drawn["datasets"].values())


def test_a_band_on_a_logarithmic_axis_stays_above_zero_and_is_as_high_as_deep() -> None:
    records = [{"x": float(x), "y": y, "by": "a"} for x in (1, 2, 3) for y in (0.01, 100.0)]
    (band,) = marks(lines(records, "x", "y", "by", log_y=True, **WORDS).to_dict(), "area")
    mean = 50.005
    for row in band:
        assert 0 < row["low"] < mean < row["high"]
        assert mean / row["low"] == pytest.approx(row["high"] / mean)


def test_the_axis_of_a_ratio_begins_at_one_and_lower_where_a_ratio_is_lower() -> None:
    for least, begins in ((1.0, 1), (0.5, 0.5)):
        runs = pl.DataFrame({"model": ["a"] * 3, "amount": [0.0, 0.5, 1.0], "seed": [0] * 3, "y": [least, 2.0, 3.0]})
        drawn = trend(runs, "y", y_title="y", base=1, **WORDS).to_dict()
        assert all(layer["encoding"]["y"]["scale"]["domainMin"] == begins for layer in drawn["layer"])


def ending(ends: dict[str, float]) -> pl.DataFrame:
    return pl.DataFrame([{"by": n, "x": float(x), "y": end * x / 3} for n, end in ends.items() for x in (1, 2, 3)])


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    places = end_names(ending({"a": 1.0, "b": 1.01, "c": 0.5}), "by", "x", "y")
    assert places is not None
    assert places["x"].to_list() == [3.0] * 3
    height = 1.01
    assert all(b - a >= END_GAP * height * 0.999 for a, b in pairwise(sorted(places["y"])))


@pytest.mark.parametrize(
    "rows",
    [
        ending({"alone": 1.0}),
        ending({str(i): float(i) for i in range(9)}),
        ending({"a": 1.0, "b": 1.001, "c": 1.002, "d": 1.003, "e": 1.004}).with_columns(pl.col("y") * 0 + pl.lit(1.0)),
        pl.concat([ending({"a": 1.0, "b": 2.0}), ending({"c": 3.0}).with_columns(pl.col("x") / 3)]),
        ending({"a": 1.0, "b": 2.0}).filter(pl.col("x") > 1),
    ],
    ids=["one line", "many", "flat", "one ends early", "two places"],
)
def test_a_legend_names_the_lines_where_their_ends_leave_no_room(rows: pl.DataFrame) -> None:
    assert end_names(rows, "by", "x", "y") is None
    names = rows["by"].n_unique()
    drawn = lines(rows.to_dicts(), "x", "y", "by", **WORDS).to_dict()
    legends = [layer["encoding"]["color"]["legend"] for layer in drawn["layer"] if "color" in layer["encoding"]]
    assert all((legend is not None) == (names > 1) for legend in legends)


def test_colours_of_two_conditions_differ() -> None:
    assert all(a != b for a, b in combinations(CONDITION_COLOURS.values(), 2))
    assert all(a != b for a, b in combinations(ON_DARK.values(), 2))
