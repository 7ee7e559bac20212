"""The report: one page, its claims, its print versions, and what a browser makes of it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import HOUSE, found, serious_barriers, train_all

from shatterlab import ShatterlabError, Store, make_spec, run
from shatterlab.assumptions import ASSUMPTIONS
from shatterlab.report import sections, write, write_figures
from shatterlab.report.glossary import GLOSSARY, glossed
from shatterlab.report.scoreboard import scoreboard, takeaways
from shatterlab.report.study import Shown
from shatterlab.results import Asked
from shatterlab.studies import CHAPTERS, STUDIES, TAKEAWAYS, Outcome, cannot_tell, command_of, judge

CHROMIUM = shutil.which("chromium")

# Planted in the path of a data set; a file name holds no slash, so the tag is closed by nothing.
HOSTILE = "<script>alert(1)<"
HOSTILE_FILE = HOSTILE.replace("/", "") + ".npz"


def charts_of(page: str) -> dict[str, Any]:
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]


def test_the_page_is_whole_and_asks_the_network_for_nothing(small_store: Store, small_page: Path) -> None:
    page = small_page.read_text()
    outside_scripts = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)|url\(|@import""", outside_scripts)
    for name in HOUSE:
        assert f"shatterlab run {name} --scale demo --data digits --seeds 2" in page
    charts = charts_of(page)
    assert len(charts) == sum(len(study.draw(found(small_store, name))) for name, study in HOUSE.items())
    assert all(f'id="{id}"' in page for id in charts)
    assert "fails to converge" in page
    assert "DenseNet-BC-190 (k = 40)" in page
    assert "scaled: demo on digits, not the full size" in page
    for study in STUDIES.values():
        assert all(str(glossed(claim.statement)) in page for claim in study.claims)
    assert [page.index(f">{chapter}</h2>") for chapter in CHAPTERS if chapter != "Further studies"] == sorted(
        page.index(f">{chapter}</h2>") for chapter in CHAPTERS if chapter != "Further studies"
    )


