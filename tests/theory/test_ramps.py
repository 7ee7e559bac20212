"""The lemma, for any interleaved points, against numpy's dense routines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shatterlab.theory import ramp_facts, ramp_matrix

gaps = st.lists(st.floats(0.01, 10), min_size=2, max_size=60).filter(lambda found: len(found) % 2 == 0)


@settings(max_examples=100, deadline=None)
@given(gaps=gaps, start=st.floats(-100, 100))
def test_interleaved_ramps_have_full_rank_and_the_smallest_gap_as_smallest_eigenvalue(gaps, start: float) -> None:
    line = start + np.cumsum(gaps)
    b, x = line[::2], line[1::2]
    A, facts = ramp_matrix(x, b), ramp_facts(x, b)
    assert facts.rank == np.linalg.matrix_rank(A)
    assert np.linalg.det(A) > 0
    # Eigenvalues of a triangular matrix are its diagonal; a dense routine finds them less exactly than we do, so it is
    # given the matrix in another order, where it cannot see the triangle, and a small one.
    if len(x) <= 6:
        some = np.random.default_rng(0).permutation(len(x))
        eigenvalues = np.linalg.eigvals(A[np.ix_(some, some)])
        assert facts.smallest_eigenvalue == pytest.approx(np.abs(eigenvalues).min(), rel=1e-2)
    assert facts.condition_number == pytest.approx(np.linalg.cond(A), rel=1e-6)


def test_a_hand_worked_case() -> None:
    A, facts = ramp_matrix([1, 3, 6], [0, 2, 5]), ramp_facts([1, 3, 6], [0, 2, 5])
    np.testing.assert_array_equal(A, [[1, 0, 0], [3, 1, 0], [6, 4, 1]])
    assert (facts.rank, facts.smallest_eigenvalue) == (3, 1.0)
    assert np.linalg.matrix_rank(A) == 3


@pytest.mark.parametrize(("x", "b"), [([1, 2], [0, 3]), ([1, 2], [0]), ([2, 1], [0, 0.5]), ([1, 4, 5], [0, 0.5, 4.5])])
def test_points_that_do_not_interleave_are_refused(x, b) -> None:
    with pytest.raises(ValueError, match="must be interleaved"):
        ramp_facts(x, b)


@pytest.mark.parametrize("x", [[[1.0]], [], [np.nan]])
def test_what_is_no_vector_is_refused(x) -> None:
    with pytest.raises(ValueError, match="x must be a vector of finite numbers"):
        ramp_matrix(x, [0.0])
