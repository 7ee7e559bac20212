"""How exactly numbers are multiplied: as they are, or rounded to TensorFloat-32 or bfloat16."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from ..errors import ShatterlabError


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Sets what products and convolutions on a GPU may do to float32 operands, and puts it back.

    torch rounds the operands of convolutions to ten bits by default where the hardware is faster with these
    (TF32), and those of products not. Here both follow the run: only `tf32` rounds.

    Args:
        precision: of the spec.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


@contextmanager
def steady_shapes() -> Iterator[None]:
    """Lets cuDNN try which of its algorithms is the fastest for each shape: of steps there are few shapes."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def check_precision(precision: str, device: torch.device) -> None:
    """Whether a device multiplies as asked.

    Raises:
        ShatterlabError: TF32 on a processor.
    """
    if precision == "tf32" and device.type == "cpu":
        raise ShatterlabError("precision tf32 needs a CUDA device; on the CPU use --precision float32 or bf16.")


def rounding(device: torch.device, bf16: bool) -> AbstractContextManager[object]:
    """bfloat16 autocast where wanted; weights cast in a captured step are not kept for a later one."""
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if bf16 else nullcontext()
