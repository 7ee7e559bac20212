"""Lemma 1 behind the theorem: ramps between interleaved thresholds make a matrix that can be inverted."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..figures.lines import lines
from ..jobs import Computation
from ..seeds import stream
from .outcome import NO_RUNS, Outcome, all_of, cannot_tell
from .rules import not_finite
from .sentences import display, mean_of, seeds_of, sentence
from .study import Cells, Claim, Scale, Study, Tables

SIZES: dict[Scale, tuple[int, ...]] = {
    "demo": (10, 30, 100, 300, 1_000),
    "cpu": (10, 30, 100, 300, 1_000, 3_000),
    "paper": (10, 30, 100, 300, 1_000, 3_000),
}
EXACT = 12
"""Matrices of at most this size are looked into with fractions, which do not round."""
DETERMINANT = 1e-8
"""The logarithm of the determinant that float64 computes may be off by at most this a row."""


def jobs(scale: Scale, data: str, seeds: int) -> list[Computation]:
    """The lemma's matrix for images projected onto a line, at several sizes."""
    return [
        Computation("lemma", f"the matrix of the lemma, n = {n:,}", {"data": data, "n": n, "seed": seed}, look_into)
        for n in SIZES[scale]
        for seed in range(seeds)
    ]


def look_into(data: Any, n: int, seed: int) -> list[dict[str, Any]]:
    """Eigenvalues, determinant and singular values of the matrix of n images on a line.

    Rows and columns are shuffled alike before anything is computed, which changes neither eigenvalues nor determinant
    but hides from every algorithm that the matrix is triangular.
    """
    from ..data import at_most
    from ..theory import ramp_matrix
    from ..theory.relu_interpolation import sorted_line

    subset = at_most(data, n, 1, seed).train
    z = sorted_line(subset.flat().astype(np.float64), np.zeros((len(subset), 1)), seed).z
    b = between(z)
    order = stream(seed, "lemma", "order").permutation(len(z))
    matrix = ramp_matrix(z, b)[np.ix_(order, order)]
    singular = np.linalg.svd(matrix, compute_uv=False)
    _, logarithm = np.linalg.slogdet(matrix)
    record = {
        "n": len(z),
        "smallest_difference": float((z - b).min()),
        "largest_singular_value": float(singular[0]),
        "smallest_singular_value": float(singular[-1]),
        "log_determinant": float(logarithm),
        "sum_of_logs": float(np.log(z - b).sum()),
        "roots": None,
        "determinant_is_zero": None,
        "control_is_zero": None,
    }
    if len(z) <= EXACT:
        differences = set((z - b).tolist())
        moved = b.copy()
        moved[0] = z[0]  # the control: no threshold lies below the first point any more
        record |= {
            "roots": sum(determinant(matrix, shift) == 0 for shift in differences),
            "differences": len(differences),
            "determinant_is_zero": determinant(matrix) == 0,
            "control_is_zero": determinant(ramp_matrix(z, moved)[np.ix_(order, order)]) == 0,
        }
    return [record]


def between(z: Any) -> Any:
    """Thresholds b_1 < z_1 < b_2 < z_2 < ...: the midpoints, and before the first point a mean interval.

    Args:
        z: (n,) points, ascending and all different.
    """
    first = z[0] - ((z[-1] - z[0]) / len(z) or 1.0)
    return np.concatenate([[first], (z[:-1] + z[1:]) / 2])


