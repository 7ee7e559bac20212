"""Matrix products of perceptrons, by the faster of the two libraries that torch carries.

torch multiplies float32 matrices on the CPU with Intel's MKL, which on other makers' processors keeps to AVX2
instructions. oneDNN, with which torch convolves, uses AVX-512 wherever the processor has it: on an AMD EPYC it
multiplies twice as fast (bench/epoch.py, NOTEBOOK.md). Which of the two serves a product follows from processor and
shape alone and never from a timing, so that a run which is taken up again ends with the same bits.

All operands have a first dimension for the runs of a stack, and activations have the shape (runs, features, batch), so
that the largest products, those with the pixels, need no transposed copy of their result.
"""

from functools import cache

import torch

from ..machine import vendor

LARGE = 4e6
"""From this many operations on a product is worth oneDNN's longer way into the kernel (NOTEBOOK.md)."""


@cache
def onednn_is_faster() -> bool:
    """Tells whether MKL leaves this processor's AVX-512 unused and oneDNN can be called."""
    try:
        torch.ops.mkldnn._linear_pointwise  # noqa: B018
    except AttributeError:
        return False
    return (
        vendor() not in ("", "GenuineIntel")
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and torch.backends.mkldnn.is_available()
    )


def forward(weight: torch.Tensor, bias: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Returns the output of a linear layer, weight inputs + bias, for each run.

    Args:
        weight: (runs, out, in).
        bias: (runs, out).
        inputs: (runs, in, batch).

    Returns:
        (runs, out, batch), contiguous.
    """
    if by_onednn(weight, inputs):
        outputs = weight.new_empty(*weight.shape[:2], inputs.shape[2])
        for w, b, x, out in zip(weight, bias, inputs, outputs, strict=True):
            torch.add(_times_transposed(w, x.t()), b[:, None], out=out)
        return outputs
    if len(weight) == 1:
        return torch.addmm(bias[0][:, None], weight[0], inputs[0])[None]
    return torch.baddbmm(bias[:, :, None], weight, inputs)


def backward(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Returns weight' gradient, (runs, in, batch), from (runs, out, in) and (runs, out, batch)."""
    if by_onednn(weight, gradient):
        outputs = weight.new_empty(len(weight), weight.shape[2], gradient.shape[2])
        for w, g, out in zip(weight, gradient, outputs, strict=True):
            out.copy_(_times_transposed(g.t(), w.t()).t())
        return outputs
    return _product(weight.transpose(1, 2), gradient)


def accelerate(velocity: torch.Tensor, momentum: float, gradient: torch.Tensor, inputs: torch.Tensor) -> None:
    """Sets v <- momentum v + gradient inputs' in place: (runs, out, in) from (runs, out, batch) and (runs, in, batch).

    MKL adds the product to the velocity in the same pass over memory and never stores it. A float32 velocity takes
    bfloat16 operands as well.
    """
    if by_onednn(velocity, gradient):
        for v, g, x in zip(velocity, gradient, inputs, strict=True):
            torch.add(_times_transposed(g, x), v, alpha=momentum, out=v)
    elif gradient.dtype != velocity.dtype:
        torch.add(_product(gradient, inputs.transpose(1, 2)), velocity, alpha=momentum, out=velocity)
    elif len(velocity) == 1:
        velocity[0].addmm_(gradient[0], inputs[0].t(), beta=momentum)
    else:
        velocity.baddbmm_(gradient, inputs.transpose(1, 2), beta=momentum)


def weight_gradient(gradient: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Returns gradient inputs' by oneDNN for a single run: (1, out, in) from (1, out, batch) and (1, in, batch)."""
    return _times_transposed(gradient[0], inputs[0])[None]


def _product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return (left[0] @ right[0])[None] if len(left) == 1 else left @ right


def by_onednn(weight: torch.Tensor, inputs: torch.Tensor) -> bool:
    """Tells whether oneDNN multiplies these matrices, one run after another."""
    _, rows, columns = weight.shape
    if 2 * rows * columns * inputs.shape[2] < LARGE:
        return False
    return inputs.device.type == "cpu" and weight.dtype == inputs.dtype == torch.float32 and onednn_is_faster()


def _times_transposed(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Returns left right' of two matrices by oneDNN."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")
    return product
