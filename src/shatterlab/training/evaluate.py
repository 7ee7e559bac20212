"""A clean pass over a set: evaluation mode, no gradients, every example counted once."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 500
"""Images at a time; the result does not depend on it, as networks are in evaluation mode."""


@torch.no_grad()
def logits(model: nn.Module, images: torch.Tensor, *, bf16: bool = False) -> torch.Tensor:
    """The model's outputs in evaluation mode.

    Args:
        model: put back into the mode it was in.
        images: float32 (n, height, width, channels), as `preprocess` leaves them.
        bf16: under bfloat16 autocast, as trained.

    Returns:
        float32 (n, classes).
    """
    was_training = model.training
    model.eval()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        parts = [model(batch.permute(0, 3, 1, 2)).float() for batch in images.split(BATCH)]
    model.train(was_training)
    return torch.cat(parts)


def loss_and_accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy in nats and share of right answers, of logits (n, classes) and labels (n,)."""
    loss = F.cross_entropy(outputs, labels).item()
    right = (outputs.argmax(1) == labels).sum().item()
    return loss, right / len(labels)
