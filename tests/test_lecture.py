"""Lecture mode: the deck in a real browser, with every study run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import serious_barriers

from shatterlab import Store
from shatterlab.report import sections
from shatterlab.report.lecture.mathematics import with_mathematics

PROJECTOR = {"width": 1920, "height": 1080}

OUTLINE = (
    "questions", "bias-variance", "overparameterization", "why", "conditions", "curves", "slowdown", "growth",
    "timeline", "theorem", "lemma", "inverted", "proof", "regularizers", "changes", "table1", "dropout", "tuned", "harder",
    "implicit", "linear", "sgd", "three-routes", "takeaways", "closing",
)  # fmt: skip
"""The outline of the lecture, in its order."""


@pytest.fixture(scope="module")
def deck(browser: Any, small_page: Path) -> Iterator[Any]:
    page = browser.new_page(viewport=PROJECTOR)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(small_page.as_uri())
    page.evaluate("ready")
    yield page
    page.close()


def shown(page: Any) -> str:
    name: str = page.evaluate("document.querySelector('.slide.shown')?.id.replace('lecture-', '') ?? ''")
    return name


def at(page: Any, name: str) -> Any:
    page.evaluate(f"location.hash = 'lecture-{name}'")
    page.wait_for_function(f"document.querySelector('.slide.shown')?.id === 'lecture-{name}'")
    return page.locator(".slide.shown")


def slides(page: Any) -> list[str]:
    ids: list[str] = page.evaluate("[...document.querySelectorAll('.slide')].map(s => s.id.replace('lecture-', ''))")
    return ids


def test_the_deck_follows_the_lectures_outline(deck: Any) -> None:
    names = slides(deck)
    places = [names.index(name) for name in OUTLINE]
    assert places == sorted(places)


def test_the_key_l_begins_the_lecture_and_escape_ends_it(deck: Any) -> None:
    deck.evaluate("location.hash = 'scoreboard'")
    deck.wait_for_function("!document.body.classList.contains('lecturing')")
    assert not deck.locator("#lecture").is_visible()
    deck.keyboard.press("l")
    deck.wait_for_selector("#lecture")
    assert shown(deck) == slides(deck)[0]
    assert not deck.locator("#scoreboard").is_visible()
    deck.keyboard.press("Escape")
    deck.wait_for_selector("#scoreboard")
    assert not deck.locator("#lecture").is_visible()


def test_what_was_measured_is_hidden_until_one_goes_forward_once_more(deck: Any) -> None:
    slide = at(deck, "slowdown")
    assert not slide.locator(".answer").is_visible()
    deck.keyboard.press("ArrowRight")
    assert slide.locator(".answer").is_visible()
    assert "slow training down" in slide.locator(".answer").inner_text()
    deck.keyboard.press("ArrowRight")
    deck.wait_for_function("document.querySelector('.slide.shown').id === 'lecture-growth'")
    deck.keyboard.press("ArrowLeft")
    deck.wait_for_function("document.querySelector('.slide.shown').id === 'lecture-slowdown'")


def test_a_quiz_marks_its_answer_only_after_one_has_guessed(deck: Any) -> None:
    slide = at(deck, "quiz-theorem")
    mark = "getComputedStyle(document.querySelector('.slide.shown [data-right]'), '::after').content"
    assert deck.evaluate(mark) == "none"
    deck.locator("[data-go=on]").click()
    assert "the paper" in deck.evaluate(mark)
    assert slide.locator("[data-right]").inner_text() == "2n + d"


def test_every_slide_fits_a_projector_and_every_chart_of_the_deck_is_drawn(deck: Any) -> None:
    high, charts = [], 0
    for name in slides(deck):
        slide = at(deck, name)
        for screen in slide.locator(".screen").all():
            screen.locator("svg").wait_for(state="attached")
            charts += 1
        deck.keyboard.press("ArrowRight") if slide.locator(".answer").count() else None
        if deck.evaluate("document.documentElement.scrollHeight") > PROJECTOR["height"]:
            high.append(name)
    assert high == []
    assert charts >= 12
    assert deck.said == []


def test_formulas_are_mathml(deck: Any) -> None:
    assert at(deck, "lemma").locator("math mtable").count() == 1
    assert deck.locator("#lecture").evaluate("deck => deck.textContent.includes('$')") is False


def test_the_deck_has_no_serious_barrier(deck: Any) -> None:
    for name in ("start", "slowdown", "lemma", "takeaways"):
        at(deck, name)
        assert (name, serious_barriers(deck, ".slide.shown")) == (name, [])


def test_a_slide_without_runs_says_how_to_make_them(tmp_path: Path) -> None:
    [deck] = [part for part in sections(Store(tmp_path), []) if part.id == "lecture"]
    assert "shatterlab run label-noise</code>" in deck.html
    assert not re.search(r"confirmed</span>|contradicted</span>", deck.html)


def test_a_formula_is_converted_and_the_rest_stays() -> None:
    html = with_mathematics("<p>a $x_i$ b</p>$$y^2$$")
    assert html.startswith('<p>a <math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">')
    assert html.count("<math") == 2
    assert 'display="block"' in html
