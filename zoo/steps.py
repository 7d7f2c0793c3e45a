"""Record the steps from a picture to what the model sees as pictures, while `zoo.ink` takes them.

    with watching() as told:
        normalise(picture)

Nothing is drawn outside such a block.
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
    "contrast": "against its background",
    "ink": "ink",
    "marks": "the digit's marks",
    "box": "the digit's box",
    "fitted": "cut out, strokes evened",
    "seen": "what the model saw",
}
"""All possible steps, in order, each with a caption."""

_SIDE = 400  # pixels on the long side of a step that shows the whole picture, at most about
_FAINT = 32.0  # grey levels; a picture with a weaker contrast is not stretched to look like a strong one
_DIGIT, _OTHERS = (255, 176, 0), (90, 90, 100)  # RGB of the digit's marks, and of the others
_BOX = (230, 30, 90)  # RGB

_told: ContextVar[dict[str, Image] | None] = ContextVar("told", default=None)


@contextlib.contextmanager
def watching() -> Iterator[dict[str, Image]]:
    """Collect the steps taken within the block in this thread, by name: uint8 grey (h, w) or RGB (h, w, 3)."""
    told: dict[str, Image] = {}
    token = _told.set(told)
    try:
        yield told
    finally:
        _told.reset(token)


def tell(name: str, draw: Callable[[], Image]) -> None:
    """Record a step, one of `STEPS`, in the enclosing `watching` block; without one, `draw` is not called.

    An earlier step of the same name is replaced.
    """
    told = _told.get()
    if told is not None:
        told[name] = draw()


def on_ground(picture: Image) -> Image:
    """Reduce a picture of any size and mode, and put transparent parts on a background: uint8 RGB (h, w, 3)."""
    small = reduce(picture, max(1, -(-max(picture.shape[:2]) // _SIDE)))
    return np.rint(np.broadcast_to(small, (*small.shape[:2], 3))).astype(np.uint8)


def boxed(picture: Image, box: Box) -> Image:
    """Return what `on_ground` does, with a box, given in the picture's pixels, drawn into it."""
    image = PIL.Image.fromarray(on_ground(picture))
    scale = max(image.size) / max(picture.shape[:2])
    left, top, right, bottom = (round(edge * scale) for edge in box)
    width = max(1, max(image.size) // 80)
    outer = (left - width, top - width, max(left, right + width - 1), max(top, bottom + width - 1))
    PIL.ImageDraw.Draw(image).rectangle(outer, outline=_BOX, width=width)
    return np.asarray(image)


def lighter_or_darker(contrast: Plane) -> Image:
    """Draw a contrast to the background, float32 (h, w) in grey levels, as uint8 (h, w); the background is 128."""
    most = max(_FAINT, float(np.abs(contrast).max()))
    levels: Image = np.rint(128 + contrast * (127 / most)).astype(np.uint8)
    return levels


def light(ink: Plane, high: float) -> Image:
    """Draw ink, float32 (h, w), as uint8 (h, w): white where it has `high` grey levels or more."""
    levels: Image = np.rint((ink * (255 / high)).clip(0, 255)).astype(np.uint8)
    return levels


def coloured(marks: Mask, digit: Mask) -> Image:
    """Draw marks, bool (h, w), as uint8 RGB (h, w, 3), those of the digit in another colour."""
    picture = np.zeros((*marks.shape, 3), np.uint8)
    picture[marks] = _OTHERS
    picture[digit] = _DIGIT
    return picture
