"""A store in a notebook: its report and its charts as frames that need no connection."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest

import shatterlab as sl


def test_the_report_is_written_and_shown(small_store: Any, tmp_path: Path) -> None:
    page = sl.Store(small_store.path).report(tmp_path / "page.html")
    assert str(page) == str(tmp_path / "page.html")
    assert Path(page).stat().st_size > 500_000
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="')
    assert unescape(frame.split('"')[1]) == Path(page).read_text()


def test_charts_have_names_and_can_be_taken_one_by_one(small_store: Any) -> None:
    charts = sl.Store(small_store.path).charts("bias-variance")
    assert list(charts) == ["bias-variance, demo, digits: decomposition"]
    assert (
        charts["bias-variance, demo, digits: decomposition"].to_dict()["title"]["text"].startswith("Expected squared")
    )
    assert len(sl.Store(small_store.path).charts()) > 20


def test_a_browser_draws_the_charts_of_a_notebook_without_a_connection(small_store: Any, browser: Any) -> None:
    page, asked, said = browser.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.set_content(sl.Store(small_store.path).charts("double-descent")._repr_html_())
    frame = page.frames[1]
    frame.wait_for_selector(".chart svg")
    assert frame.locator(".chart svg").count() == 2
    assert [url for url in asked if url.startswith("http")] == []
    assert said == []
    page.close()


def test_the_explorables_live_in_the_report_of_a_notebook(small_store: Any, browser: Any, tmp_path: Path) -> None:
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_content(sl.Store(small_store.path).report(tmp_path / "page.html")._repr_html_())
    frame = page.frames[1]
    frame.wait_for_selector("#try-descent svg")
    frame.get_by_role("button", name="start from zero").click()
    frame.get_by_label("learning rate").press("ArrowRight")
    assert "ends at the solution of least norm" in frame.locator("#try-descent .say").inner_text()
    assert said == []
    page.close()


def test_an_unknown_study_and_an_empty_store_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(sl.ShatterlabError, match="table1"):
        sl.Store(tmp_path).charts("tabel1")
    with pytest.raises(sl.ShatterlabError, match="start with 'shatterlab run table1'"):
        sl.Store(tmp_path).charts("table1")
