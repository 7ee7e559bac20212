"""Runs are what they were: ids, corrupted data and orders to the bit, first losses but for rounding (golden.py)."""

import json

import pytest
from golden import FILE, SPECS, observed

KEPT = json.loads(FILE.read_text())

# Processors, thread counts and versions of torch add in other orders; the largest difference seen so far was 4e-6 (one
# thread and two, libraries held to SSE, torch 2.13 and 2.14). An order drawn otherwise changed the losses by far more.
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", SPECS)
def test_a_run_is_what_it_was(name: str, request: pytest.FixtureRequest) -> None:
    if SPECS[name]["data"] == "cifar10":
        request.getfixturevalue("cifar10")
    now, then = observed(SPECS[name]), dict(KEPT[name])
    if now["images"] != then["images"]:  # another encoding of CIFAR-10: only pixels and losses may differ
        assert SPECS[name]["data"] == "cifar10"
        for one in (now, then):
            one |= {"images": None, "losses": [], "train": one["train"]["labels"], "test": one["test"]["labels"]}
    assert now == then | {"losses": pytest.approx(then["losses"], rel=TOLERANCE)}


def test_nothing_is_kept_of_a_run_that_is_no_longer_looked_at() -> None:
    assert KEPT.keys() == SPECS.keys()
