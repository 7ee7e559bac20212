"""The explorables of "Try it": what they show is computed once more by numpy, and by a browser as a reader meets them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import serious_barriers

from shatterlab.cli import main
from shatterlab.report import write_explore
from shatterlab.report.explore import EXPLORABLES, explore_script
from shatterlab.report.render import text

MOST_BYTES = 40_000


def until(page: Any, condition: str) -> None:
    """Waits for a condition; the page's policy forbids playwright's own way, which evaluates a string in the page."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of the explorables; what the console says and what is asked of the network is kept beside it."""
    path = write_explore(tmp_path / "explore.html")
    pages = []

    def open_(address: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        page = context.new_page()
        pages.append(page)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri() + address)
        until(page, "Object.keys(explore.made).length === 5")
        return page

    yield open_
    for page in pages:
        assert page.said == []
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
        page.context.close()


def test_script_and_style_are_small_and_cannot_end_their_element() -> None:
    script, style = explore_script(), text("explore/explore.css")
    assert len(script.encode()) + len(style.encode()) < MOST_BYTES
    assert not re.search(r"</script|<!--|</style", script + style, re.IGNORECASE)
    assert "innerHTML" not in script


def test_the_command_writes_a_page_that_needs_neither_library_nor_eval(capsys, tmp_path: Path) -> None:
    main(["explore", "--out", str(tmp_path / "deep" / "e.html")])
    said = capsys.readouterr().out
    page = (tmp_path / "deep" / "e.html").read_text()
    assert str(tmp_path / "deep" / "e.html") in said
    assert "unsafe-eval" not in page
    assert len(page) < 80_000


@pytest.mark.parametrize("replaced", range(3))
def test_128_units_fit_labels_that_are_all_random_within_10_000_steps(opened: Any, replaced: int) -> None:
    page = opened()
    page.evaluate(f"explore.made.network.set({{ noise: 100, width: 128, redraws: {replaced} }})")
    found = page.evaluate("explore.made.network.run(10000)")
    assert found["train"] == 1
    assert found["fitted"] == found["corrupted"] > 8
    assert found["test"] < 0.75
    true = page.evaluate("(explore.made.network.set({ noise: 0, width: 128 }), explore.made.network.run(10000))")
    assert true["train"] == 1
    assert true["test"] > 0.9
    assert true["step"] < found["step"]


def test_the_network_trains_before_the_readers_eyes_and_says_what_it_memorized(opened: Any) -> None:
    page = opened(reduced_motion="reduce")
    page.get_by_role("button", name="random labels").first.click()
    until(page, "document.querySelector('#try-network .say').textContent.includes('memorized')")
    state = page.evaluate("explore.made.network.state()")
    assert f"the {state['corrupted']} wrong ones too" in page.locator("#try-network .say").inner_text()


def test_the_largest_error_shown_is_that_of_the_drawn_network(opened: Any) -> None:
    page = opened("#try-theorem?theorem.step=5&theorem.n=7")
    state = page.evaluate("explore.made.theorem.state()")
    x = np.array(state["points"]) @ np.array(state["a"])
    hidden = np.maximum(x[:, None] - np.array(state["b"]), 0)
    error = np.abs(hidden @ np.array(state["w"]) - state["labels"]).max()
    assert error == pytest.approx(state["error"], abs=1e-14)
    assert state["error"] < 1e-12
    assert float(state["shown"]) == pytest.approx(state["error"], rel=0.06, abs=1e-16)
    order = np.argsort(x)
    values = np.linalg.eigvals(hidden[order])
    assert np.sort(values.real) == pytest.approx(np.sort(x[order] - np.array(state["b"])))
    # The drawn line passes through every label: its corners lie at thresholds and points.
    assert page.locator("#try-theorem path.orange").count() == 1


def test_a_label_follows_the_arrow_keys_and_the_network_follows_the_label(opened: Any) -> None:
    page = opened("#try-theorem?theorem.step=5")
    before = page.evaluate("explore.made.theorem.state()")
    page.get_by_role("button", name="label of point 2").focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    after = page.evaluate("explore.made.theorem.state()")
    assert after["labels"][1] == pytest.approx(before["labels"][1] + 5 * 0.02 * 2.6)
    assert after["error"] < 1e-12


def test_a_point_can_be_dragged(opened: Any) -> None:
    page = opened("#try-descent")
    grip = page.get_by_role("button", name="start of the descent")
    box = grip.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert page.evaluate("explore.made.descent.state().start[0]") > -1.1


