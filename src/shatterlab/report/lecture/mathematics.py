"""Formulas of the slides: written in LaTeX between dollars, shown by the browser as MathML, which needs no script."""

import re

from latex2mathml.converter import convert
from markupsafe import Markup

_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)


def with_mathematics(html: str) -> Markup:
    r"""The HTML with its formulas as MathML: `$...$` within a line, `$$...$$` on lines of their own.

    Args:
        html: trusted HTML; in a formula `<` is written as `\lt`, so that the HTML stays whole.
    """

    def formula(match: re.Match[str]) -> str:
        display, inline = match.groups()
        return convert(display, display="block") if display else convert(inline)

    return Markup(_FORMULA.sub(formula, html))
