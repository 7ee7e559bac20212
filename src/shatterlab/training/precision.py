"""How a GPU multiplies float32 numbers: as they are, or rounded to TensorFloat-32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Sets what products and convolutions on a GPU may do to float32 operands, and puts it back.

    torch rounds the operands of convolutions to ten bits by default where the hardware is faster with these
    (TF32), and those of products not. Here both follow the run: only `tf32` rounds. The processor's float32 is
    always exact. Shapes are the same in every step, so that cuDNN may try which of its algorithms is the fastest.

    Args:
        precision: of the spec.
    """
    matrices, convolutions, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn  # type: ignore[attr-defined]
    before = matrices.fp32_precision, convolutions.fp32_precision, cudnn.benchmark
    matrices.fp32_precision = convolutions.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    cudnn.benchmark = True
    try:
        yield
    finally:
        matrices.fp32_precision, convolutions.fp32_precision, cudnn.benchmark = before
