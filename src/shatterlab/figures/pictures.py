"""Pictures of the images that a network is trained on, with their labels."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from .style import VERMILLION, finished

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 52
"""A picture is this high and wide, in pixels."""
GAP = 30
"""This many pixels below a picture are left for its label."""


def png(image: "NDArray[Any]") -> str:
    """An image as base64 of a PNG.

    Args:
        image: (height, width, channels), uint8, or float in [0, 1]; the first channel is shown in grey unless
            there are three.
    """
    import numpy as np
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if image.shape[2] != 3:
        image = image[..., :1].repeat(3, axis=2)
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def picture_strip(records: Sequence[Mapping[str, Any]], *, names: Sequence[str] = (), title: str, subtitle: str) -> Any:
    """A row of pictures for each condition, the same pictures in each column, with the label each is trained on.

    A label that is not the true one is set in bold italics and marked, so that it shows without colour.

    Args:
        records: mappings with condition, index, label, true_label, png (base64).
        names: names of the classes; without names the labels are shown as numbers.
        title, subtitle: texts that say where the pictures come from.

    Returns:
        An altair chart.
    """

    def named(label: int) -> str:
        return names[label] if label < len(names) else str(label)

    table = pl.DataFrame(
        [
            {
                "condition": r["condition"],
                "picture": r["index"] + 1,
                "label": named(r["label"]),
                "true label": named(r["true_label"]),
                "shown": named(r["label"]) + (" ✗" if r["label"] != r["true_label"] else ""),
                "url": f"data:image/png;base64,{r['png']}",
            }
            for r in records
        ]
    )
    conditions = table["condition"].unique(maintain_order=True).to_list()
    columns = len(table["picture"].unique())
    y = alt.Y(
        "condition:N",
        sort=conditions,
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=8, labelOffset=-GAP // 2, grid=False),
    )
    base = alt.Chart(table).encode(
        x=alt.X("picture:O", axis=None),
        y=y,
        tooltip=["condition:N", "picture:O", alt.Tooltip("label:N", title="trained as"), "true label:N"],
    )
    pictures = base.mark_image(width=SIDE, height=SIDE, smooth=False, yOffset=-GAP / 2).encode(url="url:N")
    text = base.encode(text="shown:N")
    true = text.transform_filter("datum.label == datum['true label']").mark_text(dy=SIDE / 2 - 6, fontSize=10)
    wrong = text.transform_filter("datum.label != datum['true label']").mark_text(
        dy=SIDE / 2 - 6, fontSize=10, fontWeight="bold", fontStyle="italic", color=VERMILLION
    )
    size = {"width": (SIDE + 14) * columns, "height": (SIDE + GAP) * len(conditions)}
    return finished(alt.layer(pictures, true, wrong), title, subtitle, **size)
