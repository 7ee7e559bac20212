"""Print versions: physical width, size of letters, captions, tables for LaTeX."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from shatterlab import ShatterlabError, Store
from shatterlab.cli import main
from shatterlab.report import write_figures
from shatterlab.report.latex import booktabs, escaped
from shatterlab.report.prints import CAPTIONS
from shatterlab.report.sizing import points_of

MM = 72 / 25.4


def written(store: Store, out: Path, format, study: str | None = None, **options) -> dict[str, Path]:
    return {path.name: path for path in write_figures(store, store.results(), out, format, study, **options)}


@pytest.mark.parametrize(
    ("width", "points"),
    [("column", 84 * MM), ("text", 174 * MM), ("84mm", 84 * MM), ("8.4 cm", 84 * MM), ("3.5in", 252), ("240pt", 240)],
)
def test_a_width_is_a_name_or_a_number_with_a_unit(width: str, points: float) -> None:
    assert points_of(width) == pytest.approx(points)


@pytest.mark.parametrize("width", ["84", "wide", "84px", "-3in", "1mm", "9in9", "99in", ""])
def test_another_width_is_refused_with_what_may_be_written(width: str) -> None:
    with pytest.raises(ShatterlabError, match="84mm"):
        points_of(width)


def test_a_font_of_no_size_is_refused(small_store: Store, tmp_path: Path) -> None:
    with pytest.raises(ShatterlabError, match="font size of 0 points"):
        written(small_store, tmp_path, "svg", width="column", font_size=0)


@pytest.mark.parametrize("width", ["column", "text"])
def test_every_chart_is_as_wide_as_asked(small_store: Store, tmp_path: Path, width: str) -> None:
    pdf = pytest.importorskip("pypdfium2")
    files = written(small_store, tmp_path, "pdf", *(["table1"] if width == "text" else []), width=width, title=False)
    assert len(files) > (1 if width == "text" else 20)
    for name, path in files.items():
        if name != CAPTIONS:
            assert pdf.PdfDocument(path)[0].get_size()[0] == pytest.approx(points_of(width), abs=1), name


def test_svg_and_png_have_the_same_physical_width(small_store: Store, tmp_path: Path) -> None:
    for path in written(small_store, tmp_path, "svg", "table1", width="84mm").values():
        if path.suffix == ".svg":
            found = re.search(r'<svg[^>]*? width="([0-9.]+)pt"', path.read_text())
            assert found
            assert float(found[1]) == pytest.approx(84 * MM, abs=1)
    for path in written(small_store, tmp_path, "png", "table1", width="84mm").values():
        if path.suffix == ".png":
            with Image.open(io.BytesIO(path.read_bytes())) as picture:
                assert picture.width / 300 * 25.4 == pytest.approx(84, abs=0.5)
                assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("font", [6, 8, 11])
def test_letters_have_the_size_of_the_text_around_the_figure(small_store: Store, tmp_path: Path, font: float) -> None:
    files = written(small_store, tmp_path, "svg", "double-descent", width="column", font_size=font, title=False)
    for path in files.values():
        if path.suffix == ".svg":
            sizes = {float(size) for size in re.findall(r'font-size="([0-9.]+)px"', path.read_text())}
            assert sizes == {font}


def test_without_a_title_the_caption_has_it(small_store: Store, tmp_path: Path) -> None:
    files = written(small_store, tmp_path, "svg", "bias-variance", width="column", title=False)
    [chart] = [path for path in files.values() if path.suffix == ".svg"]
    assert "Expected squared error" not in chart.read_text()
    captions = files[CAPTIONS].read_text()
    assert captions.startswith(f"{chart.name}\nExpected squared error and its parts. polynomials through n = ")
    assert re.search(r"n = .*; seeds = 0, 1; commit = ", captions)
    assert "Command: shatterlab run bias-variance --scale demo" in captions


def test_every_file_has_a_caption_and_a_name_without_spaces(small_store: Store, tmp_path: Path) -> None:
    files = written(small_store, tmp_path, "svg")
    captions = files.pop(CAPTIONS).read_text()
    assert [block.splitlines()[0] for block in captions.strip().split("\n\n")] == list(files)
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+", name) for name in files)


def test_special_characters_are_escaped_for_latex() -> None:
    assert escaped(r"50 % of a_b & {c} #1 \x ~ ^ $") == (
        r"50 \% of a\_b \& \{c\} \#1 \textbackslash{}x \textasciitilde{} \textasciicircum{} \$"
    )
    assert escaped("99.4 ± 0.1, bias²") == r"99.4 $\pm$ 0.1, bias$^2$"


def test_a_table_has_the_rules_of_booktabs_and_numbers_on_the_right() -> None:
    table = booktabs(
        [{"model": "A & B", "n": 1_000, "test %": "37.80"}, {"model": "C", "n": 20, "test %": None}], "What it is."
    )
    assert table.splitlines() == [
        "% What it is.",
        r"\begin{tabular}{@{}lrr@{}}",
        r"\toprule",
        r"model & n & test \% \\",
        r"\midrule",
        r"A \& B & 1,000 & 37.80 \\",
        r"C & 20 & --- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_the_tables_of_all_studies_can_be_typeset(small_store: Store, tmp_path: Path) -> None:
    files = written(small_store, tmp_path, "tex")
    tables = [path for path in files.values() if path.suffix == ".tex"]
    assert len(tables) > 12
    for path in tables:
        body = path.read_text()
        columns = body.partition("@{}")[2].partition("@{}")[0]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
        assert body.isascii(), {letter for letter in body if not letter.isascii()}
    if shutil.which("pdflatex"):
        whole = "\n".join(path.read_text() for path in tables)
        (tmp_path / "all.tex").write_text(
            "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + whole + "\\end{document}\n"
        )
        subprocess.run(["pdflatex", "-halt-on-error", "all.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_the_command_writes_figures_for_a_column(small_store: Store, tmp_path: Path, capsys) -> None:
    main(
        ["figures", "bias-variance", "--store", str(small_store.path), "--out", str(tmp_path), "--format", "pdf", "--width", "column",
         "--font-size", "8", "--no-title"]
    )  # fmt: skip
    assert [Path(line).name for line in capsys.readouterr().out.splitlines()] == [
        "bias-variance-demo-digits-decomposition.pdf", CAPTIONS
    ]  # fmt: skip
