"""A checkpoint: all that a run needs to go on, in one safetensors file (no pickle) that names the run and its data."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import safetensors
import torch
from pydantic import BaseModel, Field
from safetensors.torch import save as to_bytes
from torch import nn

from ..errors import DamagedError, NewerError, ShatterlabError, UnreadableError, out_of_memory, shown
from .inside import Inside
from .marks import Marks
from .optimizer import Optimizer

FORMAT = 3
"""This is the layout that we write. A file without a number has the first one, which named neither run nor data; those
of the second were written at the end of an epoch only."""

AGAIN = "move it out of the store and run the same command again: this run starts anew, no other is touched"


class _Notes(BaseModel):
    """What a checkpoint notes beside its tensors; one of the first layout has the epoch alone."""

    epoch: Annotated[int, Field(ge=0)]
    identity: dict[str, str] = {}
    checksum: str = ""
    inside: dict[str, Any] | None = None


def state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """Returns what training changes: parameters, buffers and the optimizer's state, each tensor under one name."""
    named = {f"model/{name}": parameter.detach() for name, parameter in model.named_parameters()}
    named |= {f"buffer/{name}": buffer for name, buffer in model.named_buffers()}
    return named | {f"{kind}/{i}": t for kind, tensors in optimizer.state.items() for i, t in enumerate(tensors)}


def packed(
    model: nn.Module, optimizer: Optimizer, epoch: int, identity: Mapping[str, str], inside: Inside | None = None
) -> bytes:
    """Returns the bytes of a checkpoint.

    Args:
        model, optimizer: the checkpoint keeps their state, see `state_of`.
        epoch: number of finished epochs.
        identity: what the state belongs to: the run's id and fingerprints of its data, by name.
        inside: where in the next epoch the run is; None at the end of an epoch.
    """
    tensors: dict[str, torch.Tensor] = {}
    places: set[int] = set()
    for name, tensor in state_of(model, optimizer).items():
        place = tensor.untyped_storage().data_ptr()  # safetensors refuses what shares memory, as views of a buffer do
        tensors[name] = tensor.clone().contiguous() if place in places else tensor.contiguous()
        places.add(place)
    place_inside = None
    if inside:
        tensors |= {f"marks/{name}": part for name, part in inside.marks._asdict().items() if part is not None}
        place_inside = {"step": inside.step, "seconds": inside.seconds, "generators": inside.generators}
    notes: dict[str, Any] = {"format": str(FORMAT), "epoch": epoch, "identity": dict(identity), "inside": place_inside}
    notes["checksum"] = _checksum(tensors, place_inside)
    return to_bytes(tensors, {"notes": json.dumps(notes)})  # in one piece, as safetensors keeps no order among several


@torch.no_grad()
def restore(
    path: Path, model: nn.Module, optimizer: Optimizer, identity: Mapping[str, str]
) -> tuple[int, Inside | None]:
    """Puts a saved state back into `model` and `optimizer`, in place.

    Nothing is changed unless the names, shapes, dtypes, checksum and identity in the file all fit.

    Returns:
        How many epochs it has finished, and where in the next one it is; None at the end of an epoch.

    Raises:
        ShatterlabError: the file is damaged, of a later version, or belongs to another run, other data or another
            model.
    """
    try:
        with path.open("rb"):
            pass  # the library says of every file that it cannot open that there is none
    except IsADirectoryError:
        raise DamagedError(path, f"{path} is a folder where a file belongs; {AGAIN}.") from None
    except OSError as error:
        raise UnreadableError(
            path, f"{path} cannot be read ({error.strerror}); mend that and run the same command again."
        ) from None
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        first = "epoch" in metadata  # the first layout noted nothing else
        raw = metadata if first else json.loads(metadata["notes"])
        layout = 1 if first else int(raw["format"])
        if layout > FORMAT:
            raise NewerError(path, layout, FORMAT)
        notes = _Notes.model_validate(raw)
        if not first and notes.checksum != _checksum(tensors, notes.inside):
            raise ValueError("the numbers do not add up to the checksum")
        inside = _inside(notes.inside, tensors)
    except NewerError:
        raise
    except Exception as error:  # a damaged file raises nearly any type of error
        if out_of_memory(error):
            raise
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
    return epoch, inside


def _inside(noted: Mapping[str, Any] | None, tensors: dict[str, torch.Tensor]) -> Inside | None:
    """Takes the marks out of a checkpoint's tensors, if it was written inside an epoch."""
    if noted is None:
        return None
    losses, predicted, right = (tensors.pop(f"marks/{name}") for name in ("losses", "predicted", "right"))
    marks = Marks(losses, predicted, right, tensors.pop("marks/among_five", None))
    return Inside(noted["step"], noted["seconds"], marks, noted["generators"])


def _renamed(tensors: Mapping[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Gives the tensors of the first layout, which kept buffers beside the parameters, the names of today's."""
    buffers = {f"model/{name}": f"buffer/{name}" for name, _ in model.named_buffers()}
    return {buffers.get(name, name): tensor for name, tensor in tensors.items()}


def _checksum(tensors: Mapping[str, torch.Tensor], inside: Mapping[str, Any] | None = None) -> str:
    digest = hashlib.sha256(json.dumps(inside).encode() if inside else b"")
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
