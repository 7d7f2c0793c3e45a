"""MNIST's form: recognise pictures that are in it already, and bring known ink to it.

It is light ink on black, the ink's bounding box fitted into 20x20 with its aspect kept, and the centre of mass in the
middle of 28x28 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, Proc. IEEE 86
(11), 1998, section III-A). `zoo.ink.normalise` finds the ink of other pictures first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.compiled.canvas import centred, drawn, stroke_width
from zoo.compiled.cells import box_of
from zoo.errors import NoInk
from zoo.settings import InkSettings
from zoo.steps import tell
from zoo.types import Batch, Box, Image, Plane, Trace

SIDE = 28
"""Pixels on each side of MNIST's form."""

_FIT = 20  # pixels on the long side of a digit's bounding box in MNIST
_MIDDLE = 14  # pixels, from 0: MNIST's centre of mass, which is 13.48 to 14.50 in all 70,000 digits
_FAINT = 32  # of 255; fainter pixels do not count for a digit's size; measured so, MNIST's digits are 18 to 20 long
_SOLID = 80  # of 255; fainter pixels at the rim of known ink are its soft edge
_FINE = 4  # canvas pixels per model pixel: strokes are thickened, thinned and centred on this finer canvas
_WEIGHTS = np.stack(  # columns: weights of the sum, and of the first moments across and down; (28 28, 3)
    [np.ones(SIDE * SIDE), np.tile(np.arange(SIDE), SIDE), np.repeat(np.arange(SIDE), SIDE)], axis=1
).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Ready:
    """Grey pictures, uint8 (n, 28, 28), ink light, with the ink's box of each in MNIST's form, and None for others."""

    pictures: Image
    dark: Sequence[bool]  # which pictures were negatives
    boxes: Sequence[Box | None]

    def trace(self, place: int) -> Trace:
        """Return the trace of picture `place`, which is in MNIST's form."""
        return Trace(self.pictures[place], "dark-on-light" if self.dark[place] else "light-on-dark", self.boxes[place])


def ready(pictures: NDArray[np.uint8]) -> tuple[Batch, Ready]:
    """Find which grey pictures, uint8 (n, 28, 28), are in MNIST's form already, and scale them as `normalise` does.

    Returns float32 (n, 28, 28, 1), which is meant only for those, and a `Ready` that tells which they are. All 70,000
    digits of MNIST are in that form. Many pictures in one call take much less time than one call each.
    """
    pictures = np.array(pictures, order="C")  # a copy: traces show it even if the caller changes the array
    dark = pictures[:, 0, 0] > 127
    if dark.any():
        pictures = np.where(dark[:, None, None], 255 - pictures, pictures)
    values = pictures.reshape(-1, SIDE * SIDE).astype(np.float32)
    sums = (values @ _WEIGHTS).tolist()  # whole numbers, so float32 is exact
    most = np.maximum.reduce(pictures.reshape(-1, SIDE * SIDE), 1).tolist()
    rows, columns = (solid.tobytes() for solid in _solid(pictures > _FAINT))
    values /= np.float32(255)
    boxes: list[Box | None] = [None] * len(pictures)
    for place, (total, across, down) in enumerate(sums):
        # In MNIST, ink covers 4 to 45 % of a picture, and only rounding takes the centre of mass off the middle.
        if (
            0 < total < 0.5 * 255 * SIDE * SIDE
            and most[place] >= 224
            and abs(down - _MIDDLE * total) <= 0.53 * total
            and abs(across - _MIDDLE * total) <= 0.53 * total
        ):
            here, end = place * SIDE, place * SIDE + SIDE
            left, top = columns.find(1, here, end) - here, rows.find(1, here, end) - here
            right, bottom = columns.rfind(1, here, end) + 1 - here, rows.rfind(1, here, end) + 1 - here
            if _FIT - 2 <= max(right - left, bottom - top) <= _FIT:
                boxes[place] = (left, top, right, bottom)
    return values.reshape(-1, SIDE, SIDE, 1), Ready(pictures, dark.tolist(), boxes)


def _solid(inks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows and which columns of pictures, bool (n, 28, 28), have ink: bool (n, 28) each."""
    if len(inks) < 8:
        return np.logical_or.reduce(inks, 2), np.logical_or.reduce(inks, 1)
    # NumPy reduces short rows one by one. Reading four pixels as one integer, for all pictures at once, is faster.
    fours = inks.view(np.uint32)
    across = fours[:, :, 0].copy()
    for place in range(1, SIDE // 4):
        across |= fours[:, :, place]
    down = fours[:, : SIDE // 2] | fours[:, SIDE // 2 :]
    down = down[:, :7] | down[:, 7:]
    return across != 0, np.bitwise_or.reduce(down, 1).view(np.bool_)


def plain_grey(picture: Image) -> Image | None:
    """Return a 28x28 picture as uint8 (28, 28) if its alpha is opaque and its colours are equal; else None."""
    if picture.ndim == 2:
        return picture
    if picture.shape[2] == 4 and picture[:, :, 3].min() < 255:
        return None
    if (picture[:, :, :1] != picture[:, :, 1:3]).any():
        return None
    return picture[:, :, 0]


def fit(level: Image, settings: InkSettings) -> Image:
    """Bring known ink, uint8 (h, w), light on black, to MNIST's form, uint8 (28, 28), which `normalise` only scales.

    There is no search, which would take a bold digit that fills its picture for paper. Raises `NoInk` with `reason`
    "blank" when there is no ink.
    """
    solid = level > _SOLID
    if not solid.any():
        raise NoInk(f"The piece is blank: no ink in it is stronger than {_SOLID} of 255.", "blank")
    left, top, right, bottom = box_of(solid)
    return fitted(level[top:bottom, left:right].astype(np.float32) / np.float32(255), settings, whole=True)[0]


def fitted(level: Plane, settings: InkSettings, whole: bool = False) -> tuple[Image, float, tuple[float, float]]:
    """Bring ink, float32 (h, w), 0-1, cut to its box, to MNIST's form, uint8 (28, 28); also return scale and shift.

    Stroke widths are brought between the settings' `thin` and `thick`: thinner strokes would fade when the digit is
    reduced, and thicker ones clog. `whole` centres by whole model pixels, as MNIST was made, so that the bounding box
    stays within 20x20.
    """
    height, width = level.shape
    stroke = stroke_width(level) * _FIT / max(height, width)
    wanted = min(max(stroke, settings.thin), settings.thick)
    grow = max(round((wanted - stroke) * _FINE / 2), -_FIT * _FINE)  # thinned by half of this, all ink is gone
    scale = (_FIT * _FINE - 2 * max(grow, 0)) / max(height, width)
    canvas = drawn(level, max(1, round(height * scale)), max(1, round(width * scale)), grow, scale > 1)
    tell("fitted", lambda: canvas)
    seen, x, y = centred(canvas, SIDE, _FINE, (_MIDDLE + 0.5) * _FINE - 0.5, _FINE if whole else 1)
    middle = ((SIDE * _FINE - canvas.shape[1]) / 2, (SIDE * _FINE - canvas.shape[0]) / 2)
    return seen, scale / _FINE, ((x - middle[0]) / _FINE, (y - middle[1]) / _FINE)
