"""Everything a run needs to go on, in one file: safetensors, no pickle."""

from pathlib import Path

import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import nn

from ..errors import ShatterlabError
from .optimizer import MomentumSGD


def packed(model: nn.Module, optimizer: MomentumSGD, epoch: int) -> bytes:
    """The bytes of a checkpoint: weights, buffers and velocities.

    Args:
        model: its state, under `model/`.
        optimizer: its velocities, under `velocity/`.
        epoch: finished epochs.
    """
    tensors = {f"model/{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    tensors |= {f"velocity/{i}": tensor.contiguous() for i, tensor in enumerate(optimizer.velocities)}
    return to_bytes(tensors, {"epoch": str(epoch)})


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
