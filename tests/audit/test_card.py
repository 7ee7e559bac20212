"""The card says in five sentences what an audit found, each number with its error and its n."""

from dataclasses import replace

import pytest

from shatterlab.auditing.card import Facts, Share, card, percent
from shatterlab.measures.capacity import Capacity
from shatterlab.measures.linear import linear_capacity

MEMORIZES = Facts(
    random_fitted=Share(1.0, 0.001, 1_400, 3),
    unfinished=False,
    slowdown=1.1,
    slowdown_in="steps",
    train_error=Share(0.0, 0.001, 1_400, 3),
    test_error=Share(0.023, 0.008, 360, 3),
    majority_error=0.9,
    classes=10,
    n=1_400,
    memorized=(0.03, 0.002, 60),
    bound=0.041,
    random_bound=(None, "vacuous"),
    suspects=(9.0, 15.0, 24.0, 1_400),
    look_at=[7, 31, 5],
)
LINEAR = replace(
    MEMORIZES,
    random_fitted=Share(0.61, 0.02, 455, 3),
    slowdown=None,
    classes=2,
    train_error=Share(0.02, 0.006, 455, 3),
    test_error=Share(0.042, 0.018, 114, 3),
    majority_error=0.37,
    bound=0.089,
    capacity=Capacity(0.0, 12.8, 0.9, (12, 13), (13, 14), 0, 455, 2, (12, 14)),
    linear=linear_capacity(30),
    suspects=(0.0, 0.2, 0.8, 455),
)


def test_a_card_has_five_sentences_that_say_how_sure_they_are() -> None:
    lines = card(MEMORIZES)
    assert lines == [
        "Memorizes all 1,400 random labels, in 1.1 times the steps of true ones (3 draws).",
        "On the true labels it errs on 0 % ± 0.1 % of 1,400 training and 2.3 % ± 0.8 % of 360 test examples; on average "
        "3 % ± 0.2 % of a label was memorized (60 fits).",
        "Error <= 4.1 % with 95 % confidence (hold-out, n = 360; measured 2.3 % ± 0.8 %); by random labels alone: vacuous.",
        "Between 9 and 24 of 1,400 labels look wrong (90 % interval around 15); look at examples 7, 31, 5 first.",
        "It can fit anything yet errs on 2.3 % of new examples: check the labels above before more data.",
    ]


def test_regularization_is_named_where_theory_allows_more() -> None:
    lines = card(LINEAR)
    assert lines[0].startswith("Cannot memorize: fits 61 % ± 2 % of 455 random labels (3 draws, 2 classes).")
    assert "A plane of its dimension separates 62 in theory (50 to 76)." in lines[0]
    assert lines[3].startswith("No label of 455 looks wrong")
    assert lines[4].startswith("Regularization, not dimension, limits it")


def test_a_learner_that_guesses_cannot_tell_wrong_labels() -> None:
    line = card(replace(MEMORIZES, test_error=Share(0.88, 0.02, 360, 1)))[3]
    assert line.startswith("Which labels are wrong cannot be told")
    assert line.endswith("the most suspect are 7, 31, 5.")


def test_an_interval_that_holds_nothing_says_perhaps_none() -> None:
    line = card(replace(MEMORIZES, suspects=(0.0, 3.0, 12.0, 1_400)))[3]
    assert line.startswith("At most 12 of 1,400 labels look wrong, perhaps none (90 % interval 0 to 12)")


def test_too_little_data_is_told_from_too_little_capacity() -> None:
    facts = replace(MEMORIZES, test_error=Share(0.61, 0.015, 1_000, 1), bound=0.64)
    assert "too little data (n = 1,400), not too little capacity" in card(facts)[4]


def test_what_was_not_finished_is_not_called_incapable() -> None:
    facts = replace(MEMORIZES, random_fitted=Share(0.7, 0.01, 1_400, 1), unfinished=True)
    lines = card(facts)
    assert facts.answer == "not within this budget, still falling"
    assert lines[0].startswith("Did not memorize within this budget: fits 70 % ± 1 % of 1,400 random labels (one draw)")
    assert lines[4].startswith("Nothing can be concluded yet")


def test_what_misses_its_own_labels_needs_a_larger_model() -> None:
    facts = replace(LINEAR, linear=None, train_error=Share(0.2, 0.02, 455, 3))
    assert "a larger model or less regularization comes first" in card(facts)[4]


def test_what_nearly_memorizes_is_not_said_to_fit_little_else() -> None:
    facts = replace(MEMORIZES, random_fitted=Share(0.985, 0.005, 600, 10), classes=4)
    lines = card(facts)
    assert lines[0].startswith("Nearly memorizes: fits 98.5 % ± 0.5 % of 600 random labels (10 draws, 4 classes).")
    assert lines[4].startswith("It fits 98.5 % even of random labels")


def test_what_was_left_out_is_said() -> None:
    facts = replace(MEMORIZES, memorized=None, suspects=None, look_at=(), bound=None, random_bound=None)
    lines = card(facts)
    assert lines[2].startswith("Nothing is guaranteed")
    assert lines[3].startswith("Which examples to look at is not known")


def test_a_bound_that_is_no_better_than_guessing_says_so() -> None:
    assert "no better than guessing" in card(replace(LINEAR, bound=0.6))[2]


@pytest.mark.parametrize("change", [{}, {"capacity": None}, {"memorized": None}, {"suspects": None}])
def test_no_number_stands_without_its_n(change: dict[str, None]) -> None:
    for facts in (MEMORIZES, LINEAR):
        lines = card(replace(facts, **change))
        assert len(lines) == 5
        assert all(line.endswith((".", ").")) for line in lines)
        assert "n = " in lines[2]


@pytest.mark.parametrize(
    ("share", "text"), [(0.0423, "4.2 %"), (0.5, "50 %"), (1.0, "100 %"), (0.0, "0 %"), (0.998, "99.8 %")]
)
def test_shares_are_told_with_the_digits_that_they_deserve(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_error_of_a_share_is_never_nothing() -> None:
    assert Share.of([0, 0, 0], 360).error > 0
    assert Share.of([50, 60], 100).error > Share.of([55, 55], 100).error
