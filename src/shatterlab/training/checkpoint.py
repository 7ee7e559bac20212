"""A checkpoint: all that a run needs to go on, in one safetensors file (no pickle) that names the run and its data."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import safetensors
import torch
from pydantic import BaseModel, Field
from safetensors.torch import save as to_bytes
from torch import nn

from ..errors import DamagedError, ShatterlabError, shown
from .optimizer import Optimizer

FORMAT = "2"
"""This is the layout that we write. A file without a number has the first one, which named neither run nor data."""

AGAIN = "move it out of the store and run the same command again: this run starts anew, no other is touched"


class _Notes(BaseModel):
    """What a checkpoint notes beside its tensors; one of the first layout has the epoch alone."""

    epoch: Annotated[int, Field(ge=0)]
    identity: dict[str, str] = {}
    checksum: str = ""


def state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """Returns what training changes: parameters, buffers and the optimizer's state, each tensor under one name."""
    named = {f"model/{name}": parameter.detach() for name, parameter in model.named_parameters()}
    named |= {f"buffer/{name}": buffer for name, buffer in model.named_buffers()}
    return named | {f"{kind}/{i}": t for kind, tensors in optimizer.state.items() for i, t in enumerate(tensors)}


def packed(model: nn.Module, optimizer: Optimizer, epoch: int, identity: Mapping[str, str]) -> bytes:
    """Returns the bytes of a checkpoint.

    Args:
        model, optimizer: the checkpoint keeps their state, see `state_of`.
        epoch: number of finished epochs.
        identity: what the state belongs to: the run's id and fingerprints of its data, by name.
    """
    tensors: dict[str, torch.Tensor] = {}
    places: set[int] = set()
    for name, tensor in state_of(model, optimizer).items():
        place = tensor.untyped_storage().data_ptr()  # safetensors refuses what shares memory, as views of a buffer do
        tensors[name] = tensor.clone().contiguous() if place in places else tensor.contiguous()
        places.add(place)
    notes = {"format": FORMAT, "epoch": epoch, "identity": dict(identity), "checksum": _checksum(tensors)}
    return to_bytes(tensors, {"notes": json.dumps(notes)})  # in one piece, as safetensors keeps no order among several


@torch.no_grad()
def restore(path: Path, model: nn.Module, optimizer: Optimizer, identity: Mapping[str, str]) -> int:
    """Puts a saved state back into `model` and `optimizer`, in place, and returns how many epochs it has finished.

    Nothing is changed unless the names, shapes, dtypes, checksum and identity in the file all fit.

    Raises:
        ShatterlabError: the file is damaged, or belongs to another run, other data or another model.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        first = "epoch" in metadata  # the first layout noted nothing else
        notes = _Notes.model_validate(metadata) if first else _Notes.model_validate_json(metadata["notes"])
        if not first and notes.checksum != _checksum(tensors):
            raise ValueError("the numbers do not add up to the checksum")
    except PermissionError as error:
        raise ShatterlabError(f"{path} cannot be read ({error.strerror}); give yourself the right to.") from None
    except Exception:  # a damaged file raises nearly any type of error
        raise DamagedError(path, f"{path} is damaged; {AGAIN}.") from None
    epoch, known = notes.epoch, notes.identity
    for name, value in identity.items():
        if known.get(name, value) != value:
            raise ShatterlabError(
                f"{path} is of another {name} ({shown(known[name][:16])}) than this run ({value[:16]}); put that "
                f"back, or {AGAIN}."
            )
    state = state_of(model, optimizer)
    if first:
        print(f"{path} is of an earlier version, which did not note its data: going on unchecked", file=sys.stderr)
        state = {name: tensor for name, tensor in state.items() if name in tensors or not name.startswith("buffer/")}
        tensors = {name: t for name, t in _renamed(tensors, model).items() if name in state}
    fits = state.keys() == tensors.keys() and all(
        tensors[name].shape == tensor.shape and tensors[name].dtype == tensor.dtype for name, tensor in state.items()
    )
    if not fits:
        raise ShatterlabError(f"{path} is of a model with other tensors than this run's; {AGAIN}.")
    for name, tensor in state.items():
        if 0 in tensor.stride() and tensor.numel() > 1:  # an expanded buffer, in whose memory several places are one
            owner, _, leaf = name.removeprefix("buffer/").rpartition(".")
            model.get_submodule(owner).register_buffer(leaf, tensors[name].to(tensor.device))
        else:
            tensor.copy_(tensors[name])
    return epoch


def _renamed(tensors: Mapping[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Gives the tensors of the first layout, which kept buffers beside the parameters, the names of today's."""
    buffers = {f"model/{name}": f"buffer/{name}" for name, _ in model.named_buffers()}
    return {buffers.get(name, name): tensor for name, tensor in tensors.items()}


def _checksum(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
