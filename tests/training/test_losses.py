"""The loss of training, and RMSProp, against torch and against the formulas written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shatterlab import Spec
from shatterlab.models.blocks import WithAuxiliary
from shatterlab.training import OPTIMIZERS, learner_for
from shatterlab.training.learner import Batch
from shatterlab.training.losses import AUXILIARY_WEIGHT, training_loss
from shatterlab.training.perceptrons import Perceptrons


def test_label_smoothing_spreads_a_share_of_each_label_over_all_classes() -> None:
    logits, labels, share = torch.randn(6, 5), torch.arange(6) % 5, 0.1
    target = (1 - share) * F.one_hot(labels, 5) + share / 5
    by_hand = -(target * logits.log_softmax(1)).sum(1).mean()
    loss, _ = training_loss(logits, labels, share)
    torch.testing.assert_close(loss, by_hand)


def test_an_auxiliary_classifier_adds_its_own_loss_with_its_weight() -> None:
    logits, auxiliary, labels = torch.randn(6, 5), torch.randn(6, 5), torch.arange(6) % 5
    loss, own = training_loss(WithAuxiliary(logits, auxiliary), labels, 0.0)
    torch.testing.assert_close(
        loss, F.cross_entropy(logits, labels) + AUXILIARY_WEIGHT * F.cross_entropy(auxiliary, labels)
    )
    assert torch.equal(own, logits)


def test_a_stack_smooths_labels_as_a_run_alone_does() -> None:
    spec = Spec(label_smoothing=0.2)
    images, labels = torch.randn(2, 8, 1, 1, 6), torch.randint(3, (2, 8))

    def trained(places: list[int]) -> list[torch.Tensor]:
        models = [nn.Sequential(nn.Flatten(), nn.Linear(6, 3)) for _ in places]
        for model, place in zip(models, places, strict=True):
            torch.manual_seed(place)
            nn.init.normal_(model[1].weight), nn.init.zeros_(model[1].bias)
        optimizers = [OPTIMIZERS["sgd"](model.parameters(), spec) for model in models]
        stack = learner_for(models, optimizers, label_smoothing=0.2)
        assert not isinstance(stack, Perceptrons)
        for _ in range(3):
            stack.step(Batch(images[places], labels[places], torch.full((len(places),), 0.1), torch.zeros(len(places))))
        stack.write_back()
        return [model[1].weight.detach() for model in models]

    for together, alone in zip(trained([0, 1]), [*trained([0]), *trained([1])], strict=True):
        torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_rmsprop_takes_tensorflows_steps(weight_decay: float) -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = OPTIMIZERS["rmsprop"]([parameter], Spec(optimizer="rmsprop", weight_decay=weight_decay))
    weights, square, velocity = [1.0, -2.0], [1.0, 1.0], [0.0, 0.0]
    for gradient in ([0.5, -3.0], [2.0, 0.1], [-1.0, 0.0]):
        parameter.grad = torch.tensor(gradient)
        optimizer.step(0.045)
        for i, plain in enumerate(gradient):
            g = plain + weight_decay * weights[i]
            square[i] = 0.9 * square[i] + 0.1 * g * g
            velocity[i] = 0.9 * velocity[i] + 0.045 * g / (square[i] + 1) ** 0.5
            weights[i] -= velocity[i]
        torch.testing.assert_close(parameter.detach(), torch.tensor(weights))


def test_rmsprop_starts_from_its_own_learning_rate() -> None:
    assert Spec(optimizer="rmsprop").learning_rate == 0.045
    assert Spec(optimizer="rmsprop", model="inception").learning_rate == 0.045
