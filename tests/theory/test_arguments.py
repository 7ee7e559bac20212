"""Numbers handed to the functions of `theory`: text, NaN, truth values and what is out of range never give a result."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shatterlab.theory import (
    KernelInterpolator,
    MinimumNormRegressor,
    blind_deconvolution,
    decompose,
    deep_relu_interpolator,
    descend,
    descend_factored,
    gabor_features,
    matrix_completion,
    minimum_nuclear_norm,
    phase_retrieval,
    random_filters,
    random_relu_features,
    ridge_path,
    sensing_problem,
)

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 10)), RNG.standard_normal(8)
SENSED = sensing_problem(4, 1, 10)
PICTURES = RNG.integers(256, size=(2, 8, 8, 1), dtype=np.uint8)

NUMBERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "kernel ridge": (lambda v: KernelInterpolator(ridge=v).fit(X, Y), "ridge must be a finite number"),
    "kernel gamma": (lambda v: KernelInterpolator(gamma=v).fit(X, Y), "gamma must be a finite number"),
    "tolerance": (lambda v: KernelInterpolator(solver="cg", tolerance=v).fit(X, Y), "tolerance must be a"),
    "ridge": (lambda v: MinimumNormRegressor(ridge=v).fit(X, Y), "ridge must be a finite number"),
    "path": (lambda v: ridge_path(X, Y[:, None], [0.0, v]), "each ridge must be a finite number"),
    "rate": (lambda v: next(descend(X, Y, steps=1, learning_rate=v)), "learning_rate must be a finite number"),
    "factored rate": (lambda v: descend_factored(SENSED, 0.1, learning_rate=v, max_steps=2), "learning_rate must be"),
    "factored start": (lambda v: descend_factored(SENSED, v, max_steps=2), "start must be a finite number"),
    "factored": (lambda v: descend_factored(SENSED, 0.1, tolerance=v, max_steps=2), "tolerance must be a finite"),
    "nuclear": (lambda v: minimum_nuclear_norm(SENSED, tolerance=v, max_steps=2), "tolerance must be a finite"),
    "noise": (lambda v: decompose(2, noise=v, n=5, repeats=3, points=3), "noise must be a finite number"),
    "wavelength": (lambda v: gabor_features(PICTURES, wavelengths=[v]), "each wavelength must be a finite number"),
    "phase": (lambda v: phase_retrieval(4, iterations=2, step=v), "step must be a finite number"),
    "completion": (lambda v: matrix_completion(8, 1, v, iterations=2), "observed"),
    "deconvolution": (lambda v: blind_deconvolution(3, iterations=2, step=v), "step must be a finite number"),
}
COUNTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "iterations": (lambda v: KernelInterpolator(max_iterations=v).fit(X, Y), "max_iterations must be a whole number"),
    "steps": (lambda v: next(descend(X, Y, steps=v)), "steps must be a whole number"),
    "batch": (lambda v: next(descend(X, Y, steps=1, batch_size=v)), "batch_size must be a whole number"),
    "features": (lambda v: random_relu_features(X, v), "count must be a whole number"),
    "filters": (lambda v: random_filters(PICTURES, v), "count must be a whole number"),
    "factored": (lambda v: descend_factored(SENSED, 0.1, max_steps=v), "max_steps must be a whole number"),
    "nuclear": (lambda v: minimum_nuclear_norm(SENSED, max_steps=v), "max_steps must be a whole number"),
    "sensing": (lambda v: sensing_problem(v, 1, 3), "n must be a whole number"),
    "degree": (lambda v: decompose(v, n=5, repeats=3, points=3), "degree must be a whole number"),
    "depth": (lambda v: deep_relu_interpolator(X, Y, v), "depth, in layers of weights, must be a whole number"),
    "stride": (lambda v: gabor_features(PICTURES, stride=v), "stride must be a whole number"),
    "orientations": (lambda v: gabor_features(PICTURES, orientations=v), "orientations must be a whole number"),
    "unknowns": (lambda v: phase_retrieval(v, iterations=2), "n must be a whole number"),
}


@pytest.mark.parametrize("wrong", [np.nan, np.inf, "1", True, 1j, [1.0], -1], ids=repr)
@pytest.mark.parametrize("use", NUMBERS)
def test_a_number_that_is_none_or_out_of_range_is_refused_with_a_sentence(use: str, wrong) -> None:
    compute, sentence = NUMBERS[use]
    with pytest.raises(ValueError, match=sentence):
        compute(wrong)


@pytest.mark.parametrize("wrong", [np.nan, 2.5, "3", True, None, -1], ids=repr)
@pytest.mark.parametrize("use", COUNTS)
def test_a_count_that_is_no_whole_number_is_refused_with_a_sentence(use: str, wrong) -> None:
    compute, sentence = COUNTS[use]
    if wrong is None and use == "batch":
        pytest.skip("None stands for the whole training set")
    with pytest.raises(ValueError, match=sentence):
        compute(wrong)


@pytest.mark.parametrize("use", NUMBERS)
def test_numbers_of_numpy_are_as_good_as_pythons(use: str) -> None:
    NUMBERS[use][0](np.float32(0.5))
    COUNTS["features"][0](np.int64(2))


@pytest.mark.parametrize("size", [1e155, 1e-155, 1e300, 1e-300])
@pytest.mark.parametrize("estimator", [MinimumNormRegressor, KernelInterpolator])
def test_the_norm_grows_with_the_targets_whatever_their_size(estimator, size: float) -> None:
    assert estimator().fit(X, Y * size).norm_ / size == pytest.approx(estimator().fit(X, Y).norm_, rel=1e-12)
