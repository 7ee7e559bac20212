"""The report: one page, its claims, its print versions, and what a browser makes of it."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from helpers import found, train_all

from shatterlab import ShatterlabError, Store, make_spec, run
from shatterlab.assumptions import ASSUMPTIONS
from shatterlab.report import sections, write, write_figures
from shatterlab.results import Asked
from shatterlab.studies import CHAPTERS, STUDIES, TAKEAWAYS, Tables

CHROMIUM = shutil.which("chromium")

# Planted in the path of a data set; a file name holds no slash, so the tag is closed by nothing.
HOSTILE = "<script>alert(1)<"
HOSTILE_FILE = HOSTILE.replace("/", "") + ".npz"


def charts_of(page: str) -> dict[str, Any]:
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]


def test_the_page_is_whole_and_asks_the_network_for_nothing(small_store: Store, tmp_path: Path) -> None:
    results, _ = small_store.results()
    page = write(small_store, results, tmp_path / "deep" / "page.html").read_text()
    outside_scripts = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)|url\(|@import""", outside_scripts)
    for name in STUDIES:
        assert f"shatterlab run {name} --scale demo --data digits --seeds 2" in page
    charts = charts_of(page)
    assert len(charts) == sum(len(study.draw(found(small_store, name))) for name, study in STUDIES.items())
    assert all(f'id="{id}"' in page for id in charts)
    assert "fails to converge" in page
    assert "DenseNet-BC-190 (k = 40)" in page
    assert "scaled: demo on digits, not the full size" in page
    for study in STUDIES.values():
        assert all(claim.statement.replace("'", "&#39;") in page for claim in study.claims)
    assert [page.index(f">{chapter}</h2>") for chapter in CHAPTERS if chapter != "Further studies"] == sorted(
        page.index(f">{chapter}</h2>") for chapter in CHAPTERS if chapter != "Further studies"
    )


