"""The paper's theorems and linear algebra as functions of numpy arrays and as estimators in scikit-learn's style.

The names are loaded when first used, so that importing the package imports neither scipy nor scikit-learn.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bias_variance import decompose
    from .deep_relu import DeepReLU, deep_relu_interpolator
    from .gabor import gabor_bank, gabor_features
    from .kernels import KernelInterpolator
    from .matrix_factorization import descend_factored, minimum_nuclear_norm, sensing_problem
    from .minimum_norm import MinimumNormRegressor, curvature, descend, span_angle
    from .nonconvex import blind_deconvolution, matrix_completion, phase_retrieval
    from .patch_filters import pooled_activations, random_filter_grams, random_filters
    from .ramps import RampFacts, ramp_facts, ramp_matrix
    from .random_features import random_relu_features, ridge_path
    from .relu_interpolation import ReLUInterpolator

__all__ = [
    "DeepReLU",
    "KernelInterpolator",
    "MinimumNormRegressor",
    "RampFacts",
    "ReLUInterpolator",
    "blind_deconvolution",
    "curvature",
    "decompose",
    "deep_relu_interpolator",
    "descend",
    "descend_factored",
    "gabor_bank",
    "gabor_features",
    "matrix_completion",
    "minimum_nuclear_norm",
    "phase_retrieval",
    "pooled_activations",
    "ramp_facts",
    "ramp_matrix",
    "random_filter_grams",
    "random_filters",
    "random_relu_features",
    "ridge_path",
    "sensing_problem",
    "span_angle",
]

_HOMES = {
    "DeepReLU": "deep_relu",
    "KernelInterpolator": "kernels",
    "MinimumNormRegressor": "minimum_norm",
    "RampFacts": "ramps",
    "ReLUInterpolator": "relu_interpolation",
    "blind_deconvolution": "nonconvex",
    "curvature": "minimum_norm",
    "decompose": "bias_variance",
    "deep_relu_interpolator": "deep_relu",
    "descend": "minimum_norm",
    "descend_factored": "matrix_factorization",
    "gabor_bank": "gabor",
    "gabor_features": "gabor",
    "matrix_completion": "nonconvex",
    "minimum_nuclear_norm": "matrix_factorization",
    "phase_retrieval": "nonconvex",
    "pooled_activations": "patch_filters",
    "ramp_facts": "ramps",
    "ramp_matrix": "ramps",
    "random_filter_grams": "patch_filters",
    "random_filters": "patch_filters",
    "random_relu_features": "random_features",
    "ridge_path": "random_features",
    "sensing_problem": "matrix_factorization",
    "span_angle": "minimum_norm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shatterlab.theory' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
