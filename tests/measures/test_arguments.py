"""Numbers handed to the measures: a bound that rests on an error of 7.5 or on one class is no bound, so it is refused."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shatterlab.measures import bounds, capacity, certificate, label_errors, linear, memorization, rademacher

LABELS = np.arange(12) % 3
PUBLISHED = {"clean_error": 0.1, "random_error": 0.8, "n": 200, "m": 100, "k": 10}
WRONG_LABELS = {"fitted": 5, "m_wrong": 100, "k": 10}

FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "held_out": (bounds.held_out, {"wrong": 3, "m": 100, "delta": 0.05}),
    "without_deviation": (bounds.without_deviation, {"clean_error": 0.1, "random_error": 0.8, "k": 10}),
    "published": (bounds.published, PUBLISHED | {"delta": 0.05}),
    "rigorous": (bounds.rigorous, PUBLISHED | {"delta": 0.05}),
    "known_wrong_labels": (bounds.known_wrong_labels, WRONG_LABELS | {"delta": 0.05}),
    "by_held_out": (certificate.by_held_out, {"wrong": 3, "m": 100, "k": 10, "delta": 0.05}),
    "by_known_wrong_labels": (certificate.by_known_wrong_labels, WRONG_LABELS | {"delta": 0.05}),
    "by_random_labels": (certificate.by_random_labels, PUBLISHED | {"delta": 0.05}),
    "relabelling": (lambda **v: certificate.request(LABELS, **v), {"relabelled": 0.3, "held": 0.2, "seed": 0}),
    "capacity": (
        lambda total, **v: next(capacity.requests(total, **v)),
        {"total": 20, "k": 2, "draws": 1, "tolerance": 0.1, "resolution": 0.1, "curve_draws": 1, "fresh": 1, "seed": 0},
    ),
    "grid": (capacity.grid, {"total": 20, "ratio": 2.0}),
    "dichotomies": (linear.dichotomies, {"n": 5, "d": 3}),
    "separable_share": (linear.separable_share, {"n": 100, "d": 3}),
    "linear_capacity": (linear.linear_capacity, {"d": 3}),
    "sign_error": (linear.sign_error, {"n": 10, "d": 3}),
    "sign_capacity": (linear.sign_capacity, {"d": 3, "tolerance": 0.1}),
    "subsets": (memorization.requests, {"n": 12, "draws": 4, "share": 0.7, "seed": 0}),
    "folds": (lambda **v: label_errors.requests(LABELS, **v), {"folds": 3, "seed": 0}),
    "signs": (rademacher.requests, {"n": 12, "draws": 2, "seed": 0}),
    "one_draw_spread": (rademacher.one_draw_spread, {"n": 12, "delta": 0.05}),
    "linear_upper_bound": (lambda norm: rademacher.linear_upper_bound(np.eye(2), norm), {"norm": 1.0}),
}
ARGUMENTS = [(name, argument) for name, (_, intact) in FUNCTIONS.items() for argument in intact]


def written(value: Any) -> str:
    """A value as Python writes it, numbers of numpy as those of Python."""
    return re.sub(r"np\.\w+\(([\w.+-]+)\)", r"\1", repr(value))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_in_range_are_taken_of_numpy_too(name: str) -> None:
    function, intact = FUNCTIONS[name]
    small = {a: np.uint8(v) if isinstance(v, int) and v < 256 else np.array(v)[()] for a, v in intact.items()}
    assert written(function(**small)) == written(function(**intact))


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_what_is_no_number_in_range_gives_no_bound_but_a_sentence_with_its_name(name: str, argument: str) -> None:
    function, intact = FUNCTIONS[name]
    for wrong in (None, "1", True, np.nan, np.inf, -1, -0.5, 1j, [1], np.zeros(3)):
        with pytest.raises(ValueError, match=rf"^{argument} must "):
            function(**intact | {argument: wrong})


@pytest.mark.parametrize(
    ("name", "argument", "wrong"),
    [
        ("held_out", "wrong", 101),
        ("published", "clean_error", 7.5),
        ("rigorous", "random_error", 1.1),
        ("published", "k", 1),
        ("known_wrong_labels", "fitted", 101),
        ("known_wrong_labels", "delta", 1),
        ("sign_capacity", "tolerance", 0.5),
        ("relabelling", "held", 1.0),
        ("capacity", "tolerance", 10),
        ("grid", "ratio", 1.0),
    ],
)
def test_what_lies_beyond_the_other_end_is_refused_as_well(name: str, argument: str, wrong) -> None:
    function, intact = FUNCTIONS[name]
    with pytest.raises(ValueError, match=rf"^{argument} must "):
        function(**intact | {argument: wrong})


def test_a_table_with_numbers_that_are_not_finite_has_no_bound() -> None:
    for wrong in (np.zeros(3), np.zeros((0, 2)), np.array([[np.nan]])):
        with pytest.raises(ValueError, match="table of finite numbers"):
            rademacher.linear_upper_bound(wrong, 1.0)
