"""What the site shows beside its texts: what the examples print and draw, their notebooks, and a whole report."""

import ast
import json
import os
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MEASURED = ROOT / "docs" / "measured" / "paper-size.tar.xz"

# An example leaves its chart in a variable of this name.
DRAW = """
import json, runpy, sys
chart = runpy.run_path(sys.argv[1])["chart"]
with open("chart.json", "w") as file:
    json.dump(chart.to_dict(), file)
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the gallery, its pictures and notebooks, and the report of the runs at the paper's size."""
    with ThreadPoolExecutor(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()) as pool:
        done = list(pool.map(_run, EXAMPLES))
    parts = [
        "# Gallery",
        "Each of these scripts lies in the folder `examples/` of the repository and runs as it stands; each is a "
        "notebook, too. What it prints and draws here comes from building this site.",
    ]
    for script, (printed, picture) in zip(EXAMPLES, done, strict=True):
        notebook = f"gallery/{script.stem}.ipynb"
        files.append(File.generated(config, f"gallery/{script.stem}.svg", content=picture))
        files.append(File.generated(config, notebook, content=json.dumps(_notebook(script), indent=1)))
        title, code = _split(script)
        code_block = "```python", *code.splitlines(), "```"
        parts += [
            f"## {title}",
            f"![What {script.name} draws](gallery/{script.stem}.svg)",
            f"```text\n{printed.rstrip()}\n```",
            f"[As a notebook]({notebook})",
            "\n".join([f'??? note "{script.name}"', "", *(f"    {line}" for line in code_block)]),
        ]
    files.append(File.generated(config, "gallery.md", content="\n\n".join(parts) + "\n"))
    files.append(File.generated(config, "cifar10-report.html", content=_report()))
    return files


def _run(script: Path) -> tuple[str, str]:
    """What an example prints, and its chart as SVG."""
    import vl_convert

    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", DRAW, script], cwd=folder, capture_output=True, encoding="utf-8", check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{script.name} failed: {done.stderr}")
        return done.stdout, vl_convert.vegalite_to_svg(json.loads((Path(folder) / "chart.json").read_text()))


def _split(script: Path) -> tuple[str, str]:
    """The first line of a script's docstring, and the code below it."""
    text = script.read_text(encoding="utf-8")
    tree = ast.parse(text)
    title = ast.get_docstring(tree) or script.stem
    return title.splitlines()[0].rstrip("."), "".join(text.splitlines(keepends=True)[tree.body[0].end_lineno :]).strip()


def _notebook(script: Path) -> dict[str, Any]:
    """A script as a notebook: its docstring above, its code, and its chart below."""
    title, code = _split(script)
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {title}"}]
    for number, source in enumerate((code, "chart")):
        cell = {"cell_type": "code", "id": f"code-{number}", "metadata": {}, "outputs": [], "execution_count": None}
        cells.append({**cell, "source": source})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _report() -> str:
    """The report of the runs on all of CIFAR-10, from the store that the repository keeps."""
    import shatterlab as sl

    with TemporaryDirectory() as folder:
        with tarfile.open(MEASURED) as archive:
            archive.extractall(folder, filter="data")
        return sl.write_report(Path(folder) / "data").read_text(encoding="utf-8")
