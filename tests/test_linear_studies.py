"""What the studies of linear models and kernels compute, against second routes."""

import numpy as np
import pytest

from shatterlab.data import load
from shatterlab.studies.kernel_fits import gaussian
from shatterlab.studies.linear_fits import LEAST, LOSSES, OPTIMUM, SOFT, compare_curvatures, follow, signs, standardized
from shatterlab.studies.one_kernel import CENTRES, MORE, RANDOM_LABELS, SPREAD, error_above_least, interpolants
from shatterlab.studies.statistics import over_seeds, over_seeds_and_examples, paired_difference


@pytest.mark.parametrize(("loss", "beta"), [("log-cosh", 1.0), ("logistic", SOFT * (1 - SOFT))])
def test_curvature_at_optima_is_that_of_the_papers_formula(loss: str, beta: float) -> None:
    """X' diag(beta) X / n with equal beta: directions are scaled so that v'X'Xv / n = 1, which leaves beta itself."""
    records = {r["point"]: r for r in compare_curvatures(load("digits"), 20, loss, seed=0)}
    for point in OPTIMUM:
        assert records[point]["excess_loss"] == pytest.approx(0, abs=1e-15)
        np.testing.assert_allclose(records[point]["curvatures"], beta, rtol=1e-5)
    np.testing.assert_allclose(records[OPTIMUM[1]]["curvatures"], records[LEAST]["curvatures"], rtol=1e-7)
    assert records[OPTIMUM[1]]["norm"] == pytest.approx(2**0.5 * records[LEAST]["norm"])


def test_curvature_elsewhere_is_that_of_the_formula_with_another_beta() -> None:
    at_zero = {"log-cosh": 1 / np.cosh(1) ** 2, "logistic": 0.25}
    for loss, beta in at_zero.items():
        records = {r["point"]: r for r in compare_curvatures(load("digits"), 20, loss, seed=1)}
        np.testing.assert_allclose(records["zero weights"]["curvatures"], beta, rtol=1e-5)
        assert min(abs(c / beta - 1) for c in records["random weights"]["curvatures"]) > 0.01


def test_each_general_loss_is_least_at_its_best_output() -> None:
    outputs = np.linspace(-4, 4, 8_001)
    for of_outputs, best in LOSSES.values():
        for target in (-1.0, 1.0):
            losses = of_outputs(outputs, target)
            assert outputs[losses.argmin()] == pytest.approx(best * target, abs=1e-3)
            assert losses.min() == pytest.approx(0, abs=1e-6)


def test_descent_from_a_random_start_ends_at_its_projection_and_not_at_the_least_norm() -> None:
    data = load("digits")
    end = follow(data, 10, 2_000, None, "random", 0)[-1]
    X, _, subset = standardized(data, 10, 1, 0)
    assert end["to_limit"] < 0.01 < 0.5 < end["to_least_norm"]
    least = np.linalg.lstsq(X, signs(subset.train.labels, 10), rcond=None)[0]
    assert end["least_norm"] == pytest.approx(float(np.linalg.norm(least)))


def test_discordant_test_points_add_up_to_the_difference_of_errors() -> None:
    bare, ridged = gaussian(load("digits"), "pixels", 150, 200, "float64", 0)
    assert (bare["ridge"], ridged["ridge"]) == ("none", "chosen")
    lead = (ridged["only_bare_right"] - ridged["only_ridge_right"]) / bare["tested"]
    assert ridged["test_error"] - bare["test_error"] == pytest.approx(lead)
    assert 0.1 <= bare["majority"] < 0.2


def test_interpolants_of_one_kernel_fit_the_same_points_and_have_larger_norms_than_the_least() -> None:
    records = interpolants(load("digits"), "pixels", 80, [200], 100, "float64", 0)
    assert [(r["interpolant"], r["n"]) for r in records] == [
        (LEAST, 80),
        (MORE, 200),
        (RANDOM_LABELS, 80),
        (CENTRES, 80),
    ]
    least, *others = records
    assert all(r["train_error"] == 0 and r["residual"] < 1e-4 for r in records)
    assert all(r["norm"] > least["norm"] for r in others)
    assert len({r["gamma"] for r in records}) == 1
    for r in records:
        change = (r["only_least_right"] - r["only_this_right"]) / r["tested"]
        assert r["test_error"] - least["test_error"] == pytest.approx(change)
    assert records[2]["test_error"] > 0.7  # ten classes guessed


def test_an_error_from_counts_is_that_of_the_examples_themselves() -> None:
    rng = np.random.default_rng(0)
    rights = [(rng.random(500) < 0.8, rng.random(500) < 0.7) for _ in range(3)]
    runs = [
        {"only_least_right": int((a & ~b).sum()), "only_this_right": int((b & ~a).sum()), "tested": 500}
        for a, b in rights
    ]
    one, three = error_above_least(runs[:1]), error_above_least(runs)
    first, second = (np.stack([pair[i] for pair in rights]) for i in (0, 1))
    expected = paired_difference(first[:1], second[:1])
    assert one.value == pytest.approx(expected.value)
    assert one.error == pytest.approx((expected.error**2 + 2 * SPREAD**2) ** 0.5)
    assert three.value == pytest.approx(paired_difference(first, second).value)


def test_an_estimate_over_seeds_and_examples_has_both_errors() -> None:
    values, variances = [0.1, 0.2, 0.3], [4e-4, 5e-4, 6e-4]
    both, seeds = over_seeds_and_examples(values, variances, 1_000), over_seeds(values)
    assert both.value == pytest.approx(0.2)
    assert both.error**2 == pytest.approx(seeds.error**2 + 5e-4)
    assert 2 < both.degrees < 1_000
    one = over_seeds_and_examples([0.1], [4e-4], 1_000)
    assert (one.value, one.error, one.degrees, one.seeds) == (0.1, pytest.approx(0.02), 999, 1)
