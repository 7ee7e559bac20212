"""Named streams."""

from hypothesis import given
from hypothesis import strategies as st

from shatterlab.seeds import stream

names = st.lists(st.text(st.characters(categories=["L"]), min_size=1), min_size=1, max_size=3)


@given(seed=st.integers(0, 2**32), name=names)
def test_the_same_name_gives_the_same_numbers(seed: int, name: list[str]) -> None:
    assert (stream(seed, *name).integers(2**60, size=8) == stream(seed, *name).integers(2**60, size=8)).all()


@given(seed=st.integers(0, 2**32), a=names, b=names)
def test_other_names_and_seeds_give_other_numbers(seed: int, a: list[str], b: list[str]) -> None:
    draw = stream(seed, *a).integers(2**60, size=8)
    assert (draw != stream(seed + 1, *a).integers(2**60, size=8)).any()
    if a != b:
        assert (draw != stream(seed, *b).integers(2**60, size=8)).any()


def test_numbers_are_the_same_on_every_machine() -> None:
    assert stream(0, "labels").integers(10, size=8).tolist() == [5, 3, 1, 7, 2, 5, 2, 7]