def test_what_has_not_been_run_is_said_with_its_command(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    spec = make_spec(model="mlp-1x4", data="digits", epochs=1, n=20, n_test=10)
    train_all([spec], store.path)
    page = write(store, store.results()[0], tmp_path / "page.html").read_text()
    assert page.count("not yet run here</span>") == 1 + sum(len(study.claims) for study in STUDIES.values())
    for name in STUDIES:
        assert f"Not run here yet: <code>shatterlab run {name}</code>" in page


def test_every_study_has_a_chapter_claims_and_known_assumptions() -> None:
    for study in STUDIES.values():
        assert study.chapter in CHAPTERS
        assert study.claims
        assert set(study.assumptions) <= ASSUMPTIONS.keys()
        for claim in study.claims:
            assert claim.statement.endswith(".")
            assert not claim.rule.endswith(".")
    assert {name for names in TAKEAWAYS.values() for name in names} <= STUDIES.keys()


def records(**changes: Any) -> Callable[[Tables], Tables]:
    """The same tables with some entries of every record replaced, where a record has them."""
    return lambda found: Tables(
        found.runs, found.epochs, [{k: changes.get(k, v) for k, v in r.items()} for r in found.records]
    )


def runs(**changes: Any) -> Callable[[Tables], Tables]:
    """The same tables with some columns of the runs replaced."""
    return lambda found: Tables(
        found.runs.with_columns(**{k: pl.lit(v) if not isinstance(v, pl.Expr) else v for k, v in changes.items()}),
        found.epochs,
        found.records,
    )


def kernel_errors(pixels: float, gabor: float) -> Callable[[Tables], Tables]:
    norms = {"pixels": 1.0, "gabor": 2.0}
    return lambda found: Tables(
        found.runs,
        found.epochs,
        [
            r | {"test_error": gabor if r["features"] == "gabor" else pixels, "norm": norms.get(r["features"], 1.0)}
            | {"train_error": 0.0, "tested": 10_000}
            for r in found.records
        ],
    )  # fmt: skip


NOISE = pl.col("amount")
GOOD = {"train_accuracy": 1.0, "test_accuracy": 0.5, "n_test": 10_000, "overfit_step": 10}
# For each claim: what makes it hold, and what contradicts it.
CONTRARIES: dict[str, list[tuple[Callable[[Tables], Tables], Callable[[Tables], Tables]]]] = {
    "bias-variance": [(lambda t: Tables(t.runs, t.epochs, [r | {"total": (r["degree"] - 2) ** 2} for r in t.records]),
                       lambda t: Tables(t.runs, t.epochs, [r | {"total": r["degree"]} for r in t.records]))],
    "overparameterization": [(records(parameters=10**8), records(parameters=10))],
    "learning-curves": [(runs(**GOOD), runs(train_accuracy=0.9))] * 2,
    "label-noise": [
        (runs(overfit_step=10), runs(overfit_step=pl.when(NOISE == 0).then(10).otherwise(500))),
        (runs(train_accuracy=1.0, test_accuracy=0.9 - NOISE / 2, n_test=10_000),
         runs(train_accuracy=1.0, test_accuracy=0.1 + NOISE / 2, n_test=10_000)),
    ],
    "precision": [
        (runs(train_accuracy=pl.when(pl.col("precision") == "bf16").then(0.98).otherwise(1.0)), runs(train_accuracy=1.0))
    ],
    "expressivity": [(records(), records(max_error=1.0)), (records(), records(width=10_000))],
    "table1": [
        (runs(**GOOD), runs(**GOOD | {"test_accuracy": 0.1})),
        (runs(**GOOD), runs(test_accuracy=pl.when(pl.col("weight_decay") > 0).then(0.9).otherwise(0.2))),
    ],
    "random-labels-regularized": [(runs(train_accuracy=1.0, online_accuracy=1.0), runs(train_accuracy=0.5))],
    "implicit": [
        (runs(**GOOD, validation_test_accuracy=0.5), runs(**GOOD, validation_test_accuracy=0.6)),
        (runs(**GOOD), runs(**GOOD | {"train_accuracy": 0.6})),
    ],
    "minimum-norm": [
        (records(to_limit=0.001, span_angle=1e-9), records(to_limit=0.5)),
        (records(curvature_difference=1e-9), records(curvature_difference=0.1)),
    ],
    "kernels": [(kernel_errors(0.1, 0.05), kernel_errors(0.895, 0.895)), (kernel_errors(0.1, 0.05), kernel_errors(0.1, 0.2))],
    "matrix-factorization": [
        (lambda t: Tables(t.runs, t.epochs, [r | {"error": 2.0 if (r["start"] or 0) > 1 else 0.001, "nuclear_norm": 1.0}
                                             for r in t.records]), records(error=0.5)),
    ],
    "gradient-descent": [(records(reached=100, r2=0.999, worst_incoherence=1.0), records(reached=None))],
    "double-descent": [
        (lambda t: Tables(t.runs, t.epochs, [
            r | {"test_loss": 1.0 if r["kind"] == "best ridge" else 9.0 if r["features"] == r["n"] else 2.0,
                 "test_error": 0.9 if r["features"] == r["n"] else 0.2} for r in t.records]),
         lambda t: Tables(t.runs, t.epochs, [r | {"test_loss": r["features"]} for r in t.records])),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, study in STUDIES.items() for i in range(len(study.claims))]
)
def test_a_claim_is_confirmed_by_its_rule_and_by_nothing_else(small_store: Store, name: str, number: int) -> None:
    claim, (good, bad) = STUDIES[name].claims[number], CONTRARIES[name][number]
    whole = found(small_store, name)
    confirmed, refuted = claim.check(good(whole)), claim.check(bad(whole))
    assert confirmed is not None
    assert refuted is not None
    assert (confirmed.confirmed, refuted.confirmed) == (True, False)
    assert "nan" not in confirmed.numbers
    assert claim.check(Tables(whole.runs.clear(), whole.epochs.clear())) is None


def test_a_claim_is_not_confirmed_while_runs_are_missing(small_store: Store, tmp_path: Path) -> None:
    shutil.copytree(small_store.path, tmp_path / "store")
    store = Store(tmp_path / "store")
    results, _ = store.results()
    board = sections(store, results)[0].html
    for file in store.path.glob("studies/*.json"):
        asked = Asked.model_validate_json(file.read_text())
        store.ask(asked.model_copy(update={"run_ids": [*asked.run_ids, "0" * 12]}))
    unfinished = sections(store, results)[0].html
    yes, no = '<span class="state confirmed">confirmed</span>', '<span class="state not-confirmed">not confirmed</span>'
    assert yes in board
    assert yes not in unfinished
    assert unfinished.count(no) == board.count(no) > 0


def test_the_command_of_a_section_can_be_pasted_into_a_shell(small_store: Store, tmp_path: Path) -> None:
    shutil.copytree(small_store.path, tmp_path / "store")
    store = Store(tmp_path / "store")
    (asked,) = [one for one in store.asked() if one.study == "learning-curves"]
    store.ask(asked.model_copy(update={"data": "npz:my data;rm.npz"}))
    page = "".join(part.html for part in sections(store, store.results()[0]))
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
    results, _ = small_store.results()
    files = write_figures(small_store, results, tmp_path / "out", format, "learning-curves")
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
    results, _ = hostile_store.results()
    page = write(hostile_store, results, tmp_path / "page.html").read_text()
    for html in (page, hostile_store._repr_html_(), results[0]._repr_html_()):
        assert "<script>alert" not in html
        assert "alert(1)" in html
    assert "<b>" not in hostile_store._repr_html_()


def test_an_empty_store_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(ShatterlabError, match="holds no finished runs; start with 'shatterlab run learning-curves'"):
        write(Store(tmp_path), [], tmp_path / "page.html")


@pytest.fixture
def opened(browser: Any, small_store: Store, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page of every study; what the console says and what is asked of the network is kept beside it."""
    results, _ = small_store.results()
    path = write(small_store, results, tmp_path / "page.html")
    contexts = []

    def open_(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("ready")
        return page

    yield open_
    for context in contexts:
        context.close()


SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_every_chart_in_silence(opened, size: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(viewport=SIZES[size], color_scheme=scheme)
    assert page.locator(".chart svg").count() == page.locator(".chart").count() > 15
    assert page.said == []
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "data", "blob"}
    assert len([url for url in page.asked if url.startswith("file")]) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 29)"
    assert dark == (scheme == "dark")
    violations = Axe().run(page).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


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
    path = write(hostile_store, hostile_store.results()[0], tmp_path / "page.html")
    page, alerts = browser.new_page(), []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    page.evaluate("ready")
    assert HOSTILE in page.locator("main").inner_text()
    assert alerts == []
    page.close()
