"""Everything a run needs to go on, in one file that is replaced atomically: safetensors, no pickle."""

import os
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import nn

from ..errors import ShatterlabError
from .optimizer import MomentumSGD


def save(path: Path, model: nn.Module, optimizer: MomentumSGD, epoch: int) -> None:
    """Writes weights, buffers and velocities; a crash leaves the old file or the new one, never a mixture.

    Args:
        path: the file.
        model: its state, under `model/`.
        optimizer: its velocities, under `velocity/`.
        epoch: finished epochs.

    Raises:
        OSError: the disk is full or the folder closed; the old file is untouched.
    """
    tensors = {f"model/{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    tensors |= {f"velocity/{i}": tensor.contiguous() for i, tensor in enumerate(optimizer.velocities)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(to_bytes(tensors, {"epoch": str(epoch)}))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@torch.no_grad()
def restore(path: Path, model: nn.Module, optimizer: MomentumSGD) -> int:
    """Puts a saved state back into `model` and `optimizer`, in place, and returns its finished epochs.

    Raises:
        ShatterlabError: the file is damaged, or of another model.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            epoch = int(file.metadata()["epoch"])
            model.load_state_dict({name: file.get_tensor(f"model/{name}") for name in model.state_dict()})
            for i, velocity in enumerate(optimizer.velocities):
                velocity.copy_(file.get_tensor(f"velocity/{i}"))
    except (safetensors.SafetensorError, OSError, RuntimeError, KeyError, TypeError):
        raise ShatterlabError(
            f"{path} is damaged; delete it and run the same command again: this run starts anew, no other is touched."
        ) from None
    return epoch
