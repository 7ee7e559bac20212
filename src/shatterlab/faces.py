"""What a notebook shows of data, specs and studies: small HTML in which everything that users name is escaped."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

import numpy as np

MOST_PICTURES = 10
"""At most this many of the first training images are shown."""
PICTURE_SIDE = 48
"""Pictures are shown at most this high and wide, in pixels, so that a strip stays below 60 kB."""
MOST_NAMES = 20
"""At most this many names of classes are listed, the first ones."""


def departures(spec: Any) -> dict[str, Any]:
    """What a spec is about, and its dials that differ from the defaults of its model, data and condition."""
    named = ("model", "model_version", "data", "data_version", "corruption")
    what = {name: getattr(spec, name) for name in named}
    usual = type(spec)(**what)
    return {name: value for name, value in what.items() if value is not None} | {
        name: getattr(spec, name) for name in type(spec).model_fields if getattr(spec, name) != getattr(usual, name)
    }


def spec_face(spec: Any) -> str:
    """A spec as a table of the dials that differ from the defaults."""
    return _table(departures(spec), f"run {spec.id}; every other dial has its default")


def study_face(study: Any, runs: Mapping[Any, int]) -> str:
    """A study's question and source, and the number of runs and computations of one seed at each scale."""
    counted = ", ".join(f"{scale} {count:,}" for scale, count in runs.items())
    return f"<p><b>{escape(study.question)}</b><br>{escape(study.source)}. Runs of one seed: {escape(counted)}.</p>"


def data_face(parts: Mapping[str, Any], inputs: np.ndarray, names: Sequence[str]) -> str:
    """Data as a table of their sets, and the first training images where the inputs are images.

    Args:
        parts: the sets by name, each with `shape`, `classes`, `labels` and `corrupted`.
        inputs: the inputs of the training set; images are (n, height, width, 1 or 3), uint8 or float32 in [0, 1].
        names: the names of the classes; empty where these are numbers.
    """
    lines = {
        name: f"{len(part.labels):,} examples of shape {' x '.join(map(str, part.shape))}, {part.classes} classes, "
        f"{100 * float(np.mean(part.corrupted)):.1f} % corrupted"
        for name, part in parts.items()
    }
    if names:
        lines["classes"] = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
    return _table(lines, "") + _strip(inputs)


def _strip(inputs: np.ndarray) -> str:
    """The first images side by side as one PNG, or nothing where the inputs are not images."""
    if inputs.ndim != 4 or inputs.shape[3] not in (1, 3) or min(inputs.shape[1:3]) < 4 or not len(inputs):
        return ""
    from PIL import Image

    first = inputs[:MOST_PICTURES]
    pixels = first if first.dtype == np.uint8 else (255 * np.clip(first, 0, 1)).astype(np.uint8)
    row = np.concatenate(list(np.pad(pixels, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=255)), axis=1)
    picture = Image.fromarray(row[..., 0] if row.shape[2] == 1 else row)
    scale = PICTURE_SIDE / max(inputs.shape[1:3])
    file = BytesIO()
    size = max(1, round(scale * picture.width)), max(1, round(scale * picture.height))
    picture.resize(size, Image.Resampling.NEAREST).save(file, "PNG")
    source = b64encode(file.getvalue()).decode()
    return f'<img alt="the first {len(first)} training images" src="data:image/png;base64,{source}">'


def _table(lines: Mapping[str, Any], caption: str) -> str:
    body = "".join(
        f"<tr><th align='left'>{escape(str(name))}</th><td align='left'>{escape(str(value))}</td></tr>"
        for name, value in lines.items()
    )
    return f"<table><caption>{escape(caption)}</caption>{body}</table>"
