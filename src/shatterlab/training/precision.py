"""How exactly numbers are multiplied: as they are, or rounded to TensorFloat-32 or bfloat16."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

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


def rounding(device: torch.device, bf16: bool) -> AbstractContextManager[object]:
    """bfloat16 autocast where wanted; weights cast in a recorded step are not kept for a later one."""
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if bf16 else nullcontext()
