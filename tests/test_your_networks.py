"""Your networks: what is said of hand-made runs, and the chapter that a store of single runs opens with."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from shatterlab import Store, make_spec, run
from shatterlab.report import sections
from shatterlab.report.memorization import falling, judge
from shatterlab.report.own_networks import own_networks

FLAT = [2.3 + 0.01 * (-1) ** epoch for epoch in range(40)]
FALLING = [2.3 - 0.01 * epoch for epoch in range(40)]


def made(corruption: str = "random-labels", train: float | None = 1.0, **changes: Any) -> dict[str, Any]:
    """A run of 40 epochs over ten classes."""
    amount = {"true-labels": 0.0, "partial-labels": 0.5}.get(corruption, 1.0)
    return {
        "corruption": corruption, "amount": amount, "seed": 0, "epochs": 40, "classes": 10, "n": 1000, "n_test": 400,
        "train_accuracy": train, "test_accuracy": 0.1, "corrupted_fitted": None if amount == 0 else train,
        "overfit_step": None, "losses": FLAT,
    } | changes  # fmt: skip


TRUE = made("true-labels", test_accuracy=0.9, overfit_step=100)


@pytest.mark.parametrize(
    ("state", "records"),
    [
        ("memorizes", [TRUE, made(train=0.99)]),
        ("memorizes", [TRUE, *(made(seed=seed) for seed in range(3))]),
        ("memorizes", [made("partial-labels", 0.9, corrupted_fitted=0.995)]),
        ("memorizes", [TRUE, made("random-pixels")]),
        ("memorizes", [TRUE, made(train=0.3), made("partial-labels")]),
        ("still falling", [TRUE, made(train=0.5, losses=FALLING)]),
        ("still falling", [TRUE, made(), made(seed=1, train=0.9, losses=FALLING)]),
        ("stopped falling", [TRUE, made(train=0.5)]),
        ("stopped falling", [made("partial-labels", 0.995, corrupted_fitted=0.98)]),
        ("undertrained", [TRUE | {"train_accuracy": 0.8}, made(train=0.5, losses=FALLING)]),
        ("undertrained", [TRUE | {"train_accuracy": 0.8}]),
        ("cannot tell", [TRUE]),
        ("cannot tell", [TRUE, made("shuffled-pixels")]),
        ("cannot tell", [TRUE, made("partial-labels", amount=0.0, seed=1)]),
        ("cannot tell", [TRUE, made(train=None)]),
        ("cannot tell", [TRUE, made(train=math.nan)]),
        ("cannot tell", [TRUE, made("partial-labels", corrupted_fitted=math.nan)]),
        ("cannot tell", [TRUE, made(train=0.5, losses=[2.3, 2.2])]),
        ("cannot tell", [TRUE, made(train=0.5, losses=[2.3, math.nan] * 20)]),
        ("cannot tell", [TRUE | {"train_accuracy": None}]),
    ],
)
def test_a_network_is_judged_by_all_its_seeds(state: str, records: list[dict[str, Any]]) -> None:
    answer = judge(records)
    assert answer.state == state
    assert "nan" not in " ".join(answer.sentences).lower().replace("dominan", "")
    assert all(sentence.endswith(".") for sentence in answer.sentences)


def test_the_longest_of_runs_alike_in_all_but_epochs_counts() -> None:
    assert judge([TRUE, made(epochs=80), made(train=0.5)]).state == "memorizes"


def test_numbers_come_with_a_named_spread_and_chance() -> None:
    one = " ".join(judge([TRUE, made(overfit_step=250)]).sentences)
    assert "test accuracy 90.0 % ± 1.5 (1 seed; binomial standard error of a test set of 400)" in one
    assert "guessing one of 10 classes gives 10.0 %" in one
    assert "2.5 times the steps of true labels" in one
    assert "the largest class has 62.5 %" in " ".join(judge([TRUE | {"majority": 0.625}]).sentences)
    three = judge([made("true-labels", test_accuracy=0.8 + 0.1 * seed, seed=seed) for seed in range(3)]).sentences[1]
    assert "test accuracy 90.0 % ± 10.0 (SD over 3 seeds)" in three
    assert "not measured" in judge([TRUE | {"test_accuracy": None}]).sentences[1]


def test_a_loss_falls_only_beyond_its_noise_and_towards_an_end() -> None:
    assert falling(FALLING)
    assert not falling(FLAT)
    assert not falling([3.0] * 40)
    assert not falling([1 / epoch for epoch in range(1, 6)] + [0.2 - 1e-7 * epoch for epoch in range(40)])
    assert falling([2.0, 1.5, 1.0]) is None
    # A loss that seems to fall, but within its noise, neither falls nor stands.
    noise = np.random.default_rng(2).standard_normal(20)
    assert falling((2.3 - 0.015 * np.arange(20) + 0.05 * noise).tolist()) is None


def test_a_store_of_single_runs_opens_with_your_networks_and_says_what_is_missing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    dials = {"model": "mlp-1x4", "data": "digits", "n": 30, "n_test": 20, "epochs": 5, "learning_rate": 0.02}
    for corruption in ("true-labels", "random-labels"):
        run(make_spec(corruption=corruption, **dials), store)
    chapter, group, board = sections(store, store.results())[:3]
    assert [chapter.id, board.id] == ["your-networks", "scoreboard"]
    assert "mlp-1x4 on digits, n = 30" in group.html
    assert "learning rate 0.02" in group.html
    command = (
        f"shatterlab train --store {store.path} --model mlp-1x4 --data digits --corruption partial-labels --n 30 "
        "--n-test 20 --epochs 5 "
    )
    assert command + "--learning-rate 0.02" in group.html
    assert all(f'id="{id}"' in group.html for id in group.charts)
    assert len(group.charts) == 2
    said = re.findall(r'aria-label="([^"]*)"', group.html)
    assert any(
        "Loss in the last epoch: " in text and "random-labels " in text and "(mean of 1 run)" in text for text in said
    )
    assert any("train accuracy" in text for text in said)


def test_versions_of_a_network_have_titles_of_their_own_and_no_chart_of_memory_without_corruption(tmp_path) -> None:
    def first(shape, classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

    def edited(shape, classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Linear(3, classes))

    edited.__name__ = first.__name__
    store, dials = Store(tmp_path), {"data": "digits", "n": 30, "n_test": 20, "epochs": 2}
    run(make_spec(**dials), store, model=first)
    run(make_spec(**dials, corruption="random-pixels"), store, model=edited)
    parts = sections(store, store.results())
    groups = [part for part in parts if part.id.startswith("your-networks-")]
    titles = [re.search(r"<h3[^>]*>(.*?)</h3>", group.html)[1] for group in groups]  # type: ignore[index]
    assert len({*titles}) == 2
    assert all(title.startswith("first on digits, n = 30 (model ") for title in titles)
    assert sorted(len(group.charts) for group in groups) == [1, 2]
    assert ["memorized" in group.html for group in groups] == [len(group.charts) == 2 for group in groups]


def test_runs_of_a_study_are_not_your_networks(small_store: Store) -> None:
    assert sections(small_store, small_store.results())[0].id == "scoreboard"


def test_a_network_of_ones_own_goes_by_its_content_even_where_a_study_asked_for_it(small_store: Store) -> None:
    results = small_store.results()
    first = next(result for result in results if result.spec.corruption == "true-labels")

    def under(**changes: Any) -> Any:
        return first.model_copy(update={"spec": first.spec.model_copy(update=changes)})

    own = [under(model="a.py:Net", model_version="1"), under(model="b.py:Net", model_version="1", seed=9)]
    edited = under(model="a.py:Net", model_version="2")
    groups = own_networks([*results, *own, edited], [result.id for result in [*results, *own, edited]])
    assert sorted(map(len, groups)) == [1, 2]