def test_what_has_not_been_run_is_said_with_its_command(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    spec = make_spec(model="mlp-1x4", data="digits", epochs=1, n=20, n_test=10)
    train_all([spec], store.path)
    page = write(store, store.results(), tmp_path / "page.html").read_text()
    assert page.partition('<section id="lecture"')[0].count("not yet run here</span>") == 1 + len(TAKEAWAYS) + sum(
        len(study.claims) for study in STUDIES.values()
    )
    for name in STUDIES:
        assert f"Not run here yet: <code>shatterlab run {name}</code>" in page


def test_every_study_has_a_chapter_claims_and_known_assumptions() -> None:
    for study in STUDIES.values():
        assert study.chapter in CHAPTERS
        assert study.claims
        assert set(study.assumptions) <= ASSUMPTIONS.keys()
        for claim in study.claims:
            assert claim.statement.endswith(".")
            assert claim.rule.startswith("Confirmed if")
            assert claim.rule.endswith(".")
    assert {name for names in TAKEAWAYS.values() for name in names} <= STUDIES.keys()


def test_a_claim_is_not_confirmed_while_runs_are_missing(small_store: Store, tmp_path: Path) -> None:
    shutil.copytree(small_store.path, tmp_path / "store")
    store = Store(tmp_path / "store")
    results = store.results()
    board = sections(store, results)[0].html
    for asked in store.asked():
        store.ask(asked.model_copy(update={"run_ids": [*asked.run_ids, "0" * 12]}))
    unfinished = sections(store, results)[0].html
    assert '<span class="state confirmed">confirmed</span>' in board
    assert '<span class="state confirmed">' not in unfinished
    assert '<span class="state contradicted">' not in unfinished
    assert "runs are unfinished." in unfinished


def test_runs_that_cannot_tell_say_why_and_name_the_command_that_would(small_store: Store) -> None:
    for one in small_store.asked():
        study, tables_found = STUDIES[one.study], found(small_store, one.study)
        for outcome in judge(study, one, tables_found, 0).values():
            if outcome.remedies and (command := command_of(one, outcome.remedies)):
                assert command.startswith(f"shatterlab run {one.study} --scale ")
                assert ("--scale demo" in command) == ("scale" not in outcome.remedies)
    paper = Asked(study="table1", scale="paper", data="cifar10", seeds=1, run_ids=[])
    assert command_of(paper, ["scale"]) == ""
    assert command_of(paper, ["seeds"]) == "shatterlab run table1 --scale paper --data cifar10 --seeds 3"
    demo = paper.model_copy(update={"scale": "demo"})
    assert command_of(demo, ["scale", "seeds"]) == "shatterlab run table1 --scale cpu --data cifar10 --seeds 3"
    # On the digits every scale trains as many examples for as many epochs.
    assert command_of(demo.model_copy(update={"data": "digits"}), ["scale"]).find("--scale demo") == -1
    digits = paper.model_copy(update={"data": "digits"})
    assert command_of(digits, ["data"]) == "shatterlab run table1 --scale paper --data cifar10"


def test_a_takeaway_wears_the_state_of_its_claims() -> None:
    studies = next(iter(TAKEAWAYS.values()))
    lines = [{"study": name, "state": "confirmed"} for name in studies]
    assert takeaways(lines)[0]["state"] == "confirmed"
    for state in ("cannot tell", "not shown", "contradicted"):
        lines.append({"study": studies[0], "state": state})
        assert takeaways(lines)[0]["state"] == state
    assert takeaways([])[0]["state"] == "not yet run here"


def test_runs_that_can_tell_decide_before_larger_ones_that_cannot(small_store: Store) -> None:
    (asked,) = [one for one in small_store.asked() if one.study == "label-noise"]
    study = STUDIES["label-noise"]
    large, small = (
        Shown(asked.model_copy(update={"scale": scale, "data": "cifar10"}), study, [], []) for scale in ("cpu", "demo")
    )
    outcomes = {
        large.id: dict.fromkeys(study.claims, cannot_tell("unfitted", "scale")),
        small.id: dict.fromkeys(study.claims, Outcome("confirmed", "12")),
    }
    line = next(line for line in scoreboard([large, small], outcomes) if line["study"] == "label-noise")
    assert line["state"] == "confirmed"
    assert [judged["outcome"].state for judged in line["outcomes"]] == ["confirmed", "cannot tell"]
    assert line["outcomes"][1]["command"].startswith("shatterlab run label-noise --scale paper")


def test_the_command_of_a_section_can_be_pasted_into_a_shell(small_store: Store, tmp_path: Path) -> None:
    shutil.copytree(small_store.path, tmp_path / "store")
    store = Store(tmp_path / "store")
    (asked,) = [one for one in store.asked() if one.study == "learning-curves"]
    store.ask(asked.model_copy(update={"data": "npz:my data;rm.npz"}))
    page = "".join(part.html for part in sections(store, store.results()))
    assert "--data &#39;npz:my data;rm.npz&#39;" in page


def test_the_pictures_are_the_training_images_under_each_condition(small_store: Store) -> None:
    pictures = found(small_store, "learning-curves").records
    by_condition = {
        name: [r for r in pictures if r["condition"] == name] for name in {r["condition"] for r in pictures}
    }
    assert {len(found) for found in by_condition.values()} == {3}
    true, random, shuffled = (by_condition[name] for name in ("true-labels", "random-labels", "shuffled-pixels"))
    assert [r["png"] for r in true] == [r["png"] for r in random] != [r["png"] for r in shuffled]
    assert [r["true_label"] for r in true] == [r["true_label"] for r in random] == [r["label"] for r in true]


@pytest.mark.parametrize(("format", "magic"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_print_versions_of_a_studys_charts(small_store: Store, tmp_path: Path, format, magic: bytes) -> None:
    results = small_store.results()
    *files, captions = write_figures(small_store, results, tmp_path / "out", format, "learning-curves")
    assert captions.name == "captions.txt"
    assert {file.name for file in files} == {
        f"learning-curves-demo-digits-{name}.{format}" for name in ("images", "mlp-1x16")
    }
    assert all(file.read_bytes().startswith(magic) for file in files)


def test_nothing_to_draw_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(ShatterlabError, match="holds nothing to draw of table1; start with 'shatterlab run table1'"):
        write_figures(Store(tmp_path), [], tmp_path / "out", "svg", "table1")


@pytest.fixture(scope="session")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A run on data whose path is a script tag."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / HOSTILE
    path.mkdir()
    arrays = {"x_train": np.zeros((8, 4, 4), np.uint8), "y_train": np.arange(8) % 2,
              "x_test": np.zeros((4, 4, 4), np.uint8), "y_test": np.arange(4) % 2}  # fmt: skip
    np.savez(path / HOSTILE_FILE, **arrays)  # type: ignore[arg-type]
    store = Store(folder / "store<b>")
    name = f"npz:{path / HOSTILE_FILE}"
    spec = run(make_spec(model="mlp-1x4", data=name, corruption="random-labels", epochs=1), store).spec
    store.ask(Asked(study="learning-curves", scale="demo", data=name, seeds=1, run_ids=[spec.id]))
    return store


def test_names_from_users_are_escaped(hostile_store: Store, tmp_path: Path) -> None:
    results = hostile_store.results()
    page = write(hostile_store, results, tmp_path / "page.html").read_text()
    for html in (page, hostile_store._repr_html_(), results[0]._repr_html_()):
        assert "<script>alert" not in html
        assert "alert(1)" in html
    assert "<b>" not in hostile_store._repr_html_()


def test_an_empty_store_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(ShatterlabError, match="holds no finished runs; start with 'shatterlab run learning-curves'"):
        write(Store(tmp_path), [], tmp_path / "page.html")


@pytest.fixture
def opened(browser: Any, small_page: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page of every study; what the console says and what is asked of the network is kept beside it."""
    contexts = []

    def open_(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(small_page.as_uri())
        page.evaluate("ready")
        return page

    yield open_
    for context in contexts:
        context.close()


SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_every_chart_in_silence(opened, size: str, scheme: str) -> None:
    page = opened(viewport=SIZES[size], color_scheme=scheme)
    assert page.locator(".chart svg").count() == page.locator(".chart").count() > 15
    assert page.said == []
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "data", "blob"}
    assert len([url for url in page.asked if url.startswith("file")]) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 29)"
    assert dark == (scheme == "dark")
    if (size, scheme) in (("wide", "light"), ("phone", "dark")):  # both sizes and both schemes, in half the time
        assert serious_barriers(page) == []


def test_a_phone_shows_every_point_of_table_1(opened) -> None:
    page = opened(viewport=SIZES["phone"])
    chart = page.locator("[id^=table1][id$=test-accuracy].chart")
    frame = chart.bounding_box()
    boxes = [path.bounding_box() for path in chart.locator(".mark-symbol.role-mark path").all()]
    assert len(boxes) >= 8
    assert all(
        frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] <= 390 for box in boxes
    )


def test_charts_answer_to_the_pointer_and_hand_over_their_data(opened) -> None:
    page = opened(viewport=SIZES["wide"])
    chart = page.locator("[id^=double-descent][id$=error].chart")
    chart.locator(".mark-symbol path").first.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "features" in page.locator("#vg-tooltip-element").inner_text()
    with page.expect_download() as download:
        page.locator(f"button[data-chart='{chart.get_attribute('id')}']").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "features,test_error,kind"
    assert len(lines) > 10


def test_the_keyboard_reaches_every_chart_and_the_dark_mode(opened) -> None:
    page = opened(viewport=SIZES["wide"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.className") == "dark"
    assert page.locator(".chart[tabindex='0'][aria-label]").count() == page.locator(".chart").count()


def test_a_planted_script_never_runs(browser: Any, hostile_store: Store, tmp_path: Path) -> None:
    path = write(hostile_store, hostile_store.results(), tmp_path / "deep" / "page.html")
    page, alerts = browser.new_page(), []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    page.evaluate("ready")
    assert HOSTILE in page.locator("main").inner_text()
    assert alerts == []
    page.close()


def test_a_term_is_explained_once_and_whatever_else_stands_there_is_escaped() -> None:
    html = str(glossed("<b>chance</b> is 10 %, the chances; chance & SE of random labels"))
    assert html.count("<abbr") == 3
    assert html.startswith('&lt;b&gt;<abbr title="The accuracy of guessing')
    assert "the chances; chance &amp; " in html
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)
