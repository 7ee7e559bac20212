"""Marks: what is kept of logits is the same however many of them are reduced at a time."""

import pytest
import torch
import torch.nn.functional as F

from shatterlab.training import marks
from shatterlab.training.marks import Gathering, marks_of


@pytest.mark.parametrize("most", [1, 100, 2**24])
def test_marks_do_not_depend_on_how_many_logits_are_reduced_at_a_time(most: int, monkeypatch) -> None:
    monkeypatch.setattr(marks, "MOST_LOGITS", most)
    logits, labels = torch.randn(2, 23, 30), torch.randint(30, (2, 23))
    gathering = Gathering(23)
    for first in range(0, 23, 5):
        gathering.add(logits[:, first : first + 5], labels[:, first : first + 5])
    for found, wanted in zip(gathering.marks(), marks_of(logits, labels), strict=True):
        assert torch.equal(found, wanted)


def test_no_more_logits_wait_than_are_reduced_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(marks, "MOST_LOGITS", 200)
    gathering = Gathering(250)
    for _ in range(50):
        gathering.add(torch.randn(1, 5, 30), torch.zeros(1, 5, dtype=torch.int64))
        assert gathering.logits.numel() <= 200
    assert gathering.marks().losses.shape == (1, 250)


def test_losses_accuracies_and_the_five_likeliest_are_counted_as_by_hand() -> None:
    logits, labels = torch.randn(1, 40, 25), torch.randint(25, (1, 40))
    (found,) = marks_of(logits, labels).shares("test")
    ranks = [(row > row[label]).sum().item() for row, label in zip(logits[0], labels[0], strict=True)]
    assert found["test_accuracy"] == sum(rank == 0 for rank in ranks) / 40
    assert found["test_top5_accuracy"] == sum(rank < 5 for rank in ranks) / 40
    assert found["test_loss"] == pytest.approx(F.cross_entropy(logits[0], labels[0]).item(), rel=1e-6)


def test_with_few_classes_the_five_likeliest_are_not_counted() -> None:
    (found,) = marks_of(torch.randn(1, 8, 10), torch.zeros(1, 8, dtype=torch.int64)).shares("test")
    assert set(found) == {"test_loss", "test_accuracy"}
