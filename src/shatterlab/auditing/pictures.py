"""An image as PNG, for people to look at."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray


def png(image: NDArray[Any]) -> str:
    """An image as base64 of a PNG.

    Args:
        image: (height, width, channels), bytes or floats in [0, 1]; the first channel is shown in grey unless there
            are three.
    """
    from PIL import Image

    if image.dtype != np.uint8:
        image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    if image.shape[2] != 3:
        image = image[..., :1].repeat(3, axis=2)
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
