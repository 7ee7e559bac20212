"""The report on paper: the PDF that Chromium prints of it."""

import io
from pathlib import Path
from typing import Any

import pytest

MOST_PAGES = 26
"""Two seeds of every study; the demo on CIFAR-10, one seed, takes 23 pages."""


@pytest.fixture(scope="module")
def pages(browser: Any, small_page: Path) -> list[str]:
    """The text of each page, printed from the dark theme."""
    pdf = pytest.importorskip("pypdfium2")
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.goto(small_page.as_uri())
    page.evaluate("ready")
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert page.evaluate("document.querySelectorAll('details[open]').length") == 0  # as they were
    page.close()
    document = pdf.PdfDocument(io.BytesIO(printed))
    corner = document[0].render(scale=0.2).to_pil().convert("L").getpixel((3, 3))
    assert corner == 255, "paper stays white"
    return [one.get_textpage().get_text_range() for one in document]


def test_every_study_fits_few_pages_and_none_is_nearly_empty(pages: list[str]) -> None:
    assert len(pages) <= MOST_PAGES
    assert [len(text) for text in pages[:-1] if len(text) < 500] == []


def test_legends_tables_and_closed_details_are_printed(pages: list[str]) -> None:
    whole = " ".join(" ".join(pages).split())
    for text in (
        "shuffled-pixels",
        "gradient descent from zero",
        "best ridge",
        "Confirmed if",
        "hardware:",
        "parameters epochs steps",
    ):
        assert text in whole


def test_a_chart_stands_on_the_page_of_its_title(pages: list[str]) -> None:
    for title, inside in (
        ("Test error after training on noisy labels", "share of labels replaced at random"),
        ("Expected squared error and its parts", "degree of the polynomial"),
        ("Test error against the size of the model", "random ReLU features"),
    ):
        [page] = [text for text in pages if title in " ".join(text.split())]
        assert inside in " ".join(page.split())


def test_the_deck_of_the_lecture_is_not_printed(pages: list[str]) -> None:
    assert "Proof of the theorem" not in " ".join(pages)


def test_paper_has_no_buttons(pages: list[str]) -> None:
    assert "data as CSV" not in " ".join(pages)
