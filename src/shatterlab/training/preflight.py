"""A trial of a user's network with one batch before anything is trained: what does not fit ends in a sentence."""

import sys
from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from ..data.dataset import Dataset
from ..errors import ShatterlabError
from ..models.generators import seeded
from ..spec import Spec
from .alone import as_seen
from .preprocess import preprocess

OUT_OF_MEMORY = (torch.cuda.OutOfMemoryError, MemoryError)


def preflight(trial: nn.Module, spec: Spec, train: Dataset) -> None:
    """Takes a network through a forward and a backward pass, in training and in evaluation mode.

    Args:
        trial: a user's network, built for this trial alone, since its running statistics change.
        spec: the dials of the training.
        train: the training set; the batches that are tried are as large as those of an epoch, the last one included.

    Raises:
        ShatterlabError: the network fails, or what it returns are no logits of the shape (batch, classes). The message
            says what came, what was expected and what usually helps.
    """
    name = type(trial).__name__
    if not any(parameter.requires_grad for parameter in trial.parameters()):
        raise ShatterlabError(f"{name} has no parameter that requires a gradient, so that there is nothing to train.")
    first = next((p for p in trial.parameters() if p.is_floating_point()), next(trial.parameters()))
    size = min(spec.batch_size, len(train))
    inputs = preprocess(train.inputs[:size], spec.crop, spec.preprocessing, first.device)
    if inputs.is_floating_point() and first.is_floating_point():
        inputs = inputs.to(first.dtype)
    labels = torch.from_numpy(train.labels[:size].copy()).to(first.device)
    with seeded(0):
        for examples in sorted({size, len(train) % size or size}, reverse=True):
            logits = _logits(trial.train(), inputs[:examples], train.classes)
            if not logits.requires_grad:
                raise ShatterlabError(
                    f"the logits of {name} depend on no parameter that requires a gradient; leave out what cuts the "
                    "graph (detach, argmax, torch.no_grad, numpy)."
                )
            if len(logits) > 1 and _are_probabilities(logits):
                _warn(
                    f"the outputs of {name} look like probabilities, as each row sums to 1; cross-entropy expects "
                    "logits: leave the softmax out."
                )
            try:
                F.cross_entropy(logits.float(), labels[:examples]).backward()
            except OUT_OF_MEMORY:
                raise
            except Exception as error:
                raise ShatterlabError(
                    f"the backward pass of {name} failed: {type(error).__name__}: {_short(error)}; operations that "
                    "change a tensor in place before its gradient is taken are the usual cause."
                ) from error
        with torch.no_grad():
            _logits(trial.eval(), inputs[:2], train.classes)


def _logits(trial: nn.Module, batch: torch.Tensor, classes: int) -> torch.Tensor:
    """What the network returns, if it is logits; an error inside it becomes a sentence."""
    name, seen = type(trial).__name__, as_seen(batch, own=True)
    handed = f"a batch of shape {tuple(seen.shape)} and type {_type(seen)}"
    try:
        logits: torch.Tensor = trial(seen)
    except OUT_OF_MEMORY:
        raise
    except Exception as error:
        where = "" if trial.training else " in evaluation mode"
        raise ShatterlabError(
            f"{name} failed{where} on {handed}: {type(error).__name__}: {_short(error)}; {_help(error)}"
        ) from error
    _check(logits, batch, classes, name)
    return logits


def _check(logits: object, seen: torch.Tensor, classes: int, name: str) -> None:
    wanted = f"expected logits of shape ({len(seen)}, {classes}), a number a class for each example"
    if not isinstance(logits, torch.Tensor):
        usual = "its forward ends without a return" if logits is None else "return the tensor alone"
        raise ShatterlabError(f"{name} returned {type(logits).__name__}; {wanted}: {usual}.")
    if logits.shape != (len(seen), classes):
        usual = (
            f"its last layer has {logits.shape[1]} outputs where the data have {classes} classes: let the network take "
            "`classes` as an argument"
            if logits.ndim == 2 and len(logits) == len(seen)
            else "flatten or pool what lies between the examples and the classes, as in x.flatten(1) or x.mean(1)"
        )
        raise ShatterlabError(f"{name} returned the shape {tuple(logits.shape)}; {wanted}; {usual}.")
    if not logits.is_floating_point():
        raise ShatterlabError(f"{name} returned numbers of type {_type(logits)}; {wanted}, in a real floating type.")
    if logits.device != seen.device:
        raise ShatterlabError(
            f"{name} returned its logits on {logits.device} for inputs on {seen.device}; make new tensors where the "
            "input is, as in torch.zeros(n, device=x.device), and register constants as buffers."
        )


def _are_probabilities(logits: torch.Tensor) -> bool:
    inside = bool(((logits >= 0) & (logits <= 1)).all())
    return inside and torch.allclose(logits.sum(1).float(), torch.ones(len(logits), device=logits.device), atol=1e-3)


@cache
def _warn(sentence: str) -> None:
    """Prints a sentence on stderr, once in a process, since a study trains one network many times."""
    print(sentence, file=sys.stderr)


def _help(error: Exception) -> str:
    """Returns the advice that usually helps against an error with these words."""
    text = str(error).lower()
    for words, advice in (
        (("more than 1 value per channel",),
         "batch normalization cannot train on a batch of one: choose a batch size that leaves no single example over."),
        (("view size is not compatible",), "write reshape instead of view."),
        (("index out of range",), "an embedding has fewer rows than there are token ids."),
        (("be same dtype", "the same dtype", "expected scalar type", "should be the same", "expected tensor for"),
         "the input has another type than the weights: integers are taken for token ids, so store numbers as floats."),
        (("shapes cannot be multiplied", "size mismatch", "expected input", "expected 3d", "to have"),
         "a layer expects another size or another number of axes: `shape` is that of one example."),
        (("on the same device",), "register constants as buffers, so that they move with the module."),
    ):  # fmt: skip
        if any(word in text for word in words):
            return advice
    return "try it on such a batch by itself."


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "no message"


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
