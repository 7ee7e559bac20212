"""The loss that training descends; what is scored is always the plain cross-entropy of the network's own logits."""

import torch
import torch.nn.functional as F

from ..models.blocks import WithAuxiliary

AUXILIARY_WEIGHT = 0.4
"""An auxiliary classifier's loss counts so much beside the network's own. Szegedy et al. (2016) do not give a weight;
it is the one of their published code (TF-Slim)."""


def training_loss(
    predicted: torch.Tensor | WithAuxiliary, labels: torch.Tensor, label_smoothing: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss that training descends, and the network's own logits.

    Args:
        predicted: logits (batch, classes), alone or with those of an auxiliary classifier.
        labels: int64 (batch,).
        label_smoothing: the share of each label that is spread over all classes, in [0, 1).

    Returns:
        The mean loss over the batch, in nats, and the logits without their gradient.
    """
    logits, *others = predicted if isinstance(predicted, WithAuxiliary) else (predicted,)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    for other in others:
        loss = loss + AUXILIARY_WEIGHT * F.cross_entropy(other, labels, label_smoothing=label_smoothing)
    return loss, logits.detach()
