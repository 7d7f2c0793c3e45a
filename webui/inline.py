"""Pictures within a page or a JSON answer, as data: URLs."""

from __future__ import annotations

import base64

from zoo.types import Image, as_png


def data_url(picture: Image, optimize: bool = False) -> str:
    """Return a uint8 picture as a PNG in a data: URL; `optimize` makes it smaller and takes longer."""
    return f"data:image/png;base64,{base64.b64encode(as_png(picture, optimize=optimize)).decode()}"
