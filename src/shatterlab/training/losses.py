"""The loss that training descends; what is scored is always the plain cross-entropy of the network's own logits."""

import torch
import torch.nn.functional as F

from ..models.blocks import WithAuxiliary

AUXILIARY_WEIGHT = 0.4
"""An auxiliary classifier's loss counts so much beside the network's own. Szegedy et al. (2016) do not give a weight;
it is the one of their published code (TF-Slim)."""


def training_loss(
    predicted: torch.Tensor | WithAuxiliary, labels: torch.Tensor, label_smoothing: float, *, of: float | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss that training descends, and the network's own logits.

    Args:
        predicted: logits (batch, classes), alone or with those of an auxiliary classifier.
        labels: int64 (batch,).
        label_smoothing: the share of each label that is spread over all classes, in [0, 1).
        of: the sum of the losses is divided by this; by default by the size of the batch.

    Returns:
        The mean loss over the batch, in nats, and the logits without their gradient.
    """

    def mean(logits: torch.Tensor) -> torch.Tensor:
        if of is None:
            return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="sum") / of

    logits, *others = predicted if isinstance(predicted, WithAuxiliary) else (predicted,)
    loss = mean(logits)
    for other in others:
        loss = loss + AUXILIARY_WEIGHT * mean(other)
    return loss, logits.detach()
