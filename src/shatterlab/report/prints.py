"""Print versions of the charts and tables: the same definitions as on the page, for a place on paper."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..errors import ShatterlabError, listed
from ..files import path_of, write_whole
from ..results import Asked, Measurement, Result, Store
from ..studies import STUDIES, asked_of, command_of, found_of, tables, without_misfits
from .latex import booktabs
from .provenance import provenance
from .render import heading_of
from .sizing import laid_out, points_of

Format = Literal["svg", "png", "pdf", "tex"]

DOTS_PER_INCH = 300
FONTS = 4.0, 30.0
"""Sizes of letters, in points, between which a chart can be laid out."""
CAPTIONS = "captions.txt"


def write_figures(
    store: Store,
    results: Sequence[Result],
    out: Path,
    format: Format,
    study: str | None,
    *,
    width: str | None = None,
    font_size: float = 8,
    title: bool = True,
) -> list[Path]:
    """Writes every chart of a study, or of all studies that have been run, into a folder, or with `tex` every table.

    Args:
        store: read for rows and for what has been asked of studies.
        results: its finished runs.
        out: the folder, which is made if it is missing.
        format: svg and pdf are vector graphics, png has 300 dots an inch, tex is a table with booktabs.
        study: a study's name; None for all.
        width: `column` (84 mm), `text` (174 mm), or a number with a unit such as 84mm; None for the size on the page.
        font_size: the size of all letters in points, where a width is given; 4 to 30.
        title: whether title and subtitle are part of the chart; they are in captions.txt anyway.

    Returns:
        The files, named <study>-<scale>-<data>-<chart>.<format>, and last captions.txt, which says of each what it
        shows, n, seeds, the command and the commit.

    Raises:
        ShatterlabError: there is nothing to draw, the width or font size is impossible, or a file cannot be written.
    """
    points, out = None if width is None else points_of(width), path_of(out, "the folder of figures")
    if not FONTS[0] <= font_size <= FONTS[1]:
        raise ShatterlabError(f"a font size of {font_size:g} points is outside {FONTS[0]:g} to {FONTS[1]:g}; try 8.")
    written, captions = [], []
    for asked in asked_of(store):
        if asked.study not in STUDIES or study not in (None, "all", asked.study):
            continue
        runs, measured = found_of(store, asked, results)
        if not (runs or measured):
            continue
        make = partial(_parts, store, asked, runs, format=format, points=points, font=font_size, title=title)
        parts = without_misfits(store, asked, measured, lambda some, make=make: [*make(some)])  # type: ignore[misc]
        for name, heading, content in parts or []:
            path = out / f"{'-'.join(filter(None, [_stem(asked), re.sub(r'[^A-Za-z0-9.]+', '-', name)]))}.{format}"
            _write(path, content)
            written.append(path)
            captions.append(f"{path.name}\n{_caption(asked, heading, runs, measured)}")
    if not written:
        damages = f"{listed(store.unreadable)}\n" if store.unreadable else ""
        raise ShatterlabError(
            f"{damages}the store {store.path} holds nothing to draw{f' of {study}' if study else ''}; start with "
            f"'shatterlab run {study or 'learning-curves'}'."
        )
    _write(out / CAPTIONS, "\n\n".join(captions).encode() + b"\n")
    return [*written, out / CAPTIONS]


def _parts(
    store: Store, asked: Asked, runs: Sequence[Result], measured: Sequence[Measurement], format: Format,
    points: float | None, font: float, title: bool,
) -> Iterator[tuple[str, tuple[str, str], bytes]]:  # fmt: skip
    """The charts of what was asked, or its table: name, title and subtitle, and the bytes of the file."""
    study, found = STUDIES[asked.study], tables(store, runs, measured)
    if format == "tex":
        lines = study.table(found) if study.table else []
        if lines:
            yield (
                "",
                (study.question, ""),
                booktabs(lines, _caption(asked, (study.question, ""), runs, measured)).encode(),
            )
        return
    for name, chart in study.draw(found).items():
        spec = chart.to_dict()
        heading = heading_of(spec)
        if not title:
            spec.pop("title", None)
        if points is not None:
            spec = laid_out(spec, points, font, _width_of)
        yield name, heading, _rendered(spec, format, physical=points is not None)


def _rendered(spec: dict[str, Any], format: Format, *, physical: bool) -> bytes:
    """The bytes of a picture; with `physical` a unit of the definition is a point on paper."""
    import vl_convert

    if format == "pdf":
        pdf: bytes = vl_convert.vegalite_to_pdf(spec)
        return pdf
    if format == "png":
        png: bytes = vl_convert.vegalite_to_png(spec, scale=1, ppi=DOTS_PER_INCH)
        return png
    svg: str = vl_convert.vegalite_to_svg(spec)
    if physical:
        # Without a unit the numbers would be pixels, of which an inch has 96 and not 72.
        svg = re.sub(
            r'(<svg[^>]*?) width="([0-9.]+)" height="([0-9.]+)"', r'\1 width="\2pt" height="\3pt"', svg, count=1
        )
    return svg.encode()


def _width_of(spec: dict[str, Any]) -> float:
    """The width of a definition as it is drawn."""
    import vl_convert

    match = re.search(r'<svg[^>]*? width="([0-9.]+)"', vl_convert.vegalite_to_svg(spec))
    assert match is not None
    return float(match[1])


def _caption(asked: Asked, heading: tuple[str, str], runs: Sequence[Result], measured: Sequence[Measurement]) -> str:
    facts = provenance(runs, measured)
    named = {"n": "training examples", "seeds": "seeds", "commit": "commit"}
    parts = [f"{name} = {', '.join(facts[of])}" for name, of in named.items() if of in facts]
    return "\n".join(
        [
            " ".join(part if part[-1] in ".?!" else f"{part}." for part in heading if part),
            "; ".join(parts) + f". Scale: {asked.scale}, data: {asked.data}.",
            f"Command: {command_of(asked)}",
        ]
    )


def _stem(asked: Asked) -> str:
    parts = [asked.study, asked.scale, _file_name(asked.data)]
    parts += [_file_name(asked.model)] if asked.model else []
    return "-".join([*parts, *([asked.precision] if asked.precision else [])])


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content, settled=False)
    except OSError as error:
        raise ShatterlabError(f"cannot write {path} ({error.strerror}); name a folder with --out.") from None


def _file_name(data: str) -> str:
    """Writes a name of data in letters that every file system takes; a path gets a hash of the whole name."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(data.removeprefix("npz:")).stem)
    return f"{stem}-{hashlib.sha256(data.encode()).hexdigest()[:6]}" if ":" in data else stem
