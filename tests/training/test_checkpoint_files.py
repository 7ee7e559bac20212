"""What a checkpoint notes beside its tensors may be anything in a damaged file; it ends in one sentence."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from shatterlab import ShatterlabError, make_spec
from shatterlab.training.checkpoint import packed, restore
from shatterlab.training.optimizer import OPTIMIZERS

IDENTITY = {"run": "a" * 12, "training data": "b" * 64}


def model_and_optimizer() -> tuple[nn.Module, object]:
    model = nn.Linear(3, 2)
    return model, OPTIMIZERS["sgd"](model.parameters(), make_spec())


def with_notes(content: bytes, change) -> bytes:
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    head["__metadata__"] = change(head["__metadata__"])
    written = json.dumps(head).encode()
    return len(written).to_bytes(8, "little") + written + content[8 + size :]


def noted(**changes: object):
    return lambda metadata: {"notes": json.dumps(json.loads(metadata["notes"]) | changes)}


@pytest.mark.parametrize(
    "change",
    [
        noted(identity=[1, 2]), noted(identity={"run": 3}), noted(identity=None), noted(epoch=float("inf")),
        noted(epoch=-1), noted(epoch="many"), noted(epoch=1.5), noted(checksum=None), lambda metadata: {},
        lambda metadata: {"notes": "[" * 100_000}, lambda metadata: {"notes": "null"}, lambda metadata: {"epoch": "1e999"},
        lambda metadata: {"epoch": "-3"},
    ],
    ids=["a list", "a number", "null", "infinite", "negative", "a text", "a fraction", "no checksum", "no notes",
         "deep", "null notes", "infinite first", "negative first"],
)  # fmt: skip
def test_damaged_notes_are_one_sentence_and_change_nothing(tmp_path: Path, change) -> None:
    model, optimizer = model_and_optimizer()
    content = packed(model, optimizer, 2, IDENTITY)
    (tmp_path / "whole").write_bytes(with_notes(content, lambda metadata: metadata))
    assert restore(tmp_path / "whole", model, optimizer, IDENTITY) == (2, None)
    before = model.weight.clone()
    (tmp_path / "damaged").write_bytes(with_notes(packed(*model_and_optimizer(), 2, IDENTITY), change))
    with pytest.raises(ShatterlabError, match="damaged is damaged; move it out of the store and run the same command"):
        restore(tmp_path / "damaged", model, optimizer, IDENTITY)
    assert torch.equal(model.weight, before)