def determinant(matrix: Any, shift: float = 0.0) -> Fraction:
    """The determinant of a float64 matrix less `shift` times the identity, by fractions: nothing is rounded.

    >>> determinant(np.array([[0.5, 0.25], [1.0, 0.5]]))
    Fraction(0, 1)
    """
    rows = [
        [Fraction(float(x)) - Fraction(shift) * (i == j) for j, x in enumerate(row)] for i, row in enumerate(matrix)
    ]
    product = Fraction(1)
    for place in range(len(rows)):
        pivot = next((i for i in range(place, len(rows)) if rows[i][place]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != place:
            rows[place], rows[pivot] = rows[pivot], rows[place]
            product = -product
        product *= rows[place][place]
        for row in rows[place + 1 :]:
            factor = row[place] / rows[place][place]
            for column in range(place, len(rows)):
                row[column] -= factor * rows[place][column]
    return product


def table(tables: Tables) -> list[Cells]:
    """A line for each size, means over seeds."""
    return [
        {
            "n": n,
            "seeds": len(some),
            "smallest x - b": _mean(some, "smallest_difference"),
            "smallest singular value": _mean(some, "smallest_singular_value"),
            "largest singular value": _mean(some, "largest_singular_value"),
            "condition number": mean_of(
                [r["largest_singular_value"] / r["smallest_singular_value"] for r in some], "{:.1e}".format
            ),
            "roots found exactly": f"{sum(r['roots'] for r in exact)} of {sum(r['differences'] for r in exact)}"
            if (exact := [r for r in some if r["roots"] is not None])
            else "—",
        }
        for n, some in _by_size(tables).items()
    ]


def _by_size(tables: Tables) -> dict[int, list[dict[str, Any]]]:
    return {n: [r for r in tables.records if r["n"] == n] for n in sorted({r["n"] for r in tables.records})}


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> str:
    return mean_of([r[name] for r in records], "{:.2e}".format)


VALUES = {
    "smallest_difference": "smallest eigenvalue, min x - b",
    "smallest_singular_value": "smallest singular value",
}


def draw(tables: Tables) -> Mapping[str, Any]:
    """The smallest eigenvalue and the smallest singular value, relative to the largest singular value, against n."""
    records = [
        {"n": r["n"], "share": r[name] / r["largest_singular_value"], "value": text}
        for r in tables.records
        for name, text in VALUES.items()
    ]
    return {
        "values": lines(
            records, "n", "share", "value", log_x=True, log_y=True, y_format=".0e",
            title="How near the matrix of the lemma is to a singular one",
            subtitle=f"images of {tables.records[0]['data']} on a line; {seeds_of(tables.records)}",
            x_title="points n", y_title="share of the largest singular value",
        )
    } if records else {}  # fmt: skip


def verdict(tables: Tables) -> list[str]:
    """The lemma in numbers, and what it does not say: how well the system can be solved."""
    if not tables.records:
        return ["No matrix has been looked into yet."]
    largest = [*_by_size(tables).values()][-1]
    where = f"{display(largest[0]['data'])}, n = {largest[0]['n']:,}, {seeds_of(largest)}"
    return [
        sentence("The lemma:", _lemma(tables).numbers),
        sentence(
            "What the lemma does not bound is the smallest singular value, which decides how labels that are a little "
            "off move the weights: it is",
            _mean(largest, "smallest_singular_value"),
            f"the smallest eigenvalue is {_mean(largest, 'smallest_difference')}",
            caveat=where,
        ),
    ]


def _lemma(tables: Tables) -> Outcome:
    if not tables.records:
        return NO_RUNS
    if broken := not_finite(tables.records, ("log_determinant", "sum_of_logs", "smallest_difference")):
        return broken
    exact = [r for r in tables.records if r["roots"] is not None]
    off = max(map(_off, tables.records))
    numbers = f"the determinant is the product of all x - b, its logarithm to {off:.1e} a row in float64"
    if not exact:
        return cannot_tell(f"no matrix of at most {EXACT} rows has been looked into with fractions", "finish", numbers)
    roots, of = (sum(r[name] for r in exact) for name in ("roots", "differences"))
    numbers = f"{roots} of {of} differences x - b are eigenvalues in exact arithmetic; {numbers}"
    return all_of(_matrix(r, numbers) for r in tables.records)


def _off(record: Mapping[str, Any]) -> float:
    """How far the logarithm of the determinant is from the sum of those of the differences, a row."""
    return float(abs(record["log_determinant"] - record["sum_of_logs"]) / record["n"])


def _matrix(record: Mapping[str, Any], numbers: str) -> Outcome:
    """What one matrix says."""
    if record["smallest_difference"] <= 0:
        return cannot_tell(f"thresholds and points are not interleaved (n = {record['n']:,})", None, numbers)
    if record["roots"] is None:
        return Outcome("confirmed" if _off(record) <= DETERMINANT else "not shown", numbers)
    if record["roots"] < record["differences"] or record["determinant_is_zero"]:
        return Outcome("contradicted", numbers)
    if record["differences"] < record["n"]:
        return cannot_tell(f"differences x - b are equal, so that they need not be all eigenvalues (n = {record['n']})")
    if not record["control_is_zero"]:
        return cannot_tell(
            "the control, without a threshold below the first point, can be inverted as well", None, numbers
        )
    return Outcome("confirmed", numbers)


STUDY = Study(
    question="Can the matrix behind the theorem always be inverted?",
    source="Zhang et al. (2017), appendix, lemma 1",
    chapter="The theorem",
    jobs=jobs,
    draw=draw,
    verdict=verdict,
    table=table,
    claims=(
        Claim(
            "Ramps between interleaved thresholds make a matrix of full rank, whose smallest eigenvalue is the "
            "smallest x - b (lemma 1).",
            f"Confirmed if in exact arithmetic, for matrices of at most {EXACT} rows whose rows and columns are "
            "shuffled, every difference x - b is a root of the characteristic polynomial, the differences are as many "
            "as the rows, and the determinant is not 0, while it is 0 in the control, which has no threshold below the "
            "first point; and if in float64 the logarithm of the determinant of larger ones is the sum of those of "
            f"the differences to {DETERMINANT:g} a row. Contradicted if a difference is no root or the determinant is "
            "0. As this is a theorem, nothing but rounding is random.",
            _lemma,
        ),
    ),
)
