"""A study's table as LaTeX, with the rules of booktabs."""

from collections.abc import Mapping, Sequence
from typing import Any

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "×": r"$\times$", "²": r"$^2$", "−": "$-$",
    "≥": r"$\geq$", "≤": r"$\leq$", "—": "---", "–": "--", "<": r"\textless{}", ">": r"\textgreater{}",
    "‖": r"$\|$", "√": r"$\surd$", "→": r"$\to$", "⟨": r"$\langle$", "⟩": r"$\rangle$",
}  # fmt: skip
"""Characters that LaTeX reads as commands or that its usual fonts lack, and how they are written."""


def escaped(text: str) -> str:
    """The text as LaTeX prints it."""
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def booktabs(lines: Sequence[Mapping[str, Any]], caption: str) -> str:
    """A table as a `tabular` that needs the package booktabs; columns of numbers are aligned on the right.

    Args:
        lines: the lines of the table, not empty, all with the same headings.
        caption: what the table shows, written above it as a comment.
    """
    headings = list(lines[0])
    numbers = [all(_is_number(line[name]) for line in lines) for name in headings]
    rows = [[_cell(line[name]) for name in headings] for line in lines]
    return "\n".join(
        [
            *(f"% {part}" for part in caption.splitlines()),
            rf"\begin{{tabular}}{{@{{}}{''.join('r' if number else 'l' for number in numbers)}@{{}}}}",
            r"\toprule",
            " & ".join(escaped(name) for name in headings) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _cell(value: Any) -> str:
    if value is None:
        return "---"
    return escaped(value if isinstance(value, str) else f"{value:,}")


def _is_number(value: Any) -> bool:
    return not isinstance(value, str) or value[:1] in "0123456789+-—−"