@pytest.mark.parametrize("size", [10, 20, 30, 40])
def test_the_test_error_peaks_at_as_many_features_as_examples(opened: Any, size: int) -> None:
    page = opened()
    page.evaluate(f"explore.made.doubledescent.set({{ n: {size}, ridge: -8 }})")
    test = page.evaluate("explore.made.doubledescent.state().test")
    assert int(np.argmax(test)) + 1 == size
    assert test[-1] < test[3]
    page.evaluate(f"explore.made.doubledescent.set({{ n: {size}, ridge: 0.5 }})")
    assert max(page.evaluate("explore.made.doubledescent.state().test")[1:]) < 0.1 * max(test)


def test_its_errors_are_those_of_ridge_regression(opened: Any) -> None:
    page = opened()
    page.evaluate("explore.made.doubledescent.set({ n: 20, ridge: -2 })")
    found = page.evaluate("explore.made.doubledescent.problem(1003)")
    X, Z, y = (np.array(found[name]) for name in "XZy")
    for p in (5, 20, 160):
        w = np.linalg.solve(X[:, :p].T @ X[:, :p] + 0.01 * np.eye(p), X[:, :p].T @ y)
        assert found["test"][p - 1] == pytest.approx(np.mean((Z[:, :p] @ w - found["truth"]) ** 2), rel=1e-6)
        assert found["train"][p - 1] == pytest.approx(np.mean((X[:, :p] @ w - y) ** 2), rel=1e-6)


def test_descent_from_zero_ends_at_the_solution_of_least_norm(opened: Any) -> None:
    page = opened()
    page.get_by_role("button", name="start from zero").click()
    state = page.evaluate("explore.made.descent.state()")
    least = np.linalg.pinv(np.array(state["X"])) @ np.array(state["y"])
    assert state["gradient"] == pytest.approx(least, abs=1e-9)
    assert state["sgd"] == pytest.approx(least, abs=1e-9)
    assert page.locator("#try-descent .say").inner_text().startswith("From here descent ends at the solution of least")


def test_bias_and_variance_are_those_of_least_squares(opened: Any) -> None:
    page = opened()
    state = page.evaluate("explore.made.polynomials.state()")
    x, grid = np.array(state["places"]), np.array(state["grid"])

    def truth(t: np.ndarray) -> np.ndarray:
        return np.sin(2.6 * t) + 0.3 * t

    for degree in (0, 1, 5, 9):
        design, far = (np.polynomial.legendre.legvander(t, degree) for t in (x, grid))
        hat = far @ np.linalg.pinv(design)
        part = state["parts"][degree]
        assert part["bias"] == pytest.approx(np.mean((hat @ truth(x) - truth(grid)) ** 2), rel=1e-6, abs=1e-12)
        assert part["variance"] == pytest.approx(state["noise"] ** 2 * np.mean((hat**2).sum(1)), rel=1e-6)
    totals = [part["total"] for part in state["parts"]]
    assert 0 < int(np.argmin(totals)) < len(totals) - 1  # the U


def test_the_state_lies_in_the_address_and_comes_back_with_it(opened: Any) -> None:
    page = opened("#try-polynomials?polynomials.degree=7&network.noise=60&network.width=5&network.condition=99")
    assert page.evaluate("explore.made.polynomials.state().degree") == 7
    assert page.evaluate("explore.made.network.state().noise") == 60
    assert page.evaluate("explore.made.network.state().width") == 128  # 5 is none of its widths
    page.get_by_label("standard deviation of the noise").focus()
    page.keyboard.press("ArrowRight")
    address = page.evaluate("location.hash")
    assert "polynomials.noise=0.5" in address
    assert "polynomials.degree=7" in address


def test_a_descent_that_does_not_end_is_said_and_not_drawn(opened: Any) -> None:
    page = opened()
    page.evaluate("explore.made.descent.set([NaN, 1])")
    assert "not finite" in page.locator("#try-descent .readout").inner_text()
    assert page.locator("#try-descent svg").evaluate("svg => /NaN|Infinity/.test(svg.innerHTML)") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_explorable_fits_the_screen_and_has_no_serious_barrier(opened: Any, width: int, scheme: str) -> None:
    page = opened("#try-theorem?theorem.step=5", viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for one in EXPLORABLES:
        assert page.locator(f"#try-{one.name} svg").count() >= 1
        assert page.locator(f"#try-{one.name} input").count() >= 1
    if (width, scheme) in ((1280, "light"), (390, "dark")):  # both widths and both schemes, in half the time
        assert serious_barriers(page) == []
