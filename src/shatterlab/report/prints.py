"""Print versions of the charts: the same definitions as on the page, as SVG, PNG or PDF."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from ..errors import ShatterlabError
from ..results import Result, Store
from ..studies import STUDIES, asked_of, found_of, tables

Format = Literal["svg", "png", "pdf"]

DOTS_PER_INCH = 300


def write_figures(store: Store, results: Sequence[Result], out: Path, format: Format, study: str | None) -> list[Path]:
    """Writes every chart of a study, or of all studies that have been run, into a folder.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        out: the folder, which is made if it is missing.
        format: svg and pdf are vector graphics, png has 300 dots an inch.
        study: a study's name; None for all.

    Returns:
        The files, named <study>-<scale>-<data>-<chart>.<format>; each shows title, n and seeds.

    Raises:
        ShatterlabError: there is nothing to draw, or a file cannot be written.
    """
    import vl_convert

    render: Callable[..., Any] = {
        "svg": lambda spec: vl_convert.vegalite_to_svg(spec).encode(),
        "png": lambda spec: vl_convert.vegalite_to_png(spec, scale=DOTS_PER_INCH / 72, ppi=72),
        "pdf": vl_convert.vegalite_to_pdf,
    }[format]
    written = []
    for asked in asked_of(store):
        if asked.study not in STUDIES or study not in (None, "all", asked.study):
            continue
        runs, measured = found_of(store, asked, results)
        if not (runs or measured):
            continue
        for name, chart in STUDIES[asked.study].draw(tables(store, runs, measured)).items():
            model = f"{_file_name(asked.model)}-" if asked.model else ""
            model += f"{asked.precision}-" if asked.precision else ""
            path = out / f"{asked.study}-{asked.scale}-{_file_name(asked.data)}-{model}{name}.{format}"
            try:
                out.mkdir(parents=True, exist_ok=True)
                path.write_bytes(render(chart.to_dict()))
            except OSError as error:
                raise ShatterlabError(f"cannot write {path} ({error.strerror}); name a folder with --out.") from None
            written.append(path)
    if not written:
        raise ShatterlabError(
            f"the store {store.path} holds nothing to draw{f' of {study}' if study else ''}; start with "
            f"'shatterlab run {study or 'learning-curves'}'."
        )
    return written


def _file_name(data: str) -> str:
    """Writes a name of data in letters that every file system takes; a path gets a hash of the whole name."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(data.removeprefix("npz:")).stem)
    return f"{stem}-{hashlib.sha256(data.encode()).hexdigest()[:6]}" if ":" in data else stem
