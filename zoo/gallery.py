"""Draw small pictures with captions as one picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from zoo.types import Image

_TILE = 112  # pixels on the long side of a small picture
_GAP = 14  # pixels between small pictures
_LINE = 16  # pixels from one line of a caption to the next
_ACROSS = 10  # small pictures in a row, at most
_PAPER, _INK, _FAINT = 250, 20, 110  # grey levels of the page, of a caption's first line, and of its other lines
_MAKER = ("Software", "flask-model-zoo")  # PNG text chunk by which drawings are recognised


def draw(tiles: Sequence[tuple[Image, Sequence[str]]]) -> bytes:
    """Draw pictures, uint8 (h, w) or (h, w, 3), in rows of up to ten, each above its lines of caption, as a PNG."""
    lines = max((len(caption) for _, caption in tiles), default=0)
    across = min(_ACROSS, max(1, len(tiles)))
    wide, high = _TILE + _GAP, _TILE + _GAP + lines * _LINE
    size = (across * wide + _GAP, math.ceil(len(tiles) / across) * high + _GAP)
    page = PIL.Image.new("RGB", size, (_PAPER,) * 3)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(12)
    for at, (pixels, caption) in enumerate(tiles):
        left, top = _GAP + at % across * wide, _GAP + at // across * high
        picture = PIL.Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
        scale = _TILE / max(picture.size)
        picture = picture.resize(
            (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), PIL.Image.Resampling.NEAREST
        )
        page.paste(picture, (left, top))
        for number, line in enumerate(caption):
            while line and pen.textlength(line, font) > _TILE:
                line = line.removesuffix("…")[:-1] + "…" if len(line) > 1 else ""
            level = _FAINT if number else _INK
            pen.text((left, top + _TILE + 1 + number * _LINE), line, (level,) * 3, font)
    return png(page)


def png(page: PIL.Image.Image) -> bytes:
    """Encode a drawing as a PNG that `is_drawing` recognises."""
    told, content = PngInfo(), io.BytesIO()
    told.add_text(*_MAKER)
    page.save(content, "PNG", pnginfo=told)
    return content.getvalue()


def is_drawing(path: Path) -> bool:
    """Whether a file is a drawing made by `png`, and so no picture of the user's."""
    try:
        with PIL.Image.open(path, formats=("PNG",)) as found:
            return bool(found.info.get(_MAKER[0]) == _MAKER[1])
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        return False
