"""The steps from a picture to what the model sees, as pictures, told by `zoo.ink` as it takes them, if someone watches.

    with watching() as told:
        normalise(picture)

Without a watcher nothing is drawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import numpy as np
import PIL.Image
import PIL.ImageDraw

from zoo.ground import reduce
from zoo.types import Box, Image, Mask, Plane

STEPS = {
    "picture": "the picture",
    "contrast": "against its ground",
    "ink": "ink",
    "marks": "the digit's marks",
    "box": "the digit's box",
    "fitted": "cut out, strokes evened",
    "seen": "what the model saw",
}
"""The steps there can be, in their order, each with a caption."""

_SIDE = 400  # pixels on the long side of a step that shows the whole picture, at the most about
_FAINT = 32.0  # grey levels; a contrast below is not made to look like one
_DIGIT, _OTHERS = (255, 176, 0), (90, 90, 100)
_BOX = (230, 30, 90)

_told: ContextVar[dict[str, Image] | None] = ContextVar("told", default=None)


@contextlib.contextmanager
def watching() -> Iterator[dict[str, Image]]:
    """The steps that are told meanwhile in this thread, by name: uint8 grey (h, w) or RGB (h, w, 3)."""
    told: dict[str, Image] = {}
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


def tell(name: str, draw: Callable[[], Image]) -> None:
    """Add a step, one of `STEPS`, drawn only if someone watches; a step of that name told before is replaced."""
    told = _told.get()
    if told is not None:
        told[name] = draw()


def on_ground(picture: Image) -> Image:
    """A picture of any size and kind, small, and on its ground if that is transparent: uint8 RGB (h, w, 3)."""
    small = reduce(picture, max(1, -(-max(picture.shape[:2]) // _SIDE)))
    return np.rint(np.broadcast_to(small, (*small.shape[:2], 3))).astype(np.uint8)


def boxed(picture: Image, box: Box) -> Image:
    """As `on_ground`, with a box, given in the picture's pixels, drawn into it."""
    image = PIL.Image.fromarray(on_ground(picture))
    scale = max(image.size) / max(picture.shape[:2])
    left, top, right, bottom = (round(edge * scale) for edge in box)
    width = max(1, max(image.size) // 80)
    outer = (left - width, top - width, max(left, right + width - 1), max(top, bottom + width - 1))
    PIL.ImageDraw.Draw(image).rectangle(outer, outline=_BOX, width=width)
    return np.asarray(image)


def lighter_or_darker(contrast: Plane) -> Image:
    """Grey levels from the ground, float32 (h, w), as uint8 (h, w): the ground is grey, 128."""
    most = max(_FAINT, float(np.abs(contrast).max()))
    levels: Image = np.rint(128 + contrast * (127 / most)).astype(np.uint8)
    return levels


def light(ink: Plane, high: float) -> Image:
    """Ink, float32 (h, w), as uint8 (h, w): white where it is of `high` grey levels or more."""
    levels: Image = np.rint((ink * (255 / high)).clip(0, 255)).astype(np.uint8)
    return levels


def coloured(marks: Mask, digit: Mask) -> Image:
    """Marks, bool (h, w), as uint8 RGB (h, w, 3), those of the digit in a colour of their own."""
    picture = np.zeros((*marks.shape, 3), np.uint8)
    picture[marks] = _OTHERS
    picture[digit] = _DIGIT
    return picture
