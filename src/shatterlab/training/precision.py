"""The precision of products: their operands stay float32, or are rounded to TensorFloat-32 or bfloat16."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from ..errors import ShatterlabError


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Sets whether products and convolutions on a GPU may round float32 operands, for the length of a block.

    By default torch rounds the operands of convolutions to ten bits where the hardware is faster with these (TF32),
    but does not round those of matrix products. Here both follow the run: only `tf32` rounds.

    Args:
        precision: the dial `precision` of the spec.
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
    """Lets cuDNN try which of its algorithms is the fastest for each shape, since training steps have few shapes."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def check_precision(precision: str, device: torch.device) -> None:
    """Refuses a precision that a device does not have.

    Raises:
        ShatterlabError: the precision is TF32 and the device is a processor.
    """
    if precision == "tf32" and device.type == "cpu":
        raise ShatterlabError("precision tf32 needs a CUDA device; on the CPU use --precision float32 or bf16.")


def rounding(device: torch.device, bf16: bool) -> AbstractContextManager[object]:
    """Returns bfloat16 autocast if asked for; weights cast in one captured step are not kept for a later one."""
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False) if bf16 else nullcontext()
