"""Draw the steps of pictures side by side: one PNG with a row for each picture and a caption for each step."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from zoo import gallery
from zoo.steps import STEPS
from zoo.types import Image, Step

_CELL = 200  # pixels on each side of the square for a step
_GAP, _MARGIN = 20, 28  # pixels
_HEAD, _CAPTION = 34, 30  # pixels of height for a row's title and for the captions below
_PAGE, _EDGE, _TEXT, _TITLE = (250, 250, 248), (205, 205, 200), (85, 85, 90), (25, 25, 30)  # RGB


def draw(rows: Sequence[tuple[str, Sequence[Step]]]) -> bytes:
    """Draw rows, each a title and its steps from left to right, as a PNG; there is at least one row with one step.

    The PNG is as wide as the longest row, about 220 pixels per step.
    """
    most = max(len(steps) for _, steps in rows)
    high = _HEAD + _CELL + _CAPTION
    size = (2 * _MARGIN + most * (_CELL + _GAP) - _GAP, 2 * _MARGIN + len(rows) * (high + _GAP) - _GAP)
    page = PIL.Image.new("RGB", size, _PAGE)
    pen = PIL.ImageDraw.Draw(page)
    title, caption = PIL.ImageFont.load_default(18), PIL.ImageFont.load_default(15)
    for index, (name, steps) in enumerate(rows):
        top = _MARGIN + index * (high + _GAP)
        pen.text((_MARGIN, top), _shortened(name, size[0] - 2 * _MARGIN, title), _TITLE, title)
        for place, step in enumerate(steps):
            left = _MARGIN + place * (_CELL + _GAP)
            panel = _fitted(step.picture)
            x, y = left + (_CELL - panel.width) // 2, top + _HEAD + (_CELL - panel.height) // 2
            pen.rectangle((x - 1, y - 1, x + panel.width, y + panel.height), outline=_EDGE)
            page.paste(panel, (x, y))
            below = (left + _CELL // 2, top + _HEAD + _CELL + 8)
            pen.text(below, STEPS[step.name], _TEXT, caption, anchor="ma")
    return gallery.png(page)


def _fitted(picture: Image) -> PIL.Image.Image:
    """Scale a step to its square: a large one is averaged, a small one shows its pixels."""
    image = PIL.Image.fromarray(picture).convert("RGB")
    scale = _CELL / max(image.size)
    method = PIL.Image.Resampling.BOX if scale < 1 else PIL.Image.Resampling.NEAREST
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), method)


def _shortened(text: str, width: int, font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont) -> str:
    """Shorten a title from the front until it fits into `width` pixels."""
    while font.getlength(text) > width:
        text = "..." + text.removeprefix("...")[1:]
    return text
